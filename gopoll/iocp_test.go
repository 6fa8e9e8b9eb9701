//go:build windows

package gopoll

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"gopoll.dev/gopoll/socket"
)

// census is what a poller's backend has taken.
type census struct{ ops, flying, helpers, claims int }

func (p *Poller) census() census {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &p.native
	return census{b.slabs.used, b.flying, len(b.helpers.all) - len(b.helpers.closed), len(b.claims)}
}

// settle waits until the polls of deleted sources have come back.
func settle(tb testing.TB, p *Poller) {
	tb.Helper()
	var events [16]Event
	until("polls to come back", func() bool {
		if _, err := p.Wait(events[:], 0); err != nil {
			tb.Fatal(err)
		}
		return p.census().flying == 0
	})
}

// TestDeleteAndAddAgain deletes a source and adds its socket again before
// the cancelled poll has come back, ten thousand times. A second poll beside
// the first would spoil both, and an answer meant for the old registration
// must not reach the new one.
func TestDeleteAndAddAgain(t *testing.T) {
	eachBinding(t, func(t *testing.T, binding Binding) {
		p := newPoller(t, binding)
		a, b := newPair(t)
		rng := rand.New(rand.NewPCG(1, 2))
		var events [4]Event
		var buf [1]byte
		s := mustAdd(t, p, a, 0, Readable, Level)
		for round := range uint64(10000) {
			if round%7 == 0 {
				silent(t, p)
			}
			must(t, s.Delete())
			s = mustAdd(t, p, a, round+1, Readable, Mode(rng.IntN(3)))
			if round%97 == 0 {
				mustWrite(t, b, buf[:])
				got := mustWait(t, p, events[:])
				if len(got) != 1 || got[0].Key != round+1 || got[0].Ready&Readable == 0 {
					t.Fatalf("round %d: got %v", round, got)
				}
				mustRead(t, a, buf[:])
			}
			if c := p.census(); c.ops != 1 || c.flying > 1 || c.helpers != 1 {
				t.Fatalf("round %d: %+v for one socket", round, c)
			}
		}
		must(t, s.Delete())
		settle(t, p)
		if c := p.census(); c.ops != 0 || c.claims != 0 {
			t.Errorf("after the last Delete: %+v", c)
		}
	})
}

// TestSocketClosedWithoutDelete: a source that is silent, paused or has fired
// has a poll in flight that tells when its socket is closed, so the next socket
// of the same value can be added and has events of its own.
func TestSocketClosedWithoutDelete(t *testing.T) {
	eachBinding(t, func(t *testing.T, binding Binding) {
		p := newPoller(t, binding)
		var events [4]Event
		reused := 0
		var last uintptr
		for round := range uint64(repeat(1000)) {
			a, b, err := socket.Pair()
			if err != nil {
				t.Fatal(err)
			}
			if a == last {
				reused++
			}
			last = a
			interest, mode := Readable, Mode(round%3)
			if round%4 == 3 {
				interest = 0
			}
			s := mustAdd(t, p, a, round, interest, mode)
			if round%2 == 0 && interest != 0 && mode != Level {
				mustWrite(t, b, []byte{1})
				if got := mustWait(t, p, events[:]); len(got) != 1 || got[0].Key != round {
					t.Fatalf("round %d: got %v", round, got)
				}
				silent(t, p) // submits the poll that waits for the end
			}
			must(t, socket.Close(a), socket.Close(b))
			if round%5 == 0 {
				silent(t, p)
				must(t, s.Delete())
			}
		}
		settle(t, p)
		if c := p.census(); c.ops != 0 || c.claims != 0 {
			t.Errorf("after the last socket was closed: %+v", c)
		}
		t.Logf("%d handle values came back at once", reused)
	})
}

