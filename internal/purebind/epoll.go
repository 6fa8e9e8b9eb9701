//go:build linux && !kqueue_double

package purebind

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
)

// Epoll is an epoll set and the eventfd that wakes its waiters. The methods
// may be called from any goroutine; the caller sees to it that none is under
// way or begins after Close.
type Epoll struct {
	epfd, wakefd int
	coarse       bool // no epoll_pwait2: timeouts in milliseconds; set by OpenEpoll only
}

// timespec is the kernel's struct __kernel_timespec: 64 bits everywhere.
type timespec struct{ sec, nsec int64 }

// wakeOne is what Wake adds to the eventfd.
var wakeOne uint64 = 1

// OpenEpoll makes an empty set and an eventfd that is not in it yet.
func OpenEpoll() (*Epoll, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epfd)
		return nil, err
	}
	e := &Epoll{epfd: epfd, wakefd: wakefd}
	// Kernels before 5.11 answer ENOSYS, and some sandboxes EPERM.
	_, errno := e.wait2(make([]abi.Fact, 1), 0)
	e.coarse = errno != 0
	return e, nil
}

// Fd is the descriptor of the set.
func (e *Epoll) Fd() int { return e.epfd }

// WakeFd is the descriptor of the eventfd.
func (e *Epoll) WakeFd() int { return e.wakefd }

// Control makes all changes to the set; each gets its own Err.
func (e *Epoll) Control(changes []abi.EpollChange) { e.ControlSet(e.epfd, changes) }

// ControlSet is Control for another set.
func (e *Epoll) ControlSet(epfd int, changes []abi.EpollChange) {
	for i := range changes {
		c := &changes[i]
		event := epollEvent(c.Events, c.Data)
		// unsafe: the kernel copies the event before the call returns.
		// epoll_ctl(2) never blocks for long: it needs no scheduler's leave.
		_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), uintptr(c.Op), uintptr(c.Fd),
			uintptr(unsafe.Pointer(&event)), 0, 0)
		c.Err = int32(errno)
	}
}

// Wait is one epoll_pwait2, or one epoll_wait where the kernel has no such
// call. timeout < 0 waits for ever.
func (e *Epoll) Wait(facts []abi.Fact, timeout time.Duration) (int, syscall.Errno) {
	var n uintptr
	var errno syscall.Errno
	if e.coarse {
		// unsafe: the kernel writes to facts during the call only.
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.epfd), uintptr(unsafe.Pointer(unsafe.SliceData(facts))),
			uintptr(len(facts)), uintptr(abi.Milliseconds(timeout)), 0, 0)
	} else {
		n, errno = e.wait2(facts, timeout)
	}
	if errno != 0 {
		return 0, errno
	}
	// The kernel wrote n epoll_events to the front of facts. A fact is never
	// smaller than an event, so unpacking from the last to the first
	// overwrites none that is still to be read.
	// unsafe: facts has room for n events, and both types are free of pointers.
	events := unsafe.Slice((*unix.EpollEvent)(unsafe.Pointer(unsafe.SliceData(facts))), n)
	for i := int(n) - 1; i >= 0; i-- {
		bits, data := events[i].Events, eventData(&events[i])
		facts[i] = abi.Fact{Data: data, Bits: bits}
	}
	return int(n), 0
}

func (e *Epoll) wait2(facts []abi.Fact, timeout time.Duration) (uintptr, syscall.Errno) {
	limit := timespec{int64(timeout / time.Second), int64(timeout % time.Second)}
	// unsafe: the kernel uses both during the call only.
	first, until := unsafe.Pointer(unsafe.SliceData(facts)), unsafe.Pointer(&limit)
	if timeout == 0 {
		// A call that can't block needs no scheduler's leave.
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(e.epfd), uintptr(first), uintptr(len(facts)), uintptr(until), 0, 0)
		return n, errno
	}
	if timeout < 0 {
		until = nil
	}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(e.epfd), uintptr(first), uintptr(len(facts)), uintptr(until), 0, 0)
	return n, errno
}

// Wake adds one to the eventfd.
func (e *Epoll) Wake() syscall.Errno {
	// unsafe: the kernel reads a variable that is never written.
	_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(e.wakefd), uintptr(unsafe.Pointer(&wakeOne)), unsafe.Sizeof(wakeOne))
	return errno
}

// Close closes both descriptors.
func (e *Epoll) Close() error {
	unix.Close(e.wakefd)
	return unix.Close(e.epfd)
}

// x/sys splits the 64 bits of user data into two fields. The kernel hands
// them back as they were, so which half is which is nobody's concern.

func epollEvent(bits uint32, data uint64) unix.EpollEvent {
	return unix.EpollEvent{Events: bits, Fd: int32(data), Pad: int32(data >> 32)}
}

func eventData(event *unix.EpollEvent) uint64 {
	return uint64(uint32(event.Fd)) | uint64(uint32(event.Pad))<<32
}
