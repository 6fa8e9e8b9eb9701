//go:build windows

package gopoll

import (
	"math"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/windows"

	"gopoll.dev/internal/abi"
	"gopoll.dev/internal/purebind"
)

const backendName = "iocp"

// backend turns AFD's one-time polls, which complete on a port, into the
// contract, for both bindings. Each source has at most one poll in flight: two
// for one socket spoil each other's answers.
type backend struct {
	bind iocpBinding // immutable

	// canceling counts operations that were asked to end early and are still
	// flying. Written with Poller.mu held.
	canceling atomic.Int32

	// Poller.mu guards the rest.
	slabs    slabs
	claims   map[uintptr]uint32 // ops by base socket while the registry has no slot for them
	helpers  helpers
	prober   uintptr
	queue    uint32        // a list of ops whose poll is to be looked at before the next wait
	requests []abi.Request // scratch: to be submitted in one crossing
	single   [1]abi.Request
	owners   []owner              // scratch of apply: whose each request is
	suspects []suspect            // scratch of collect
	stash    []abi.Fact           // dequeued, and kept for the next wait
	bound    map[uintptr]struct{} // handles whose own calls complete on the port
	epoch    uint32               // raised when a wait begins
	waiting  int                  // waits that have begun and not yet collected
	flying   int                  // operations whose completion is still to come
}

// iocpBinding is what cbind.Iocp and purebind.Iocp have in common.
type iocpBinding interface {
	Fd() uintptr
	Helper() (uintptr, syscall.Errno)
	Prober() (uintptr, syscall.Errno)
	Associate(uintptr) syscall.Errno
	Inspect(uintptr) abi.Handle
	Quiet(uintptr) syscall.Errno
	Submit([]abi.Request)
	Dequeue([]abi.Fact, time.Duration) (int, syscall.Errno)
	Post(uintptr) syscall.Errno
	Close() error
}

// Keys of the packets that the poller posts to itself.
const (
	keyWake  = 0
	keyStash = 1 // something is in the stash
)

// lendOnly is the native part of a slot that has no poll: a pipe.
const lendOnly = math.MaxUint32

// Statuses that a block can end with.
const (
	statusFailed    = 0xC0000001
	statusCancelled = 0xC0000120
)

// owner is the change that a request was made for, and what to put back if
// it fails.
type owner struct {
	change int // its index
	armed  Readiness
}

// suspect is an op whose readiness may have lapsed since its poll completed.
type suspect struct {
	number uint32
	events uint32
}

func (b *backend) open(binding Binding) (err error) {
	if binding == Cgo {
		b.bind, err = openCgo()
	} else {
		b.bind, err = purebind.OpenIocp()
	}
	if err != nil {
		return err
	}
	b.claims = make(map[uintptr]uint32)
	b.bound = make(map[uintptr]struct{})
	prober, errno := b.bind.Prober()
	if errno != 0 {
		b.bind.Close()
		return errnoErr(errno)
	}
	b.prober = prober
	if err := b.slabs.grow(); err != nil {
		syscall.CloseHandle(syscall.Handle(prober))
		b.bind.Close()
		return err
	}
	return nil
}

func (b *backend) fd() uintptr { return b.bind.Fd() }

// wake posts a packet: each wakes one waiter.
func (b *backend) wake() error { return errnoErr(b.bind.Post(keyWake)) }

