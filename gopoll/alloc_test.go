package gopoll

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"gopoll.dev/gopoll/socket"
)

// countsAllocations skips a test in builds that allocate on their own account.
func countsAllocations(t *testing.T) {
	switch {
	case raceDetector:
		t.Skip("the race detector allocates by itself: allocations are counted without -race")
	case addressSanitizer:
		t.Skip("the address sanitizer allocates by itself: allocations are counted without -asan")
	}
}

// allocRuns is enough for one allocation in each run to be told from the few
// that the runtime makes beside.
const allocRuns = 200

// allocCase prepares one operation, which is run over and over.
type allocCase struct {
	name  string
	lends bool
	ready func(t *testing.T, p *Poller) func() error
}

func waitSome(p *Poller, events []Event, want int) error {
	for want > 0 {
		n, err := p.Wait(events, patience)
		if err != nil {
			return err
		}
		if n == 0 {
			return errNothing
		}
		want -= n
	}
	return nil
}

var errNothing = errors.New("nothing came")

// readySources are count sources of which each has a byte to be read.
func readySources(tb testing.TB, p *Poller, count int, mode Mode) []Source {
	var sources []Source
	for i := range count {
		a, b := newPair(tb)
		sources = append(sources, mustAdd(tb, p, a, uint64(i), Readable, mode))
		mustWrite(tb, b, []byte{1})
	}
	return sources
}

var allocCases = []allocCase{
	{"wait/nothing", false, func(t *testing.T, p *Poller) func() error {
		a, _ := newPair(t)
		mustAdd(t, p, a, 1, Readable, Level)
		events := make([]Event, 64)
		return func() error { _, err := p.Wait(events, 0); return err }
	}},
	{"wait/timeout", false, func(t *testing.T, p *Poller) func() error {
		events := make([]Event, 64)
		return func() error { _, err := p.Wait(events, time.Nanosecond); return err }
	}},
	{"wait/64 level", false, func(t *testing.T, p *Poller) func() error {
		readySources(t, p, 64, Level)
		events := make([]Event, 64)
		return func() error { return waitSome(p, events, 64) }
	}},
	{"wait/64 level, room for 1", false, func(t *testing.T, p *Poller) func() error {
		readySources(t, p, 64, Level)
		events := make([]Event, 1)
		return func() error { return waitSome(p, events, 1) }
	}},
	{"wait/edge, rearm", false, func(t *testing.T, p *Poller) func() error {
		a, b := newPair(t)
		s := mustAdd(t, p, a, 1, Readable, Edge)
		events, buf, one := make([]Event, 8), make([]byte, 8), []byte{1}
		return func() error {
			_, err := socket.Write(b, one)
			err = errors.Join(err, waitSome(p, events, 1))
			_, e := socket.Read(a, buf)
			err = errors.Join(err, e)
			if _, e := socket.Read(a, buf); e != socket.ErrWouldBlock {
				err = errors.Join(err, e)
			}
			return errors.Join(err, s.Rearm(Readable))
		}
	}},
	{"wait/oneshot, modify", false, func(t *testing.T, p *Poller) func() error {
		s := readySources(t, p, 1, OneShot)[0]
		events := make([]Event, 8)
		return func() error { return errors.Join(waitSome(p, events, 1), s.Modify(1, Readable, OneShot)) }
	}},
	{"add, delete", false, func(t *testing.T, p *Poller) func() error {
		a, _ := newPair(t)
		events := make([]Event, 8)
		return func() error {
			s, err := p.Add(a, 1, Readable|Writable, Level)
			err = errors.Join(err, s.Delete())
			_, e := p.Wait(events, 0) // where the end of a registration comes as a completion
			return errors.Join(err, e)
		}
	}},
	{"modify", false, func(t *testing.T, p *Poller) func() error {
		a, _ := newPair(t)
		s := mustAdd(t, p, a, 1, Readable, Level)
		events, interest := make([]Event, 8), Readable
		return func() error {
			interest ^= Writable
			err := s.Modify(1, interest, Level)
			_, e := p.Wait(events, 0)
			return errors.Join(err, e)
		}
	}},
	{"apply/16 adds and deletes", false, func(t *testing.T, p *Poller) func() error {
		changes := make([]Change, 16)
		for i := range changes {
			a, _ := newPair(t)
			changes[i] = Change{Fd: a, Interest: Readable, Mode: Level}
		}
		events := make([]Event, 8)
		return func() error {
			for i := range changes {
				changes[i].Op = OpAdd
			}
			err := p.Apply(changes)
			for i := range changes {
				changes[i].Op = OpDelete
			}
			err = errors.Join(err, p.Apply(changes))
			_, e := p.Wait(events, 0)
			return errors.Join(err, e)
		}
	}},
	{"wake", false, func(t *testing.T, p *Poller) func() error {
		events := make([]Event, 8)
		return func() error {
			err := errors.Join(p.Wake(), p.Wake())
			_, e := p.Wait(events, patience)
			return errors.Join(err, e)
		}
	}},
	{"lend read", true, func(t *testing.T, p *Poller) func() error {
		a, b := newPair(t)
		s := mustAdd(t, p, a, 1, 0, Level)
		events, buf, one := make([]Event, 8), make([]byte, 512), []byte{1}
		return func() error {
			err := s.LendRead(buf)
			_, e := socket.Write(b, one)
			return errors.Join(err, e, waitSome(p, events, 1))
		}
	}},
	{"lend read, reclaim", true, func(t *testing.T, p *Poller) func() error {
		a, _ := newPair(t)
		s := mustAdd(t, p, a, 1, 0, Level)
		events, buf := make([]Event, 8), make([]byte, 512)
		return func() error { return errors.Join(s.LendRead(buf), s.Reclaim(), waitSome(p, events, 1)) }
	}},
	{"lend write", true, func(t *testing.T, p *Poller) func() error {
		a, b := newPair(t)
		s := mustAdd(t, p, a, 1, 0, Level)
		events, buf, into := make([]Event, 8), make([]byte, 512), make([]byte, 512)
		return func() error {
			err := errors.Join(s.LendWrite(buf), waitSome(p, events, 1))
			_, e := socket.Read(b, into)
			return errors.Join(err, e)
		}
	}},
	{"64 lends at a time", true, func(t *testing.T, p *Poller) func() error {
		a, b := newPair(t)
		s := mustAdd(t, p, a, 1, 0, Level)
		events, one := make([]Event, 64), []byte{1}
		bufs := make([][]byte, 64)
		for i := range bufs {
			bufs[i] = make([]byte, 1)
		}
		return func() (err error) {
			for _, buf := range bufs {
				_, e := socket.Write(b, one)
				err = errors.Join(err, s.LendRead(buf), e)
			}
			return errors.Join(err, waitSome(p, events, 64))
		}
	}},
	{"lend write beside a watched read, of an arena", true, func(t *testing.T, p *Poller) func() error {
		a, b := newPair(t)
		s := mustAdd(t, p, a, 1, Readable, Level)
		arena, err := NewArena(4, 512)
		must(t, err)
		t.Cleanup(func() { p.Close(); arena.Free() })
		events, into := make([]Event, 8), make([]byte, 512)
		return func() error {
			buf := arena.Get()
			err := errors.Join(s.LendWrite(buf), waitSome(p, events, 1))
			arena.Put(buf)
			_, e := socket.Read(b, into)
			return errors.Join(err, e)
		}
	}},
}

