//go:build linux && cgo && kqueue_double

// Package bridge lets the pure binding, which has no C, call the test double.
// It is in no user's build.
package bridge

/*
#cgo CFLAGS: -D_GNU_SOURCE
#include <errno.h>
#include <sys/event.h>

static int bridge_kqueue(void) {
	int kq = kqueue();
	return kq < 0 ? -errno : kq;
}

static int bridge_close(int kq) { return close(kq) < 0 ? -errno : 0; }

static int bridge_kevent(int kq, void *changes, int nchanges, void *events, int nevents, void *timeout) {
	int n = kevent(kq, changes, nchanges, events, nevents, timeout);
	return n < 0 ? -errno : n;
}
*/
import "C"

import (
	"syscall"
	"unsafe"
)

// What the double's struct kevent is like.
const (
	SizeofKevent  = C.sizeof_struct_kevent
	OffsetofUdata = unsafe.Offsetof(C.struct_kevent{}.udata)
)

// Calls are the double's functions. The pointers are to its struct kevent
// and struct timespec.
var Calls = struct {
	Kqueue func() (int, error)
	Close  func(kq int) error
	Kevent func(kq int, changes unsafe.Pointer, nchanges int, events unsafe.Pointer, nevents int, timeout unsafe.Pointer) (int, syscall.Errno)
}{
	func() (int, error) {
		kq := C.bridge_kqueue()
		if kq < 0 {
			return -1, syscall.Errno(-kq)
		}
		return int(kq), nil
	},
	func(kq int) error {
		if err := C.bridge_close(C.int(kq)); err < 0 {
			return syscall.Errno(-err)
		}
		return nil
	},
	func(kq int, changes unsafe.Pointer, nchanges int, events unsafe.Pointer, nevents int, timeout unsafe.Pointer) (int, syscall.Errno) {
		n := C.bridge_kevent(C.int(kq), changes, C.int(nchanges), events, C.int(nevents), timeout)
		if n < 0 {
			return 0, syscall.Errno(-n)
		}
		return int(n), 0
	},
}