// TestHelperHandles: 32 sockets go through one helper, and helpers that
// nobody uses are closed.
func TestHelperHandles(t *testing.T) {
	eachBinding(t, func(t *testing.T, binding Binding) {
		p := newPoller(t, binding)
		var sources []Source
		for i := range uint64(100) {
			a, _ := newPair(t)
			sources = append(sources, mustAdd(t, p, a, i, Readable, Level))
		}
		if c := p.census(); c.helpers != 4 || c.ops != 100 {
			t.Errorf("100 sockets: %+v", c)
		}
		for _, s := range sources {
			must(t, s.Delete())
		}
		settle(t, p)
		if c := p.census(); c.helpers > 1 || c.ops != 0 {
			t.Errorf("after they were deleted: %+v", c)
		}
	})
}

// stressSource is one socket of the stress test, and what is known of its
// registration. One worker changes it; any waiter looks it up by key.
type stressSource struct {
	id    uint64
	a, b  uintptr
	s     Source
	added bool
	mode  Mode

	generation atomic.Uint64
	seen       atomic.Uint64 // the generation that Readable was reported for
	ended      sync.Map      // generation: the time at which it was over
}

func (x *stressSource) key() uint64 { return x.id<<32 | x.generation.Load() }

// end notes that the present generation is over, once change has returned.
func (x *stressSource) end(clock *atomic.Int64, change func() error) error {
	old := x.generation.Add(1) - 1
	err := change()
	x.ended.Store(old, clock.Add(1))
	return err
}

func (x *stressSource) modify(clock *atomic.Int64, interest Readiness, mode Mode) error {
	return x.end(clock, func() error { return x.s.Modify(x.key(), interest, mode) })
}

// TestRegistrationStress adds, modifies, deletes and closes many sockets from
// several goroutines while others wait: no event may be lost, and none come
// from a registration that was over before the Wait began.
func TestRegistrationStress(t *testing.T) {
	const workers, waiters, each = 4, 3, 40
	eachBinding(t, func(t *testing.T, binding Binding) {
		p := newPoller(t, binding)
		sources := make([]*stressSource, workers*each)
		for i := range sources {
			sources[i] = &stressSource{id: uint64(i)}
		}
		var clock, stale, delivered atomic.Int64
		var waiting, working sync.WaitGroup
		for range waiters {
			waiting.Go(func() {
				events := make([]Event, 8)
				for {
					began := clock.Load()
					n, err := p.Wait(events, -1)
					if errors.Is(err, ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					for _, e := range events[:n] {
						x, generation := sources[e.Key>>32], e.Key&(1<<32-1)
						if ended, over := x.ended.Load(generation); over && ended.(int64) <= began {
							stale.Add(1)
						}
						if e.Ready&Readable != 0 && x.generation.Load() == generation {
							delivered.Add(1)
							x.seen.Store(generation + 1)
						}
					}
				}
			})
		}
		for w := range workers {
			working.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(w), 9))
				mine := sources[w*each : (w+1)*each]
				for range 150 {
					if err := mine[rng.IntN(each)].step(p, rng, &clock); err != nil {
						t.Error(err)
						return
					}
				}
				for _, x := range mine {
					if err := x.finish(&clock, rng.IntN(2) == 0); err != nil {
						t.Error(err)
					}
				}
			})
		}
		working.Wait() // each step has a watchdog of its own
		until("polls to come back", func() bool { return p.census().flying == 0 })
		if c := p.census(); c.ops != 0 || c.claims != 0 || c.helpers > 1 {
			t.Errorf("after the last socket: %+v", c)
		}
		must(t, p.Close())
		join("waiters", &waiting)
		if n := stale.Load(); n != 0 {
			t.Errorf("%d events of registrations that were over", n)
		}
		t.Logf("%d events", delivered.Load())
	})
}

