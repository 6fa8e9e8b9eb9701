package main

import (
	"slices"

	"gopoll.dev/bench/internal/server"
	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// A conn is a connection, and what the kernel hasn't taken yet of its echo.
type conn struct {
	fd   uintptr
	src  gopoll.Source
	kept []byte
}

type readyServer struct {
	table[conn]
	poller *gopoll.Poller
	buf    [64 << 10]byte // one for all: an echo is written before the next read
}

func serveReady(p *gopoll.Poller, listener uintptr) {
	s := &readyServer{table: newTable[conn](), poller: p}
	events := make([]gopoll.Event, 128)
	for {
		n, err := p.Wait(events, -1)
		server.Check(err)
		for _, ev := range events[:n] {
			switch {
			case ev.Key == listening:
				accept(listener, s.add)
			case s.conns[ev.Key].kept != nil:
				s.flush(ev.Key)
			default:
				s.echo(ev.Key)
			}
		}
	}
}

func (s *readyServer) add(fd uintptr) {
	key := s.take(conn{fd: fd})
	src, err := s.poller.Add(fd, key, gopoll.Readable, gopoll.Level)
	server.Check(err)
	s.conns[key].src = src
}

func (s *readyServer) echo(key uint64) {
	c := &s.conns[key]
	n, err := socket.Read(c.fd, s.buf[:])
	if err == socket.ErrWouldBlock {
		return
	}
	if err != nil {
		s.drop(key)
		return
	}
	done, err := socket.Write(c.fd, s.buf[:n])
	if err != nil && err != socket.ErrWouldBlock {
		s.drop(key)
		return
	}
	if done < n {
		c.kept = slices.Clone(s.buf[done:n])
		server.Check(c.src.Modify(key, gopoll.Writable, gopoll.Level))
	}
}

func (s *readyServer) flush(key uint64) {
	c := &s.conns[key]
	n, err := socket.Write(c.fd, c.kept)
	if err != nil && err != socket.ErrWouldBlock {
		s.drop(key)
		return
	}
	if c.kept = c.kept[n:]; len(c.kept) == 0 {
		c.kept = nil
		server.Check(c.src.Modify(key, gopoll.Readable, gopoll.Level))
	}
}

func (s *readyServer) drop(key uint64) {
	c := s.conns[key]
	server.Check(c.src.Delete())
	socket.Close(c.fd)
	s.release(key)
}
