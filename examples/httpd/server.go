package main

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
	"gopoll.dev/internal/exampleserver"
)

// config is what a server is to be like.
type config struct {
	binding  *gopoll.Binding
	max      int           // connections at one time; the others wait outside
	headTime time.Duration // for a request's head, and for progress of a response
	idleTime time.Duration // between requests

	observe func(open int) // if not nil, told how many connections there are, when that changes
}

// A server is one goroutine around one poller: nothing in it needs a lock.
type server struct {
	config
	site    site
	poller  *gopoll.Poller
	door    *exampleserver.Door
	conns   map[uint64]*conn // by key
	lastKey uint64           // keys are used once: an event that comes late finds nobody
	buffer  []byte           // for reads, one for all
	scratch []byte           // for answers, one for all

	began   time.Time
	now     time.Duration // since then, at the last Wait
	sweepAt time.Duration

	dateAt time.Duration
	dateIs string

	text   bytes.Reader // for parse
	reader *bufio.Reader
}

const (
	doorKey    = 0
	maxEvents  = 1024
	sweepParts = 4 // how precise the time limits are
)

func newServer(listen string, pages site, c config) (*server, error) {
	s := &server{config: c, site: pages, conns: map[uint64]*conn{}, buffer: make([]byte, readSize), scratch: make([]byte, 0, outBatch+2*copyLimit),
		began: time.Now(), dateAt: -time.Second, reader: bufio.NewReaderSize(nil, maxHead)}
	var err error
	if s.poller, err = gopoll.New(gopoll.WithBinding(*c.binding)); err != nil {
		return nil, err
	}
	if s.door, err = exampleserver.OpenDoor(s.poller, listen, doorKey); err != nil {
		s.poller.Close()
		return nil, err
	}
	return s, nil
}

// run serves until ctx is done.
func (s *server) run(ctx context.Context) error {
	defer s.close()
	defer context.AfterFunc(ctx, func() { s.poller.Wake() })()
	events := make([]gopoll.Event, maxEvents)
	for ctx.Err() == nil {
		n, err := s.poller.Wait(events, s.timeout())
		if err != nil {
			return err
		}
		s.now = time.Since(s.began)
		for _, ev := range events[:n] {
			switch c := s.conns[ev.Key]; {
			case ev.Key == doorKey:
				s.door.Accept(s.max-len(s.conns), s.admit)
			case c != nil: // else it was closed earlier in this batch
				s.ready(c)
			}
		}
		s.door.Tick()
		s.sweep()
	}
	return nil
}

// parse is http.ReadRequest of a whole head.
func (s *server) parse(head []byte) (*http.Request, error) {
	s.text.Reset(head)
	s.reader.Reset(&s.text)
	return http.ReadRequest(s.reader)
}

// date is the time as headers have it, made once a second.
func (s *server) date() string {
	if s.now-s.dateAt >= time.Second {
		s.dateAt, s.dateIs = s.now, time.Now().UTC().Format(http.TimeFormat)
	}
	return s.dateIs
}

func (s *server) admit(fd uintptr) {
	s.lastKey++
	c := &conn{fd: fd, key: s.lastKey, watched: gopoll.Readable, deadline: s.now + s.headTime}
	var err error
	if c.source, err = s.poller.Add(fd, c.key, gopoll.Readable, gopoll.Level); err != nil {
		socket.Close(fd)
		s.door.Fail(err)
		return
	}
	if len(s.conns) == 0 {
		s.sweepAt = s.now + s.sweepEvery()
	}
	s.conns[c.key] = c
	s.tell()
}

func (s *server) drop(c *conn) {
	c.source.Delete()
	socket.Close(c.fd)
	delete(s.conns, c.key)
	s.door.Open()
	s.tell()
}

func (s *server) tell() {
	if s.observe != nil {
		s.observe(len(s.conns))
	}
}

// sweep closes connections whose time is over.
func (s *server) sweep() {
	if len(s.conns) == 0 || s.now < s.sweepAt {
		return
	}
	s.sweepAt = s.now + s.sweepEvery()
	for _, c := range s.conns {
		if s.now >= c.deadline {
			s.drop(c)
		}
	}
}

func (s *server) sweepEvery() time.Duration { return min(s.headTime, s.idleTime) / sweepParts }

// timeout is how long nothing has to be done.
func (s *server) timeout() time.Duration {
	wait := s.door.Timeout()
	if len(s.conns) > 0 {
		if sweep := max(s.sweepAt-s.now, 0); wait < 0 || sweep < wait {
			wait = sweep
		}
	}
	return wait
}

func (s *server) close() {
	s.poller.Close()
	s.door.Close()
	for _, c := range s.conns {
		socket.Close(c.fd)
	}
}
