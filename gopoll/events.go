package gopoll

import (
	"context"
	"iter"
	"slices"
)

// eventsBatch is how many events an iterator takes at a time.
const eventsBatch = 128

// Events is Wait as an iterator, without end: each event with a nil error. A
// Wake is an Event without bits. The last item is an error: ctx's own when it
// is done, or ErrClosed. Before each event it looks again whether its source
// was changed or deleted meanwhile, in the loop's body for example, and then
// leaves it out. Events that a loop left early has not seen go to the next
// Wait or loop.
func (p *Poller) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w := &waiter{marks: make([]mark, eventsBatch)}
		events := make([]Event, eventsBatch)
		stop := context.AfterFunc(ctx, func() { p.kick(w) })
		defer stop()
		n, next, woke := 0, 0, false
		defer func() { p.keep(events[next:n], w.marks[next:n], woke) }() // also if the body panics
		for {
			var err error
			n, woke, err = p.waitFor(ctx, w, events)
			for next = 0; next < n && err == nil; err = p.ended(ctx) {
				event, m := events[next], w.marks[next]
				next++
				if p.isCurrent(m) && !yield(event, nil) {
					return
				}
			}
			if err == nil && woke {
				woke = false
				if !yield(Event{}, nil) {
					return
				}
			}
			if err != nil {
				p.keep(events[next:n], w.marks[next:n], woke) // before the body sees the error
				n, next, woke = 0, 0, false
				yield(Event{}, err)
				return
			}
		}
	}
}

// ended says why a loop has to end before it saw its whole batch.
func (p *Poller) ended(ctx context.Context) error {
	if p.closed() {
		return fail("events", NoFd, ErrClosed)
	}
	return ctx.Err()
}

// waitFor is wait for an iterator: it ends when ctx is done.
func (p *Poller) waitFor(ctx context.Context, w *waiter, events []Event) (n int, woke bool, err error) {
	if !p.enter() {
		return 0, false, fail("events", NoFd, ErrClosed)
	}
	defer p.leave()
	if !p.begin(ctx, w) {
		return 0, false, ctx.Err()
	}
	n, woke, err = p.wait(w, events, -1)
	p.end(w)
	if err != nil {
		return 0, false, fail("events", NoFd, err)
	}
	if n == 0 && !woke {
		err = ctx.Err()
	}
	return n, woke, err
}

// begin and end enclose the time in which kick has to reach w by a signal.

func (p *Poller) begin(ctx context.Context, w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.waiting = ctx.Err() == nil
	return w.waiting
}

func (p *Poller) end(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.waiting = false
	if w.kicked {
		w.kicked = false
		if p.kicked--; p.kicked == 0 {
			p.left.Broadcast()
		}
	}
}

func (p *Poller) kick(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.waiting && !w.kicked && !p.closed() {
		w.kicked = true
		p.kicked++
		p.left.Broadcast() // w may be among those who let others go first
		p.signal(signalLeave)
	}
}

func (p *Poller) wasKicked(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return w.kicked
}

// isCurrent says whether the registration that an event is of still stands.
func (p *Poller) isCurrent(m mark) bool {
	if m.index == 0 {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stands(m)
}

// stands is isCurrent with p.mu held.
func (p *Poller) stands(m mark) bool {
	s := p.registry.at(m.index)
	return s.live && s.stamp == m.stamp
}

// keep hands events that nobody has seen, and a Wake, to the next Wait.
func (p *Poller) keep(events []Event, marks []mark, woke bool) {
	if len(events) == 0 && !woke {
		return
	}
	p.mu.Lock()
	for i := range events {
		k := keptEvent{events[i], marks[i]}
		same := func(other keptEvent) bool { return k.mark.index != 0 && other.mark == k.mark }
		if at := slices.IndexFunc(p.kept, same); at >= 0 {
			p.kept[at].event.Ready |= k.event.Ready // one event for a source
		} else {
			p.kept = append(p.kept, k)
		}
	}
	if len(events) > 0 {
		p.hot.Store(true)
	}
	p.mu.Unlock()
	reasons := uint32(0)
	if len(events) > 0 {
		reasons |= signalHot
	}
	if woke {
		reasons |= signalWake
	}
	if reasons != 0 && p.enter() {
		p.signal(reasons)
		p.leave()
	}
}

// keptEvent is an event that an iterator took and did not yield.
type keptEvent struct {
	event Event
	mark  mark
}

// takeKept moves kept events to events, as far as they still stand and there
// is room. They go by themselves: the kernel may report the same sources anew.
// Called with p.mu held.
func (p *Poller) takeKept(w *waiter, events []Event) (n int) {
	i := 0
	for ; i < len(p.kept) && n < len(events); i++ {
		k := p.kept[i]
		if k.mark.index != 0 && !p.stands(k.mark) {
			continue
		}
		events[n] = k.event
		if w.marks != nil {
			w.marks[n] = k.mark
		}
		n++
	}
	p.kept = slices.Delete(p.kept, 0, i)
	return n
}
