package main

import (
	"slices"
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// A conn is one client. There is one rule: while it owes the client output it
// reads no more. So a client that doesn't read can make the server hold one
// buffer, and then is made to wait itself.
type conn struct {
	fd      uintptr
	key     uint64
	source  gopoll.Source
	last    time.Duration    // when it made progress
	watched gopoll.Readiness // its interest
	closing bool             // with lend: close it when its buffer is back
	reset   bool             // its client must not hold the kernel's memory after the end either
	pending []byte           // without lend: read, but not yet written
	lent    []byte           // with lend: its buffer
}

// edgeTurns bounds what one client may have done while others wait.
const edgeTurns = 16

// wants is what c has to wait for.
func (c *conn) wants() gopoll.Readiness {
	if len(c.pending) > 0 {
		return gopoll.Writable
	}
	return gopoll.Readable
}

// firstInterest is how a connection is registered.
func (s *server) firstInterest() gopoll.Readiness {
	switch {
	case s.lend:
		return 0 // the lent buffer tells
	case s.mode == gopoll.Edge:
		return gopoll.Readable | gopoll.Writable // both, and for ever: Rearm says which
	}
	return gopoll.Readable
}

// admit takes a new connection in.
func (s *server) admit(fd uintptr) {
	s.lastKey++
	s.conns[s.lastKey] = &conn{fd: fd, key: s.lastKey, last: s.now, watched: s.firstInterest()}
	s.change(gopoll.Change{Op: gopoll.OpAdd, Fd: fd, Key: s.lastKey, Interest: s.firstInterest(), Mode: s.mode})
	s.state.accepted++
	s.state.open++
}

// ready serves a connection that is ready for what it waits for.
func (s *server) ready(c *conn) {
	held := len(c.pending)
	err := s.step(c)
	if s.mode == gopoll.Edge {
		// Until it would block, as the rest is not reported again. The other
		// modes say so at the next Wait, after the others.
		for turn := 1; turn < edgeTurns && err == nil; turn++ {
			err = s.step(c)
		}
	}
	s.state.held += len(c.pending) - held
	if err != nil && err != socket.ErrWouldBlock || s.again(c, err) != nil {
		s.drop(c) // the end of the stream, or a reset
	}
}

// again says what c waits for from now on, as its mode wants it said.
func (s *server) again(c *conn, blocked error) error {
	wants := c.wants()
	switch {
	case s.mode == gopoll.Level && wants == c.watched:
		return nil // watched still
	case s.mode == gopoll.Edge && blocked != nil:
		return c.source.Rearm(wants)
	case s.mode == gopoll.Edge:
		wants = c.watched // it had its turns: a Modify reports what is ready once more
	}
	c.watched = wants
	s.change(gopoll.Change{Op: gopoll.OpModify, Source: c.source, Key: c.key, Interest: wants, Mode: s.mode})
	return nil
}

// step writes what is owed, or reads and writes once. Of what the kernel does
// not take at once the rest is owed. It returns socket.ErrWouldBlock when
// there is nothing to do, and io.EOF once the client has sent its last and
// got all of it back: a half-closed connection is served to its end.
func (s *server) step(c *conn) error {
	out := c.pending
	if len(out) == 0 {
		s.count.reads++
		n, err := socket.Read(c.fd, s.buffer)
		if err != nil {
			return err
		}
		out = s.buffer[:n]
	}
	s.count.writes++
	n, err := socket.Write(c.fd, out)
	if err != nil && (err != socket.ErrWouldBlock || len(c.pending) > 0) {
		return err
	}
	s.count.bytes += n
	c.last = s.now
	switch rest := out[n:]; {
	case len(rest) == 0:
		c.pending = nil // an idle connection holds no buffer
	case len(c.pending) == 0:
		c.pending = slices.Clone(rest)
	default:
		c.pending = rest
	}
	return nil
}

// begin lends the connection's buffer for its first read.
func (s *server) begin(c *conn) error {
	c.lent = s.arena.Get() // never nil: there are as many as connections
	s.count.reads++
	return c.source.LendRead(c.lent)
}

// returned goes on with a buffer that is back: what was read is lent for the
// write, what was written for the next read. A write is back when all of it is
// written, so here too a client that doesn't read is not read from.
func (s *server) returned(c *conn, ev gopoll.Event) {
	n, err := ev.Result()
	switch {
	case c.closing || err != nil || ev.Ready&gopoll.EOF != 0:
		s.finish(c)
		return
	case ev.Ready&gopoll.Readable != 0:
		s.count.writes++
		err = c.source.LendWrite(c.lent[:n])
	default:
		s.count.bytes += n
		s.count.reads++
		err = c.source.LendRead(c.lent)
	}
	c.last = s.now
	if err != nil {
		s.finish(c)
	}
}

// drop closes a connection; if its buffer is lent, as soon as that is back.
// Until then the descriptor has to stay open.
func (s *server) drop(c *conn) {
	if c.lent == nil {
		s.finish(c)
		return
	}
	if !c.closing {
		c.closing = true
		s.count.changes++
		c.source.Delete() // returns the buffer
	}
}

// finish closes a connection of which nothing is lent.
func (s *server) finish(c *conn) {
	if !c.closing {
		s.count.changes++
		c.source.Delete()
	}
	if c.reset {
		socket.Reset(c.fd)
	} else {
		socket.Close(c.fd)
	}
	if c.lent != nil {
		s.arena.Put(c.lent)
	}
	s.state.held -= len(c.pending)
	delete(s.conns, c.key)
	s.state.open--
	s.door.Open()
}
