//go:build unix

package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "gopoll.dev/internal/exampleserver/exampletest"
)

func TestMain(m *testing.M) { Main(m, main) }

// SIGINT and SIGTERM close everything and end the program well, with its table.
func TestSignals(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			Cap(t)
			var c config
			l := behind(t, &c)
			child := Start(t, "-listen", "127.0.0.1:0", "-to", c.to)
			near, far := through(t, child.Addr(), l)
			bothWays(t, near, far)
			if out := child.Stop(s); !strings.Contains(out, "5 up, 5 down\n") {
				t.Errorf("no table:\n%s", out)
			}
			Over(t, near)
			Over(t, far)
		})
	}
}

// Out of descriptors, clients wait or are reset, those that are served are
// served on, and all is well afterwards.
func TestNoDescriptors(t *testing.T) {
	for _, spare := range []int{0, 1, 4, 5} {
		t.Run(string(rune('0'+spare)), func(t *testing.T) {
			t.Parallel()
			Cap(t)
			var c config
			l := behind(t, &c)
			go echo(l)
			child := Start(t, "-listen", "127.0.0.1:0", "-to", c.to)
			addr := child.Addr()
			child.Limit(spare)
			const conns = 20
			served := make(chan net.Conn)
			for range conns {
				go func() {
					// It may be reset at any time.
					conn, err := net.Dial("tcp", addr)
					if err == nil {
						io.WriteString(conn, "x")
						if n, _ := conn.Read(make([]byte, 1)); n == 1 {
							served <- conn
							return
						}
						conn.Close()
					}
					served <- nil
				}()
			}
			child.Line(child.Err, "too many open files")
			child.Lift()
			for range conns {
				if conn := <-served; conn != nil {
					RoundTrip(t, conn, "y")
					conn.Close()
				}
			}
			RoundTrip(t, Dial(t, addr), "z")
			child.Stop(syscall.SIGTERM)
		})
	}
}

// A unix socket is an address like any other, on both sides.
func TestUnix(t *testing.T) {
	each(t, func(t *testing.T, c config) {
		dir, err := os.MkdirTemp("", "") // shorter than the test's own, whose path may not fit an address
		Must(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		l, err := net.Listen("unix", filepath.Join(dir, "to"))
		Must(t, err)
		t.Cleanup(func() { l.Close() })
		go echo(l)
		c.listen, c.to = "unix:"+filepath.Join(dir, "at"), "unix:"+filepath.Join(dir, "to")
		addr, states := start(t, c)
		if addr != c.listen {
			t.Errorf("serving on %s", addr)
		}
		conn, err := net.Dial("unix", filepath.Join(dir, "at"))
		Must(t, err)
		go func() {
			io.CopyN(conn, Random(1), 300_000)
			conn.(*net.UnixConn).CloseWrite()
		}()
		Must(t, Same(conn, 1, 300_000))
		Must(t, conn.Close())
		over(states, 1)
	})
}
