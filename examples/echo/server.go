package main

import (
	"context"
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
	"gopoll.dev/internal/exampleserver"
)

// config is what a server is to be like.
type config struct {
	listen  string // its address
	binding gopoll.Binding
	mode    gopoll.Mode
	lend    bool
	max     int           // connections at one time; the others wait outside
	idle    time.Duration // a connection without progress for so long is closed; 0: never

	observe func(state)                      // if not nil, told after the first Wait and of each change
	warn    func(format string, args ...any) // for what the operator should know
}

// state is what others may know of a running server.
type state struct {
	accepted int // connections, since it began
	open     int // those that are not closed
	held     int // bytes read and not yet written, save what is in lent buffers
}

// A server sends back whatever it receives. It is one goroutine around one
// poller, so nothing in it needs a lock.
type server struct {
	config
	poller *gopoll.Poller
	door   *exampleserver.Door
	arena  *gopoll.Arena // with lend: a buffer for each connection
	buffer []byte        // without: one for all, as what was read is written at once

	conns   map[uint64]*conn // by key
	lastKey uint64           // keys are used once: an event that comes late finds nobody
	changes []gopoll.Change  // to be made together before the next Wait
	began   time.Time
	now     time.Duration // since then, at the last Wait
	sweepAt time.Duration

	state, told state
	count       counts
}

// counts are the native calls that the server knows it caused.
type counts struct {
	bytes, waits, reads, writes, changes int
}

const (
	doorKey    = 0
	maxEvents  = 1024
	readSize   = 64 << 10 // what a connection can hold at most, when its client doesn't read
	lendSize   = 4 << 10  // what a connection holds always, where buffers are lent
	sweepParts = 4        // how precise the idle limit is
)

// newServer listens; run serves.
func newServer(c config) (*server, error) {
	s := &server{config: c, conns: make(map[uint64]*conn), began: time.Now(), sweepAt: c.idle / sweepParts, told: state{open: -1}}
	if err := s.open(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *server) open() (err error) {
	limit := gopoll.WithLendLimit(s.max, int64(s.max)*lendSize)
	if s.poller, err = gopoll.New(gopoll.WithBinding(s.binding), limit); err != nil {
		return err
	}
	if !s.lend {
		s.buffer = make([]byte, readSize)
	} else if s.arena, err = gopoll.NewArena(s.max, lendSize); err != nil {
		return err
	}
	s.door, err = exampleserver.OpenDoor(s.poller, s.listen, doorKey)
	return err
}

// run serves until ctx is done.
func (s *server) run(ctx context.Context) error {
	defer s.close()
	defer context.AfterFunc(ctx, func() { s.poller.Wake() })()
	events := make([]gopoll.Event, maxEvents)
	for ctx.Err() == nil {
		n, err := s.poller.Wait(events, s.timeout())
		s.count.waits++
		if err != nil {
			return err
		}
		s.now = time.Since(s.began)
		for _, ev := range events[:n] {
			switch c := s.conns[ev.Key]; {
			case ev.Key == doorKey:
				s.accept()
			case c == nil: // closed earlier in this batch
			case ev.Ready&gopoll.Returned != 0:
				s.returned(c, ev)
			default:
				s.ready(c)
			}
		}
		s.tick()
		s.apply()
		if s.observe != nil && s.state != s.told {
			s.told = s.state
			s.observe(s.state)
		}
	}
	return nil
}

func (s *server) accept() {
	s.door.Accept(s.max-len(s.conns), s.admit)
	if s.door.Err != nil && s.warn != nil {
		s.warn("accept: %v; waiting until a connection closes (said once)", s.door.Err)
		s.warn = nil
	}
}

// change makes a change before the next Wait, in one crossing with others.
func (s *server) change(c gopoll.Change) { s.changes = append(s.changes, c) }

func (s *server) apply() {
	s.poller.Apply(s.changes) // the errors are with the changes
	s.count.changes += len(s.changes)
	for i := range s.changes {
		change := &s.changes[i]
		c := s.conns[change.Key]
		if c == nil {
			continue // closed since, so that there was nothing to modify
		}
		err := change.Err
		if err == nil && change.Op == gopoll.OpAdd {
			c.source = change.Source
			if s.lend {
				err = s.begin(c)
			}
		}
		if err != nil {
			s.finish(c) // the kernel's limit of watches, for example
		}
	}
	clear(s.changes)
	s.changes = s.changes[:0]
}

// timeout is how long nothing has to be done.
func (s *server) timeout() time.Duration {
	wait := s.door.Timeout()
	if s.idle > 0 && len(s.conns) > 0 {
		if sweep := max(s.sweepAt-s.now, 0); wait < 0 || sweep < wait {
			wait = sweep
		}
	}
	return wait
}

// tick does what is due.
func (s *server) tick() {
	s.door.Tick()
	if s.idle == 0 || s.now < s.sweepAt {
		return
	}
	s.sweepAt = s.now + s.idle/sweepParts
	for _, c := range s.conns {
		if s.now-c.last >= s.idle {
			c.reset = true
			s.drop(c)
		}
	}
}

// close ends everything. The poller comes first: once it is closed no lent
// buffer is in the kernel's hands.
func (s *server) close() {
	if s.poller != nil {
		s.poller.Close()
	}
	if s.door != nil {
		s.door.Close()
	}
	for _, c := range s.conns {
		socket.Close(c.fd)
	}
	if s.arena != nil {
		s.arena.Free()
	}
}
