package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

// The book's test: requests to a slow server are answered by their delays, not
// in the order in which they were made.
func TestDelayedServer(t *testing.T) {
	server, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	defer server.close()
	delays := []int{5, 4, 3, 2, 1}
	// On a busy machine timers that are close fire together. Each answer waits
	// until the shorter delay's has arrived, too, so that the order is certain.
	turns := make(map[int]chan struct{})
	for _, delay := range delays {
		turns[delay] = make(chan struct{})
	}
	close(turns[1])
	server.turn = func(delay int) { <-turns[delay] }

	var order []Token
	err = fetch(server.address(), delays, func(token Token, answer string) {
		order = append(order, token)
		delay := delays[token]
		if want := fmt.Sprintf("after %d ms", delay); answer != want {
			t.Errorf("request %d: %q, want %q", token, answer, want)
		}
		if next := turns[delay+1]; next != nil {
			close(next)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []Token{4, 3, 2, 1, 0}; !slices.Equal(order, want) {
		t.Errorf("answered in the order %v, want %v", order, want)
	}
}

// One event for each registration, for what was asked for.
func TestOneEventPerRegistration(t *testing.T) {
	poll, err := NewPoll()
	if err != nil {
		t.Fatal(err)
	}
	defer poll.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream := conn.(*net.TCPConn)
	registrator := poll.Registrator()
	events := make([]Event, 8)
	for _, token := range []Token{7, 8} {
		if err := registrator.Register(stream, token, WRITABLE); err != nil {
			t.Fatal(err)
		}
		n, err := poll.Poll(events, -1)
		if err != nil || n != 1 || events[0].ID() != token {
			t.Fatalf("%d events, %v, %v; want one of %d", n, events[:n], err, token)
		}
		if n, err := poll.Poll(events, 0); n != 0 || err != nil {
			t.Fatalf("a second time: %d events, %v", n, err)
		}
	}
	if err := registrator.Deregister(stream); err != nil {
		t.Error(err)
	}
	if err := registrator.CloseLoop(); err != nil {
		t.Error(err)
	}
	if _, err := poll.Poll(events, time.Hour); err != ErrInterrupted {
		t.Errorf("a closed loop: %v", err)
	}
}

func TestClosedPoll(t *testing.T) {
	poll, err := NewPoll()
	if err != nil {
		t.Fatal(err)
	}
	if err := poll.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := poll.Poll(make([]Event, 1), 0); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}
