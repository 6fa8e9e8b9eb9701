package main

import (
	"gopoll.dev/bench/internal/server"
	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// A lentConn is a connection with one buffer, which is always lent: for a read,
// then for the write of what came, and so on.
type lentConn struct {
	fd  uintptr
	src gopoll.Source
	buf []byte
}

type lentServer struct {
	table[lentConn]
	poller *gopoll.Poller
	arena  *gopoll.Arena
}

func serveLent(p *gopoll.Poller, listener uintptr) {
	s := &lentServer{table: newTable[lentConn](), poller: p}
	var err error
	s.arena, err = gopoll.NewArena(cap(s.conns), *server.Size)
	server.Check(err)
	events := make([]gopoll.Event, 64)
	for {
		n, err := p.Wait(events, -1)
		server.Check(err)
		for _, ev := range events[:n] {
			if ev.Key == listening {
				accept(listener, s.add)
			} else {
				s.returned(ev)
			}
		}
	}
}

func (s *lentServer) add(fd uintptr) {
	c := lentConn{fd: fd, buf: s.arena.Get()}
	if c.buf == nil {
		socket.Close(fd) // more than -conns
		return
	}
	key := s.take(c)
	src, err := s.poller.Add(fd, key, 0, gopoll.Level)
	server.Check(err)
	s.conns[key].src = src
	server.Check(src.LendRead(c.buf))
}

func (s *lentServer) returned(ev gopoll.Event) {
	c := &s.conns[ev.Key]
	n, err := ev.Result()
	switch {
	case err != nil || n == 0: // failed, or the end of the stream
		s.drop(ev.Key)
	case ev.Ready&gopoll.Readable != 0:
		server.Check(c.src.LendWrite(c.buf[:n]))
	default:
		server.Check(c.src.LendRead(c.buf))
	}
}

func (s *lentServer) drop(key uint64) {
	c := s.conns[key]
	server.Check(c.src.Delete())
	socket.Close(c.fd)
	s.arena.Put(c.buf)
	s.release(key)
}
