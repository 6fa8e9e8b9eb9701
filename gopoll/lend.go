package gopoll

import (
	"errors"
	"math"
	"runtime"
	"unsafe"
)

// The default bounds of what is lent at one time: a peer that reads slowly
// can hold no more of a program's memory than this.
const (
	defaultLendCount = 65536
	defaultLendBytes = 256 << 20
)

// LendRead hands buf to the poller for one read of whatever comes first. It
// is the poller's, and the kernel's, until an event with Returned and Readable
// brings it back: until then it must be neither read nor written. Buffers
// lent for one direction return in the order in which they were lent.
//
// The descriptor must be the caller's own and non-blocking, and stay open
// until its last buffer is back. buf is pinned from this call until its
// return was taken from the kernel. On epoll and kqueue a Wait makes the read
// when the source is ready; on Windows the kernel works in buf itself.
//
// Errors, with nothing lent: ErrInvalid for an empty buffer, one beyond 2 GiB,
// memory of an Arena that was freed or that was Put back, or a blocking
// descriptor; ErrExist for a direction that the source is interested in, or
// memory that is lent already (to this poller, or of an arena to any);
// ErrLimit; errors.ErrUnsupported for a source of AddConn; ErrNotExist;
// ErrClosed.
func (s Source) LendRead(buf []byte) error { return s.lend("lend-read", Readable, buf) }

// LendWrite hands buf to the poller for one write. On a stream it returns
// when all of it is written or the write has failed; a datagram is one
// buffer. All else is as with LendRead, with Writable as the direction.
func (s Source) LendWrite(buf []byte) error { return s.lend("lend-write", Writable, buf) }

// Reclaim asks for every buffer that is lent to the source. They return
// through Wait: with ErrCanceled, or with what the kernel had done by then.
func (s Source) Reclaim() error {
	if s.p == nil {
		return fail("reclaim", NoFd, ErrInvalid)
	}
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	slot, err := p.resolve(s)
	if err != nil {
		return fail("reclaim", NoFd, err)
	}
	p.cancelLends(slot)
	return nil
}

// lend is one lent buffer. It owns the pin, and lives outside the memory that
// it pins: a Pinner inside would keep itself alive, and no leak be found.
type lend struct {
	next  *lend // in its lane, then among the finished, then among the free
	buf   []byte
	done  int // bytes written so far
	pin   runtime.Pinner
	arena *Arena // where buf is of one, it is pinned already
	owner *lends // once finished: whose it was
	event Event  // then

	left, right *lend // in lender.ranges, where buf is of no arena
	below       *lend // the next lend of the same arena buffer

	trace trace // of the invariants build
}

// lane is one direction of a source: what is lent for it, in order.
type lane struct {
	owner      *lends
	direction  Readiness
	head, tail *lend
	ready      bool   // a transfer is worth a try
	exact      bool   // a short transfer does not prove that no more can move
	listed     bool   // in lender.movable
	next       *lane  // there
	native     uint32 // the backend's own
}

// lends is what a source needs for lending, made with its first lend.
type lends struct {
	index       uint32
	slot        *slot // nil once the registration is over
	key         uint64
	kind        lendKind
	known       bool // the backend's own: the registration was there at the first lend
	read, write lane
}

// errOverlap: memory is lent already.
var errOverlap = errors.New("overlap")

// lendKind says what calls move bytes, and what an empty read means.
type lendKind uint8

const (
	lendStream   lendKind = iota // a stream socket
	lendLocal                    // one of this machine, which carries descriptors too
	lendDatagram                 // a socket that keeps messages apart, also empty ones
	lendSequence                 // one that keeps messages apart and has an end
	lendFile                     // a pipe, terminal or other device
)

// exact: a read that is short of its buffer does not prove that nothing is
// left. A local stream stops behind a message with descriptors, which Linux
// tells and the others don't.
func (k lendKind) exact() bool {
	return k != lendStream && (k != lendLocal || runtime.GOOS != "linux")
}

func newLends(index uint32, s *slot, kind lendKind) *lends {
	l := &lends{index: index, slot: s, key: s.key, kind: kind}
	l.read = lane{owner: l, direction: Readable, ready: true, exact: kind.exact()}
	l.write = lane{owner: l, direction: Writable, ready: true}
	return l
}