// TestAllocationsOfSeveralWaiters: each keeps its memory for the next.
func TestAllocationsOfSeveralWaiters(t *testing.T) {
	countsAllocations(t)
	eachBinding(t, func(t *testing.T, b Binding) {
		p := newPoller(t, b)
		woken := make(chan error)
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				events := make([]Event, 16)
				for {
					_, err := p.Wait(events, patience)
					woken <- err
					if err != nil {
						return
					}
				}
			})
		}
		defer watchdog("wakes")()
		run := func() {
			if err := errors.Join(p.Wake(), <-woken); err != nil {
				t.Error(err)
			}
		}
		for range 100 {
			run()
		}
		if allocs := testing.AllocsPerRun(allocRuns, run); allocs != 0 {
			t.Errorf("%v allocations a run", allocs)
		}
		closing := make(chan error, 1)
		go func() { closing <- p.Close() }()
		for range 3 {
			mustBe(t, receive("ErrClosed", woken), ErrClosed)
		}
		must(t, receive("Close", closing))
		join("waiters", &group)
	})
}

func TestAllocations(t *testing.T) {
	countsAllocations(t)
	eachBinding(t, func(t *testing.T, b Binding) {
		for _, c := range allocCases {
			t.Run(c.name, func(t *testing.T) {
				if c.lends && invariants {
					t.Skip("gopoll_invariants keeps a stack for every lend: allocations are counted without it")
				}
				p := newPoller(t, b)
				op := c.ready(t, p)
				var failure error
				run := func() {
					if failure == nil {
						failure = op()
					}
				}
				run() // memory that is kept from then on
				if allocs := testing.AllocsPerRun(allocRuns, run); allocs != 0 {
					t.Errorf("%v allocations a run", allocs)
				}
				if failure != nil {
					t.Error(failure)
				}
			})
		}
	})
}

// TestIdleSourceMemory measures what a registered source costs in Go memory.
func TestIdleSourceMemory(t *testing.T) {
	countsAllocations(t)
	const pairs = 2048
	fds := make([]uintptr, 0, 2*pairs)
	for range pairs {
		a, b, err := socket.Pair()
		if err != nil {
			t.Logf("%d sources, no more: %v", len(fds), err)
			break
		}
		fds = append(fds, a, b)
	}
	defer func() {
		for _, fd := range fds {
			socket.Close(fd)
		}
	}()
	eachBinding(t, func(t *testing.T, b Binding) {
		p := newPoller(t, b)
		before := heap()
		for i, fd := range fds {
			mustAdd(t, p, fd, uint64(i), Readable, Level)
		}
		each := (heap() - before) / float64(len(fds))
		t.Logf("%.1f bytes for each of %d idle sources", each, len(fds))
		if each > 64 {
			t.Errorf("an idle source takes %.1f bytes, more than 64", each)
		}
		runtime.KeepAlive(p)
	})
}

// heap is what is in use, once the collector has been through.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
