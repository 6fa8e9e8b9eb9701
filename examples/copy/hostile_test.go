package main

import (
	"io"
	"net"
	"testing"
	"time"

	. "gopoll.dev/internal/exampleserver/exampletest"
)

// A reset goes on as a reset, in both directions, whatever is under way.
func TestReset(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		addr, states := start(t, c)
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
				bothWays(t, first, second)
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
		over(states, 6)
	})
}

// A reset is not taken for the end of a stream.
func TestResetIsNoEnd(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		addr, states := start(t, c)
		for _, turned := range []bool{false, true} {
			first, second := through(t, addr, l)
			if turned {
				first, second = second, first
			}
			bothWays(t, first, second)
			Must(t, first.SetLinger(0))
			Must(t, first.Close())
			if n, err := second.Read(make([]byte, 1)); n > 0 || err == nil || err == io.EOF {
				t.Errorf("%d bytes, %v; want a reset", n, err)
			}
		}
		over(states, 2)
	})
}

// With nobody behind it, clients are reset, and the proxy goes on.
func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		Must(t, l.Close())
		addr, states := start(t, c)
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
		over(states, 3)
	})
}

// Beyond the bound, clients wait until another has gone.
func TestMax(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		c.max = 2
		l := behind(t, &c)
		go echo(l)
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

// Pairs that move nothing are ended, those too that never read. On a busy
// machine that may be seen at once.
func TestIdle(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		c.idle = 50 * time.Millisecond
		l := behind(t, &c)
		addr, states := start(t, c)
		if silent, err := net.Dial("tcp", addr); err == nil {
			Over(t, silent)
			Must(t, silent.Close())
		}
		if full, err := net.Dial("tcp", addr); err == nil {
			if _, err := io.Copy(full, Random(1)); err == nil {
				t.Error("no end of writing")
			}
			full.Close()
		}
		over(states, 2)
		Must(t, l.Close())
	})
}