func (l *lends) lane(direction Readiness) *lane {
	if direction == Readable {
		return &l.read
	}
	return &l.write
}

// directions are those that have something lent.
func (l *lends) directions() (r Readiness) {
	if l == nil {
		return 0
	}
	if l.read.head != nil {
		r = Readable
	}
	if l.write.head != nil {
		r |= Writable
	}
	return r
}

// blocked are the directions that wait for the kernel's word.
func (l *lends) blocked() (r Readiness) {
	r = l.directions()
	if l.read.ready {
		r &^= Readable
	}
	if l.write.ready {
		r &^= Writable
	}
	return r
}

func (a *lane) push(l *lend) {
	l.next = nil
	if a.head == nil {
		a.head = l
	} else {
		a.tail.next = l
	}
	a.tail = l
}

// drop takes out the last of the lane, l.
func (a *lane) drop(l *lend) {
	if a.head == l {
		a.head = nil
		return
	}
	last := a.head
	for last.next != l {
		last = last.next
	}
	last.next, a.tail = nil, last
}

func (a *lane) pop() *lend {
	l := a.head
	a.head = l.next
	return l
}

// lender is the poller's book of what is lent. Poller.mu guards it. It does
// not lead to the poller, so that one that was dropped can be found out.
type lender struct {
	maxCount   int
	maxBytes   int64
	count      int // lent, or returned and not yet reported
	bytes      int64
	movable    laneQueue // lanes to try at the next Wait
	finished   lane      // returned, to be reported in this order
	free       *lend
	ranges     *lend // plain buffers by address
	scratch    transfers
	registered bool // among the owners of pins; see owners
}

// laneQueue is a queue of lanes, each at most once.
type laneQueue struct{ head, tail *lane }

func (q *laneQueue) push(a *lane) {
	if a.listed {
		return
	}
	a.listed, a.next = true, nil
	if q.head == nil {
		q.head = a
	} else {
		q.tail.next = a
	}
	q.tail = a
}

func (q *laneQueue) pop() *lane {
	a := q.head
	q.head, a.next, a.listed = a.next, nil, false
	return a
}

func (s Source) lend(op string, direction Readiness, buf []byte) error {
	if s.p == nil {
		return fail(op, NoFd, ErrInvalid)
	}
	s.p.mu.Lock()
	fd, err := s.p.lend(s, direction, buf)
	s.p.mu.Unlock() // not deferred: a lend is too short for that
	if err == errOverlap {
		err = misuse(ErrExist)
	}
	return fail(op, fd, err)
}

// lend is what LendRead and LendWrite do, and the descriptor that an error is
// about. Called with p.mu held.
func (p *Poller) lend(s Source, direction Readiness, buf []byte) (fd uintptr, err error) {
	slot, err := p.resolve(s)
	if err != nil {
		return NoFd, err
	}
	fd = slot.fd // lendTo may find that the slot's time is over
	err = p.lendTo(s.index, slot, direction, buf)
	if err == errGone {
		p.retire(s.index)
		err = ErrNotExist
	}
	return fd, err
}

// lendTo lends buf to a live source. errGone: its descriptor was closed.
// Called with p.mu held.
func (p *Poller) lendTo(index uint32, s *slot, direction Readiness, buf []byte) error {
	b := p.lender
	switch {
	case len(buf) == 0 || len(buf) > math.MaxInt32:
		return ErrInvalid
	case s.borrowed:
		return errors.ErrUnsupported
	case s.interest&direction != 0:
		return ErrExist
	case b.count >= b.maxCount || int64(len(buf)) > b.maxBytes-b.bytes:
		return ErrLimit
	}
	if s.lends == nil {
		kind, err := p.native.lendable(p, index, s)
		if err != nil {
			return err
		}
		s.lends = newLends(index, s, kind)
	}
	l, err := b.take(buf)
	if err != nil {
		return err
	}
	a := s.lends.lane(direction)
	a.push(l)
	if err := p.native.refresh(index, s); err != nil {
		a.drop(l)
		b.unclaim(l)
		b.forget(l)
		return err
	}
	l.trace.begin(b, buf, direction)
	if a.ready {
		b.movable.push(a)
		p.heat()
	}
	return nil
}

// heat makes the next Wait, or one that is blocked, look at lent buffers.
// Called with p.mu held.
func (p *Poller) heat() {
	p.hot.Store(true)
	if p.waiters.Load()&^closedBit > 0 {
		p.signal(signalHot)
	}
}

