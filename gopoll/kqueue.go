//go:build darwin || dragonfly || freebsd || netbsd || openbsd || kqueue_double

package gopoll

import (
	"errors"
	"math"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
	"gopoll.dev/internal/purebind"
)

const backendName = "kqueue"

// backend is the meaning of kevent's facts, for both bindings.
type backend struct {
	bind kqueueBinding // immutable
	pipe bool          // no EVFILT_USER, so a pipe wakes; immutable

	// Poller.mu guards the rest, which is scratch.
	changes []abi.KqueueChange
	spans   []span
	touched map[uintptr]holder // by descriptor, in an apply of more than one change
	extra   [8]abi.KqueueChange
}

// kqueueBinding is what cbind.Kqueue and purebind.Kqueue have in common.
type kqueueBinding interface {
	OpenPipe() (int, error)
	HasExcept() bool
	Fd() int
	Change([]abi.KqueueChange)
	Wait([]abi.Fact, time.Duration) (int, syscall.Errno)
	Trigger() syscall.Errno
	SignalPipe() syscall.Errno
	DrainPipe() syscall.Errno
	Close() error
}

// A slot's native number tells what knotes the source has: four bits for each
// filter, with one of these forms. While facts are merged, the upper half is
// the place in the batch, plus one, of the source's first fact.
const (
	formNone     = 0
	formLevel    = 1 // neither EV_CLEAR nor EV_DISPATCH
	formClear    = 2 // EV_CLEAR: Edge, and directions that are lent
	formDispatch = 3 // EV_DISPATCH: OneShot
	formDisabled = 4 // EV_DISABLE: paused
	formMask     = 7

	refused = 8 // EPIPE was the answer: whether there is a knote differs

	pipeBit    = 1 << 12 // a pipe, or what answers EPIPE like one
	placeShift = 16
)

const filters = 3 // abi.KqueueRead, KqueueWrite, KqueueExcept

func formOf(native uint32, filter int) uint32 { return native >> (4 * filter) & formMask }

func withForm(native uint32, filter int, form uint32) uint32 {
	return native&^(0xf<<(4*filter)) | form<<(4*filter)
}

// wantForms is what knotes a source should have. A paused one has a disabled
// knote, so that the kernel still knows whether the registration is over.
func wantForms(interest Readiness, mode Mode, lent Readiness, pipe uint32) uint32 {
	watched := [...]uint32{Level: formLevel, Edge: formClear, OneShot: formDispatch}[mode]
	form := func(direction Readiness) uint32 {
		switch {
		case interest&direction != 0:
			return watched
		case lent&direction != 0:
			return formClear
		}
		return formNone
	}
	read, write, except := form(Readable), form(Writable), form(Priority)
	switch {
	case read|write|except == 0:
		read = formDisabled
	case read == formNone && write != formNone && pipe != 0:
		read = formClear // see watchesPeer
	}
	return pipe | read<<(4*abi.KqueueRead) | write<<(4*abi.KqueueWrite) | except<<(4*abi.KqueueExcept)
}

var formFlags = [...]uint16{
	formLevel:    abi.KqueueAdd | abi.KqueueEnable,
	formClear:    abi.KqueueAdd | abi.KqueueEnable | abi.KqueueClear,
	formDispatch: abi.KqueueAdd | abi.KqueueEnable | abi.KqueueDispatch,
	formDisabled: abi.KqueueAdd | abi.KqueueDisable,
}

func (b *backend) open(binding Binding) (err error) {
	if binding == Cgo {
		b.bind, err = openCgo()
	} else {
		b.bind, err = purebind.OpenKqueue()
	}
	if err != nil {
		return err
	}
	b.touched = make(map[uintptr]holder)
	if err = b.openWaker(); err != nil {
		b.bind.Close()
	}
	return err
}

