//go:build linux && !kqueue_double

package gopoll

import (
	"context"
	"errors"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
)

// Bugs that a review found, each by the test that failed before it was mended.

// localPair is a pair of local sockets of any type, closed at the end.
func localPair(t *testing.T, kind int) (int, int) {
	t.Helper()
	f, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() {
		unix.Close(f[0])
		unix.Close(f[1])
	})
	return f[0], f[1]
}

func eachPoller(t *testing.T, test func(t *testing.T, p *Poller)) {
	eachBinding(t, func(t *testing.T, b Binding) { test(t, newPoller(t, b)) })
}

// look is what a Wait brings at once.
func look(t *testing.T, p *Poller, room int) []Event {
	t.Helper()
	events := make([]Event, room)
	n, err := p.Wait(events, 0)
	must(t, err)
	return events[:n]
}

// A lend that finds its registration gone throws away the returns of others.
func TestLendGoneDropsOthers(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		a, _ := localPair(t, unix.SOCK_STREAM)
		s1, err := p.Add(uintptr(a), 1, 0, Level)
		must(t, err)
		must(t, s1.LendRead(make([]byte, 8)))
		must(t, s1.Reclaim())
		c, _ := localPair(t, unix.SOCK_STREAM)
		s2, err := p.Add(uintptr(c), 2, 0, Level)
		must(t, err)
		e, _ := localPair(t, unix.SOCK_STREAM)
		must(t, unix.Dup3(e, c, unix.O_CLOEXEC))
		err = s2.LendRead(make([]byte, 8))
		t.Log(err)
		var own *Error
		if !errors.As(err, &own) || own.Fd != uintptr(c) {
			t.Errorf("error names fd %v, want %d", own, c)
		}
		if ev := look(t, p, 4); len(ev) != 1 || ev[0].Key != 1 || ev[0].Ready&Returned == 0 {
			t.Error("return lost:", ev)
		}
	})
}

func TestLendClosedFd(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		a, _ := localPair(t, unix.SOCK_STREAM)
		s1, err := p.Add(uintptr(a), 1, 0, Level)
		must(t, err)
		unix.Close(a)
		if err := s1.LendRead(make([]byte, 8)); !errors.Is(err, ErrNotExist) {
			t.Error("want ErrNotExist:", err)
		}
	})
}

func TestAddWakeFd(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		_, err := p.Add(uintptr(p.native.bind.WakeFd()), 1, Readable, Level)
		t.Log(err)
		if err == nil {
			t.Error("the poller's own eventfd can be added")
		}
		must(t, p.Wake())
		done := make(chan int, 1)
		go func() { n, _ := p.Wait(make([]Event, 1), -1); done <- n }()
		select {
		case n := <-done:
			if n != 0 {
				t.Error("event for a wake", n)
			}
		case <-time.After(patience):
			t.Error("wake lost")
		}
	})
}

func TestScmRightsShort(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		a, b := localPair(t, unix.SOCK_STREAM)
		s1, err := p.Add(uintptr(a), 1, 0, Level)
		must(t, err)
		must(t, s1.LendRead(make([]byte, 8)))
		must(t, s1.LendRead(make([]byte, 8)))
		look(t, p, 4)
		must(t, unix.Sendmsg(b, []byte("a"), unix.UnixRights(0), nil, 0))
		unix.Write(b, []byte("b"))
		total := 0
		for total < 2 {
			ev := mustWait(t, p, make([]Event, 4))
			if len(ev) == 0 {
				t.Fatal("second byte is stuck")
			}
			for _, e := range ev {
				total += int(e.N)
			}
		}
	})
}

func TestSeqpacketEOF(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		a, b := localPair(t, unix.SOCK_SEQPACKET)
		s1, err := p.Add(uintptr(a), 1, 0, Level)
		must(t, err)
		must(t, s1.LendRead(make([]byte, 8)))
		unix.Close(b)
		if ev := mustWait(t, p, make([]Event, 4)); len(ev) != 1 || ev[0].Ready&EOF == 0 {
			t.Error("no EOF:", ev)
		}
	})
}

func fill(fd int) {
	for {
		if _, err := unix.Write(fd, make([]byte, 65536)); err != nil {
			break
		}
	}
	for {
		if _, err := unix.Write(fd, make([]byte, 1)); err != nil {
			return
		}
	}
}

