package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gopoll.dev/gopoll"
)

// Token is the caller's name for a registration.
type Token uint64

// Interests is what a stream is registered for.
type Interests gopoll.Readiness

const (
	READABLE = Interests(gopoll.Readable)
	WRITABLE = Interests(gopoll.Writable)
)

// Event says that a stream is ready.
type Event struct{ token Token }

// ID is the token of the stream.
func (e Event) ID() Token { return e.token }

// ErrInterrupted is what Poll returns once the loop is closed.
var ErrInterrupted = errors.New("minimio: the event loop was closed")

// Poll is the queue of events.
type Poll struct {
	poller *gopoll.Poller
	ready  []gopoll.Event
	closed atomic.Bool

	mu      sync.Mutex
	sources map[syscall.Conn]gopoll.Source
}

// NewPoll opens a queue.
func NewPoll() (*Poll, error) {
	poller, err := gopoll.New()
	if err != nil {
		return nil, err
	}
	return &Poll{poller: poller, sources: map[syscall.Conn]gopoll.Source{}}, nil
}

// Registrator is for registering streams, from any goroutine, while another polls.
func (p *Poll) Registrator() Registrator { return Registrator{p} }

// Poll fills events with what has happened. A negative timeout is none.
func (p *Poll) Poll(events []Event, timeout time.Duration) (int, error) {
	if len(p.ready) < len(events) {
		p.ready = make([]gopoll.Event, len(events))
	}
	n, err := p.poller.Wait(p.ready[:len(events)], timeout)
	if err != nil {
		return 0, err
	}
	for i, e := range p.ready[:n] {
		events[i] = Event{Token(e.Key)}
	}
	if n == 0 && p.closed.Load() {
		return 0, ErrInterrupted
	}
	return n, nil
}

// Close ends the queue.
func (p *Poll) Close() error { return p.poller.Close() }

// Registrator registers streams with a Poll.
type Registrator struct{ p *Poll }

// Register asks for one event of the stream. After it the stream is silent
// until it is registered again.
func (r Registrator) Register(stream syscall.Conn, token Token, interests Interests) error {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	if source, ok := r.p.sources[stream]; ok {
		return source.Modify(uint64(token), gopoll.Readiness(interests), gopoll.OneShot)
	}
	source, err := r.p.poller.AddConn(stream, uint64(token), gopoll.Readiness(interests), gopoll.OneShot)
	if err == nil {
		r.p.sources[stream] = source
	}
	return err
}

// Deregister forgets a stream, which is to be done before it is closed.
func (r Registrator) Deregister(stream syscall.Conn) error {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	source := r.p.sources[stream]
	delete(r.p.sources, stream)
	return source.Delete()
}

// CloseLoop makes Poll return ErrInterrupted, once nothing is ready.
func (r Registrator) CloseLoop() error {
	r.p.closed.Store(true)
	return r.p.poller.Wake()
}
