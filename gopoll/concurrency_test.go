package gopoll

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gopoll.dev/gopoll/socket"
)

// allowed reports an error that is none of the given ones.
func allowed(t *testing.T, what string, err error, among ...error) {
	if err == nil {
		return
	}
	for _, a := range among {
		if errors.Is(err, a) {
			return
		}
	}
	t.Errorf("%s: %v", what, err)
}

// TestCloseRacesEverything has goroutines that use every method while the
// poller is closed, twice. Whatever the order, all of them end.
func TestCloseRacesEverything(t *testing.T) {
	rounds := repeat(40)
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		var fds, peers []uintptr
		for range 4 {
			a, peer := newPair(t)
			fds, peers = append(fds, a), append(peers, peer)
		}
		for round := range rounds {
			closeRound(t, b, uint64(round), fds, peers)
			if t.Failed() {
				t.Fatalf("in round %d", round)
			}
		}
	})
}

func closeRound(t *testing.T, b Binding, round uint64, fds, peers []uintptr) {
	p, err := New(WithBinding(b))
	must(t, err)
	var group, closers sync.WaitGroup
	user := func(use func(rng *rand.Rand) error) {
		rng := rand.New(rand.NewPCG(round, rand.Uint64()))
		group.Go(func() {
			for {
				if err := use(rng); errors.Is(err, ErrClosed) {
					return
				}
			}
		})
	}
	// Sources that all of them share, so that handles are often stale.
	var sources [4]atomic.Pointer[Source]
	any := func(rng *rand.Rand) Source {
		if s := sources[rng.IntN(len(sources))].Load(); s != nil {
			return *s
		}
		return Source{p: p, index: 1}
	}
	interests := []Readiness{0, Readable, Writable, Readable | Writable}
	user(func(rng *rand.Rand) error { // Add and Delete
		i := rng.IntN(len(fds))
		if rng.IntN(2) == 0 {
			err := any(rng).Delete()
			allowed(t, "delete", err, ErrClosed, ErrNotExist)
			return err
		}
		s, err := p.Add(fds[i], uint64(i), interests[rng.IntN(4)], Mode(rng.IntN(3)))
		allowed(t, "add", err, ErrClosed, ErrExist)
		if err == nil {
			sources[i].Store(&s)
		}
		return err
	})
	user(func(rng *rand.Rand) error {
		err := any(rng).Modify(7, interests[rng.IntN(4)], Mode(rng.IntN(3)))
		allowed(t, "modify", err, ErrClosed, ErrNotExist, ErrExist)
		return err
	})
	user(func(rng *rand.Rand) error {
		err := any(rng).Rearm(Readable)
		allowed(t, "rearm", err, ErrClosed, ErrNotExist, ErrInvalid)
		return err
	})
	user(func(rng *rand.Rand) error {
		s := any(rng)
		errs := []error{s.LendRead(make([]byte, 1+rng.IntN(100))), s.LendWrite(make([]byte, 1+rng.IntN(100))), s.Reclaim()}
		for _, err := range errs {
			allowed(t, "lend or reclaim", err, ErrClosed, ErrNotExist, ErrExist, ErrLimit)
		}
		return errors.Join(errs...)
	})
	user(func(rng *rand.Rand) error {
		changes := []Change{{Op: OpModify, Source: any(rng), Interest: Readable}, {Op: OpDelete, Source: any(rng)},
			{Op: OpAdd, Fd: fds[rng.IntN(len(fds))], Interest: Readable}}
		err := p.Apply(changes)
		if s := changes[2].Source; changes[2].Err == nil {
			sources[rng.IntN(len(fds))].Store(&s)
		}
		allowed(t, "apply", err, ErrClosed, ErrNotExist, ErrExist)
		return err
	})
	user(func(rng *rand.Rand) error {
		err := p.Wake()
		allowed(t, "wake", err, ErrClosed)
		runtime.Gosched()
		return err
	})
	for _, timeout := range []time.Duration{patience, 0, time.Microsecond} {
		user(func(*rand.Rand) error {
			var events [3]Event
			_, err := p.Wait(events[:], timeout)
			allowed(t, "wait", err, ErrClosed)
			return err
		})
	}
	for range 2 {
		user(func(rng *rand.Rand) error {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			seen := 0
			for _, err := range p.Events(ctx) {
				if err != nil {
					allowed(t, "events", err, ErrClosed, context.Canceled)
					return err
				}
				switch seen++; rng.IntN(8) {
				case 0:
					cancel()
				case 1:
					return nil
				}
			}
			return nil
		})
	}
	group.Go(func() { // bytes both ways, until the poller is closed
		buf := make([]byte, 64)
		for !p.closed() {
			for i, peer := range peers {
				socket.Write(peer, buf[:1+i])
				socket.Read(peer, buf)
				socket.Read(fds[i], buf)
			}
			runtime.Gosched()
		}
	})
	for range int(round % 50) {
		runtime.Gosched()
	}
	var first, second atomic.Int32
	for range 2 {
		closers.Go(func() {
			switch err := p.Close(); {
			case err == nil:
				first.Add(1)
			case errors.Is(err, ErrClosed):
				second.Add(1)
			default:
				t.Error(err)
			}
			nothingLent(t, p)
			if v := p.waiters.Load(); v != closedBit {
				t.Errorf("Close returned with %d calls under way", v&^closedBit)
			}
		})
	}
	join("Close", &closers)
	join("users of a closed poller", &group)
	if first.Load() != 1 || second.Load() != 1 {
		t.Errorf("%d Closes succeeded, %d were too late", first.Load(), second.Load())
	}
}

