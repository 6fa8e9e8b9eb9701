//go:build windows && cgo && !purego

package cbind

// noescape: C keeps no argument after it returned (what Windows keeps are
// addresses of blocks and pinned buffers, which travel as integers), so they
// may stay on the stack. nocallback: no shim calls back into Go.

/*
#cgo CFLAGS: -O2 -std=c11
#cgo LDFLAGS: -lws2_32 -lntdll
#cgo noescape gopoll_iocp_create
#cgo nocallback gopoll_iocp_create
#cgo noescape gopoll_iocp_helper
#cgo nocallback gopoll_iocp_helper
#cgo nocallback gopoll_iocp_associate
#cgo noescape gopoll_iocp_inspect
#cgo nocallback gopoll_iocp_inspect
#cgo nocallback gopoll_iocp_quiet
#cgo noescape gopoll_iocp_submit
#cgo nocallback gopoll_iocp_submit
#cgo noescape gopoll_iocp_dequeue
#cgo nocallback gopoll_iocp_dequeue
#cgo nocallback gopoll_iocp_post
#include "cbind.h"
*/
import "C"

import (
	"syscall"
	"time"
	"unsafe"

	"gopoll.dev/internal/abi"
)

// Iocp is a completion port. The methods may be called from any goroutine; the
// caller sees to it that none is under way or begins after Close.
type Iocp struct {
	port C.uintptr_t
}

// OpenIocp makes a port with nothing associated.
func OpenIocp() (*Iocp, error) {
	var port C.uintptr_t
	if err := C.gopoll_iocp_create(&port); err != 0 {
		return nil, syscall.Errno(err)
	}
	return &Iocp{port}, nil
}

// Fd is the handle of the port.
func (p *Iocp) Fd() uintptr { return uintptr(p.port) }

// Helper opens a handle of the socket driver whose completions come to the
// port. The caller closes it.
func (p *Iocp) Helper() (uintptr, syscall.Errno) { return openHelper(p.port) }

// Prober opens a handle of the socket driver for requests that end before
// Submit does. The caller closes it.
func (p *Iocp) Prober() (uintptr, syscall.Errno) { return openHelper(0) }

func openHelper(port C.uintptr_t) (uintptr, syscall.Errno) {
	var helper C.uintptr_t
	err := C.gopoll_iocp_helper(port, &helper)
	return uintptr(helper), syscall.Errno(err)
}

// Associate has the handle's own overlapped calls complete on the port.
func (p *Iocp) Associate(handle uintptr) syscall.Errno {
	return syscall.Errno(C.gopoll_iocp_associate(p.port, C.uintptr_t(handle)))
}

// Inspect asks what handle is, and for the socket below its providers.
func (p *Iocp) Inspect(handle uintptr) abi.Handle {
	var answer abi.Handle
	// unsafe: same layout, asserted in cbind.h.
	C.gopoll_iocp_inspect(C.uintptr_t(handle), (*C.gopoll_handle)(unsafe.Pointer(&answer)))
	return answer
}

// Quiet keeps ICMP messages from failing receives of a datagram socket.
func (p *Iocp) Quiet(socket uintptr) syscall.Errno {
	return syscall.Errno(C.gopoll_iocp_quiet(C.uintptr_t(socket)))
}

// Submit starts every request in one crossing; each gets its own Err.
func (p *Iocp) Submit(requests []abi.Request) {
	// unsafe: the pointer is valid for the call, and C keeps none.
	C.gopoll_iocp_submit((*C.gopoll_request)(unsafe.Pointer(unsafe.SliceData(requests))), C.int(len(requests)))
}

// Dequeue is one GetQueuedCompletionStatusEx. timeout < 0 waits for ever; it
// may return up to a clock tick early.
func (p *Iocp) Dequeue(facts []abi.Fact, timeout time.Duration) (int, syscall.Errno) {
	count := C.uint32_t(len(facts))
	// unsafe: the pointer is valid for the call, and C keeps none.
	first := (*C.gopoll_fact)(unsafe.Pointer(unsafe.SliceData(facts)))
	err := C.gopoll_iocp_dequeue(p.port, first, &count, C.uint32_t(abi.Milliseconds(timeout)))
	return int(count), syscall.Errno(err)
}

// Post queues a packet of its own: Data 0, Aux key.
func (p *Iocp) Post(key uintptr) syscall.Errno {
	return syscall.Errno(C.gopoll_iocp_post(p.port, C.uintptr_t(key)))
}

// Close closes the port.
func (p *Iocp) Close() error { return syscall.CloseHandle(syscall.Handle(p.port)) }
