package main

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gopoll.dev/gopoll"
	. "gopoll.dev/internal/exampleserver/exampletest"
)

// each runs a test with every binding and every way to serve.
func each(t *testing.T, test func(t *testing.T, c config)) {
	for _, b := range gopoll.Bindings() {
		for _, w := range []config{{}, {mode: gopoll.Edge}, {mode: gopoll.OneShot}, {lend: true}, {lend: true, mode: gopoll.OneShot}} {
			w.binding, w.listen, w.max = b, "127.0.0.1:0", 100
			name := b.String() + "/" + strings.ToLower(w.mode.String())
			if w.lend {
				name += "/lend"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				Cap(t)
				test(t, w)
			})
		}
	}
}

// start serves until the end of the test.
func start(t *testing.T, c config) (addr string, states *Watch[state]) {
	t.Helper()
	states = NewWatch[state]()
	c.observe = func(s state) {
		if s.open > c.max || s.held > s.open*readSize {
			t.Errorf("%d connections hold %d bytes", s.open, s.held)
		}
		states.Tell(s)
	}
	s, err := newServer(c)
	Must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s.door.Addr(), states
}

// over waits until the last of n connections is closed.
func over(states *Watch[state], n int) {
	states.Until(func(s state) bool { return s.accepted == n && s.open == 0 && s.held == 0 })
}

// stall sends until the server waits for its reader, reads nothing, and ends
// its side. It says how much it sends in all. Where buffers are lent nobody can
// be asked; there it sends more than what the kernel holds, and goes on beside.
func stall(c config, conn *net.TCPConn, states *Watch[state]) (n int64) {
	const much = 8 << 20
	data := Random(1)
	if c.lend {
		go func() {
			io.CopyN(conn, data, much)
			conn.CloseWrite()
		}()
		return much
	}
	sent := make(chan int64)
	go func() {
		n, _ := io.Copy(conn, data)
		sent <- n
	}()
	states.Until(func(s state) bool { return s.held > 0 })
	conn.SetWriteDeadline(time.Now()) // a write that waits for room ends
	n = <-sent
	conn.CloseWrite()
	return n
}