// TestCloseInsideEvents closes in the body of a loop, which then ends.
func TestCloseInsideEvents(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		readySources(t, p, 5, Level)
		defer watchdog("Close in the body of Events")()
		var got []error
		for _, err := range p.Events(t.Context()) {
			got = append(got, err)
			if err == nil {
				must(t, p.Close())
			}
		}
		if len(got) != 2 || got[0] != nil || !errors.Is(got[1], ErrClosed) {
			t.Errorf("items %v, want one event and then ErrClosed", got)
		}
	})
}

// TestWakeIsNeverLost: after each Wake a Wait returns, whoever else wakes and
// however many wait.
func TestWakeIsNeverLost(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		for _, waiters := range []int{1, 2, 5} {
			leakCheck(t)
			p := newPoller(t, b)
			var group sync.WaitGroup
			var mu sync.Mutex
			returned := sync.NewCond(&mu)
			begun, ended := 0, make(map[int]bool) // Waits, by number
			for range waiters {
				group.Go(func() {
					var events [1]Event
					for {
						mu.Lock()
						begun++
						number := begun
						mu.Unlock()
						_, err := p.Wait(events[:], -1)
						mu.Lock()
						ended[number] = true
						returned.Broadcast()
						mu.Unlock()
						if err != nil {
							allowed(t, "wait", err, ErrClosed)
							return
						}
					}
				})
			}
			var wakers sync.WaitGroup
			for range 3 {
				wakers.Go(func() {
					for range repeat(1000) {
						mu.Lock()
						before := len(ended)
						mu.Unlock()
						if err := p.Wake(); err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						for len(ended) == before {
							returned.Wait()
						}
						mu.Unlock()
					}
				})
			}
			join("a Wait to return for each Wake", &wakers)
			must(t, p.Close())
			join("waiters of a closed poller", &group)
		}
	})
}

// TestOneWakeIsOneReturn: any number of Wakes before a Wait returns is one.
func TestOneWakeIsOneReturn(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		p := newPoller(t, b)
		for range repeat(200) {
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() { allowed(t, "wake", p.Wake()) })
			}
			join("Wake", &group)
			var events [1]Event
			n, err := p.Wait(events[:], patience)
			if n != 0 || err != nil {
				t.Fatal(n, err)
			}
			// A second Wait that returns at once could also have timed out:
			// a source that becomes ready tells the two apart.
			_, woke, err := p.wait(new(waiter), events[:], 0)
			if woke || err != nil {
				t.Fatalf("a second wake for the first (%v)", err)
			}
		}
	})
}

