//go:build cgo && !purego && (darwin || dragonfly || freebsd || netbsd || openbsd || kqueue_double)

package cbind

// noescape: C keeps no argument after it returned, so they may stay on the
// stack. nocallback: no shim calls back into Go.

/*
#cgo CFLAGS: -O2 -std=c11 -D_GNU_SOURCE
#cgo noescape gopoll_kqueue_change_all
#cgo nocallback gopoll_kqueue_change_all
#cgo noescape gopoll_kqueue_wait
#cgo nocallback gopoll_kqueue_wait
#cgo nocallback gopoll_kqueue_trigger
#cgo nocallback gopoll_pipe_signal
#cgo nocallback gopoll_pipe_drain
#include "cbind.h"
*/
import "C"

import (
	"syscall"
	"time"
	"unsafe"

	"gopoll.dev/internal/abi"
)

// Kqueue is a kernel event queue and, once OpenPipe was called, a pipe that
// wakes its waiters. The methods may be called from any goroutine; the caller
// sees to it that none is under way or begins after Close.
type Kqueue struct {
	kq   C.int
	pipe [2]C.int // {-1, -1} until OpenPipe
}

// OpenKqueue makes an empty queue.
func OpenKqueue() (*Kqueue, error) {
	// A child forked between the two calls would keep the descriptor.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	kq := C.gopoll_kqueue_create()
	if kq < 0 {
		return nil, syscall.Errno(-kq)
	}
	return &Kqueue{kq, [2]C.int{-1, -1}}, nil
}

// OpenPipe makes the pipe, and returns the descriptor to watch.
func (k *Kqueue) OpenPipe() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := C.gopoll_pipe_create(&k.pipe[0]); err < 0 {
		k.pipe = [2]C.int{-1, -1}
		return -1, syscall.Errno(-err)
	}
	return int(k.pipe[0]), nil
}

// HasExcept is whether the system's headers know EVFILT_EXCEPT.
func (k *Kqueue) HasExcept() bool { return C.gopoll_kqueue_except() != 0 }

// Fd is the descriptor of the queue.
func (k *Kqueue) Fd() int { return int(k.kq) }

// Change makes all changes in one crossing; each gets its own Err.
func (k *Kqueue) Change(changes []abi.KqueueChange) {
	// unsafe: the pointer is valid for the call, and C keeps none.
	C.gopoll_kqueue_change_all(k.kq, (*C.gopoll_kqueue_change)(unsafe.Pointer(unsafe.SliceData(changes))), C.int(len(changes)))
}

// Wait is one kevent(2), for at most abi.KqueueBatch facts. timeout < 0 waits
// for ever.
func (k *Kqueue) Wait(facts []abi.Fact, timeout time.Duration) (int, syscall.Errno) {
	// unsafe: the pointer is valid for the call, and C keeps none.
	n := C.gopoll_kqueue_wait(k.kq, (*C.gopoll_fact)(unsafe.Pointer(unsafe.SliceData(facts))), C.int(len(facts)), C.int64_t(timeout))
	if n < 0 {
		return 0, syscall.Errno(-n)
	}
	return int(n), 0
}

// Trigger fires the EVFILT_USER event of ident and data 0.
func (k *Kqueue) Trigger() syscall.Errno { return syscall.Errno(-C.gopoll_kqueue_trigger(k.kq)) }

// SignalPipe makes the pipe readable.
func (k *Kqueue) SignalPipe() syscall.Errno { return syscall.Errno(-C.gopoll_pipe_signal(k.pipe[1])) }

// DrainPipe takes what SignalPipe left.
func (k *Kqueue) DrainPipe() syscall.Errno { return syscall.Errno(-C.gopoll_pipe_drain(k.pipe[0])) }

// Close closes all descriptors.
func (k *Kqueue) Close() error {
	if k.pipe[0] >= 0 {
		syscall.Close(int(k.pipe[0]))
		syscall.Close(int(k.pipe[1]))
	}
	if err := C.gopoll_kqueue_close(k.kq); err < 0 {
		return syscall.Errno(-err)
	}
	return nil
}