// openWaker tries whether an EVFILT_USER event arrives, for headers may know
// the filter when the kernel doesn't. Without it a pipe wakes waiters.
func (b *backend) openWaker() error {
	waker := abi.KqueueChange{Filter: abi.KqueueUser, Flags: abi.KqueueAdd | abi.KqueueClear}
	if b.one(waker) == 0 {
		var fact [1]abi.Fact
		if b.bind.Trigger() == 0 {
			if n, errno := b.bind.Wait(fact[:], 0); errno == 0 && n == 1 && fact[0].Data == 0 {
				return nil
			}
		}
		waker.Flags = abi.KqueueDelete
		b.one(waker)
	}
	fd, err := b.bind.OpenPipe()
	if err != nil {
		return err
	}
	b.pipe = true
	return errnoErr(b.one(abi.KqueueChange{Fd: int32(fd), Filter: abi.KqueueRead, Flags: abi.KqueueAdd | abi.KqueueClear}))
}

// one is a change by itself. Called with Poller.mu held.
func (b *backend) one(c abi.KqueueChange) syscall.Errno {
	b.extra[0] = c
	b.bind.Change(b.extra[:1])
	return syscall.Errno(b.extra[0].Err)
}

func (b *backend) fd() uintptr { return uintptr(b.bind.Fd()) }

// close comes when no waiter is left: closing a queue does not wake them.
func (b *backend) close(*Poller) error { return b.bind.Close() }

// wake has EV_CLEAR on the other side: each call wakes one waiter.
func (b *backend) wake() error {
	if b.pipe {
		return errnoErr(b.bind.SignalPipe())
	}
	return errnoErr(b.bind.Trigger())
}

// rearm has nothing to tell: EV_CLEAR arms itself.
func (b *backend) rearm(*Poller, uint32, Readiness) error { return nil }

// wait takes facts from the queue. It is called without Poller.mu.
func (b *backend) wait(_ *Poller, facts []abi.Fact, timeout time.Duration) (int, error) {
	n, errno := b.bind.Wait(facts, timeout)
	if errno == syscall.EINTR {
		return 0, nil
	}
	return n, errnoErr(errno)
}

// collect turns facts into events. The kernel speaks of each filter apart:
// what it says of one source becomes one event, at the place of its first
// fact. The other direction of a OneShot source may fire once more after its
// event; slot.deliver swallows that, so disarming it is no system call. Called
// with p.mu held.
func (b *backend) collect(p *Poller, w *waiter, facts []abi.Fact, events []Event, n int) (_ int, signaled bool) {
	for i := range facts {
		f := &facts[i]
		index, s := p.registry.current(f.Data)
		if s == nil {
			signaled = signaled || index == 0
			f.Data = 0 // no event: slot 0 has none
			continue
		}
		got := b.readiness(index, s, f)
		if first := s.native >> placeShift; first != 0 {
			facts[first-1].Bits |= uint32(got)
			f.Data = 0
			continue
		}
		s.native |= uint32(i+1) << placeShift
		f.Bits = uint32(got)
	}
	for i := range facts {
		f := &facts[i]
		if f.Data == 0 {
			continue
		}
		index, _ := splitData(f.Data)
		s, got := p.registry.at(index), Readiness(f.Bits)
		s.native &= 1<<placeShift - 1
		n = p.report(w, events, n, index, s, got)
		if s.lends != nil {
			p.lentReady(s, got)
		}
	}
	if signaled && b.pipe {
		// Before the signals are taken: the byte of a later one must stay.
		b.bind.DrainPipe()
	}
	return n, signaled
}

// readiness is what one fact means. With an error, which fflags names, the
// next read or write can tell, so both are ready.
func (b *backend) readiness(index uint32, s *slot, f *abi.Fact) (got Readiness) {
	eof := f.Bits&abi.KqueueEOF != 0
	switch f.Bits >> 16 {
	case abi.KqueueRead:
		if watchesPeer(s) {
			return b.peerReadiness(index, s, eof)
		}
		got = Readable
		if eof {
			got |= ReadClosed
			if s.native&pipeBit != 0 && s.interest&Writable != 0 {
				got |= Writable | WriteClosed | Errored
			}
		}
	case abi.KqueueWrite:
		got = Writable
		if eof {
			got |= WriteClosed
			if s.native&pipeBit != 0 {
				got |= Errored
			}
		}
	case abi.KqueueExcept:
		// fflags are what was seen, NOTE_OOB; there is no error in them. The
		// end is told as a hang-up: whoever asks for nothing else must hear
		// of it, and a level-triggered knote would spin if it were swallowed.
		if f.Aux != 0 {
			got = Priority
		}
		if eof {
			got |= Readable | Writable | ReadClosed | WriteClosed
		}
		return got
	}
	if f.Bits&abi.KqueueError != 0 || eof && f.Aux != 0 {
		got |= Readable | Writable | Errored
	}
	return got
}