// TestIteratorsAreCanceledAlone cancels iterators at random, wakes, and checks
// that those who were not canceled get all that comes, and only they.
func TestIteratorsAreCanceledAlone(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		a, peer := newPair(t)
		s := mustAdd(t, p, a, 1, Readable, OneShot)
		got := make(chan struct{}, 1)
		loop := func(ctx context.Context) {
			for e, err := range p.Events(ctx) {
				switch {
				case err != nil:
					allowed(t, "events", err, context.Canceled)
				case e.Ready == 0: // a wake
				default:
					if _, err := socket.Read(a, make([]byte, 1)); err != nil {
						t.Error(err)
					}
					got <- struct{}{}
				}
			}
		}
		rng := rand.New(rand.NewPCG(8, uint64(b)))
		stay, stop := context.WithCancel(context.Background())
		var stayers sync.WaitGroup
		for range 2 {
			stayers.Go(func() { loop(stay) })
		}
		for range repeat(400) {
			var leavers sync.WaitGroup
			for range 1 + rng.IntN(4) {
				ctx, cancel := context.WithCancel(context.Background())
				leavers.Go(func() { loop(ctx) })
				if rng.IntN(2) == 0 {
					runtime.Gosched()
				}
				leavers.Go(cancel)
			}
			if rng.IntN(2) == 0 {
				must(t, p.Wake())
			}
			mustWrite(t, peer, []byte{1})
			receive("an event while iterators are canceled", got)
			join("canceled iterators", &leavers)
			must(t, s.Modify(1, Readable, OneShot))
		}
		stop()
		join("the last iterators", &stayers)
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.kicked != 0 {
			t.Errorf("%d are still to be told to stop", p.kicked)
		}
	})
}

// TestKeptEventsAreNotLost: loops that leave after each event, several at a
// time, see each ready source all the same.
func TestKeptEventsAreNotLost(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		const count = 50
		var sources []Source
		for i := range count {
			a, peer := newPair(t)
			sources = append(sources, mustAdd(t, p, a, uint64(i), Readable, OneShot))
			mustWrite(t, peer, []byte{1})
		}
		for range repeat(20) {
			keys := make(chan uint64, 2*count)
			var left atomic.Int32
			left.Store(count)
			ctx, cancel := context.WithCancel(context.Background())
			var group sync.WaitGroup
			for range 3 {
				group.Go(func() {
					for left.Load() > 0 {
						for e, err := range p.Events(ctx) {
							if err != nil {
								allowed(t, "events", err, context.Canceled)
								break
							}
							if e.Ready != 0 {
								keys <- e.Key
								if left.Add(-1) == 0 {
									cancel()
								}
								break
							}
						}
					}
				})
			}
			join("loops that leave early", &group)
			cancel()
			close(keys)
			seen := make(map[uint64]int)
			for k := range keys {
				seen[k]++
			}
			for k := range uint64(count) {
				if seen[k] != 1 {
					t.Fatalf("source %d was reported %d times, want once", k, seen[k])
				}
			}
			for i, s := range sources {
				must(t, s.Modify(uint64(i), Readable, OneShot))
			}
		}
	})
}

// TestOneShotGoesToOne: of several waiters exactly one has each event.
func TestOneShotGoesToOne(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		const count, waiters = 4, 4
		type oneShot struct {
			fd, peer uintptr
			source   Source
			armed    atomic.Int32
			done     chan struct{}
		}
		all := make([]*oneShot, count)
		for i := range all {
			o := &oneShot{done: make(chan struct{}, 1)}
			o.fd, o.peer = newPair(t)
			// Armed for both directions, of which one is ready: Modify with
			// Readable comes with each round.
			o.source = mustAdd(t, p, o.fd, uint64(i), 0, OneShot)
			all[i] = o
		}
		var group, senders sync.WaitGroup
		for range waiters {
			group.Go(func() {
				events := make([]Event, 3)
				for {
					n, err := p.Wait(events, -1)
					if err != nil {
						allowed(t, "wait", err, ErrClosed)
						return
					}
					for _, e := range events[:n] {
						o := all[e.Key]
						if left := o.armed.Add(-1); left != 0 {
							t.Errorf("source %d: event %v, and %d more than it was armed", e.Key, e, -left)
						}
						if _, err := socket.Read(o.fd, make([]byte, 4)); err != nil {
							t.Error(err)
						}
						o.done <- struct{}{}
					}
				}
			})
		}
		for i, o := range all {
			senders.Go(func() {
				for round := range repeat(2000) {
					// Ready before it is armed, or armed before it is ready.
					steps := []func() error{
						func() error { _, err := socket.Write(o.peer, []byte{1}); return err },
						func() error { o.armed.Add(1); return o.source.Modify(uint64(i), Readable, OneShot) },
					}
					if err := errors.Join(steps[round%2](), steps[1-round%2]()); err != nil {
						t.Error(err)
						return
					}
					receive("a OneShot event", o.done)
				}
			})
		}
		join("OneShot rounds", &senders)
		must(t, p.Close())
		join("waiters", &group)
	})
}

