//go:build unix

package main

import (
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	. "gopoll.dev/internal/exampleserver/exampletest"
)

func TestMain(m *testing.M) { Main(m, main) }

// SIGINT and SIGTERM close everything and end the program well, with its table.
func TestSignals(t *testing.T) {
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		for _, way := range []string{"-mode=edge", "-lend"} {
			t.Run(s.String()+way, func(t *testing.T) {
				t.Parallel()
				Cap(t)
				child := Start(t, "-listen", "127.0.0.1:0", way)
				addr := child.Addr()
				busy, silent := Dial(t, addr), Dial(t, addr)
				RoundTrip(t, busy, "hello")
				if out := child.Stop(s); !strings.Contains(out, "bytes echoed  5\n") {
					t.Errorf("no table:\n%s", out)
				}
				Over(t, busy)
				Over(t, silent)
			})
		}
	}
}

// Out of descriptors, the server serves those that it has without a look at
// the others, and takes those as soon as it can.
func TestNoDescriptors(t *testing.T) {
	for _, way := range []string{"-mode=level", "-mode=oneshot", "-lend"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			Cap(t)
			const spare, conns, trips = 7, 30, 200
			child := Start(t, "-listen", "127.0.0.1:0", way)
			addr := child.Addr()
			child.Limit(spare)
			served := make(chan *net.TCPConn, conns)
			for range conns {
				conn := Dial(t, addr)
				_, err := io.WriteString(conn, "x")
				Must(t, err)
				go func() {
					Expect(t, conn, "x")
					served <- conn
				}()
			}
			child.Line(child.Err, "too many open files")
			first := <-served
			for range trips {
				RoundTrip(t, first, "y")
			}
			Must(t, first.Close())
			for range conns - 1 {
				Must(t, (<-served).Close())
			}
			out := child.Stop(syscall.SIGTERM)
			number := regexp.MustCompile(`([\d,]+) waits`).FindStringSubmatch(out)[1]
			waits, err := strconv.Atoi(strings.ReplaceAll(number, ",", ""))
			if err != nil || waits > 2*trips+10*conns { // with lend, a message takes two
				t.Errorf("%d waits for %d messages:\n%s", waits, trips+conns, out)
			}
		})
	}
}

// With no connection of its own to wait for, it tries again by itself.
func TestNoDescriptorsAtAll(t *testing.T) {
	t.Parallel()
	Cap(t)
	child := Start(t, "-listen", "127.0.0.1:0", "-binding=pure")
	addr := child.Addr()
	child.Limit(0)
	conn := Dial(t, addr)
	child.Line(child.Err, "too many open files")
	child.Lift()
	RoundTrip(t, conn, "hello")
	child.Stop(syscall.SIGTERM)
}
