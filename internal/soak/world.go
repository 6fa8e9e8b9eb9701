package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// world is one poller with its connections, several waiters, and somebody who
// makes trouble.
type world struct {
	p       *gopoll.Poller
	arena   *gopoll.Arena
	figures figures
	stop    atomic.Bool
	group   sync.WaitGroup

	mu       sync.Mutex
	ends     map[uint64]*end
	nextKey  uint64
	wanted   int // connections
	live     int
	listener uintptr
	address  string
	rng      *rand.Rand // of those who hold mu
}

func newWorld(b gopoll.Binding, connections int, seed uint64) *world {
	p, err := gopoll.New(gopoll.WithBinding(b))
	fatal(err)
	w := &world{p: p, ends: make(map[uint64]*end), wanted: connections, rng: rand.New(rand.NewPCG(seed, 1))}
	w.arena, err = gopoll.NewArena(connections, 4096)
	fatal(err)
	w.listener, err = socket.Listen("tcp", "127.0.0.1:0")
	fatal(err)
	address, err := socket.LocalAddr(w.listener)
	fatal(err)
	w.address = address.String()
	for range connections {
		w.connect()
	}
	for i := range 3 {
		w.group.Go(func() { w.wait(1 << (3 * i)) })
	}
	w.group.Go(w.iterate)
	w.group.Go(w.trouble)
	return w
}

func fatal(err error) {
	if err != nil {
		complain("%v", err)
		panic(err)
	}
}

// close closes the poller under everybody, and everything else afterwards.
func (w *world) close() {
	w.stop.Store(true)
	stop := time.AfterFunc(patience, func() { panic("Close hangs\n" + stacks()) })
	if err := w.p.Close(); err != nil {
		complain("Close: %v", err)
	}
	w.group.Wait()
	stop.Stop()
	if err := w.arena.Free(); err != nil {
		complain("Close left something lent: %v", err)
	}
	for _, e := range w.ends {
		socket.Close(e.fd)
	}
	socket.Close(w.listener)
}

// connect makes a connection, of a kind and with two manners by chance.
func (w *world) connect() {
	w.mu.Lock()
	tcp := w.rng.IntN(2) == 0
	a, b, err := socket.Pair()
	if tcp {
		socket.Close(a)
		socket.Close(b)
		a, b, err = w.tcpPair()
	}
	if err != nil {
		w.mu.Unlock()
		complain("connect: %v", err)
		return
	}
	w.figures.add(connectionsMade, 1)
	w.live++
	x, y := w.newEnd(a, tcp), w.newEnd(b, tcp)
	x.peer, y.peer = y, x
	w.mu.Unlock()
	for _, e := range []*end{x, y} {
		e.start()

		e.mu.Unlock()
	}
}

// tcpPair is a connection over loopback: the listener has no other guests.
func (w *world) tcpPair() (a, b uintptr, err error) {
	if a, err = socket.Dial("tcp", w.address); err != nil {
		return 0, 0, err
	}
	for b, err = socket.Accept(w.listener); err == socket.ErrWouldBlock; b, err = socket.Accept(w.listener) {
		runtime.Gosched()
	}
	for err == nil {
		if err = socket.ConnectError(a); err != socket.ErrWouldBlock {
			break
		}
		err = nil
		runtime.Gosched()
	}
	return a, b, err
}

// lookup finds the end that an event is for; it may be gone.
func (w *world) lookup(key uint64) *end {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ends[key]
}

func (w *world) handle(e gopoll.Event) {
	w.figures.add(events, 1)
	if end := w.lookup(e.Key); end != nil {
		end.handle(e)
	} else if e.Ready&gopoll.Returned != 0 {
		complain("%v of key %d, which has nothing lent", e.Ready, e.Key)
	}
}

// wait is one waiter with room for so many events.
func (w *world) wait(room int) {
	events := make([]gopoll.Event, room)
	for {
		n, err := w.p.Wait(events, patience)
		if err != nil {
			w.ended(err)
			return
		}
		for _, e := range events[:n] {
			w.handle(e)
		}
	}
}

// iterate waits by iterators that are canceled, or left.
func (w *world) iterate() {
	rng := rand.New(rand.NewPCG(2, 2))
	for !w.stop.Load() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rng.IntN(2000))*time.Microsecond)
		left := 1 + rng.IntN(100)
		for e, err := range w.p.Events(ctx) {
			if err != nil {
				w.ended(err)
				break
			}
			if e.Ready != 0 {
				w.handle(e)
			}
			if left--; left == 0 {
				break
			}
		}
		cancel()
		w.figures.add(iterators, 1)
	}
}

// ended checks why a Wait or an iterator has ended.
func (w *world) ended(err error) {
	if errors.Is(err, gopoll.ErrClosed) && w.stop.Load() || errors.Is(err, context.DeadlineExceeded) {
		return
	}
	complain("wait: %v", err)
}

// trouble resets, reclaims, wakes, interrupts and collects, and makes up for
// what is gone.
func (w *world) trouble() {
	rng := rand.New(rand.NewPCG(3, 3))
	for !w.stop.Load() {
		switch n := rng.IntN(100); {
		case n < 10:
			if err := w.p.Wake(); err != nil && !w.stop.Load() {
				complain("wake: %v", err)
			}
			w.figures.add(wakes, 1)
		case n < 14:
			if e := w.any(rng); e != nil {
				e.reset()
			}
		case n < 20:
			if e := w.any(rng); e != nil {
				e.reclaim()
			}
		case n < 22:
			runtime.GC()
		case n < 40:
			interrupt()
		case n < 42:
			w.otherPoller()
		}
		for w.missing() && !w.stop.Load() {
			w.connect()
		}
		time.Sleep(time.Duration(rng.IntN(500)) * time.Microsecond)
	}
}

func (w *world) missing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.live < w.wanted
}

// any is one of the ends.
func (w *world) any(rng *rand.Rand) *end {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := rng.IntN(len(w.ends) + 1)
	for _, e := range w.ends {
		if n--; n <= 0 {
			return e
		}
	}
	return nil
}

// otherPoller makes one, lends to it, and closes it.
func (w *world) otherPoller() {
	p, err := gopoll.New(gopoll.WithBinding(w.p.Binding()))
	if err != nil {
		complain("new: %v", err)
		return
	}
	w.figures.add(polls, 1)
	a, b, err := socket.Pair()
	fatal(err)
	defer socket.Close(a)
	defer socket.Close(b)
	changes := []gopoll.Change{{Fd: a, Key: 1}, {Fd: b, Key: 2, Interest: gopoll.Readable}}
	if err := p.Apply(changes); err != nil {
		complain("apply: %v", err)
	}
	for range 3 {
		if err := changes[0].Source.LendRead(make([]byte, 100)); err != nil {
			complain("lend: %v", err)
		}
	}
	if err := p.Close(); err != nil {
		complain("close: %v", err)
	}
}