// a half-close must not make a full socket Writable.
func TestHalfCloseFalseWritable(t *testing.T) {
	for _, m := range []Mode{Level, Edge, OneShot} {
		for _, lent := range []bool{false, true} {
			t.Run(m.String(), func(t *testing.T) {
				eachPoller(t, func(t *testing.T, p *Poller) {
					a, b := localPair(t, unix.SOCK_STREAM)
					fill(a)
					s1, err := p.Add(uintptr(a), 1, Writable, m)
					must(t, err)
					if lent {
						must(t, s1.LendRead(make([]byte, 8)))
					}
					if ev := look(t, p, 4); len(ev) != 0 {
						t.Fatal("not full", ev)
					}
					must(t, unix.Shutdown(b, unix.SHUT_WR))
					for i := 0; i < 3; i++ {
						for _, e := range look(t, p, 4) {
							if e.Ready&Returned == 0 && e.Ready&Writable != 0 {
								_, err := unix.Write(a, []byte("x"))
								t.Error("lent", lent, "Writable", e.Ready, "write says", err)
								return
							}
						}
					}
				})
			})
		}
	}
}

func TestErrCanceledIs(t *testing.T) {
	if !errors.Is(ErrCanceled, syscall.ECANCELED) {
		t.Error("ErrCanceled is no ECANCELED")
	}
}

func TestArenaLendAfterPut(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		a, _ := localPair(t, unix.SOCK_STREAM)
		s1, err := p.Add(uintptr(a), 1, 0, Level)
		must(t, err)
		ar, err := NewArena(1, 64)
		must(t, err)
		buf := ar.Get()
		ar.Put(buf)
		if err := s1.LendRead(buf); err == nil {
			t.Error("a buffer that was put back can be lent; Get gives it out at the same time:", ar.Get() != nil)
		}
	})
}

func TestPlainLendAllocs(t *testing.T) {
	countsAllocations(t)
	if invariants {
		t.Skip("gopoll_invariants keeps a stack for every lend: allocations are counted without it")
	}
	eachPoller(t, func(t *testing.T, p *Poller) {
		a, _ := localPair(t, unix.SOCK_STREAM)
		s1, err := p.Add(uintptr(a), 1, 0, Level)
		must(t, err)
		bufs := make([][]byte, 64)
		for i := range bufs {
			bufs[i] = make([]byte, 1024)
		}
		ev := make([]Event, 128)
		n := testing.AllocsPerRun(100, func() {
			for _, b := range bufs {
				must(t, s1.LendRead(b))
			}
			s1.Reclaim()
			p.Wait(ev, 0)
		})
		if n > 0 {
			t.Errorf("%v allocations for 64 lends", n)
		}
	})
}

// Two blocked waiters of capacity 1, two kept events.
func TestKeptSecondWaiter(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		for k := uint64(1); k <= 3; k++ {
			a, b := localPair(t, unix.SOCK_STREAM)
			_, err := p.Add(uintptr(a), k, Readable, OneShot)
			must(t, err)
			unix.Write(b, []byte("x"))
		}
		got := make(chan int, 2)
		for ev := range p.Events(context.Background()) {
			t.Log("loop", ev)
			for i := 0; i < 2; i++ {
				go func() { n, _ := p.Wait(make([]Event, 1), -1); got <- n }()
			}
			for p.waiters.Load() != 2 {
				runtime.Gosched()
			}
			break
		}
		for i := 0; i < 2; i++ {
			select {
			case n := <-got:
				t.Log("wait", n)
			case <-time.After(patience):
				t.Fatal("a waiter sleeps while an event is kept")
			}
		}
	})
}

