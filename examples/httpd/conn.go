package main

import (
	"bytes"
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// A conn is one client. It is read from only while all that it was sent has
// been taken, so that one that does not read can make the server hold what
// came in one read, and no more.
type conn struct {
	fd      uintptr
	key     uint64
	source  gopoll.Source
	watched gopoll.Readiness

	in    []byte // read, and not yet understood
	skip  int64  // of a request's body, to be passed over
	later answer // to that request; status 0: there is none
	out   []byte // to be written
	body  []byte // to be written after it: memory of a page

	inShared, outShared bool // in and out are the server's memory, until ready returns

	ending bool // nothing is understood any more
	linger bool // all is sent and our side shut; what still comes is thrown away

	deadline time.Duration // on the server's clock
}

const (
	readSize  = 16 << 10 // the most of one read
	turnLimit = 1 << 20  // written to one client while others wait
)

// ready serves a connection that is ready for what it is watched for.
func (s *server) ready(c *conn) {
	err := s.step(c)
	c.keep()
	if err != nil && err != socket.ErrWouldBlock {
		s.drop(c)
		return
	}
	want := gopoll.Readable
	if c.owes() {
		want = gopoll.Writable
	}
	if want == c.watched {
		return
	}
	if c.source.Modify(c.key, want, gopoll.Level) != nil {
		s.drop(c)
		return
	}
	c.watched = want
}

func (c *conn) owes() bool { return len(c.out)+len(c.body) > 0 }

// keep gives the connection memory of its own for what is left. An idle one has none.
func (c *conn) keep() {
	if c.inShared {
		c.in, c.inShared = bytes.Clone(c.in), false
	}
	if c.outShared {
		c.out, c.outShared = bytes.Clone(c.out), false
	}
	if len(c.in) == 0 {
		c.in = nil
	}
	if len(c.out) == 0 {
		c.out = nil
	}
}

// step writes what is owed, or reads and answers. The mode is Level: what is
// left undone is reported again.
func (s *server) step(c *conn) error {
	if c.linger {
		return s.discard(c)
	}
	if !c.owes() {
		if err := s.read(c); err != nil {
			return err
		}
	}
	for turn := 0; turn < turnLimit || !c.owes(); {
		s.understand(c)
		if !c.owes() {
			return s.settle(c)
		}
		n, err := s.write(c)
		if err != nil {
			return err
		}
		turn += n
	}
	return nil
}

func (s *server) read(c *conn) error {
	n, err := socket.Read(c.fd, s.buffer)
	if err != nil {
		return err // at the end, too: all that came before it is answered
	}
	if len(c.in) > 0 {
		c.in = append(c.in, s.buffer[:n]...)
		return nil
	}
	c.in, c.inShared = s.buffer[:n], true
	if c.skip == 0 {
		c.deadline = s.now + s.headTime // from the first byte of a request
	}
	return nil
}

// write writes once, of the heads or of the page behind them.
func (s *server) write(c *conn) (int, error) {
	from := &c.out
	if len(c.out) == 0 {
		from = &c.body
	}
	n, err := socket.Write(c.fd, *from)
	if err != nil {
		return 0, err
	}
	*from = (*from)[n:]
	c.deadline = s.now + s.headTime
	return n, nil
}

// settle is for a connection that owes nothing. One that is at its end is shut
// first and closed once the client has closed too: closing it while input is
// unread would be a reset, and could take the answer with it.
func (s *server) settle(c *conn) error {
	switch {
	case c.ending:
		c.linger, c.in = true, nil
		c.deadline = s.now + s.headTime
		return socket.Shutdown(c.fd, socket.ShutWrite)
	case len(c.in) == 0 && c.skip == 0:
		c.deadline = s.now + s.idleTime
	}
	return nil
}

// discard reads what nobody wants, until the end.
func (s *server) discard(c *conn) error {
	_, err := socket.Read(c.fd, s.buffer)
	return err
}