// wait takes facts from the stash or the port. It is called without Poller.mu.
// In the fact of an operation Aux is the epoch in which the wait began.
func (b *backend) wait(p *Poller, facts []abi.Fact, timeout time.Duration) (n int, err error) {
	p.mu.Lock()
	b.epoch++
	begin := b.epoch
	b.flush(p)
	n = copy(facts, b.stash)
	b.stash = append(b.stash[:0], b.stash[n:]...)
	if len(b.stash) > 0 && b.waiting > 0 {
		b.bind.Post(keyStash) // more than this wait has room for
	}
	b.waiting++ // until collect, which is called if there is anything to collect
	p.mu.Unlock()

	var errno syscall.Errno
	for n == 0 && errno == 0 {
		limit := timeout
		if limit == 0 && b.canceling.Load() > 0 {
			// A source may be ready for what it was changed to, and its new
			// poll can't be made before the old one has ended, any moment now.
			limit = time.Millisecond
		}
		n, errno = b.bind.Dequeue(facts, limit)
		if limit == timeout {
			break
		}
	}
	for i := range facts[:n] {
		if facts[i].Data != 0 {
			facts[i].Aux = int32(begin)
		}
	}
	if n == 0 {
		p.mu.Lock()
		b.waiting--
		p.mu.Unlock()
	}
	return n, errnoErr(errno)
}

// collect turns facts into events, from events[n] on. Called with p.mu held.
func (b *backend) collect(p *Poller, w *waiter, facts []abi.Fact, events []Event, n int) (_ int, signaled bool) {
	if len(facts) == 0 {
		return n, false
	}
	b.waiting--
	for i := range facts {
		f := &facts[i]
		if f.Data == 0 {
			signaled = signaled || f.Aux == keyWake
			continue
		}
		number := b.slabs.number(f.Data)
		if number == 0 || !b.slabs.at(number).flying {
			continue
		}
		o := b.slabs.at(number)
		if o.transfer {
			b.landTransfer(p, number, f.Bits)
			continue
		}
		submitted := o.epoch
		got := b.land(p, number)
		switch {
		case got == 0:
		case int32(submitted)-f.Aux < 0 && got&(abi.AfdAbort|abi.AfdConnectFail) == 0:
			// It may have completed before this wait began, and the caller may
			// have taken the bytes since. Errors don't lapse.
			b.suspects = append(b.suspects, suspect{number, got})
		default:
			n = b.report(p, w, events, n, number, got)
		}
	}
	n = b.reportSuspects(p, w, events, n)
	if b.waiting > 0 {
		b.flush(p) // others wait already, and nobody else would do it for them
	}
	return n, signaled
}

// land ends the flight of a poll and says what it found: 0 is nothing that
// concerns a source.
func (b *backend) land(p *Poller, number uint32) (events uint32) {
	o := b.slabs.at(number)
	block, stale := &o.block, o.stale
	b.landed(o)
	if o.slot == 0 {
		b.drop(number)
		return 0
	}
	status := uint32(block.Status)
	switch {
	case stale, status == statusCancelled:
	case int32(status) < 0:
		// The poll failed, and the caller's own call will say why.
		return abi.AfdConnectFail
	case block.Poll.Count == 0:
	case o.closed():
		b.die(p, number)
		return 0
	default:
		return block.Poll.Events
	}
	b.enqueue(number)
	return 0
}

// landed notes that the kernel is done with an op.
func (b *backend) landed(o *op) {
	if o.canceled {
		b.canceling.Add(-1)
	}
	o.flying, o.canceled, o.stale = false, false, false
	b.flying--
}

// report makes the event of a source whose poll found something, and says
// what the next poll is for.
func (b *backend) report(p *Poller, w *waiter, events []Event, n int, number, got uint32) int {
	o := b.slabs.at(number)
	s := p.registry.at(o.slot)
	// Of an Edge source, a direction that waits for Rearm keeps silent.
	after := p.report(w, events, n, o.slot, s, afdReadiness(got)&(o.armed|hintBits))
	if after > n {
		switch s.mode {
		case OneShot:
			o.armed = 0
		case Edge:
			o.armed &^= events[n].Ready
		}
	}
	b.enqueue(number)
	return after
}

