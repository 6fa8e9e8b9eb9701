package main

import (
	"io"
	"net"
	"testing"

	. "gopoll.dev/internal/exampleserver/exampletest"
)

// Two streams cross, each ends by itself, and every byte of both arrives.
func TestCopy(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		addr, states := start(t, c)
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
		over(states, conns)
	})
}

// An end of stream goes on in its direction, and the other direction lives on.
func TestHalfClose(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		addr, states := start(t, c)
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
		over(states, 2)
	})
}

// Who takes nothing is not read for, delays no other pair, and gets all in the
// end.
func TestSlowReader(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		l := behind(t, &c)
		addr, states := start(t, c)
		fast, slow := through(t, addr, l)
		const much = 4 << 20
		go func() {
			io.CopyN(fast, Random(1), much)
			fast.CloseWrite()
		}()
		a, b := through(t, addr, l)
		bothWays(t, a, b)
		go io.WriteString(slow, "the other way")
		Expect(t, fast, "the other way")
		Must(t, Same(slow, 1, much))
		for _, conn := range []*net.TCPConn{slow, a, b} {
			Must(t, conn.Close())
		}
		over(states, 2)
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
			bothWays(t, near, far)
			full, _ := through(t, addr, l)
			go io.CopyN(full, Random(1), 1<<30)
			ends = append(ends, near, far)
		})
		for _, conn := range ends {
			Over(t, conn)
		}
	})
}
