package gopoll

import (
	"errors"
	"syscall"
)

// Source is the handle of one registration: a small value to be copied and
// compared at will. One that was kept too long is ErrNotExist and never
// touches whoever has the descriptor's number now; but what is lent moves
// through the number, so the descriptor must stay open until it is back.
type Source struct {
	p     *Poller
	index uint32
	born  uint32
}

// Op is what a Change does.
type Op uint8

const (
	OpAdd    Op = iota // as Poller.Add, of Fd; sets Source
	OpModify           // as Source.Modify
	OpDelete           // as Source.Delete
)

var opNames = [...]string{"add", "modify", "delete"}

// String is the name of the operation.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "invalid operation"
}

// Change is one of the operations of Apply, and its result.
type Change struct {
	Op       Op
	Fd       uintptr // of OpAdd
	Key      uint64
	Interest Readiness
	Mode     Mode
	Source   Source // of OpModify and OpDelete; result of OpAdd
	Err      error  // result
}

// Add registers a descriptor that is the caller's own: a socket, and what
// else the system can wait for. Interest is any of Readable, Writable and
// Priority; none of them registers a paused source, which reports nothing.
// The descriptor should be non-blocking, and be deleted before it is closed.
//
// Errors: ErrExist if it is registered already, which leaves that
// registration as it was; errors.ErrUnsupported for a regular file or
// directory and for Priority where the system can't tell; ErrInvalid for
// unknown bits or modes; ErrLimit; ErrClosed; or the system's own number,
// such as EBADF. An Add takes effect at once, during a Wait too.
//
// It is one epoll_ctl(2), one kevent(2), or one poll request to AFD.
func (p *Poller) Add(fd uintptr, key uint64, interest Readiness, mode Mode) (Source, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := Change{Op: OpAdd, Fd: fd, Key: key, Interest: interest, Mode: mode}
	p.applyOne(&c, false)
	return c.Source, c.Err
}

// AddConn is Add for a connection, listener or file of another package, such
// as a *net.TCPConn, *net.TCPListener or *os.File. It runs inside the
// connection's own Control: one that is closed meanwhile is an error, and
// never a stranger's descriptor. After an event, use the connection's own
// Read, Write or Accept, with a deadline where they might block. Buffers
// can't be lent to such a source.
func (p *Poller) AddConn(conn syscall.Conn, key uint64, interest Readiness, mode Mode) (Source, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return Source{}, fail("add", NoFd, err)
	}
	c := Change{Op: OpAdd, Key: key, Interest: interest, Mode: mode}
	err = raw.Control(func(fd uintptr) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.Fd = fd
		p.applyOne(&c, true)
	})
	if err != nil {
		return Source{}, fail("add", NoFd, err)
	}
	return c.Source, c.Err
}

// Apply makes any number of changes in order, in one crossing. Each gets its
// own Err, and an OpAdd its Source; one that fails does not stop the others.
// The result is the first error, or nil.
func (p *Poller) Apply(changes []Change) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first error
	p.apply(changes, false)
	for i := range changes {
		if changes[i].Err != nil {
			first = changes[i].Err
			break
		}
	}
	return first
}

// Modify replaces key, interest and mode, reports what is ready now, and
// re-arms a OneShot source. A Wait that begins after it returned reports
// nothing of what the source was before.
//
// Errors: ErrNotExist where the registration is over, also because its
// descriptor was closed; ErrExist for a direction that is lent; and as Add.
func (s Source) Modify(key uint64, interest Readiness, mode Mode) error {
	c := Change{Op: OpModify, Key: key, Interest: interest, Mode: mode, Source: s}
	return s.change(&c)
}

// Delete ends the registration. Buffers lent to it return with ErrCanceled.
// A Wait that begins after it returned reports nothing more of it; a Wait in
// progress, or events already returned, may.
//
// Deleting a registration that died with its descriptor is no error. A
// second Delete is ErrNotExist.
func (s Source) Delete() error {
	c := Change{Op: OpDelete, Source: s}
	return s.change(&c)
}

