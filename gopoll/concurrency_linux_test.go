//go:build linux && !kqueue_double

package gopoll

import (
	"context"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"gopoll.dev/gopoll/socket"
)

// orphan registers a socket, keeps a duplicate of it open and closes and
// deletes the registered one: what the kernel goes on to report of it, that it
// is readable, belongs to nobody.
func orphan(t *testing.T, p *Poller) (end func()) {
	t.Helper()
	a, peer, err := socket.Pair()
	must(t, err)
	s := mustAdd(t, p, a, 1<<40, Readable, Level)
	dup, err := unix.FcntlInt(a, unix.F_DUPFD_CLOEXEC, 0)
	must(t, err)
	must(t, socket.Close(a), s.Delete())
	mustWrite(t, peer, []byte{1})
	return func() {
		socket.Close(uintptr(dup))
		socket.Close(peer)
	}
}

// TestSetIsRenewedUnderWaiters: an orphan has the set made anew while several
// wait on the old one. All of them go on with the new one: events, wakes,
// cancels and lent buffers come, and Close ends them.
func TestSetIsRenewedUnderWaiters(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		for range repeat(20) {
			leakCheck(t)
			p, err := New(WithBinding(b))
			must(t, err)
			level, oneShot, lent := make(chan Event, 1), make(chan Event, 1), make(chan Event, 1)
			const levelKey, oneShotKey, lentKey = 1, 2, 3
			a1, peer1, err := socket.Pair()
			must(t, err)
			a2, peer2, err := socket.Pair()
			must(t, err)
			a3, peer3, err := socket.Pair()
			must(t, err)
			mustAdd(t, p, a1, levelKey, Readable, Level)
			s2 := mustAdd(t, p, a2, oneShotKey, Readable, OneShot)
			s3 := mustAdd(t, p, a3, lentKey, 0, Level)
			buf := make([]byte, 8)
			must(t, s3.LendRead(buf))
			handle := func(e Event) {
				switch {
				case e.Key == oneShotKey:
					oneShot <- e
				case e.Key == lentKey:
					lent <- e
				case e.Key == levelKey:
					if _, err := socket.Read(a1, make([]byte, 8)); err == nil { // one of the waiters is first
						level <- e
					}
				case e.Ready != 0:
					t.Errorf("event %v of an orphan", e)
				}
			}
			ctx, cancel := context.WithCancel(context.Background())
			var waiters, iterator sync.WaitGroup
			for range 2 {
				waiters.Go(func() {
					var events [4]Event
					for {
						n, err := p.Wait(events[:], -1)
						if err != nil {
							allowed(t, "wait", err, ErrClosed)
							return
						}
						for _, e := range events[:n] {
							handle(e)
						}
					}
				})
			}
			iterator.Go(func() {
				for e, err := range p.Events(ctx) {
					if err != nil {
						allowed(t, "events", err, context.Canceled)
						return
					}
					handle(e)
				}
			})
			var ends []func()
			for range 3 {
				// The waiters are on the old set, or on their way to it.
				before := p.native.moved.Load()
				ends = append(ends, orphan(t, p))
				until("the set to be made anew", func() bool { return p.native.moved.Load() != before })
				for range 10 {
					mustWrite(t, peer1, []byte{1})
					receive("an event of a Level source", level)
					mustWrite(t, peer2, []byte{1})
					receive("an event of a OneShot source", oneShot)
					mustRead(t, a2, make([]byte, 8))
					must(t, s2.Modify(oneShotKey, Readable, OneShot))
					mustWrite(t, peer3, []byte("bytes"))
					if e := receive("a lent buffer", lent); string(buf[:e.N]) != "bytes" {
						t.Errorf("%v brought %q", e, buf)
					}
					must(t, s3.LendRead(buf), p.Wake())
				}
				// Nobody is on the old set any more, which has an orphan that
				// stays ready.
				if n := p.native.moved.Load() - before; n != 1 {
					t.Errorf("the set was made anew %d times for one orphan", n)
				}
			}
			for _, end := range ends {
				end()
			}
			cancel()
			join("a canceled iterator", &iterator)
			func() {
				defer watchdog("Close")()
				must(t, p.Close())
			}()
			join("waiters of a closed poller", &waiters)
			for _, fd := range []uintptr{a1, peer1, a2, peer2, a3, peer3} {
				must(t, socket.Close(fd))
			}
		}
	})
}

