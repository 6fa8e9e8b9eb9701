package main

import (
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"gopoll.dev/gopoll/socket"
	. "gopoll.dev/internal/exampleserver/exampletest"
)

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
		over(states, conns)
	})
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
		states.Until(func(s state) bool { return s.accepted == 5 && s.open == 1 && s.held == 0 })
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
		over(states, 1)
	})
}

// A connection that sends nothing, and one that reads nothing, are ended, which
// on a busy machine may be seen at once.
func TestIdle(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		c.idle = 50 * time.Millisecond
		addr, states := start(t, c)
		if silent, err := net.Dial("tcp", addr); err == nil {
			Over(t, silent)
			Must(t, silent.Close())
		}
		if UnderWine() {
			t.Log("no test of a client that reads nothing: Wine leaves its send pending when the reset arrives")
			over(states, 1)
			return
		}
		if slow, err := net.Dial("tcp", addr); err == nil {
			if _, err := io.Copy(slow, Random(1)); err == nil {
				t.Error("no end of writing")
			}
			slow.Close()
		}
		over(states, 2)
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
		over(states, 5)
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
