package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// slowServer answers each connection's one line, a number of milliseconds,
// after that time.
type slowServer struct {
	listener net.Listener
	handlers sync.WaitGroup

	// turn, if not nil, holds an answer back until it is its turn.
	turn func(delay int)
}

func startServer() (*slowServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &slowServer{listener: listener}
	s.handlers.Go(s.accept)
	return s, nil
}

func (s *slowServer) address() string { return s.listener.Addr().String() }

func (s *slowServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.handlers.Go(func() { s.answer(conn) })
	}
}

func (s *slowServer) answer(conn net.Conn) {
	defer conn.Close()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	delay, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return
	}
	<-time.After(time.Duration(delay) * time.Millisecond)
	if s.turn != nil {
		s.turn(delay)
	}
	fmt.Fprintf(conn, "after %d ms", delay)
}

func (s *slowServer) close() {
	s.listener.Close()
	s.handlers.Wait()
}