// watchesPeer says that the READ knote of a source is there only to tell that
// a pipe, which it wants to write to, has no reader any more. If the reader
// has gone before, some kernels refuse EVFILT_WRITE with EPIPE; if it goes
// later, some drop that knote without a word, and tell EVFILT_READ of the
// writing end (Go's runtime/netpoll_kqueue.go knows it too). The knote has
// EV_CLEAR, for bytes may lie there that nobody wants to read.
func watchesPeer(s *slot) bool {
	return s.native&pipeBit != 0 && s.interest&Readable == 0 && s.lends.told()&Readable == 0 &&
		formOf(s.native, abi.KqueueWrite) != formNone
}

// peerReadiness is what that knote means. In the mode Level a pipe without a
// reader is reported on and on, so the knote then loses EV_CLEAR; a FIFO that
// has a new reader gives it back.
func (b *backend) peerReadiness(index uint32, s *slot, eof bool) Readiness {
	want := uint32(formClear)
	if eof && s.mode == Level && s.interest&Writable != 0 {
		want = formLevel
	}
	if formOf(s.native, abi.KqueueRead) != want {
		b.extra[0] = abi.KqueueChange{Fd: int32(s.fd), Filter: abi.KqueueRead, Flags: abi.KqueueDelete}
		b.extra[1] = abi.KqueueChange{Data: s.data(index), Fd: int32(s.fd), Filter: abi.KqueueRead, Flags: formFlags[want]}
		b.bind.Change(b.extra[:2])
		s.native = withForm(s.native, abi.KqueueRead, want)
	}
	if eof {
		return Writable | WriteClosed | Errored
	}
	return 0
}

// holder is who has a descriptor's knotes; index 0 is nobody.
type holder struct {
	index, stamp, native uint32
	fresh                bool // since an earlier change of the same apply
	pending              bool // a change of it is in backend.changes
}

// span is one staged change under way. Its native changes are
// backend.changes[first:end], those that add at the end.
type span struct {
	staged, first, adds, end int
	fd                       uintptr
	before                   holder
}

// apply makes the staged changes in one crossing; in more only if two of them
// concern one descriptor, if one fails, or for a pipe. Called with p.mu held.
func (b *backend) apply(p *Poller, changes []staged) {
	many := len(changes) > 1
	if many {
		clear(b.touched)
	}
	for i := range changes {
		c := &changes[i]
		fd := c.change.Fd
		if c.change.Op != OpAdd {
			fd = p.registry.at(c.index).fd
		}
		var before holder
		if index := p.registry.find(fd); index != 0 {
			s := p.registry.at(index)
			before = holder{index: index, stamp: s.stamp, native: s.native}
		}
		if many {
			if b.touched[fd].pending {
				b.flush(p, changes)
			}
			if h, ok := b.touched[fd]; ok {
				before = h
			}
		}
		if c.err = b.stage(p, c, i, fd, before); c.err == nil && many {
			b.touched[fd] = holder{pending: true}
		}
	}
	b.flush(p, changes)
}

// stage adds the native changes of one staged change to b.changes.
//
// Knotes are deleted and added anew where they change: EV_ENABLE alone does
// not look at the state again everywhere, and EV_ADD may leave the old udata
// or flags.
func (b *backend) stage(p *Poller, c *staged, i int, fd uintptr, before holder) error {
	op := c.change.Op
	switch {
	case op != OpAdd:
		if before.index != c.index {
			return errGone
		}
	case fd > math.MaxInt32:
		return unix.EBADF
	case before.index != 0 && (before.fresh || b.alive(before.index, p.registry.at(before.index))):
		return ErrExist
	default:
		before = holder{}
	}
	if op != OpDelete && c.change.Interest&Priority != 0 && !b.bind.HasExcept() {
		return errors.ErrUnsupported
	}
	sp := span{staged: i, first: len(b.changes), fd: fd, before: before}
	b.changes = appendDeletes(b.changes, fd, before.native)
	sp.adds = len(b.changes)
	if op != OpDelete {
		var lent Readiness
		if op == OpModify {
			lent = p.registry.at(c.index).lends.told()
		}
		c.native = wantForms(c.change.Interest, c.change.Mode, lent, before.native&pipeBit)
		b.changes = appendAdds(b.changes, fd, c.native, nativeData(c.index, c.stamp))
	}
	if op == OpAdd {
		b.changes[sp.adds].Refuse = refusedTypes
	}
	sp.end = len(b.changes)
	b.spans = append(b.spans, sp)
	return nil
}

