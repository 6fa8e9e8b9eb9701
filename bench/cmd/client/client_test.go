package main

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// serve runs one function for each connection of a listener.
func serve(t *testing.T, each func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				each(c)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func dialOne(t *testing.T, to netip.AddrPort, size int) *loop {
	t.Helper()
	fd, err := dial(to, 0)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoop([]int32{int32(fd)}, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.free)
	return l
}

func TestEcho(t *testing.T) {
	to := serve(t, func(c net.Conn) { io.Copy(c, c) })
	for _, size := range []int{1, 64, 16 << 10, 8 << 20} { // the last fills every buffer on the way
		l, err := connect(to, 20, size)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		for range 3 {
			if err := round(l, 0, 20); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
		l.free()
	}
}

func TestWrongBytesAreSeen(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"first":    func(b []byte) []byte { b[0] ^= 1; return b },
		"last":     func(b []byte) []byte { b[len(b)-1] ^= 0x80; return b },
		"one more": func(b []byte) []byte { return append(b, 0) },
	} {
		to := serve(t, func(c net.Conn) {
			b := make([]byte, 1000)
			if _, err := io.ReadFull(c, b); err == nil {
				c.Write(spoil(b))
			}
			io.Copy(io.Discard, c)
		})
		if err := round(dialOne(t, to, 1000), 0, 1); !errors.Is(err, errMixed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestClosedConnectionIsSeen(t *testing.T) {
	to := serve(t, func(c net.Conn) { c.Read(make([]byte, 64)) })
	if err := round(dialOne(t, to, 64), 0, 1); err == nil {
		t.Error("no error")
	}
}

// A server that stalls once makes all wait that were due meanwhile, and the
// latencies must say so.
func TestStallCountsForAllThatWereDue(t *testing.T) {
	to := serve(t, func(c net.Conn) {
		b := make([]byte, 64)
		io.ReadFull(c, b)
		time.Sleep(200 * time.Millisecond) // the stall
		c.Write(b)
		io.Copy(c, c)
	})
	p, err := paced(dialOne(t, to, 64), 0, 1000, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if p.Messages+int64(p.Unfinished) != 100 {
		t.Errorf("%d messages and %d unfinished, of 100", p.Messages, p.Unfinished)
	}
	// The last was due 99 ms after the first, 101 ms before the stall's end.
	if p.P50 < int64(100*time.Millisecond) {
		t.Errorf("p50 is %v", time.Duration(p.P50))
	}
}

func TestSilenceCounts(t *testing.T) {
	to := serve(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	p, err := paced(dialOne(t, to, 64), 0, 1000, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if p.Messages != 0 || p.Unfinished != 20 || p.P50 < int64(40*time.Millisecond) {
		t.Errorf("%+v", p)
	}
}