// reportSuspects looks again at sources that may not be ready any more, in one
// crossing, and reports those that are.
func (b *backend) reportSuspects(p *Poller, w *waiter, events []Event, n int) int {
	if len(b.suspects) == 0 {
		return n
	}
	b.requests = b.requests[:0]
	for _, s := range b.suspects {
		o := b.slabs.at(s.number)
		b.requests = append(b.requests, abi.Request{Handle: uint64(b.prober), Block: uint64(b.slabs.address(0)),
			Addr: uint64(o.base), Len: afdInterest(o.armed), Op: abi.RequestProbe})
	}
	b.bind.Submit(b.requests)
	for i, s := range b.suspects {
		r := &b.requests[i]
		switch {
		case isGone(r.Err), r.Err == 0 && r.Len&abi.AfdLocalClose != 0:
			b.die(p, s.number)
		case r.Err != 0:
			n = b.report(p, w, events, n, s.number, s.events)
		case r.Len != 0:
			n = b.report(p, w, events, n, s.number, r.Len)
		default:
			b.enqueue(s.number)
		}
	}
	b.suspects = b.suspects[:0]
	return n
}

// enqueue has the poll of an op looked at before the next wait.
func (b *backend) enqueue(number uint32) {
	if o := b.slabs.at(number); !o.queued {
		o.queued, o.next = true, b.queue
		b.queue = number
	}
}

// requestBatch bounds the memory of one crossing: more does not make it cheaper.
const requestBatch = 256

// flush brings the polls of queued ops up to date.
func (b *backend) flush(p *Poller) {
	stashed := false
	for b.queue != 0 {
		b.requests = b.requests[:0]
		for b.queue != 0 && len(b.requests) < requestBatch {
			number := b.queue
			o := b.slabs.at(number)
			b.queue, o.queued = o.next, false
			if o.slot != 0 {
				b.update(number)
			}
		}
		b.bind.Submit(b.requests)
		for i := range b.requests {
			r := &b.requests[i]
			if r.Op != abi.RequestPoll || r.Err == 0 {
				continue
			}
			number := b.slabs.number(r.Block)
			if isGone(r.Err) {
				b.landed(b.slabs.at(number))
				b.die(p, number)
				continue
			}
			// What the next wait finds is a poll that failed.
			b.slabs.at(number).block.Status = statusFailed
			b.stash = append(b.stash, abi.Fact{Data: r.Block})
			stashed = true
		}
	}
	if stashed && b.waiting > 0 {
		b.bind.Post(keyStash)
	}
}

// update adds to b.requests what brings the op's poll up to date.
func (b *backend) update(number uint32) {
	o := b.slabs.at(number)
	switch {
	case !o.flying:
		b.poll(number)
	case !o.canceled && afdInterest(o.armed)&^o.asked != 0:
		b.cancelPoll(number)
	}
}

// poll adds the op's poll to b.requests.
func (b *backend) poll(number uint32) {
	o := b.slabs.at(number)
	o.asked, o.epoch, o.flying = afdInterest(o.armed), b.epoch, true
	b.flying++
	b.requests = append(b.requests, abi.Request{Handle: uint64(b.helpers.handle(o.helper)),
		Block: uint64(b.slabs.address(number)), Addr: uint64(o.base), Len: o.asked, Op: abi.RequestPoll})
}

// cancelOp makes of r what ends the op early.
func (b *backend) cancelOp(number uint32, r *abi.Request) {
	o := b.slabs.at(number)
	handle := b.helpers.handle(o.helper)
	if o.transfer {
		handle = b.slabs.transferOf(number).lane.owner.slot.fd
	}
	o.canceled = true
	b.canceling.Add(1)
	*r = abi.Request{Handle: uint64(handle), Block: uint64(b.slabs.address(number)), Op: abi.RequestCancel}
}

// cancelNow is cancelOp in a crossing of its own.
func (b *backend) cancelNow(number uint32) {
	b.cancelOp(number, &b.single[0])
	b.bind.Submit(b.single[:])
}

// cancelPoll adds to b.requests that the op's poll is to end.
func (b *backend) cancelPoll(number uint32) {
	b.requests = append(b.requests, abi.Request{})
	b.cancelOp(number, &b.requests[len(b.requests)-1])
}