func (x *stressSource) step(p *Poller, rng *rand.Rand, clock *atomic.Int64) (err error) {
	switch {
	case x.a == 0:
		x.a, x.b, err = socket.Pair()
		return err
	case !x.added:
		x.mode = Mode(rng.IntN(3))
		interest := []Readiness{0, Readable, Readable | Writable}[rng.IntN(3)]
		// Another worker may have closed a socket of this value and not yet
		// deleted its registration.
		until("a closed socket to be deleted", func() bool {
			x.s, err = p.Add(x.a, x.key(), interest, x.mode)
			return !errors.Is(err, ErrExist)
		})
		x.added = err == nil
		return err
	}
	switch rng.IntN(6) {
	case 0:
		return x.delete(clock)
	case 1:
		return x.finish(clock, rng.IntN(2) == 0)
	case 2: // an interest that the poll in flight may not cover
		return x.modify(clock, []Readiness{0, Writable, Priority}[rng.IntN(3)], Mode(rng.IntN(3)))
	}
	// One byte comes, before or after it is asked for.
	early := rng.IntN(2) == 0
	if early {
		if err := x.write(); err != nil {
			return err
		}
	}
	if err := x.modify(clock, Readable, Mode(rng.IntN(3))); err != nil {
		return err
	}
	if !early {
		if err := x.write(); err != nil {
			return err
		}
	}
	generation := x.generation.Load()
	until("an event", func() bool { return x.seen.Load() == generation+1 })
	_, err = socket.Read(x.a, make([]byte, 1))
	return err
}

func (x *stressSource) write() error {
	_, err := socket.Write(x.b, []byte{1})
	return err
}

func (x *stressSource) delete(clock *atomic.Int64) error {
	x.added = false
	return x.end(clock, x.s.Delete)
}

// finish closes the sockets, with or without Delete.
func (x *stressSource) finish(clock *atomic.Int64, tidy bool) error {
	if x.a == 0 {
		return nil
	}
	if x.added && tidy {
		if err := x.delete(clock); err != nil {
			return err
		}
	}
	err := errors.Join(socket.Close(x.a), socket.Close(x.b))
	if x.added {
		// It died with its socket, which is no error; or somebody has added
		// the next socket of its value meanwhile, and it is gone.
		if e := x.delete(clock); !errors.Is(e, ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	x.a, x.b = 0, 0
	return err
}

// TestHandlesComeBack: pollers leave no handle behind. Threads come and go and
// have handles too, so only growth with every round counts.
func TestHandlesComeBack(t *testing.T) {
	eachBinding(t, func(t *testing.T, binding Binding) {
		a, b := newPair(t)
		round := func() {
			p := newPoller(t, binding)
			mustAdd(t, p, a, 1, Readable|Writable, Level)
			mustAdd(t, p, b, 2, Readable, Level)
			mustWait(t, p, make([]Event, 4))
			must(t, p.Close())
		}
		for range 10 {
			round()
		}
		before := handleCount(t)
		const rounds = 200
		for range rounds {
			round()
		}
		if after := handleCount(t); after > before+rounds/2 {
			t.Errorf("%d handles before %d pollers, %d after", before, rounds, after)
		}
	})
}

var getProcessHandleCount = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetProcessHandleCount")

func handleCount(tb testing.TB) uint32 {
	tb.Helper()
	var count uint32
	ok, _, err := getProcessHandleCount.Call(uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&count)))
	if ok == 0 {
		tb.Fatal(err)
	}
	return count
}

// TestHandlesThatAreNoSockets: what can't be polled is refused, and says why.
func TestHandlesThatAreNoSockets(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/file")
	must(t, err)
	defer file.Close()
	reader, writer, err := os.Pipe()
	must(t, err)
	defer reader.Close()
	defer writer.Close()
	device, err := os.Open("NUL")
	must(t, err)
	defer device.Close()
	gone, other, err := socket.Pair()
	must(t, err, socket.Close(gone), socket.Close(other))
	eachBinding(t, func(t *testing.T, binding Binding) {
		p := newPoller(t, binding)
		for what, f := range map[string]*os.File{"file": file, "pipe": reader, "pipe's other end": writer, "device": device} {
			_, err := p.Add(f.Fd(), 1, Readable, Level)
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, fd := range []uintptr{gone, 0xfff0, ^uintptr(0)} {
			_, err := p.Add(fd, 1, Readable, Level)
			var typed *Error
			if !errors.Is(err, syscall.EBADF) || !errors.As(err, &typed) || typed.Fd != fd {
				t.Errorf("closed handle %#x: %v", fd, err)
			}
		}
		if c := p.census(); c.ops != 0 {
			t.Errorf("after refused handles: %+v", c)
		}
	})
}

// overlappedPipe is both ends of a named pipe that were opened for overlapped
// calls.
func overlappedPipe(tb testing.TB, mode uint32) (server, client uintptr) {
	tb.Helper()
	name, err := windows.UTF16PtrFromString(`\\.\pipe\gopoll-test-` + tb.Name()[len("Test"):len("Test")+4] + time.Now().Format("150405.000000000"))
	must(tb, err)
	s, err := windows.CreateNamedPipe(name, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED, mode, 1, 4096, 4096, 0, nil)
	must(tb, err)
	c, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE, 0, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_OVERLAPPED, 0)
	must(tb, err)
	return uintptr(s), uintptr(c)
}

