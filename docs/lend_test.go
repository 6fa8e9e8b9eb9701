package guide

import (
	"testing"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// returned goes on with a buffer of an echo server that is back: what was read
// is lent again to be written, and what was written for the next read.
func returned(source gopoll.Source, buf []byte, ev gopoll.Event) error {
	n, err := ev.Result()
	switch {
	case err != nil:
		return err
	case ev.Ready&gopoll.EOF != 0:
		return source.Delete()
	case ev.Ready&gopoll.Readable != 0:
		return source.LendWrite(buf[:n])
	}
	return source.LendRead(buf)
}

func TestLend(t *testing.T) {
	p, a, b := pair(t)
	arena, err := gopoll.NewArena(1, 4096) // one buffer for each connection
	if err != nil {
		t.Fatal(err)
	}
	source, err := p.Add(b, 1, 0, gopoll.Level) // no interest: the buffers tell
	if err != nil {
		t.Fatal(err)
	}
	buf := arena.Get()
	err = source.LendRead(buf)
	if err != nil {
		t.Fatal(err)
	}
	socket.Write(a, []byte("hello"))
	events := make([]gopoll.Event, 4)
	for range 2 {
		n, err := p.Wait(events, -1)
		if n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if err := returned(source, buf, events[0]); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]byte, 10)
	if n, err := socket.Read(a, got); string(got[:n]) != "hello" || err != nil {
		t.Errorf("%q, %v", got[:n], err)
	}
	socket.Shutdown(a, socket.ShutWrite)
	if n, err := p.Wait(events, -1); n != 1 || err != nil || events[0].Ready&gopoll.EOF == 0 {
		t.Fatal(n, err)
	}
	if err := returned(source, buf, events[0]); err != nil {
		t.Fatal(err)
	}
	arena.Put(buf)
	if err := arena.Free(); err != nil {
		t.Error(err)
	}
}
