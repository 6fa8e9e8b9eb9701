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
			bothWays(t, first, second)
			Must(t, first.SetLinger(0))
			Must(t, first.Close())
			if n, err := second.Read(make([]byte, 1)); n > 0 || err == nil || err == io.EOF {
				t.Errorf("%d bytes, %v; want a reset", n, err)
			}
		}
		open.Until(none)
	})
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