// TestLendPipe: buffers can be lent to a pipe, although it can't be polled.
func TestLendPipe(t *testing.T) {
	eachBinding(t, func(t *testing.T, binding Binding) {
		p := newPoller(t, binding)
		server, client := overlappedPipe(t, windows.PIPE_TYPE_BYTE)
		_, err := p.Add(server, 1, Readable, Level)
		mustBe(t, err, errors.ErrUnsupported)
		in := mustAdd(t, p, server, 1, 0, Level)
		out := mustAdd(t, p, client, 2, 0, Level)
		_, err = p.Add(server, 3, 0, Level)
		mustBe(t, err, ErrExist)

		read, written := make([]byte, 16), []byte("overlapped")
		must(t, in.LendRead(read), out.LendWrite(written))
		got := map[uint64]int{}
		var events [4]Event
		for len(got) < 2 {
			for _, e := range mustWait(t, p, events[:]) {
				n, err := e.Result()
				must(t, err)
				got[e.Key] = n
			}
		}
		if got[1] != len(written) || got[2] != len(written) || string(read[:got[1]]) != string(written) {
			t.Fatalf("read %q, %v", read[:got[1]], got)
		}

		must(t, in.LendRead(read), in.LendRead(make([]byte, 8)), in.Reclaim())
		for range 2 {
			e := mustWait(t, p, events[:1])[0]
			if _, err := e.Result(); err != ErrCanceled {
				t.Fatalf("a reclaimed buffer brought %v", err)
			}
		}

		must(t, in.LendRead(read))
		silent(t, p)
		must(t, out.Delete(), windows.CloseHandle(windows.Handle(client)))
		if e := mustWait(t, p, events[:])[0]; e.Ready != Returned|Readable|EOF {
			t.Errorf("the end of the pipe brought %v", e.Ready)
		}
		must(t, in.Delete(), windows.CloseHandle(windows.Handle(server)))
		nothingLent(t, p)
	})
}

// TestLendElsewhere: the completions of a socket that has a port already
// would go there.
func TestLendElsewhere(t *testing.T) {
	eachBinding(t, func(t *testing.T, binding Binding) {
		p := newPoller(t, binding)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer l.Close()
		conn, err := net.Dial("tcp", l.Addr().String())
		must(t, err)
		defer conn.Close()
		raw, err := conn.(*net.TCPConn).SyscallConn()
		must(t, err)
		must(t, raw.Control(func(fd uintptr) {
			s := mustAdd(t, p, fd, 1, 0, Level)
			mustBe(t, s.LendRead(make([]byte, 1)), errors.ErrUnsupported)
			must(t, s.Delete())
		}))
		nothingLent(t, p)
	})
}

// TestLendAgainAfterDelete: a socket keeps its port, and a later registration
// with the same poller can be lent to.
func TestLendAgainAfterDelete(t *testing.T) {
	eachBinding(t, func(t *testing.T, binding Binding) {
		p := newPoller(t, binding)
		a, b := newPair(t)
		buf := make([]byte, 4)
		for key := range uint64(3) {
			s := mustAdd(t, p, a, key, 0, Level)
			must(t, s.LendRead(buf))
			mustWrite(t, b, []byte("four"))
			e := mustWait(t, p, make([]Event, 1))[0]
			if n, err := e.Result(); n != 4 || err != nil || e.Key != key {
				t.Fatalf("got %v, %d, %v", e, n, err)
			}
			must(t, s.Delete())
		}
	})
}
