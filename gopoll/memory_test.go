package gopoll

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"weak"

	"gopoll.dev/gopoll/socket"
)

// pressure has goroutines that allocate, which with GOGC=1 collects all the
// time, and check that nobody writes to what is theirs, until stop.
type pressure struct {
	stop  atomic.Bool
	group sync.WaitGroup
	wrong atomic.Int64
}

func newPressure(tb testing.TB, goroutines int) *pressure {
	x := &pressure{}
	usual := debug.SetGCPercent(1)
	for id := range goroutines {
		x.group.Go(func() { x.allocate(uint64(id)) })
	}
	tb.Cleanup(func() {
		x.end()
		debug.SetGCPercent(usual)
		if n := x.wrong.Load(); n > 0 {
			tb.Errorf("%d bytes of others were overwritten", n)
		}
	})
	return x
}

func (x *pressure) end() {
	x.stop.Store(true)
	join("allocating goroutines", &x.group)
}

// allocate keeps some memory of the sizes that are lent, full of a pattern.
func (x *pressure) allocate(id uint64) {
	rng := rand.New(rand.NewPCG(id, 5))
	var held [32][]byte
	for !x.stop.Load() {
		i := rng.IntN(len(held))
		for _, c := range held[i] {
			if c != byte(i) {
				x.wrong.Add(1)
			}
		}
		buf := make([]byte, 1<<rng.IntN(15))
		for j := range buf {
			buf[j] = byte(i)
		}
		held[i] = buf
		// Where a buffer in flight would be taken for free, this is who gets it.
		runtime.Gosched()
	}
}

// TestLentThroughCollections lends memory whose last reference is the
// poller's, of many sizes and places, and has it come back right after
// thousands of collections.
func TestLentThroughCollections(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		newPressure(t, 1)
		p := newPoller(t, b)
		type dropped struct {
			at   weak.Pointer[byte]
			size int
			peer uintptr
		}
		var all []dropped
		lend := func(buf []byte) {
			x, peer := newPair(t)
			s := mustAdd(t, p, x, uint64(len(all)), 0, Level)
			all = append(all, dropped{weak.Make(&buf[0]), len(buf), peer})
			must(t, s.LendRead(buf))
		}
		for _, size := range []int{1, 8, 15, 16, 17, 100, 1024, 4096, 32 << 10, 40 << 10, 1 << 20} {
			lend(make([]byte, size))
			lend(append(make([]byte, 0, 2*size), make([]byte, size)...)) // part of more
			lend(make([]byte, 3*size)[size : 2*size])                    // from the middle
		}
		type withPointers struct {
			before *int
			buf    [64]byte
			behind *int
		}
		lend((&withPointers{before: new(int), behind: new(int)}).buf[:])

		for range repeat(300) {
			runtime.GC()
		}

		held := make([][]byte, len(all))
		for i, d := range all {
			at := d.at.Value()
			if at == nil {
				t.Fatalf("%d bytes were collected while they were lent", d.size)
			}
			// The test has a reference again, to look at what comes back.
			held[i] = unsafeBytes(at, d.size)
			n := min(d.size, 4096)
			mustWrite(t, d.peer, pattern(i, n))
		}
		for range all {
			e := mustWait(t, p, make([]Event, 1))[0]
			d := all[e.Key]
			if n := min(d.size, 4096); e.Ready&^ReadClosed != Returned|Readable || int(e.N) != n || string(held[e.Key][:n]) != string(pattern(int(e.Key), n)) {
				t.Errorf("%d bytes came back as %v", d.size, e)
			}
		}
		nothingLent(t, p)
		clear(held)
		until("buffers to be collected", func() bool {
			runtime.GC()
			for _, d := range all {
				if d.at.Value() != nil && d.size >= 16 { // smaller ones share memory
					return false
				}
			}
			return true
		})
	})
}

