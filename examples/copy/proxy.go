package main

import (
	"context"
	"net"
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
	"gopoll.dev/internal/exampleserver"
)

// config is what a proxy is to be like.
type config struct {
	listen, to string // HOST:PORT or unix:PATH
	binding    gopoll.Binding
	size       int           // of a buffer, of which each joined pair has two
	max        int           // pairs at one time; further clients wait outside
	idle       time.Duration // a pair without progress for so long is ended; 0: never

	observe func(state)                      // if not nil, told of each change
	warn    func(format string, args ...any) // for what the operator should know
}

// state is what others may know of a running proxy.
type state struct {
	joined int // pairs, since it began
	open   int // those that are not closed
}

// A proxy joins each client with a connection of its own to another address,
// on one poller and one goroutine. All bytes move in lent buffers.
type proxy struct {
	config
	network, address string // of to, resolved
	poller           *gopoll.Poller
	door             *exampleserver.Door
	arena            *gopoll.Arena

	pairs   map[uint64]*pair
	last    uint64 // the last pair's number; they are used once
	began   time.Time
	now     time.Duration // since then, at the last Wait
	sweepAt time.Duration

	told  state
	count counts
}

// counts are what the proxy has seen.
type counts struct {
	pairs, failed               int
	up, down                    int64 // bytes from clients, and to them
	waits, reads, writes, other int   // native calls that it knows it caused
}

const (
	doorKey    = 0
	maxEvents  = 1024
	sweepParts = 4 // how precise the idle limit is
)

// newProxy listens; run serves.
func newProxy(c config) (*proxy, error) {
	p := &proxy{config: c, pairs: make(map[uint64]*pair), began: time.Now(), sweepAt: c.idle / sweepParts}
	if err := p.open(); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *proxy) open() (err error) {
	// To resolve a name takes time, which nobody has once there are clients.
	if p.network, p.address = exampleserver.Address(p.to); p.network == "tcp" {
		to, err := net.ResolveTCPAddr(p.network, p.address)
		if err != nil {
			return err
		}
		p.address = to.String()
	}
	limit := gopoll.WithLendLimit(2*p.max, int64(2*p.max)*int64(p.size))
	if p.poller, err = gopoll.New(gopoll.WithBinding(p.binding), limit); err != nil {
		return err
	}
	if p.arena, err = gopoll.NewArena(2*p.max, p.size); err != nil {
		return err
	}
	p.door, err = exampleserver.OpenDoor(p.poller, p.listen, doorKey)
	return err
}

// run serves until ctx is done.
func (p *proxy) run(ctx context.Context) error {
	defer p.close()
	defer context.AfterFunc(ctx, func() { p.poller.Wake() })()
	events := make([]gopoll.Event, maxEvents)
	for ctx.Err() == nil {
		n, err := p.poller.Wait(events, p.timeout())
		p.count.waits++
		if err != nil {
			return err
		}
		p.now = time.Since(p.began)
		for _, ev := range events[:n] {
			number, at := split(ev.Key)
			switch j := p.pairs[number]; {
			case ev.Key == doorKey:
				p.door.Accept(p.max-len(p.pairs), p.join)
			case j == nil: // ended earlier in this batch
			case ev.Ready&gopoll.Returned != 0:
				p.returned(j, at, ev)
			default:
				p.connected(j)
			}
		}
		p.tick()
		if now := (state{p.count.pairs, len(p.pairs)}); p.observe != nil && now != p.told {
			p.told = now
			p.observe(now)
		}
	}
	return nil
}

// timeout is how long nothing has to be done.
func (p *proxy) timeout() time.Duration {
	wait := p.door.Timeout()
	if p.idle > 0 && len(p.pairs) > 0 {
		if sweep := max(p.sweepAt-p.now, 0); wait < 0 || sweep < wait {
			wait = sweep
		}
	}
	return wait
}

// tick does what is due.
func (p *proxy) tick() {
	p.door.Tick()
	if p.door.Err != nil && p.warn != nil {
		p.warn("%v; waiting until a connection closes (said once)", p.door.Err)
		p.warn = nil
	}
	if p.idle == 0 || p.now < p.sweepAt {
		return
	}
	p.sweepAt = p.now + p.idle/sweepParts
	for _, j := range p.pairs {
		if p.now-j.progress >= p.idle {
			p.abort(j)
		}
	}
}

// close ends everything. The poller comes first: once it is closed no lent
// buffer is in the kernel's hands.
func (p *proxy) close() {
	if p.poller != nil {
		p.poller.Close()
	}
	if p.door != nil {
		p.door.Close()
	}
	for _, j := range p.pairs {
		for i := range j.ends {
			socket.Close(j.ends[i].fd)
		}
	}
	if p.arena != nil {
		p.arena.Free()
	}
}
