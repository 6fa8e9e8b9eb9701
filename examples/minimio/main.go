// Minimio is the small event queue that the book "Exploring Async Basics with
// Rust: epoll, kqueue and IOCP" builds, in a page of code on top of gopoll: Poll,
// Registrator, Token and Interests are in minimio.go. The program runs the
// book's example with it: several requests to a server that is slow on
// purpose, all of them waited for at one time.
//
//	go run gopoll.dev/examples/minimio
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

func main() {
	server, err := startServer()
	if err != nil {
		fmt.Fprintln(os.Stderr, "minimio:", err)
		os.Exit(1)
	}
	defer server.close()
	start := time.Now()
	err = fetch(server.address(), []int{50, 40, 30, 20, 10}, func(token Token, answer string) {
		fmt.Printf("%3d ms: request %d is answered: %s\n", time.Since(start).Milliseconds(), token, answer)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "minimio:", err)
		os.Exit(1)
	}
}

// fetch sends a request for each delay, in milliseconds, and hands over the
// answers as they come. The queue is polled by a goroutine of its own.
func fetch(address string, delays []int, answered func(Token, string)) error {
	poll, err := NewPoll()
	if err != nil {
		return err
	}
	defer poll.Close()
	registrator := poll.Registrator()
	ready := make(chan Token)
	ended := make(chan error, 1)
	go func() {
		defer close(ready)
		events := make([]Event, len(delays))
		for {
			n, err := poll.Poll(events, -1)
			if err != nil {
				ended <- err
				return
			}
			for _, event := range events[:n] {
				ready <- event.ID()
			}
		}
	}()

	var streams []*net.TCPConn
	for i, delay := range delays {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		stream := conn.(*net.TCPConn)
		streams = append(streams, stream)
		if _, err := fmt.Fprintf(stream, "%d\n", delay); err != nil {
			return err
		}
		if err := registrator.Register(stream, Token(i), READABLE); err != nil {
			return err
		}
	}
	for range delays {
		token, ok := <-ready
		if !ok {
			return <-ended
		}
		stream := streams[token]
		answer, err := io.ReadAll(stream)
		if err != nil {
			return err
		}
		if err := registrator.Deregister(stream); err != nil {
			return err
		}
		answered(token, string(answer))
	}
	if err := registrator.CloseLoop(); err != nil {
		return err
	}
	if err := <-ended; err != ErrInterrupted {
		return err
	}
	return nil
}