// pattern is n bytes that no other number has.
func pattern(number, n int) []byte {
	buf := make([]byte, n)
	for i := range buf {
		buf[i] = byte(number*31 + i*7 + i>>8)
	}
	return buf
}

// streamByte is the byte of a stream at an offset.
func streamByte(stream uint32, offset int) byte {
	return byte(uint32(offset)*2654435761>>13 + stream*97)
}

// end is one end of a connection in the torture: what it has lent, in order.
// The waiter alone uses it, save for what mu guards.
type end struct {
	stream   uint32 // that it writes; the other end reads it
	fd       uintptr
	reads    []tortureLend
	writes   []tortureLend
	sent     int // bytes lent for writing
	received int // bytes that have come

	// Nothing is lent after a cancel: how much of a canceled write went out
	// nobody knows.
	mu     sync.Mutex
	source Source
	broken bool
}

// cancel races with the poller, with the kernel and with Wait, but not with
// the lends of its own end.
func (e *end) cancel(ask func(Source) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.broken = true
	return ask(e.source)
}

func (e *end) isBroken() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.broken
}

// tortureLend is a buffer that was lent; buf is nil where the poller has the
// last reference.
type tortureLend struct {
	buf []byte
	n   int
}

// torture is one waiter that lends to both ends of several connections and
// checks every byte, while others take buffers back under its hands.
type torture struct {
	t      *testing.T
	p      *Poller
	arena  *Arena
	rng    *rand.Rand
	ends   []*end // 2i and 2i+1 are connected
	stream uint32

	moved, canceled, lent, returned int
}

func (x *torture) connect(i int) {
	a, b, err := socket.Pair()
	must(x.t, err)
	for j, fd := range []uintptr{a, b} {
		e := x.ends[2*i+j]
		x.stream++
		s := mustAdd(x.t, x.p, fd, uint64(2*i+j), 0, Mode(x.rng.IntN(3)))
		e.mu.Lock()
		e.stream, e.fd, e.sent, e.received, e.source, e.broken = x.stream, fd, 0, 0, s, false
		e.mu.Unlock()
	}
}

// retire takes both ends of a connection back and opens another.
func (x *torture) retire(i int) {
	for _, e := range x.ends[2*i : 2*i+2] {
		if x.rng.IntN(2) == 0 {
			must(x.t, e.cancel(Source.Reclaim))
		} else {
			// The returns keep the key, and find their end by it.
			must(x.t, e.cancel(Source.Delete))
		}
	}
	for x.outstanding(i) > 0 {
		x.wait()
	}
	for _, e := range x.ends[2*i : 2*i+2] {
		e.cancel(Source.Delete) // where it is deleted already, ErrNotExist
		socket.Close(e.fd)
	}
	x.connect(i)
}

func (x *torture) outstanding(i int) (n int) {
	for _, e := range x.ends[2*i : 2*i+2] {
		n += len(e.reads) + len(e.writes)
	}
	return n
}

// buffer is of the arena or not, and kept or left to the poller alone.
func (x *torture) buffer() []byte {
	if x.rng.IntN(4) == 0 {
		if buf := x.arena.Get(); buf != nil {
			return buf
		}
	}
	size := 1 + x.rng.IntN(1<<x.rng.IntN(15))
	offset := x.rng.IntN(64)
	return make([]byte, size+offset+x.rng.IntN(64))[offset : offset+size : offset+size]
}

