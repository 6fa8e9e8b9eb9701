package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"gopoll.dev/gopoll"
	. "gopoll.dev/internal/exampleserver/exampletest"
)

// each runs a test with every binding, and with buffers of two sizes.
func each(t *testing.T, test func(t *testing.T, c config)) {
	for _, b := range gopoll.Bindings() {
		for _, size := range []int{100, 16 << 10} {
			t.Run(fmt.Sprint(b, "/", size), func(t *testing.T) {
				t.Parallel()
				Cap(t)
				test(t, config{listen: "127.0.0.1:0", binding: b, size: size, max: 50})
			})
		}
	}
}

// start serves until the end of the test.
func start(t *testing.T, c config) (addr string, open *Watch[int]) {
	t.Helper()
	open = NewWatch[int]()
	c.observe = func(n int) {
		if n > c.max {
			t.Errorf("%d pairs", n)
		}
		open.Tell(n)
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
	return p.addr, open
}

func none(open int) bool { return open == 0 }

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

// Two streams cross, each ends by itself, and every byte of both arrives.
func TestCopy(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		addr, open := start(t, c)
		const conns, block = 4, 200_000
		errs := make(chan error)
		for i := range conns {
			near, far := through(t, addr, l)
			for at, conn := range []*net.TCPConn{near, far} {
				own, other := uint64(2*i+at), uint64(2*i+1-at)
				length := func(seed uint64) int64 { return int64(block * (1 + seed%3)) }
				go func() {
					io.CopyN(conn, Random(own), length(own))
					conn.CloseWrite()
				}()
				go func() { errs <- Same(conn, other, length(other)) }()
			}
		}
		for range 2 * conns {
			Must(t, <-errs)
		}
		open.Until(none)
	})
}

// An end of stream goes on in its direction, and the other direction lives on.
func TestHalfClose(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		addr, open := start(t, c)
		for _, turned := range []bool{false, true} {
			first, second := through(t, addr, l)
			if turned {
				first, second = second, first
			}
			_, err := io.WriteString(first, "question")
			Must(t, err)
			Must(t, first.CloseWrite())
			got, err := io.ReadAll(second)
			if err != nil || string(got) != "question" {
				t.Fatalf("%q, %v", got, err)
			}
			for range 3 {
				_, err = io.WriteString(second, "answer")
				Must(t, err)
				Expect(t, first, "answer")
			}
			Must(t, second.CloseWrite())
			Over(t, first)
		}
		open.Until(none)
	})
}

// A reset goes on as a reset, in both directions, whatever is under way.
func TestReset(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		addr, open := start(t, c)
		for _, turned := range []bool{false, true} {
			for _, before := range []func(first, second *net.TCPConn){
				func(first, second *net.TCPConn) {},
				func(first, second *net.TCPConn) { first.CloseWrite(); Over(t, second) },
				func(first, second *net.TCPConn) { go io.CopyN(second, Random(1), 8<<20) },
			} {
				first, second := through(t, addr, l)
				if turned {
					first, second = second, first
				}
				RoundTripBetween(t, first, second)
				before(first, second)
				Must(t, first.SetLinger(0))
				Must(t, first.Close())
				for { // until it shows
					if _, err := second.Write([]byte("z")); err != nil {
						break
					}
					if _, err := second.Read(make([]byte, 100)); err != nil && err != io.EOF {
						break
					}
				}
			}
		}
		open.Until(none)
	})
}

// A reset is not taken for the end of a stream.
func TestResetIsNoEnd(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		addr, open := start(t, c)
		for _, turned := range []bool{false, true} {
			first, second := through(t, addr, l)
			if turned {
				first, second = second, first
			}
			RoundTripBetween(t, first, second)
			Must(t, first.SetLinger(0))
			Must(t, first.Close())
			if n, err := second.Read(make([]byte, 1)); n > 0 || err == nil || err == io.EOF {
				t.Errorf("%d bytes, %v; want a reset", n, err)
			}
		}
		open.Until(none)
	})
}

// RoundTripBetween sends a little both ways.
func RoundTripBetween(t *testing.T, a, b *net.TCPConn) {
	t.Helper()
	for _, way := range [][2]*net.TCPConn{{a, b}, {b, a}} {
		_, err := io.WriteString(way[0], "hello")
		Must(t, err)
		Expect(t, way[1], "hello")
	}
}

// With nobody behind it, clients are reset, and the proxy goes on.
func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		Must(t, l.Close())
		addr, open := start(t, c)
		for range 3 {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				continue // the reset was there already
			}
			if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil || err == io.EOF {
				t.Errorf("%d bytes, %v; want a reset", n, err)
			}
			Must(t, conn.Close())
		}
		open.Until(none)
	})
}

// Who takes nothing is not read for, delays no other pair, and gets all in the
// end.
func TestSlowReader(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		addr, open := start(t, c)
		fast, slow := through(t, addr, l)
		const much = 4 << 20
		go func() {
			io.CopyN(fast, Random(1), much)
			fast.CloseWrite()
		}()
		a, b := through(t, addr, l)
		RoundTripBetween(t, a, b)
		go io.WriteString(slow, "the other way")
		Expect(t, fast, "the other way")
		Must(t, Same(slow, 1, much))
		for _, conn := range []*net.TCPConn{slow, a, b} {
			Must(t, conn.Close())
		}
		open.Until(none)
	})
}

// Beyond the bound, clients wait until another has gone.
func TestMax(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		c.max = 2
		l := behind(t, &c)
		go echo(l)
		addr, open := start(t, c)
		served := make(chan *net.TCPConn)
		for range 5 {
			conn := Dial(t, addr)
			_, err := io.WriteString(conn, "x")
			Must(t, err)
			go func() {
				Expect(t, conn, "x")
				served <- conn
			}()
		}
		open.Until(func(n int) bool { return n == 2 })
		for range 5 {
			Must(t, (<-served).Close())
		}
		open.Until(none)
	})
}

// Pairs that move nothing are ended, those too that never read.
func TestIdle(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		c.idle = 50 * time.Millisecond
		l := behind(t, &c)
		addr, open := start(t, c)
		near, _ := through(t, addr, l)
		full, _ := through(t, addr, l)
		go io.CopyN(full, Random(1), 1<<30)
		if n, err := near.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("%d bytes, %v; want the end", n, err)
		}
		open.Until(none)
	})
}

// Stopping ends connections in any state.
func TestStop(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		var ends []*net.TCPConn
		t.Run("serving", func(t *testing.T) {
			addr, _ := start(t, c)
			near, far := through(t, addr, l)
			RoundTripBetween(t, near, far)
			full, _ := through(t, addr, l)
			go io.CopyN(full, Random(1), 1<<30)
			ends = append(ends, near, far)
		})
		for _, conn := range ends {
			Over(t, conn)
		}
	})
}