// TestChangesDuringWait adds, modifies and deletes while several wait for ever:
// what is added takes effect at once.
func TestChangesDuringWait(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		const changers = 4
		var seen [changers]chan Event
		for i := range seen {
			seen[i] = make(chan Event, 1<<16)
		}
		var group, changing sync.WaitGroup
		for range 2 {
			group.Go(func() {
				events := make([]Event, 2)
				for {
					n, err := p.Wait(events, -1)
					if err != nil {
						allowed(t, "wait", err, ErrClosed)
						return
					}
					for _, e := range events[:n] {
						seen[e.Key%changers] <- e
					}
				}
			})
		}
		for i := range uint64(changers) {
			a, peer := newPair(t)
			mustWrite(t, peer, []byte{1})
			changing.Go(func() {
				for round := range uint64(repeat(500)) {
					first, second := i+changers*2*round, i+changers*(2*round+1)
					s, err := p.Add(a, first, Readable, OneShot)
					if err != nil {
						t.Error(err)
						return
					}
					if e := receive("an event of Add", seen[i]); e != (Event{Key: first, Ready: Readable}) {
						t.Errorf("got %v of key %d", e, first)
					}
					if err := s.Modify(second, Readable|Writable, OneShot); err != nil {
						t.Error(err)
					}
					e := receive("an event of Modify", seen[i])
					if backendName == "kqueue" && e.Ready != 0 {
						// Its directions are armed one after the other, and a
						// waiter may get in between.
						e.Ready |= Readable | Writable
					}
					if e != (Event{Key: second, Ready: Readable | Writable}) {
						t.Errorf("got %v of key %d", e, second)
					}
					if err := s.Delete(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		join("changes while others wait", &changing)
		must(t, p.Close())
		join("waiters", &group)
	})
}

// TestNothingAfterDelete: a Wait that begins after Delete or Modify has
// returned says nothing of the old registration, while another that had begun
// before may.
func TestNothingAfterDelete(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		a, peer := newPair(t)
		mustWrite(t, peer, []byte{1})
		stop := make(chan struct{})
		var group sync.WaitGroup
		group.Go(func() { // has the registrations go through its hands all the time
			var events [2]Event
			for {
				select {
				case <-stop:
					return
				default:
					if _, err := p.Wait(events[:], 0); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
		for round := range uint64(repeat(5000)) {
			s := mustAdd(t, p, a, 3*round, Readable, Level)
			must(t, s.Modify(3*round+1, Readable, Level))
			var events [4]Event
			n, err := p.Wait(events[:], 0)
			must(t, err)
			for _, e := range events[:n] {
				if e.Key != 3*round+1 {
					t.Fatalf("key %d after Modify to %d", e.Key, 3*round+1)
				}
			}
			must(t, s.Delete())
			if n, err := p.Wait(events[:], 0); n != 0 || err != nil {
				t.Fatalf("%v, %v after Delete", events[:n], err)
			}
		}
		close(stop)
		join("the other waiter", &group)
	})
}

// TestLendsOfManyGoroutines lends to a source of each goroutine's own, while
// all of them wait: whoever takes a return hands it to its lender.
func TestLendsOfManyGoroutines(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		const lenders = 4
		var returns [lenders]chan Event
		for i := range returns {
			returns[i] = make(chan Event, 8)
		}
		var group, lending sync.WaitGroup
		for range 3 {
			group.Go(func() {
				events := make([]Event, 2)
				for {
					n, err := p.Wait(events, -1)
					if err != nil {
						allowed(t, "wait", err, ErrClosed)
						return
					}
					for _, e := range events[:n] {
						returns[e.Key] <- e
					}
				}
			})
		}
		for i := range lenders {
			a, peer := newPair(t)
			lending.Go(func() {
				// To the source itself, so that lends are made while a waiter
				// is about to block.
				s, err1 := p.Add(a, uint64(i), 0, Level)
				_, err2 := p.Add(peer, uint64(i), 0, Level)
				if err := errors.Join(err1, err2); err != nil {
					t.Error(err)
					return
				}
				in := make([]byte, 64)
				for round := range repeat(2000) {
					out := pattern(round, 1+round%64)
					if err := s.LendRead(in); err != nil {
						t.Error(err)
						return
					}
					if n, err := socket.Write(peer, out); err != nil || n != len(out) {
						t.Error(n, err)
					}
					e := receive("a return", returns[i])
					if n, err := e.Result(); err != nil || string(in[:n]) != string(out) {
						t.Errorf("lender %d, round %d: %v, %v", i, round, e, err)
						return
					}
				}
			})
		}
		join("lends", &lending)
		must(t, p.Close())
		join("waiters", &group)
	})
}