func (x *torture) lend(e *end) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broken {
		return
	}
	for range x.rng.IntN(3) {
		buf := x.buffer()
		l := tortureLend{buf, len(buf)}
		must(x.t, e.source.LendRead(buf))
		// An arena's buffer has to be put back: its reference is kept.
		if a, _ := findArena(buf); a == nil && x.rng.IntN(3) == 0 {
			l.buf = nil
		}
		e.reads = append(e.reads, l)
		x.lent++
	}
	for range x.rng.IntN(3) {
		buf := x.buffer()
		if x.rng.IntN(60) == 0 { // more than a socket takes at a time
			buf = make([]byte, 300_000)
		}
		for i := range buf {
			buf[i] = streamByte(e.stream, e.sent+i)
		}
		l := tortureLend{buf, len(buf)}
		must(x.t, e.source.LendWrite(buf))
		e.sent += l.n
		if a, _ := findArena(buf); a == nil && x.rng.IntN(3) > 0 {
			l.buf = nil
		}
		e.writes = append(e.writes, l)
		x.lent++
	}
}

func (x *torture) wait() {
	var events [7]Event
	for _, ev := range mustWait(x.t, x.p, events[:1+x.rng.IntN(len(events))]) {
		if ev.Ready&Returned == 0 {
			x.t.Fatalf("event %v of a paused source", ev)
		}
		x.take(x.ends[ev.Key], x.ends[ev.Key^1], ev)
	}
}

// take checks a returned buffer.
func (x *torture) take(e, other *end, ev Event) {
	x.returned++
	queue := &e.reads
	if ev.Ready&Writable != 0 {
		queue = &e.writes
	}
	l := (*queue)[0]
	*queue = (*queue)[1:]
	n, err := ev.Result()
	switch {
	case err != nil:
		mustBe(x.t, err, ErrCanceled)
		x.canceled++
	case queue == &e.writes:
		if n != l.n {
			x.t.Fatalf("a write of %d came back as %d", l.n, n)
		}
		x.moved += n
	case n == 0:
		x.t.Fatalf("a read of %d came back with %v", l.n, ev)
	default:
		for i, c := range l.buf[:min(n, len(l.buf))] {
			if want := streamByte(other.stream, e.received+i); c != want {
				x.t.Fatalf("byte %d of stream %d is %#x, not %#x", e.received+i, other.stream, c, want)
			}
		}
		e.received += n
		x.moved += n
	}
	if l.buf != nil {
		if a, _ := findArena(l.buf); a != nil {
			a.Put(l.buf)
		}
	}
}

// TestLendTorture: no byte wrong, no buffer lost, in whatever order reads,
// writes, cancels, deletes and collections come.
func TestLendTorture(t *testing.T) {
	rounds := repeat(4000)
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		newPressure(t, 2)
		const connections = 6
		x := &torture{t: t, p: newPoller(t, b), arena: mustArena(t, 8, 3000), rng: rand.New(rand.NewPCG(uint64(b), 6))}
		x.ends = make([]*end, 2*connections)
		for i := range x.ends {
			x.ends[i] = new(end)
		}
		for i := range connections {
			x.connect(i)
		}
		// Cancels race with what the waiter does, and with the kernel.
		var stop atomic.Bool
		var group sync.WaitGroup
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(b), 7))
			for !stop.Load() {
				if e := x.ends[rng.IntN(len(x.ends))]; rng.IntN(50) == 0 && !e.isBroken() {
					e.cancel(Source.Reclaim) // or ErrNotExist, where it was just deleted
				}
				runtime.Gosched()
			}
		})
		defer func() {
			stop.Store(true)
			join("the goroutine that reclaims", &group)
		}()
		for round := range rounds {
			if round%50 == 0 {
				runtime.GC()
			}
			i := x.rng.IntN(connections)
			if x.ends[2*i].isBroken() || x.ends[2*i+1].isBroken() {
				x.retire(i)
			}
			if x.outstanding(i) < 20 {
				x.lend(x.ends[2*i+x.rng.IntN(2)])
			}
			if x.returned < x.lent && x.rng.IntN(2) == 0 {
				// What is lent for reading may have nothing coming: poll.
				var events [3]Event
				n, err := x.p.Wait(events[:], 0)
				must(t, err)
				for _, ev := range events[:n] {
					x.take(x.ends[ev.Key], x.ends[ev.Key^1], ev)
				}
			}
		}
		for i := range connections {
			x.retire(i)
			for _, e := range x.ends[2*i : 2*i+2] {
				must(t, e.cancel(Source.Delete))
				socket.Close(e.fd)
			}
		}
		t.Logf("%d buffers lent, %d canceled, %d bytes checked", x.lent, x.canceled, x.moved)
		if x.returned != x.lent {
			t.Errorf("%d lent, %d returned", x.lent, x.returned)
		}
		nothingLent(t, x.p)
		silent(t, x.p)
		must(t, x.arena.Free())
	})
}

