package gopoll

import (
	"errors"
	"sync"
	"sync/atomic"
)

// Poller is one kernel queue and the sources registered with it. Every method
// may be called from any goroutine at any time.
type Poller struct {
	native  backend // its fields say what guards them
	binding Binding

	// waiters counts the Waits under way; with closedBit the poller is
	// closed, and whoever brings the count to zero closes idle.
	waiters atomic.Int64
	idle    chan struct{}
	done    chan struct{} // closed when Close has finished

	// signals are reasons to wake a waiter that no waiter has taken yet. Who
	// sets the first writes to the kernel; who dequeues that takes them all.
	signals atomic.Uint32

	// hot: lent buffers can move, or have returned, without the kernel's
	// word. Written with mu held.
	hot atomic.Bool

	spare atomic.Pointer[waiter] // one waiter's memory, for the next

	// mu guards the fields below, and is held for native changes and for
	// transfers, but never while waiting. An arena's lock is taken inside it.
	mu        sync.Mutex
	left      sync.Cond // signalled when kicked falls to zero, and to whoever has to stop
	kicked    int       // iterators that were told to stop and have not noticed
	registry  registry
	single    [1]Change // for applyOne
	staged    []staged  // scratch of apply
	contested []uint32  // scratch of apply: slots with the mark
	lender    *lender
	kept      []keptEvent // events that an iterator took and nobody has seen
	spares    []*waiter   // where several wait at once
	turn      int         // for a fair share between the kernel's events and returns
}

const closedBit = 1 << 62

// Signals to waiters.
const (
	signalWake  = 1 << iota // Wake was called
	signalHot               // hot was set while somebody waited
	signalLeave             // look whether to leave: closed, kicked, or a new set
)

// Binding is how native calls are made.
type Binding uint8

const (
	// Cgo calls through package cbind.
	Cgo Binding = iota + 1
	// Pure makes the same calls from Go alone.
	Pure
)

// String is "cgo" or "pure".
func (b Binding) String() string {
	switch b {
	case Cgo:
		return "cgo"
	case Pure:
		return "pure"
	}
	return "none"
}

// Bindings are those in this build, the default first. The build tag purego
// and CGO_ENABLED=0 leave Pure alone.
func Bindings() []Binding {
	if haveCgo {
		return []Binding{Cgo, Pure}
	}
	return []Binding{Pure}
}

// Option changes what New makes.
type Option func(*options)

type options struct {
	binding   Binding
	lendCount int
	lendBytes int64
}

// WithBinding chooses a binding; one that is not in the build makes New fail
// with errors.ErrUnsupported. The default is the first of Bindings.
func WithBinding(b Binding) Option { return func(o *options) { o.binding = b } }

// WithLendLimit bounds what may be lent at one time: the number of buffers,
// and their bytes together. Beyond it a lend is ErrLimit. A buffer counts
// until its return was reported. The default is 65,536 buffers and 256 MiB.
func WithLendLimit(count int, bytes int64) Option {
	return func(o *options) { o.lendCount, o.lendBytes = count, bytes }
}

// New makes a poller on the system's kernel queue. A poller holds descriptors
// of its own, and must be closed.
//
// Errors: ErrInvalid, errors.ErrUnsupported for a binding that is not in the
// build or a system without a queue, or the system's own, such as EMFILE.
func New(opts ...Option) (*Poller, error) {
	o := options{binding: Bindings()[0], lendCount: defaultLendCount, lendBytes: defaultLendBytes}
	for _, opt := range opts {
		opt(&o)
	}
	switch {
	case o.binding != Cgo && o.binding != Pure, o.lendCount < 0, o.lendBytes < 0:
		return nil, fail("new", NoFd, ErrInvalid)
	case o.binding == Cgo && !haveCgo:
		return nil, fail("new", NoFd, errors.ErrUnsupported)
	}
	p := &Poller{binding: o.binding, idle: make(chan struct{}), done: make(chan struct{})}
	p.left.L = &p.mu
	p.registry.init()
	p.lender = &lender{maxCount: o.lendCount, maxBytes: o.lendBytes}
	if err := p.native.open(o.binding); err != nil {
		return nil, fail("new", NoFd, err)
	}
	watch(p)
	return p, nil
}

// Backend names the kernel queue: "epoll", "kqueue" or "iocp".
func (p *Poller) Backend() string { return backendName }

// Binding is how the poller makes its native calls.
func (p *Poller) Binding() Binding { return p.binding }

// Fd is the queue's own descriptor (on Windows the port's handle), valid until
// Close. An epoll or kqueue descriptor is readable while a Wait would return,
// and a kqueue until a Wait has found that what was ready is so no more: it
// can be nested in another poller or in Go's own. Only Wait may take events
// from it. Lent buffers that can move at once, or are back, do not show there:
// call Wait with a timeout of zero until it returns none before relying on it.
//
// On epoll, where a descriptor was closed without Delete while a duplicate
// of it stays open, the set has to be made anew under the same number, and
// an outer epoll set must then be given the number again.
func (p *Poller) Fd() uintptr { return p.native.fd() }

// Wake makes one Wait return, without an event if there is none, or the next
// one if none is under way. Any number of calls before that Wait returns are
// one wake, and one system call. A queue of work for the waiter is therefore
// to be looked at after every Wait.
func (p *Poller) Wake() error {
	if !p.enter() {
		return fail("wake", NoFd, ErrClosed)
	}
	defer p.leave()
	return fail("wake", NoFd, p.signal(signalWake))
}

// signal gives waiters a reason to wake up. The caller keeps the native side
// open: by p.enter, or by holding p.mu where it found p not closed.
func (p *Poller) signal(reason uint32) error {
	if p.signals.Or(reason) != 0 {
		return nil // somebody's system call is on its way already
	}
	err := p.native.wake()
	if err != nil {
		p.signals.Store(0) // nobody is on the way to take them
	}
	return err
}

// enter counts the caller among those who use the native side; it is false
// once the poller is closed.
func (p *Poller) enter() bool {
	for {
		v := p.waiters.Load()
		if v&closedBit != 0 {
			return false
		}
		if p.waiters.CompareAndSwap(v, v+1) {
			return true
		}
	}
}

func (p *Poller) leave() {
	if p.waiters.Add(-1) == closedBit {
		close(p.idle)
	}
}

func (p *Poller) closed() bool { return p.waiters.Load()&closedBit != 0 }

// Close wakes every Wait, which returns ErrClosed, takes every lent buffer
// back without an event, and closes the queue. When it returns no native call
// is under way, and nothing is pinned. The sources' descriptors stay open: they
// are the caller's. A second Close waits for the first and returns ErrClosed.
// It may be called in the body of an Events loop.
func (p *Poller) Close() error {
	p.mu.Lock()
	for {
		v := p.waiters.Load()
		if v&closedBit != 0 {
			p.mu.Unlock()
			<-p.done
			return fail("close", NoFd, ErrClosed)
		}
		if p.waiters.CompareAndSwap(v, v|closedBit) {
			if v == 0 {
				close(p.idle)
			}
			break
		}
	}
	p.left.Broadcast()
	err := p.signal(signalLeave)
	p.mu.Unlock()
	<-p.idle // each waiter that leaves wakes the next
	p.mu.Lock()
	p.reclaimAll()
	if e := p.native.close(p); e != nil {
		err = e
	}
	p.mu.Unlock()
	close(p.done)
	return fail("close", NoFd, err)
}
