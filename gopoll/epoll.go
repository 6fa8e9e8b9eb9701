//go:build linux && !kqueue_double

package gopoll

import (
	"math"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
	"gopoll.dev/internal/purebind"
)

const backendName = "epoll"

// backend is the meaning of epoll's facts, for both bindings.
type backend struct {
	bind  epollBinding  // immutable
	moved atomic.Uint32 // raised after the set was made anew

	// Poller.mu guards the rest.
	changes []abi.EpollChange  // scratch of apply
	single  [1]abi.EpollChange // scratch of control
	orphans int                // facts in a row without a registration
}

// epollBinding is what cbind.Epoll and purebind.Epoll have in common.
type epollBinding interface {
	Fd() int
	WakeFd() int
	Control([]abi.EpollChange)
	ControlSet(epfd int, changes []abi.EpollChange)
	Wait([]abi.Fact, time.Duration) (int, syscall.Errno)
	Wake() syscall.Errno
	Close() error
}

func (b *backend) open(binding Binding) (err error) {
	if binding == Cgo {
		b.bind, err = openCgo()
	} else {
		b.bind, err = purebind.OpenEpoll()
	}
	if err != nil {
		return err
	}
	if errno := b.control(unix.EPOLL_CTL_ADD, b.bind.WakeFd(), unix.EPOLLIN|unix.EPOLLET, 0); errno != 0 {
		b.bind.Close()
		return errno
	}
	return nil
}

func (b *backend) fd() uintptr { return uintptr(b.bind.Fd()) }

func (b *backend) close(*Poller) error { return b.bind.Close() }

// wake writes to the eventfd, which is registered edge-triggered: each write
// wakes one waiter, and nobody has to read it.
func (b *backend) wake() error { return errnoErr(b.bind.Wake()) }

// control is one change by itself. Called with Poller.mu held.
func (b *backend) control(op, fd int, events uint32, data uint64) syscall.Errno {
	b.single[0] = abi.EpollChange{Op: int32(op), Fd: int32(fd), Events: events, Data: data}
	b.bind.Control(b.single[:])
	return syscall.Errno(b.single[0].Err)
}

// wait takes facts from the set. It is called without Poller.mu.
func (b *backend) wait(_ *Poller, facts []abi.Fact, timeout time.Duration) (int, error) {
	moved := b.moved.Load()
	n, errno := b.bind.Wait(facts, timeout)
	if b.moved.Load() != moved {
		// This waiter may have been the one of the old set whom the eventfd
		// woke: the next one is its to wake.
		b.bind.Wake()
	}
	if errno == syscall.EINTR {
		return 0, nil
	}
	return n, errnoErr(errno)
}

// collect adds what facts mean to events[n:], which has room for each of them.
// Called with p.mu held.
func (b *backend) collect(p *Poller, w *waiter, facts []abi.Fact, events []Event, n int) (_ int, signaled bool) {
	orphans := 0
	for i := range facts {
		f := &facts[i]
		index, s := p.registry.current(f.Data)
		switch {
		case s != nil:
			got := epollReadiness(f.Bits)
			n = p.report(w, events, n, index, s, got)
			if s.lends != nil {
				p.lentReady(s, got)
				if b.refresh(index, s) == errGone {
					orphans++ // its descriptor was closed, a duplicate was not
				}
			}
		case index == 0:
			signaled = true
		default:
			orphans++
		}
	}
	if orphans == 0 {
		b.orphans = 0
	} else if b.orphans += orphans; b.orphans > 16+p.registry.live {
		// Not a few stale events, but a registration that lives on through a
		// duplicate of its descriptor, where no epoll_ctl(2) can reach it.
		b.renew(p)
	}
	return n, signaled
}

// renew makes the set anew without its orphans, under the same descriptor. A
// failure leaves the old one in place, to be tried again. Called with p.mu held.
func (b *backend) renew(p *Poller) {
	b.orphans = 0
	fresh, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return
	}
	defer unix.Close(fresh)
	add := func(fd int, events uint32, data uint64) error {
		b.single[0] = abi.EpollChange{Op: unix.EPOLL_CTL_ADD, Fd: int32(fd), Events: events, Data: data}
		b.bind.ControlSet(fresh, b.single[:])
		return errnoErr(syscall.Errno(b.single[0].Err))
	}
	if add(b.bind.WakeFd(), unix.EPOLLIN|unix.EPOLLET, 0) != nil {
		return
	}
	for index, s := range p.registry.all() {
		// A number that the old set does not know any more may be a
		// stranger's by now: it is not taken over.
		if b.control(unix.EPOLL_CTL_MOD, int(s.fd), b.mask(s), s.data(index)) != 0 {
			continue
		}
		if add(int(s.fd), b.mask(s), s.data(index)) != nil {
			return
		}
	}
	if unix.Dup3(fresh, b.bind.Fd(), unix.O_CLOEXEC) != nil {
		return
	}
	b.moved.Add(1)
	b.bind.Wake() // those who wait on the old set, one after the other
}