// Two loops leave the same Edge source: the later one knew more.
func TestKeptMerge(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		x, y := localPair(t, unix.SOCK_STREAM)
		_, err := p.Add(uintptr(x), 1, Readable, Level)
		must(t, err)
		unix.Write(y, []byte("x"))
		a, b := localPair(t, unix.SOCK_STREAM)
		fill(a)
		_, err = p.Add(uintptr(a), 2, Readable|Writable, Edge)
		must(t, err)
		unix.Write(b, []byte("x"))
		second := make(chan bool)
		leave := make(chan bool)
		left := make(chan bool)
		for ev := range p.Events(context.Background()) { // batch x, a:R
			if ev.Key != 1 {
				t.Fatal("order", ev)
			}
			go func() {
				buf := make([]byte, 65536)
				for {
					if _, err := unix.Read(b, buf); err != nil {
						break
					}
				}
				for ev := range p.Events(context.Background()) { // a:R|W, x
					t.Log("second", ev)
					if ev.Key == 2 {
						t.Log("order")
					}
					close(second)
					<-leave
					break
				}
				close(left)
			}()
			<-second
			break
		}
		t.Log("kept", p.kept)
		close(leave)
		<-left
		t.Log("kept", p.kept)
		seen := Readiness(0)
		for i := 0; i < 5; i++ {
			for _, e := range look(t, p, 8) {
				if e.Key == 2 {
					seen |= e.Ready
				}
			}
		}
		if seen&Writable == 0 {
			t.Error("the Writable edge is lost:", seen)
		}
	})
}

func TestLoopPanicKeeps(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		for k := uint64(1); k <= 2; k++ {
			a, b := localPair(t, unix.SOCK_STREAM)
			_, err := p.Add(uintptr(a), k, Readable, OneShot)
			must(t, err)
			unix.Write(b, []byte("x"))
		}
		func() {
			defer func() { recover() }()
			for range p.Events(context.Background()) {
				panic("body")
			}
		}()
		if ev := look(t, p, 4); len(ev) != 1 {
			t.Error("event lost with the panic of the body:", ev)
		}
	})
}

func TestPipeEPIPE(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		var f [2]int
		must(t, unix.Pipe2(f[:], unix.O_NONBLOCK))
		s, err := p.Add(uintptr(f[1]), 1, 0, Level)
		must(t, err)
		unix.Close(f[0])
		must(t, s.LendWrite([]byte("x")))
		ev := mustWait(t, p, make([]Event, 1))
		_, err = ev[0].Result()
		if !errors.Is(err, syscall.EPIPE) {
			t.Error(ev, err)
		}
	})
}

func TestModifyKeyOfFinished(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		a, _ := localPair(t, unix.SOCK_STREAM)
		s1, err := p.Add(uintptr(a), 1, 0, Level)
		must(t, err)
		must(t, s1.LendRead(make([]byte, 1)))
		must(t, s1.Reclaim())
		must(t, s1.LendRead(make([]byte, 1)))
		must(t, s1.Modify(9, 0, Level))
		must(t, s1.Reclaim())
		for _, e := range look(t, p, 4) {
			if e.Key != 9 {
				t.Error("old key after Modify", e)
			}
		}
	})
}

// counting counts the waits that reach the kernel.
type counting struct {
	epollBinding
	waits int
}

func (c *counting) Wait(facts []abi.Fact, timeout time.Duration) (int, syscall.Errno) {
	c.waits++
	return c.epollBinding.Wait(facts, timeout)
}

// A lend that can't move at once costs the Wait no second system call.
func TestOneWaitAfterALend(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		a, b := localPair(t, unix.SOCK_STREAM)
		s := mustAdd(t, p, uintptr(a), 1, 0, Level)
		must(t, s.LendRead(make([]byte, 1)))
		unix.Write(b, []byte("x"))
		mustWait(t, p, make([]Event, 4)) // a full buffer: there may be more
		c := &counting{epollBinding: p.native.bind}
		p.native.bind = c
		must(t, s.LendRead(make([]byte, 8)))
		if _, err := p.Wait(make([]Event, 4), 1); err != nil || c.waits != 1 {
			t.Errorf("%d waits, %v", c.waits, err)
		}
	})
}

// refusing answers every change with ENOMEM.
type refusing struct{ epollBinding }

func (refusing) Control(changes []abi.EpollChange) {
	for i := range changes {
		changes[i].Err = int32(unix.ENOMEM)
	}
}

// A lent direction that the kernel can't be asked to watch returns with the
// kernel's reason, and does not wait for ever.
func TestBlockedLendThatCannotBeWatched(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *Poller) {
		a, _ := localPair(t, unix.SOCK_STREAM)
		s := mustAdd(t, p, uintptr(a), 1, 0, Level)
		must(t, s.LendRead(make([]byte, 8)))
		real := p.native.bind
		p.native.bind = refusing{real}
		events := mustWait(t, p, make([]Event, 4))
		p.native.bind = real
		if _, err := events[0].Result(); !errors.Is(err, unix.ENOMEM) {
			t.Error(events, err)
		}
	})
}
