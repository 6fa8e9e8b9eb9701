package guide

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// work is one goroutine of a pool that waits on one poller. An event of a
// OneShot source goes to one of them, and the source is silent until it is
// served: no lock is needed for what belongs to it.
func work(p *gopoll.Poller, find func(key uint64) gopoll.Source, serve func(key uint64) error) error {
	events := make([]gopoll.Event, 1) // one: what is taken but not served yet, nobody else can serve
	for {
		n, err := p.Wait(events, -1)
		if err != nil {
			return err
		}
		for _, ev := range events[:n] {
			source := find(ev.Key)
			if serve(ev.Key) != nil {
				source.Delete()
				socket.Close(uintptr(ev.Key))
				continue
			}
			source.Modify(ev.Key, gopoll.Readable, gopoll.OneShot)
		}
	}
}

func TestPool(t *testing.T) {
	p, a, b := pair(t)
	source, err := p.Add(b, uint64(b), gopoll.Readable, gopoll.OneShot)
	if err != nil {
		t.Fatal(err)
	}
	var inside atomic.Int32
	all := make(chan struct{})
	got := 0 // no lock: one worker at a time
	serve := func(key uint64) error {
		if inside.Add(1) != 1 {
			t.Error("two workers have one source")
		}
		defer inside.Add(-1)
		n, err := socket.Read(uintptr(key), make([]byte, 10))
		if err == socket.ErrWouldBlock {
			return nil
		}
		if got += n; got == 1000 {
			close(all)
		}
		return err
	}
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			if err := work(p, func(uint64) gopoll.Source { return source }, serve); !errors.Is(err, os.ErrClosed) {
				t.Error(err)
			}
		})
	}
	for range 100 {
		if _, err := socket.Write(a, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
	}
	<-all
	p.Close()
	workers.Wait()
}
