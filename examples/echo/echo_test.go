package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
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
	return s.addr, states
}

func none(s state) bool { return s.open == 0 }

// Random bytes in pieces of all sizes come back, and after a half-close too;
// then the server closes.
func TestEcho(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		addr, states := start(t, c)
		const conns = 6
		errs := make(chan error)
		for i := range conns {
			conn, n := Dial(t, addr), int64(0)
			sizes := rand.New(rand.NewPCG(uint64(i), 0))
			for range 30 {
				n += sizes.Int64N(1 << sizes.IntN(17))
			}
			go func() {
				sizes := rand.New(rand.NewPCG(uint64(i), 0))
				data := Random(uint64(i))
				for range 30 {
					if _, err := io.CopyN(conn, data, sizes.Int64N(1<<sizes.IntN(17))); err != nil {
						t.Error(err)
					}
				}
				conn.CloseWrite()
			}()
			go func() { errs <- Same(conn, uint64(i), n) }()
		}
		for range conns {
			Must(t, <-errs)
		}
		states.Until(none)
	})
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

// Who does not read is not read from either, and delays nobody else. What it
// was sent it gets in the end.
func TestSlowReader(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		addr, states := start(t, c)
		slow, other := Dial(t, addr), Dial(t, addr)
		n := stall(c, slow, states)
		RoundTrip(t, other, "not delayed")
		Must(t, Same(slow, 1, n))
		RoundTrip(t, other, "nor after")
	})
}

// A reset, at once or with bytes under way, ends that connection only.
func TestReset(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		addr, states := start(t, c)
		for _, before := range []func(*net.TCPConn){
			func(*net.TCPConn) {},
			func(c *net.TCPConn) { RoundTrip(t, c, "hello") },
			func(c *net.TCPConn) { io.WriteString(c, "never read") },
			func(conn *net.TCPConn) { stall(c, conn, states) },
		} {
			conn := Dial(t, addr)
			before(conn)
			Must(t, conn.SetLinger(0))
			Must(t, conn.Close())
		}
		RoundTrip(t, Dial(t, addr), "still here")
		states.Until(func(s state) bool { return s.open == 1 && s.held == 0 })
	})
}

// Urgent bytes are not part of the stream, and nobody spins on them.
func TestUrgent(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		addr, states := start(t, c)
		conn := Dial(t, addr)
		raw, err := conn.SyscallConn()
		Must(t, err)
		for range 3 {
			RoundTrip(t, conn, "before")
			Must(t, raw.Control(func(fd uintptr) { err = socket.WriteUrgent(fd, '!') }))
			Must(t, err)
			RoundTrip(t, conn, "after")
		}
		Must(t, conn.Close())
		states.Until(none)
	})
}

// A connection that sends nothing, and one that reads nothing, are closed in
// the end; the bound of connections holds until then.
func TestIdle(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		c.idle = 50 * time.Millisecond
		addr, states := start(t, c)
		silent, slow := Dial(t, addr), Dial(t, addr)
		go io.CopyN(slow, Random(1), 1<<30)
		Over(t, silent)
		states.Until(none)
	})
}

// Beyond the bound, clients wait until another has gone.
func TestMax(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		c.max = 2
		addr, states := start(t, c)
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
		states.Until(func(s state) bool { return s.open == 2 })
		for range 5 {
			Must(t, (<-served).Close())
		}
		states.Until(none)
	})
}

// Stopping ends connections in any state.
func TestStop(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		var conns []*net.TCPConn
		t.Run("serving", func(t *testing.T) {
			addr, states := start(t, c)
			conns = append(conns, Dial(t, addr), Dial(t, addr))
			stall(c, conns[0], states)
			RoundTrip(t, conns[1], "x")
		})
		Over(t, conns[1])
	})
}