// refusedTypes are those of st_mode, shifted by 12, that epoll refuses:
// directories, block devices and regular files. A kqueue reports them ready
// once, or for ever.
const refusedTypes = 1<<(unix.S_IFDIR>>12) | 1<<(unix.S_IFBLK>>12) | 1<<(unix.S_IFREG>>12)

func appendDeletes(to []abi.KqueueChange, fd uintptr, native uint32) []abi.KqueueChange {
	for filter := range filters {
		if formOf(native, filter) != formNone {
			to = append(to, abi.KqueueChange{Fd: int32(fd), Filter: uint16(filter), Flags: abi.KqueueDelete})
		}
	}
	return to
}

func appendAdds(to []abi.KqueueChange, fd uintptr, native uint32, data uint64) []abi.KqueueChange {
	for filter := range filters {
		if form := formOf(native, filter); form != formNone {
			to = append(to, abi.KqueueChange{Data: data, Fd: int32(fd), Filter: uint16(filter), Flags: formFlags[form]})
		}
	}
	return to
}

// flush makes the changes that were staged so far. Called with p.mu held.
func (b *backend) flush(p *Poller, changes []staged) {
	if len(b.changes) > 0 {
		b.bind.Change(b.changes)
	}
	for i := range b.spans {
		sp := &b.spans[i]
		c := &changes[sp.staged]
		c.err = b.outcome(p, c, sp)
		if len(changes) == 1 {
			continue
		}
		switch {
		case c.err == errGone, c.change.Op == OpDelete:
			b.touched[sp.fd] = holder{fresh: true}
		case c.err != nil:
			b.touched[sp.fd] = sp.before
		default:
			b.touched[sp.fd] = holder{index: c.index, stamp: c.stamp, native: c.native, fresh: true}
		}
	}
	b.changes, b.spans = b.changes[:0], b.spans[:0]
}

// outcome reads the kernel's answers to one change, and takes back what can't
// stand.
func (b *backend) outcome(p *Poller, c *staged, sp *span) error {
	deletes, adds := b.changes[sp.first:sp.adds], b.changes[sp.adds:sp.end]
	// ENOENT for one knote is no error: some kernels drop those of pipes.
	gone := len(deletes) > 0 && allFailed(deletes)
	native, err := answers(c.native, adds)
	if gone {
		err = errGone
	}
	if err != nil {
		// What was added is half of what was asked for, or a stranger's.
		b.undo(sp.fd, adds)
		if !gone && c.change.Op == OpModify {
			b.restore(p.registry.at(c.index), c.index, sp.before)
		}
		return err
	}
	if native&pipeBit != 0 && formOf(native, abi.KqueueRead) == formNone && formOf(native, abi.KqueueWrite) != formNone {
		// It turned out just now that it is a pipe: see watchesPeer.
		errno := b.one(abi.KqueueChange{Data: nativeData(c.index, c.stamp), Fd: int32(sp.fd), Filter: abi.KqueueRead, Flags: formFlags[formClear]})
		if errno == 0 {
			native = withForm(native, abi.KqueueRead, formClear)
		} else if allRefused(native) {
			return errno
		}
	}
	c.native = native
	return nil
}