// take makes the book's entry for buf and pins it.
func (b *lender) take(buf []byte) (*lend, error) {
	l := b.free
	if l == nil {
		l = new(lend)
	} else {
		b.free = l.next
	}
	l.buf, l.done = buf, 0
	err := b.claim(l)
	if err != nil {
		b.release(l)
		return nil, err
	}
	b.count++
	b.bytes += int64(len(buf))
	b.register()
	return l, nil
}

// claim pins the memory of l and marks it as lent, if nobody has it.
func (b *lender) claim(l *lend) error {
	arena, err := findArena(l.buf)
	if err != nil {
		return err
	}
	if arena != nil {
		arena.mu.Lock()
		err = arena.lend(l)
		arena.mu.Unlock()
		return err
	}
	if overlaps(b.ranges, l) {
		return errOverlap
	}
	b.ranges = insertRange(b.ranges, l)
	l.pin.Pin(unsafe.SliceData(l.buf)) // pins only; the kernel gets the address while l holds buf
	return nil
}

// unclaim is the end of the kernel's time with the memory of l.
func (b *lender) unclaim(l *lend) {
	if a := l.arena; a != nil {
		a.mu.Lock()
		a.unlend(l)
		a.mu.Unlock()
		return
	}
	l.pin.Unpin()
	b.ranges = removeRange(b.ranges, l)
}

// release keeps the Pinner, which is empty: it has memory of its own.
func (b *lender) release(l *lend) {
	*l = lend{next: b.free, pin: l.pin}
	b.free = l
}

// finish takes the first lend of a lane out of the kernel's hands. Called
// with p.mu held, once no call that uses its memory is under way.
func (p *Poller) finish(a *lane, ready Readiness, n int32) {
	l := a.pop()
	moved := l.done
	if a.direction == Readable && ready&Failed == 0 {
		moved = int(n)
	}
	l.trace.end(l.buf, moved)
	p.lender.unclaim(l)
	l.owner = a.owner
	l.event = Event{Ready: Returned | a.direction | ready, N: n}
	p.lender.finished.push(l)
	p.hot.Store(true)
}

// failLane takes all lends of a lane: the first with the error, those behind it
// with ErrCanceled. Called as finish.
func (p *Poller) failLane(a *lane, code int32) {
	for a.head != nil {
		p.finish(a, Failed, code)
		code = canceledCode
	}
}

// cancelLends asks for all that is lent to s. Called with p.mu held.
func (p *Poller) cancelLends(s *slot) {
	if s.lends.directions() == 0 {
		return
	}
	p.native.cancel(p, &s.lends.read)
	p.native.cancel(p, &s.lends.write)
	if p.lender.finished.head != nil {
		p.heat()
	}
}

// moveLent moves what can be moved, and adds events of returned buffers to
// events[n:]. Called with p.mu held.
func (p *Poller) moveLent(w *waiter, events []Event, n int) int {
	b := p.lender
	n = p.takeFinished(w, events, n)
	for n < len(events) && b.movable.head != nil {
		p.native.transfer(p, len(events)-n)
		n = p.takeFinished(w, events, n)
	}
	p.hot.Store(len(p.kept) > 0 || b.finished.head != nil || b.movable.head != nil)
	return n
}

func (p *Poller) takeFinished(w *waiter, events []Event, n int) int {
	b := p.lender
	for n < len(events) && b.finished.head != nil {
		l := b.finished.pop()
		events[n] = l.event
		events[n].Key = l.owner.key // as Modify may have replaced it
		if w.marks != nil {
			w.marks[n] = mark{}
		}
		n++
		b.forget(l)
	}
	return n
}

// forget ends a lend that was reported.
func (b *lender) forget(l *lend) {
	b.count--
	b.bytes -= int64(len(l.buf))
	b.release(l)
}

func (b *lender) dropFinished() {
	for b.finished.head != nil {
		b.forget(b.finished.pop())
	}
}

// reclaimAll takes every buffer back, without events. Called by Close, with
// p.mu held and nobody waiting.
func (p *Poller) reclaimAll() {
	for _, s := range p.registry.all() {
		p.cancelLends(s)
	}
	p.native.drain(p)
	p.lender.dropFinished()
	p.lender.unregister()
}
