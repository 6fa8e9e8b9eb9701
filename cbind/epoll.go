//go:build linux && cgo && !purego && !kqueue_double

package cbind

// noescape: C keeps no argument after it returned, so they may stay on the
// stack. nocallback: no shim calls back into Go.

/*
#cgo CFLAGS: -O2 -std=c11 -D_GNU_SOURCE
#cgo noescape gopoll_epoll_control
#cgo nocallback gopoll_epoll_control
#cgo noescape gopoll_epoll_wait
#cgo nocallback gopoll_epoll_wait
#cgo noescape gopoll_epoll_wait_ms
#cgo nocallback gopoll_epoll_wait_ms
#cgo nocallback gopoll_eventfd_signal
#include "cbind.h"
*/
import "C"

import (
	"syscall"
	"time"
	"unsafe"

	"gopoll.dev/internal/abi"
)

// Epoll is an epoll set and the eventfd that wakes its waiters. The methods
// may be called from any goroutine; the caller sees to it that none is under
// way or begins after Close.
type Epoll struct {
	epfd, wakefd C.int
	coarse       bool // no epoll_pwait2: timeouts in milliseconds; set by OpenEpoll only
}

// OpenEpoll makes an empty set and an eventfd that is not in it yet.
func OpenEpoll() (*Epoll, error) {
	epfd := C.gopoll_epoll_create()
	if epfd < 0 {
		return nil, syscall.Errno(-epfd)
	}
	wakefd := C.gopoll_eventfd_create()
	if wakefd < 0 {
		syscall.Close(int(epfd))
		return nil, syscall.Errno(-wakefd)
	}
	return &Epoll{epfd, wakefd, C.gopoll_epoll_has_pwait2(epfd) == 0}, nil
}

// Fd is the descriptor of the set.
func (e *Epoll) Fd() int { return int(e.epfd) }

// WakeFd is the descriptor of the eventfd.
func (e *Epoll) WakeFd() int { return int(e.wakefd) }

// Control makes all changes to the set in one crossing; each gets its own Err.
func (e *Epoll) Control(changes []abi.EpollChange) { e.ControlSet(e.Fd(), changes) }

// ControlSet is Control for another set.
func (e *Epoll) ControlSet(epfd int, changes []abi.EpollChange) {
	// unsafe: the pointer is valid for the call, and C keeps none.
	C.gopoll_epoll_control(C.int(epfd), (*C.gopoll_epoll_change)(unsafe.Pointer(unsafe.SliceData(changes))), C.int(len(changes)))
}

// Wait is one epoll_pwait2, or one epoll_wait where the kernel has no such
// call. timeout < 0 waits for ever.
func (e *Epoll) Wait(facts []abi.Fact, timeout time.Duration) (int, syscall.Errno) {
	// unsafe: the pointer is valid for the call, and C keeps none.
	first := (*C.gopoll_fact)(unsafe.Pointer(unsafe.SliceData(facts)))
	var n C.int
	if e.coarse {
		n = C.gopoll_epoll_wait_ms(e.epfd, first, C.int(len(facts)), C.int(abi.Milliseconds(timeout)))
	} else {
		n = C.gopoll_epoll_wait(e.epfd, first, C.int(len(facts)), C.int64_t(timeout))
	}
	if n < 0 {
		return 0, syscall.Errno(-n)
	}
	return int(n), 0
}

// Wake adds one to the eventfd.
func (e *Epoll) Wake() syscall.Errno { return syscall.Errno(-C.gopoll_eventfd_signal(e.wakefd)) }

// Close closes both descriptors.
func (e *Epoll) Close() error {
	syscall.Close(int(e.wakefd))
	return syscall.Close(int(e.epfd))
}