// apply makes the staged changes in one crossing. Called with p.mu held.
func (b *backend) apply(p *Poller, changes []staged) {
	b.changes = b.changes[:0]
	for i := range changes {
		c := &changes[i]
		change := abi.EpollChange{Data: nativeData(c.index, c.stamp)}
		next := slot{interest: c.change.Interest, mode: c.change.Mode}
		switch c.change.Op {
		case OpAdd:
			change.Op, change.Fd = unix.EPOLL_CTL_ADD, epollFd(c.change.Fd)
		case OpModify:
			s := p.registry.at(c.index)
			next.lends = s.lends
			change.Op, change.Fd = unix.EPOLL_CTL_MOD, int32(s.fd)
		case OpDelete:
			change.Op, change.Fd = unix.EPOLL_CTL_DEL, int32(p.registry.at(c.index).fd)
		}
		c.native = b.mask(&next)
		change.Events = c.native
		b.changes = append(b.changes, change)
	}
	b.bind.Control(b.changes)
	for i := range changes {
		c := &changes[i]
		errno := syscall.Errno(b.changes[i].Err)
		if errno == unix.EEXIST && b.changes[i].Fd != int32(b.bind.WakeFd()) &&
			p.registry.find(c.change.Fd) == 0 && !addedBefore(changes[:i], c.change.Fd) {
			// Nobody here has the descriptor, and yet it is in the set: an
			// orphan came back under its own number. It is the caller's now.
			again := &b.changes[i]
			errno = b.control(unix.EPOLL_CTL_MOD, int(again.Fd), again.Events, again.Data)
		}
		c.err = epollError(c.change.Op, errno)
	}
}

// addedBefore says whether one of changes has just added fd.
func addedBefore(changes []staged, fd uintptr) bool {
	return slices.ContainsFunc(changes, func(c staged) bool {
		return c.change.Op == OpAdd && c.change.Fd == fd && c.err == nil
	})
}

// epollFd is fd for the kernel, which answers EBADF to what is no descriptor.
func epollFd(fd uintptr) int32 {
	if fd > math.MaxInt32 {
		return -1
	}
	return int32(fd)
}

func epollError(op Op, errno syscall.Errno) error {
	switch {
	case errno == 0:
		return nil
	case op != OpAdd && (errno == unix.ENOENT || errno == unix.EBADF || errno == unix.EPERM):
		// No descriptor, or a stranger's: EPERM is a regular file's answer.
		return errGone
	case errno == unix.EEXIST:
		return ErrExist
	case errno == unix.EPERM:
		return unsupported{errno}
	}
	return errno
}

// rearm has nothing to tell: EPOLLET arms itself.
func (b *backend) rearm(*Poller, uint32, Readiness) error { return nil }

// mask is the kernel's side of a slot.
func (b *backend) mask(s *slot) uint32 {
	watched := s.interest
	if s.fired {
		watched = 0
	}
	mask := epollInterest(watched)
	switch {
	case s.lends == nil && s.mode == Edge && watched != 0:
		return mask | unix.EPOLLET
	case s.lends == nil && s.mode == OneShot:
		return mask | unix.EPOLLONESHOT
	case s.lends == nil:
	case watched == 0 || s.mode == Edge:
		// A lent direction stays in the mask once it has been blocked, so
		// that nothing changes while buffers move; before, the kernel would
		// only report what nobody waits for.
		if mask |= lentInterest(s.lends.told()); mask != 0 {
			return mask | unix.EPOLLET
		}
	default:
		// The watched direction has to be level-triggered, so the lent one
		// is in the mask only while it is blocked.
		mask |= lentInterest(s.lends.blocked())
	}
	if mask == 0 {
		// Paused. The kernel adds EPOLLERR and EPOLLHUP to any mask; with
		// EPOLLONESHOT they come once and are swallowed.
		return unix.EPOLLONESHOT
	}
	return mask
}

// refresh brings the kernel's side of a source with lends up to date. With the
// first lend it asks in any case, whether the registration is still there.
// Called with p.mu held.
func (b *backend) refresh(index uint32, s *slot) error {
	s.lends.tell(s.lends.blocked())
	mask := b.mask(s)
	if mask == s.native && s.lends.known {
		return nil
	}
	errno := b.control(unix.EPOLL_CTL_MOD, int(s.fd), mask, s.data(index))
	if errno == 0 {
		s.native, s.lends.known = mask, true
	}
	return epollError(OpModify, errno)
}

// lentInterest is what a lent direction has to be told. An urgent mark stops
// reads short.
func lentInterest(r Readiness) uint32 {
	if r&Readable != 0 {
		r |= Priority
	}
	return epollInterest(r)
}

func epollInterest(r Readiness) (mask uint32) {
	if r&Readable != 0 {
		mask |= unix.EPOLLIN | unix.EPOLLRDHUP
	}
	if r&Writable != 0 {
		mask |= unix.EPOLLOUT
	}
	if r&Priority != 0 {
		mask |= unix.EPOLLPRI
	}
	return mask
}

// epollReadiness is what the kernel's bits mean. On error and hang-up the
// next read or write can tell, so both are ready.
func epollReadiness(bits uint32) Readiness {
	return readinessOf[bits&0x1f|bits&unix.EPOLLRDHUP>>8]
}

// readinessOf has EPOLLRDHUP, 0x2000, moved next to the low five bits.
var readinessOf = func() (table [64]Readiness) {
	means := [6]Readiness{
		0: Readable,                                       // EPOLLIN
		1: Priority,                                       // EPOLLPRI
		2: Writable,                                       // EPOLLOUT
		3: Readable | Writable | Errored,                  // EPOLLERR
		4: Readable | Writable | ReadClosed | WriteClosed, // EPOLLHUP
		5: Readable | ReadClosed,                          // EPOLLRDHUP
	}
	for bits := range table {
		for bit, r := range means {
			if bits&(1<<bit) != 0 {
				table[bits] |= r
			}
		}
	}
	return table
}()