// answers is native after the kernel has answered the adds.
func answers(native uint32, adds []abi.KqueueChange) (uint32, error) {
	for i := range adds {
		a := &adds[i]
		if a.Refuse != 0 && a.Type == unix.S_IFIFO>>12 {
			native |= pipeBit
		}
		switch errno := syscall.Errno(a.Err); errno {
		case 0:
		case unix.EPIPE:
			native |= refused<<(4*a.Filter) | pipeBit
		case unix.EPERM, unix.EINVAL, unix.ENODEV, unix.EOPNOTSUPP:
			return native, unsupported{errno}
		default:
			return native, errno
		}
	}
	return native, nil
}

func allFailed(changes []abi.KqueueChange) bool {
	for i := range changes {
		if changes[i].Err == 0 {
			return false
		}
	}
	return true
}

func allRefused(native uint32) bool {
	for filter := range filters {
		if formOf(native, filter) != formNone && native>>(4*filter)&refused == 0 {
			return false
		}
	}
	return true
}

// undo deletes what adds have made.
func (b *backend) undo(fd uintptr, adds []abi.KqueueChange) {
	some := b.extra[:0]
	for i := range adds {
		if adds[i].Err == 0 {
			some = append(some, abi.KqueueChange{Fd: int32(fd), Filter: adds[i].Filter, Flags: abi.KqueueDelete})
		}
	}
	b.changeSome(some)
}

// restore gives a source the knotes back that a failed change has deleted.
// Where that revives a OneShot source, slot.deliver swallows what comes.
func (b *backend) restore(s *slot, index uint32, before holder) {
	b.changeSome(appendAdds(b.extra[:0], s.fd, before.native, nativeData(index, before.stamp)))
}

func (b *backend) changeSome(some []abi.KqueueChange) {
	if len(some) > 0 {
		b.bind.Change(some)
	}
}

// alive asks whether the kernel still has a source's knotes, which go with
// the close of their number.
func (b *backend) alive(index uint32, s *slot) bool {
	some := appendProbes(b.extra[:0], index, s)
	b.bind.Change(some)
	return !allFailed(some)
}

// appendProbes tells each knote what it is already: without EV_ADD, only one
// that is there can be told anything.
func appendProbes(to []abi.KqueueChange, index uint32, s *slot) []abi.KqueueChange {
	for filter := range filters {
		flags := uint16(abi.KqueueEnable)
		switch form := formOf(s.native, filter); {
		case form == formNone:
			continue
		case form == formDisabled, form == formDispatch && s.fired:
			flags = abi.KqueueDisable // EV_ENABLE would revive it
		}
		// The udata is given again, for each change overwrites it.
		to = append(to, abi.KqueueChange{Data: s.data(index), Fd: int32(s.fd), Filter: uint16(filter), Flags: flags})
	}
	return to
}

// refresh gives a lent direction its knote, with EV_CLEAR, at the first lend.
// It then stays: nothing to change while buffers move. Called with p.mu held.
func (b *backend) refresh(index uint32, s *slot) error {
	lent := s.lends.told() | s.lends.directions()
	if lent == s.lends.told() {
		return nil
	}
	changes := appendProbes(b.extra[:0], index, s)
	probes := len(changes)
	want := wantForms(s.interest, s.mode, lent, s.native&pipeBit)
	for filter := range filters {
		have, form := formOf(s.native, filter), formOf(want, filter)
		if form == formNone || form == have {
			continue
		}
		c := abi.KqueueChange{Data: s.data(index), Fd: int32(s.fd), Filter: uint16(filter), Flags: abi.KqueueDelete}
		if have != formNone {
			changes = append(changes, c)
		}
		c.Flags = formFlags[form]
		changes = append(changes, c)
	}
	b.bind.Change(changes)
	if allFailed(changes[:probes]) {
		for i := range changes[probes:] {
			changes[probes+i].Flags = abi.KqueueDelete // of a stranger
		}
		b.changeSome(changes[probes:])
		return errGone
	}
	for _, c := range changes[probes:] {
		errno := syscall.Errno(c.Err)
		switch {
		case c.Flags&abi.KqueueDelete != 0:
			s.native = withForm(s.native, int(c.Filter), formNone)
		case errno == 0 || errno == unix.EPIPE:
			s.native = withForm(s.native, int(c.Filter), formOf(want, int(c.Filter)))
		default:
			return errno
		}
	}
	s.lends.tell(lent)
	return nil
}
