package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"

	"gopoll.dev/gopoll"
	. "gopoll.dev/internal/exampleserver/exampletest"
)

// each runs a test with every binding, and with buffers of two sizes.
func each(t *testing.T, test func(t *testing.T, c config)) {
	for _, b := range gopoll.Bindings() {
		for _, size := range []int{1000, 16 << 10} {
			t.Run(fmt.Sprint(b, "/", size), func(t *testing.T) {
				t.Parallel()
				Cap(t)
				test(t, config{listen: "127.0.0.1:0", binding: b, size: size, max: 50})
			})
		}
	}
}

// start serves until the end of the test.
func start(t *testing.T, c config) (addr string, states *Watch[state]) {
	t.Helper()
	states = NewWatch[state]()
	c.observe = func(s state) {
		if s.open > c.max {
			t.Errorf("%d pairs", s.open)
		}
		states.Tell(s)
	}
	p, err := newProxy(c)
	Must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p.door.Addr(), states
}

// over waits until the last of n pairs is closed.
func over(states *Watch[state], n int) {
	states.Until(func(s state) bool { return s.joined == n && s.open == 0 })
}

// behind listens as what is behind a proxy.
func behind(t *testing.T, c *config) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	Must(t, err)
	t.Cleanup(func() { l.Close() })
	c.to = l.Addr().String()
	return l.(*net.TCPListener)
}

// through is both ends of a connection through the proxy.
func through(t *testing.T, addr string, l *net.TCPListener) (near, far *net.TCPConn) {
	t.Helper()
	near = Dial(t, addr)
	far, err := l.AcceptTCP()
	Must(t, err)
	t.Cleanup(func() { far.Close() })
	return near, far
}

// bothWays sends a little both ways.
func bothWays(t *testing.T, a, b *net.TCPConn) {
	t.Helper()
	for _, way := range [][2]*net.TCPConn{{a, b}, {b, a}} {
		_, err := io.WriteString(way[0], "hello")
		Must(t, err)
		Expect(t, way[1], "hello")
	}
}
