// Package exampletest is what the tests of the example servers have in common.
package exampletest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"sync"
	"testing"
	"time"
)

// Patience is what a test may take at most. It is far more than any needs.
const Patience = 20 * time.Second

// Cap ends the test binary, with all stacks, where a test hangs.
func Cap(t *testing.T) {
	t.Helper()
	timer := time.AfterFunc(Patience, func() {
		debug.SetTraceback("all")
		panic(t.Name() + " hangs")
	})
	t.Cleanup(func() { timer.Stop() })
}

// Must ends the test on an error.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A Watch remembers the last of the values that another goroutine tells.
type Watch[T any] struct {
	mu   sync.Mutex
	cond *sync.Cond
	last T
}

// NewWatch is a Watch with nothing told.
func NewWatch[T any]() *Watch[T] {
	w := new(Watch[T])
	w.cond = sync.NewCond(&w.mu)
	return w
}

// Tell notes a value.
func (w *Watch[T]) Tell(v T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = v
	w.cond.Broadcast()
}

// Until waits for a value that is good.
func (w *Watch[T]) Until(good func(T) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !good(w.last) {
		w.cond.Wait()
	}
}

// Dial connects to a server. The connection is closed after the test.
func Dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	Must(t, err)
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// RoundTrip sends and wants the same back.
func RoundTrip(t *testing.T, c net.Conn, message string) {
	t.Helper()
	_, err := io.WriteString(c, message)
	Must(t, err)
	Expect(t, c, message)
}

// Expect reads as much as want has, and compares.
func Expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(c, got)
	if err != nil || string(got) != want {
		t.Fatalf("got %q, %v; want %q", got[:n], err, want)
	}
}

// Over wants the connection to have ended: by an end of the stream or a reset.
func Over(t *testing.T, c net.Conn) {
	t.Helper()
	if n, err := io.Copy(io.Discard, c); n > 0 {
		t.Fatalf("%d bytes, %v, where the end was to come", n, err)
	}
}

// Random is a stream of bytes that a second one with the same seed repeats.
func Random(seed uint64) io.Reader {
	var key [32]byte
	copy(key[:], fmt.Sprint(seed))
	return rand.NewChaCha8(key)
}

// Same reads from c up to its end and wants the first n bytes of Random(seed).
func Same(c io.Reader, seed uint64, n int64) error {
	want := Random(seed)
	got, expected := make([]byte, 64<<10), make([]byte, 64<<10)
	for at := int64(0); ; {
		m, err := c.Read(got)
		io.ReadFull(want, expected[:m])
		if string(got[:m]) != string(expected[:m]) {
			return fmt.Errorf("wrong bytes after byte %d", at)
		}
		if at += int64(m); err == nil {
			continue
		}
		if err != io.EOF || at != n {
			return fmt.Errorf("%d bytes and %v; want %d and the end", at, err, n)
		}
		return nil
	}
}