func (s Source) change(c *Change) error {
	if s.p == nil {
		return fail(c.Op.String(), NoFd, ErrInvalid)
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.applyOne(c, false)
	return c.Err
}

// Rearm says that the caller has drained an Edge source to "would block" in
// the given directions, so that their next arrival is reported. It is no
// system call on epoll and kqueue, where the kernel knows; a portable program
// calls it all the same.
//
// Errors: ErrInvalid for a source of another mode, for directions that it is
// not interested in, or none; ErrNotExist; ErrClosed.
func (s Source) Rearm(direction Readiness) error {
	if s.p == nil {
		return fail("rearm", NoFd, ErrInvalid)
	}
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	slot, err := p.resolve(s)
	if err != nil {
		return fail("rearm", NoFd, err)
	}
	if slot.mode != Edge || direction == 0 || direction&^slot.interest != 0 {
		return fail("rearm", slot.fd, ErrInvalid)
	}
	return fail("rearm", slot.fd, p.native.rearm(p, s.index, direction))
}

// resolve is the live slot of s. Called with p.mu held.
func (p *Poller) resolve(s Source) (*slot, error) {
	if p.closed() {
		return nil, ErrClosed
	}
	if s.p != p {
		return nil, ErrInvalid
	}
	if slot := p.registry.lookup(s.index, s.born); slot != nil {
		return slot, nil
	}
	return nil, ErrNotExist
}

// staged is a change that was found valid, on its way through the backend.
type staged struct {
	change   *Change
	index    uint32
	stamp    uint32 // of the registration that an add or modify makes
	borrowed bool
	native   uint32 // the backend's own, for the slot
	err      error  // the backend's answer; errGone: there is no such registration
}

// errGone is a backend's answer to a modify or delete: the descriptor was
// closed, or its number belongs to somebody else.
var errGone = errors.New("registration gone")

// applyOne is apply for one change, which does not escape through it.
// Called with p.mu held.
func (p *Poller) applyOne(c *Change, borrowed bool) {
	p.single[0] = *c
	p.apply(p.single[:], borrowed)
	*c = p.single[0]
	p.single[0] = Change{}
}

// apply checks every change, hands the valid ones to the backend in one go,
// and enters what came of them. Called with p.mu held.
func (p *Poller) apply(changes []Change, borrowed bool) {
	p.staged = p.staged[:0]
	for i := range changes {
		c := &changes[i]
		if p.isContested(c) {
			p.flush()
		}
		index, err := p.check(c)
		if err != nil {
			c.Err = fail(c.Op.String(), changeFd(p, c), err)
			continue
		}
		c.Err = nil
		p.contest(c)
		p.staged = append(p.staged, staged{change: c, index: index, stamp: p.registry.nextStamp(), borrowed: borrowed})
	}
	p.flush()
}

// flush makes the staged changes.
func (p *Poller) flush() {
	if len(p.staged) == 0 {
		return
	}
	p.native.apply(p, p.staged)
	for i := range p.staged {
		c := &p.staged[i]
		fd := changeFd(p, c.change)
		c.change.Err = fail(c.change.Op.String(), fd, p.settle(c))
		c.change = nil
	}
	p.staged = p.staged[:0]
	for _, index := range p.contested {
		p.registry.at(index).contested = false
	}
	p.contested = p.contested[:0]
}

// contest marks the source that a valid change may end: a later one for it in
// the same Apply has to wait for the outcome, or it would reach whoever has
// the descriptor by then.
func (p *Poller) contest(c *Change) {
	index := c.Source.index
	if c.Op == OpAdd {
		index = p.registry.find(c.Fd)
	}
	if c.Op != OpModify && index != 0 {
		p.registry.at(index).contested = true
		p.contested = append(p.contested, index)
	}
}

func (p *Poller) isContested(c *Change) bool {
	if c.Op == OpAdd || c.Source.p != p {
		return false
	}
	s := p.registry.lookup(c.Source.index, c.Source.born)
	return s != nil && s.contested
}

// check finds what is wrong with a change before the kernel sees it, and the
// slot that it is about: a new one for OpAdd.
func (p *Poller) check(c *Change) (uint32, error) {
	if p.closed() {
		return 0, ErrClosed
	}
	if c.Op > OpDelete {
		return 0, ErrInvalid
	}
	if c.Op != OpDelete && (c.Interest&^interestBits != 0 || c.Mode > OneShot) {
		return 0, ErrInvalid
	}
	if c.Op == OpAdd {
		c.Source = Source{}
		index := p.registry.take()
		if index == 0 {
			return 0, ErrLimit
		}
		return index, nil
	}
	if c.Source.p == nil {
		return 0, ErrInvalid
	}
	s, err := p.resolve(c.Source)
	if err != nil {
		return 0, err
	}
	if c.Op == OpModify && s.lends.directions()&c.Interest != 0 {
		return 0, ErrExist
	}
	return c.Source.index, nil
}

// settle enters the backend's answer to one change into the registry.
func (p *Poller) settle(c *staged) error {
	s := p.registry.at(c.index)
	if c.change.Op == OpAdd {
		if c.err != nil {
			p.registry.give(c.index)
			return c.err
		}
		if old := p.registry.find(c.change.Fd); old != 0 {
			p.retire(old) // the kernel took the number anew: the old one died unseen
		}
		*s = slot{key: c.change.Key, fd: c.change.Fd, born: c.stamp, stamp: c.stamp, interest: c.change.Interest,
			native: c.native, mode: c.change.Mode, live: true, borrowed: c.borrowed}
		p.registry.enter(s.fd, c.index)
		c.change.Source = Source{p, c.index, c.stamp}
		return nil
	}
	if s.born != c.change.Source.born || !s.live {
		return ErrNotExist // an earlier change of the same Apply found it gone
	}
	switch {
	case c.change.Op == OpDelete && (c.err == nil || c.err == errGone):
		p.retire(c.index)
		return nil
	case c.err == errGone:
		p.retire(c.index)
		return ErrNotExist
	case c.err != nil:
		return c.err
	}
	s.key, s.stamp, s.interest, s.mode, s.fired = c.change.Key, c.stamp, c.change.Interest, c.change.Mode, false
	s.native = c.native
	if s.lends != nil {
		s.lends.key = s.key
	}
	return nil
}

// retire ends the life of a slot whose native registration is over. Called
// with p.mu held.
func (p *Poller) retire(index uint32) {
	s := p.registry.at(index)
	p.cancelLends(s)
	if s.lends != nil {
		s.lends.slot = nil
	}
	p.registry.remove(index)
}

// changeFd is the descriptor that an error of c names.
func changeFd(p *Poller, c *Change) uintptr {
	if c.Op == OpAdd {
		return c.Fd
	}
	if c.Source.p == p {
		if s := p.registry.lookup(c.Source.index, c.Source.born); s != nil {
			return s.fd
		}
	}
	return NoFd
}
