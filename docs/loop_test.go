package guide

import (
	"container/list"
	"sync"
	"testing"
	"time"

	"gopoll.dev/gopoll"
)

// Loop runs functions between the events of one poller.
type Loop struct {
	poller *gopoll.Poller

	mu    sync.Mutex
	queue []func()
}

// Do has f run on the loop. Any goroutine may call it, the loop's own too.
func (l *Loop) Do(f func()) error {
	l.mu.Lock()
	l.queue = append(l.queue, f)
	l.mu.Unlock()
	return l.poller.Wake() // after the append: the loop looks once it is awake
}

// Run serves events until a function or the handler closes the poller.
func (l *Loop) Run(handle func(gopoll.Event)) error {
	events := make([]gopoll.Event, 128)
	for {
		n, err := l.poller.Wait(events, -1)
		if err != nil {
			return err
		}
		for _, ev := range events[:n] {
			handle(ev)
		}
		l.mu.Lock()
		queue := l.queue
		l.queue = nil
		l.mu.Unlock()
		for _, f := range queue {
			f()
		}
	}
}

func TestLoop(t *testing.T) {
	p, err := gopoll.New()
	if err != nil {
		t.Fatal(err)
	}
	l := &Loop{poller: p}
	const count = 1000
	ran := 0 // no lock: only the loop touches it
	go func() {
		for range count {
			l.Do(func() {
				if ran++; ran == count {
					p.Close()
				}
			})
		}
	}()
	if err := l.Run(func(gopoll.Event) {}); err == nil || ran != count {
		t.Errorf("%d ran, %v", ran, err)
	}
}

// deadlines are those of many sources, all the same time ahead: who made
// progress last is last, so no heap is needed.
type deadlines struct {
	after time.Duration
	order list.List // of entry, the earliest first
	byKey map[uint64]*list.Element
}

type entry struct {
	key uint64
	at  time.Time
}

// touch sets the deadline of a source anew, or for the first time.
func (d *deadlines) touch(key uint64, now time.Time) {
	d.drop(key)
	d.byKey[key] = d.order.PushBack(entry{key, now.Add(d.after)})
}

func (d *deadlines) drop(key uint64) {
	if e := d.byKey[key]; e != nil {
		d.order.Remove(e)
		delete(d.byKey, key)
	}
}

// timeout is what to give to Wait.
func (d *deadlines) timeout(now time.Time) time.Duration {
	if d.order.Len() == 0 {
		return -1
	}
	return max(d.order.Front().Value.(entry).at.Sub(now), 0)
}

// expire hands over the sources whose time is up.
func (d *deadlines) expire(now time.Time, over func(key uint64)) {
	for d.timeout(now) == 0 {
		key := d.order.Front().Value.(entry).key
		d.drop(key)
		over(key)
	}
}

func TestDeadlines(t *testing.T) {
	d := &deadlines{after: time.Minute, byKey: map[uint64]*list.Element{}}
	start := time.Unix(0, 0)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	if d.timeout(start) != -1 {
		t.Error("nothing has a deadline")
	}
	d.touch(1, at(0))
	d.touch(2, at(10))
	d.touch(1, at(20))
	if got := d.timeout(at(30)); got != 40*time.Second {
		t.Error(got)
	}
	var over []uint64
	d.expire(at(75), func(key uint64) { over = append(over, key) })
	if len(over) != 1 || over[0] != 2 || d.timeout(at(75)) != 5*time.Second {
		t.Error(over, d.timeout(at(75)))
	}
}