// TestLargeLentWrites: what no socket takes at a time goes out in parts, in
// order and each byte once, and returns when all of it has.
func TestLargeLentWrites(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		newPressure(t, 1)
		p := newPoller(t, b)
		const writer, reader = 1, 2
		a, peer := newPair(t)
		w, r := mustAdd(t, p, a, writer, 0, Level), mustAdd(t, p, peer, reader, 0, Level)
		sizes := []int{700_000, 1, 300_000, 1_500_000}
		total := 0
		for _, size := range sizes {
			buf := make([]byte, size)
			for i := range buf {
				buf[i] = streamByte(5, total+i)
			}
			must(t, w.LendWrite(buf))
			total += size
		}
		in := make([]byte, 50_000)
		must(t, r.LendRead(in))
		for received, returned := 0, 0; received < total || returned < len(sizes); {
			for _, e := range mustWait(t, p, make([]Event, 2)) {
				n, err := e.Result()
				must(t, err)
				if e.Key == writer {
					if n != sizes[returned] {
						t.Fatalf("write %d of %d returned as %d", returned, sizes[returned], n)
					}
					returned++
					continue
				}
				for i, c := range in[:n] {
					if want := streamByte(5, received+i); c != want {
						t.Fatalf("byte %d is %#x, not %#x", received+i, c, want)
					}
				}
				if received += n; received < total {
					must(t, r.LendRead(in))
				}
			}
		}
		nothingLent(t, p)
		silent(t, p)
	})
}

// TestCloseWithLentBuffers closes while others wait and lend: what was lent is
// the caller's again once Close has returned.
func TestCloseWithLentBuffers(t *testing.T) {
	rounds := repeat(50)
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		newPressure(t, 2)
		for round := range rounds {
			p, err := New(WithBinding(b))
			must(t, err)
			arena := mustArena(t, 4, 100)
			x, peer, err := socket.Pair()
			must(t, err)
			s := mustAdd(t, p, x, 1, 0, Level)
			var bufs [][]byte
			for i := range 20 {
				buf := make([]byte, 1+i*100)
				if i < 4 {
					buf = arena.Get()
				}
				must(t, s.LendRead(buf))
				bufs = append(bufs, buf)
			}
			must(t, s.LendWrite(make([]byte, 4<<20)))
			var group sync.WaitGroup
			group.Go(func() {
				for {
					var events [4]Event
					if _, err := p.Wait(events[:], patience); err != nil {
						mustBeHere(t, err, ErrClosed)
						return
					}
				}
			})
			group.Go(func() {
				for n := range 100 {
					socket.Write(peer, binary.BigEndian.AppendUint32(nil, uint32(n)))
					if n == round {
						if err := p.Close(); err != nil {
							t.Error(err)
						}
					}
				}
			})
			join("Close with lent buffers", &group)
			nothingLent(t, p)
			// Whoever reads or writes them now is alone with them: -race and -asan look.
			for i, buf := range bufs {
				for j := range buf {
					buf[j] = byte(i)
				}
			}
			mustBe(t, s.LendRead(bufs[0]), ErrClosed)
			must(t, arena.Free())
			socket.Close(x)
			socket.Close(peer)
		}
	})
}

// mustBeHere is mustBe for other goroutines than the test's.
func mustBeHere(t *testing.T, err, want error) {
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}