// apply makes the staged changes, a batch in a crossing, not counting what it
// takes to look at new handles. Called with p.mu held.
func (b *backend) apply(p *Poller, changes []staged) {
	b.requests, b.owners = b.requests[:0], b.owners[:0]
	for i := range changes {
		c := &changes[i]
		before := owner{i, 0}
		switch c.change.Op {
		case OpAdd:
			c.err = b.add(p, c)
		case OpModify:
			before.armed, c.err = b.modify(p, c)
		case OpDelete:
			c.err = b.remove(p, c.index)
		}
		for len(b.owners) < len(b.requests) {
			b.owners = append(b.owners, before)
		}
		if len(b.requests) >= requestBatch || i == len(changes)-1 {
			b.submit(changes)
		}
	}
	for i := range changes {
		// From here on the registry knows the socket.
		if c := &changes[i]; c.change.Op == OpAdd && c.err == nil && c.native != lendOnly {
			delete(b.claims, b.slabs.at(c.native).base)
		}
	}
}

// submit makes the crossing for apply.
func (b *backend) submit(changes []staged) {
	if len(b.requests) == 0 {
		return
	}
	b.bind.Submit(b.requests)
	for i := range b.requests {
		if r := &b.requests[i]; r.Op == abi.RequestPoll && r.Err != 0 {
			b.refused(&changes[b.owners[i].change], r, b.owners[i].armed)
		}
	}
	b.requests, b.owners = b.requests[:0], b.owners[:0]
}

// refused undoes an add or modify whose poll was not accepted.
func (b *backend) refused(c *staged, r *abi.Request, armed Readiness) {
	number := b.slabs.number(r.Block)
	o := b.slabs.at(number)
	b.landed(o)
	c.err = errnoErr(syscall.Errno(r.Err))
	switch {
	case o.slot != c.index: // deleted again by the same Apply
		b.drop(number)
	case c.change.Op == OpAdd:
		b.drop(number)
	case isGone(r.Err):
		b.drop(number)
		c.err = errGone
	default:
		o.armed = armed
		b.enqueue(number)
	}
}

// add finds out what the handle is, and prepares its first poll.
func (b *backend) add(p *Poller, c *staged) error {
	fd := c.change.Fd
	info := b.bind.Inspect(fd)
	switch {
	case info.Err != 0:
		return errnoErr(syscall.Errno(info.Err))
	case info.Type == 0:
		return b.addPipe(p, c, &info)
	}
	base := uintptr(info.Base)
	number := b.find(p, fd, base)
	if number != 0 && b.slabs.at(number).slot != 0 {
		if !b.died(p, number) {
			return ErrExist
		}
		number = 0
	}
	if info.Type == windows.SOCK_DGRAM {
		b.bind.Quiet(base) // as far as the system can: it only makes errors rarer
	}
	if number != 0 {
		// The poll of an earlier registration is on its way back. A second
		// one must not meet it, so the new registration takes it over.
		o := b.slabs.at(number)
		o.slot, o.armed = c.index, c.change.Interest
		c.native = number
		return nil
	}
	number, err := b.slabs.take()
	if err != nil {
		return err
	}
	helper, err := b.helpers.take(b.bind)
	if err != nil {
		b.slabs.give(number)
		return err
	}
	o := b.slabs.at(number)
	o.base, o.slot, o.helper, o.armed = base, c.index, helper, c.change.Interest
	b.claims[base] = number
	c.native = number
	b.poll(number)
	return nil
}

// find is the op of a socket, or 0: of a registration, of one that this Apply
// makes, or of one that is over and whose poll is still to come back.
func (b *backend) find(p *Poller, fd, base uintptr) uint32 {
	if number := b.claims[base]; number != 0 {
		return number
	}
	index := p.registry.find(fd)
	if index == 0 {
		return 0
	}
	number := p.registry.at(index).native
	if number == 0 || number == lendOnly || b.slabs.at(number).slot != index {
		return 0
	}
	return number
}