// TestEveryWaiterLeavesTheOldSet: an orphan that falls silent wakes nobody, and
// yet all who waited beside it come to the new set. Each of them has to take
// one of the events that are only there, and holds on to it until all have.
func TestEveryWaiterLeavesTheOldSet(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		const waiters = 4
		for range repeat(20) {
			p, err := New(WithBinding(b))
			must(t, err)
			a, peer, err := socket.Pair()
			must(t, err)
			s := mustAdd(t, p, a, 1<<40, Readable, Edge)
			dup, err := unix.FcntlInt(a, unix.F_DUPFD_CLOEXEC, 0)
			must(t, err)
			must(t, socket.Close(a), s.Delete())

			var group, all sync.WaitGroup
			all.Add(waiters)
			for range waiters {
				group.Go(func() {
					var events [1]Event
					n, err := p.Wait(events[:], -1)
					if n != 1 || err != nil || events[0].Key >= waiters {
						t.Errorf("got %v, %v", events[:n], err)
					}
					all.Done()
					join("the other waiters", &all)
				})
			}
			until("the waiters to be on their way", func() bool { return p.waiters.Load() == waiters })
			before := p.native.moved.Load()
			until("the set to be made anew", func() bool {
				// Each arrival is told to one of them.
				if _, err := socket.Write(peer, []byte{1}); err != nil {
					for err = nil; err == nil; {
						_, err = socket.Read(uintptr(dup), make([]byte, 4096))
					}
				}
				return p.native.moved.Load() != before
			})
			for key := range uint64(waiters) {
				c, _ := newPair(t)
				mustAdd(t, p, c, key, Writable, OneShot)
			}
			join("all waiters", &group)
			must(t, p.Close(), unix.Close(dup), socket.Close(peer))
		}
	})
}

// TestRenewedSetKeepsEveryState: sources that are paused, fired, armed, edge or
// lent to are afterwards what they were.
func TestRenewedSetKeepsEveryState(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		type state struct {
			name     string
			interest Readiness
			mode     Mode
			fire     bool // its event is taken before the set is renewed
			reports  bool // and then it reports once more
		}
		states := []state{
			{"level", Readable, Level, false, true},
			{"paused", 0, Level, false, false},
			{"fired", Readable, OneShot, true, false},
			{"armed", Readable, OneShot, false, true},
			{"edge", Readable, Edge, false, true},
		}
		var peers, fds []uintptr
		for i, s := range states {
			a, peer := newPair(t)
			fds, peers = append(fds, a), append(peers, peer)
			mustAdd(t, p, a, uint64(i), s.interest, s.mode)
			if s.fire {
				mustWrite(t, peer, []byte{1})
				mustWait(t, p, make([]Event, 1))
			}
		}
		before := p.native.moved.Load()
		end := orphan(t, p)
		defer end()
		for p.native.moved.Load() == before {
			silent(t, p)
		}
		silent(t, p)
		for _, peer := range peers {
			mustWrite(t, peer, []byte{1})
		}
		got := make(map[uint64]Readiness)
		for _, e := range mustWait(t, p, make([]Event, 16)) {
			got[e.Key] = e.Ready
		}
		for i, s := range states {
			if (got[uint64(i)] != 0) != s.reports {
				t.Errorf("%s: reported %v", s.name, got[uint64(i)])
			}
		}
		for _, fd := range fds {
			mustRead(t, fd, make([]byte, 8))
		}
	})
}
