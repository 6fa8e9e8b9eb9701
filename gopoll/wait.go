package gopoll

import (
	"time"

	"gopoll.dev/internal/abi"
)

// maxFacts bounds the memory of one waiter, at 16 bytes a fact.
const maxFacts = 4096

// waiter is the memory of one Wait, kept for the next.
type waiter struct {
	facts []abi.Fact
	marks []mark // of an iterator: which registration each event is of

	// An iterator can be told to stop. Poller.mu guards both.
	waiting bool
	kicked  bool
}

// mark names the registration that an event is of. That of a returned buffer
// is zero: it is due whatever became of its source.
type mark struct {
	index, stamp uint32
}

// Wait fills events with what is ready and with returned buffers, and says
// how many there are: at least one, or none after the timeout or a Wake.
// There is at most one event of readiness for a source, and one for every
// buffer. A timeout below zero waits for ever, zero only looks. Wait is never
// early and never interrupted by a signal; it holds one OS thread while it is
// blocked. It may return fewer events than are ready: the others are next.
//
// Several goroutines may wait at once. A OneShot event goes to one of them,
// others may go to more than one.
//
// Errors: ErrInvalid for an empty slice; ErrClosed, also when Close is called
// meanwhile; or the system's own.
//
// It is one epoll_pwait2(2), kevent(2) or GetQueuedCompletionStatusEx, and
// more only where all that came had to be swallowed or buffers move.
func (p *Poller) Wait(events []Event, timeout time.Duration) (int, error) {
	if len(events) == 0 {
		return 0, fail("wait", NoFd, ErrInvalid)
	}
	if !p.enter() {
		return 0, fail("wait", NoFd, ErrClosed)
	}
	w := p.takeWaiter()
	n, _, err := p.wait(w, events, timeout)
	p.giveWaiter(w)
	p.leave()
	return n, fail("wait", NoFd, err)
}

func (p *Poller) takeWaiter() *waiter {
	if w := p.spare.Swap(nil); w != nil {
		return w
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.spares)
	if n == 0 {
		return new(waiter)
	}
	w := p.spares[n-1]
	p.spares = p.spares[:n-1]
	return w
}

func (p *Poller) giveWaiter(w *waiter) {
	if p.spare.CompareAndSwap(nil, w) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.spares = append(p.spares, w)
}

// wait is Wait with the caller's memory; woke says that it took a Wake.
func (p *Poller) wait(w *waiter, events []Event, timeout time.Duration) (n int, woke bool, err error) {
	size := min(len(events), maxFacts)
	if len(w.facts) < size {
		w.facts = make([]abi.Fact, size)
	}
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	seen := 0 // facts swallowed since no time is left
	for {
		limit := timeout
		if p.hot.Load() {
			var kept bool
			if n, kept = p.moveFirst(w, events[:size]); kept {
				p.passOn()
				return n, false, nil
			}
			if n > 0 || p.hot.Load() {
				limit = 0
			}
		}
		count, room := 0, size-n
		if room > 0 {
			count, err = p.native.wait(p, w.facts[:room], limit)
			if err != nil && n == 0 {
				return 0, false, err
			}
		}
		if count > 0 || p.hot.Load() {
			n, woke = p.take(w, w.facts[:count], events, n)
		}
		switch {
		case n > 0 || woke:
			return n, woke, nil
		case p.closed():
			return 0, false, ErrClosed
		case w.marks != nil && p.wasKicked(w):
			p.passOn()
			return 0, false, nil
		case timeout == 0 && room > 0 && !p.hot.Load():
			// All that is ready was looked at if there was room for more, or
			// if as many facts were swallowed as sources can have.
			if seen += count; count < room || seen > p.sources() {
				return 0, false, nil
			}
		case timeout > 0:
			// What came was swallowed, or the kernel was early: go on with
			// the time that is left, and look once more when none is.
			timeout = max(time.Until(deadline), 0)
			if timeout == 0 && count == 0 && limit > 0 {
				return 0, false, nil
			}
		}
	}
}

// sources is more than how many sources can be ready.
func (p *Poller) sources() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.registry.live + 16
}

// moveFirst moves lent buffers before the kernel is asked, which may then
// know what came of it. It leaves a quarter of the room to the kernel's
// events, and takes turns with them if there is room for one only, so that
// neither can keep the other out. Where an iterator has left events, it is
// those that it gives, and kept says so.
func (p *Poller) moveFirst(w *waiter, events []Event) (n int, kept bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n = p.takeKept(w, events); n > 0 {
		return n, true
	}
	room := len(events) - max(len(events)/4, 1)
	if len(events) == 1 {
		p.turn ^= 1
		room = p.turn
	}
	return p.moveLent(w, events[:room], 0), false
}

// take adds what facts mean to events[n:], moves lent buffers, and answers
// signals.
func (p *Poller) take(w *waiter, facts []abi.Fact, events []Event, n int) (int, bool) {
	p.mu.Lock()
	n, signaled := p.native.collect(p, w, facts, events, n)
	if p.hot.Load() {
		n = p.moveLent(w, events, n)
	}
	p.mu.Unlock()
	woke := signaled && p.answer(w, n > 0)
	if n > 0 || woke {
		p.passOn()
	}
	return n, woke
}

// passOn leaves to another waiter what this one has no room for.
func (p *Poller) passOn() {
	if p.hot.Load() && p.waiters.Load()&^closedBit > 1 {
		p.signal(signalHot)
	}
}

// answer takes the signals that woke this waiter and passes on what is meant
// for others. One that will wait again lets those who were told to stop go
// first, or it might take their signal over and over.
func (p *Poller) answer(w *waiter, returning bool) (woke bool) {
	taken := p.signals.Swap(0)
	woke = taken&signalWake != 0
	if p.closed() {
		p.signal(signalLeave)
		return woke
	}
	if taken&signalLeave == 0 {
		return woke
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	others := p.kicked
	if w.kicked {
		others--
	}
	if others > 0 {
		p.signal(signalLeave)
		for !returning && !woke && !w.kicked && p.kicked > 0 && !p.closed() {
			p.left.Wait()
		}
	}
	return woke
}

// report appends the event of a source to events, if its registration lets it.
// Called with p.mu held, by the backend's collect.
func (p *Poller) report(w *waiter, events []Event, n int, index uint32, s *slot, got Readiness) int {
	ready := s.deliver(got)
	if ready == 0 {
		return n
	}
	events[n] = Event{Key: s.key, Ready: ready}
	if w.marks != nil {
		w.marks[n] = mark{index, s.stamp}
	}
	return n + 1
}