// addPipe accepts what can't be polled and yet can have buffers lent to it.
func (b *backend) addPipe(p *Poller, c *staged, info *abi.Handle) error {
	const synchronous = 0x10 | 0x20 // FILE_SYNCHRONOUS_IO_ALERT, _NONALERT
	if info.File != windows.FILE_TYPE_PIPE || info.Mode&synchronous != 0 || c.change.Interest != 0 {
		return unsupported{windows.WSAENOTSOCK}
	}
	if index := p.registry.find(c.change.Fd); index != 0 && p.registry.at(index).native != 0 {
		return ErrExist
	}
	c.native = lendOnly
	return nil
}

// died finds out whether a registered socket was closed, by asking its poll
// back: a closed one's has completed, and says so. The op is then free.
func (b *backend) died(p *Poller, number uint32) bool {
	o := b.slabs.at(number)
	if !o.flying {
		return false
	}
	if !o.canceled {
		b.cancelNow(number)
	}
	// The packet comes at once, unless another waiter has taken it, who is
	// then blocked on the mutex that is held here.
	patience := 20
	if b.waiting > 0 {
		patience = 2
	}
	i := b.stashed(number)
	for try := 0; i < 0 && try < patience; try++ {
		if b.stashMore(time.Millisecond) != nil {
			return false
		}
		i = b.stashed(number)
	}
	if len(b.stash) > 0 && b.waiting > 0 {
		b.bind.Post(keyStash)
	}
	if i < 0 || !o.stale && !o.closed() {
		return false
	}
	// What the packet says is known. If it was an answer to an earlier
	// registration, the present one still has to be asked for.
	b.stash = slices.Delete(b.stash, i, i+1)
	stale := o.stale
	b.landed(o)
	if stale {
		b.enqueue(number)
		return false
	}
	b.drop(number)
	return true
}

// closed: the poll of an op ended because its socket was closed.
func (o *op) closed() bool {
	return int32(o.block.Status) >= 0 && o.block.Poll.Count != 0 && o.block.Poll.Events&abi.AfdLocalClose != 0
}

// stashed is the place of an op's completion in the stash, or -1.
func (b *backend) stashed(number uint32) int {
	address := uint64(b.slabs.address(number))
	return slices.IndexFunc(b.stash, func(f abi.Fact) bool { return f.Data == address })
}

// modify prepares what gives a registration its new interest; before is what
// it was.
func (b *backend) modify(p *Poller, c *staged) (before Readiness, err error) {
	s := p.registry.at(c.index)
	c.native = s.native
	if s.native == lendOnly {
		if c.change.Interest != 0 {
			return 0, unsupported{windows.WSAENOTSOCK}
		}
		return 0, nil
	}
	if s.native == 0 || b.slabs.at(s.native).slot != c.index {
		return 0, errGone
	}
	number := s.native
	o := b.slabs.at(number)
	before = o.armed
	if o.flying {
		// No poll is made that would tell that the handle was closed.
		if info := b.bind.Inspect(s.fd); info.Type == 0 || uintptr(info.Base) != o.base {
			b.orphan(number)
			return before, errGone
		}
	}
	o.armed = c.change.Interest
	if !o.flying || b.waiting > 0 {
		b.update(number)
	} else {
		b.enqueue(number)
	}
	return before, nil
}

// remove ends a registration. Its op stays until its poll has come back.
func (b *backend) remove(p *Poller, index uint32) error {
	s := p.registry.at(index)
	switch {
	case s.native == lendOnly:
		return nil
	case s.native == 0 || b.slabs.at(s.native).slot != index:
		return errGone
	}
	b.orphan(s.native)
	return nil
}

// orphan parts an op from its registration.
func (b *backend) orphan(number uint32) {
	o := b.slabs.at(number)
	o.slot, o.stale = 0, true
	if !o.flying {
		b.drop(number)
		return
	}
	b.claims[o.base] = number
	if !o.canceled {
		b.cancelPoll(number)
	}
}

// die ends the registration of a socket that was closed without Delete. Its
// slot stays until the caller's Delete, or until the value is added again.
func (b *backend) die(p *Poller, number uint32) {
	o := b.slabs.at(number)
	if s := p.registry.at(o.slot); s.native == number {
		s.native = 0
		delete(b.bound, s.fd)
	}
	b.drop(number)
}

// drop gives up an op that is not flying.
func (b *backend) drop(number uint32) {
	o := b.slabs.at(number)
	if b.claims[o.base] == number {
		delete(b.claims, o.base)
	}
	b.helpers.give(o.helper)
	b.slabs.give(number)
}

// rearm has a direction of an Edge source reported again.
func (b *backend) rearm(p *Poller, index uint32, direction Readiness) error {
	s := p.registry.at(index)
	if s.native == 0 {
		return ErrNotExist
	}
	b.slabs.at(s.native).armed |= direction
	b.enqueue(s.native)
	if b.waiting > 0 {
		b.flush(p)
	}
	return nil
}

// close cancels every poll, waits until each has come back, and only then
// frees what they were writing to. Called with p.mu held and nobody waiting.
func (b *backend) close(*Poller) error {
	b.requests = b.requests[:0]
	b.slabs.flying(func(number uint32, o *op) {
		if !o.canceled {
			b.cancelPoll(number)
		}
	})
	b.bind.Submit(b.requests)
	for {
		for _, f := range b.stash {
			if number := b.slabs.number(f.Data); number != 0 && b.slabs.at(number).flying {
				b.landed(b.slabs.at(number))
			}
		}
		b.stash = b.stash[:0]
		if b.flying == 0 {
			break
		}
		if err := b.stashMore(-1); err != nil {
			return err // and leave the memory to the kernel
		}
	}
	b.helpers.close()
	syscall.CloseHandle(syscall.Handle(b.prober))
	err := b.slabs.close()
	if e := b.bind.Close(); e != nil {
		err = e
	}
	return err
}

// stashMore waits for packets.
func (b *backend) stashMore(timeout time.Duration) error {
	var facts [64]abi.Fact
	n, errno := b.bind.Dequeue(facts[:], timeout)
	b.stash = append(b.stash, facts[:n]...)
	return errnoErr(errno)
}

// isGone: the handle is closed, or not a socket.
func isGone(code uint32) bool {
	return code == uint32(windows.ERROR_INVALID_HANDLE) || code == uint32(windows.WSAENOTSOCK)
}

// afdInterest is what to poll for. Whatever a source is armed for, and if it
// is paused or has fired, the end of the socket is: else its handle's value
// could not be registered again.
func afdInterest(r Readiness) uint32 {
	mask := uint32(abi.AfdLocalClose)
	if r != 0 {
		mask |= abi.AfdAbort | abi.AfdConnectFail
	}
	if r&Readable != 0 {
		mask |= abi.AfdReceive | abi.AfdAccept | abi.AfdDisconnect
	}
	if r&Writable != 0 {
		mask |= abi.AfdSend
	}
	if r&Priority != 0 {
		mask |= abi.AfdReceiveExpedited
	}
	return mask
}

// afdReadiness is what AFD's bits mean. When a connection was reset or could
// not be made, the next read or write can tell.
func afdReadiness(events uint32) (r Readiness) {
	if events&(abi.AfdReceive|abi.AfdAccept) != 0 {
		r |= Readable
	}
	if events&abi.AfdReceiveExpedited != 0 {
		r |= Priority
	}
	if events&abi.AfdSend != 0 {
		r |= Writable
	}
	if events&abi.AfdDisconnect != 0 {
		r |= Readable | ReadClosed
	}
	if events&(abi.AfdAbort|abi.AfdConnectFail) != 0 {
		r |= Readable | Writable | ReadClosed | WriteClosed | Errored
	}
	return r
}
