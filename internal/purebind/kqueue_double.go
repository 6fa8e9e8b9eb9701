//go:build linux && kqueue_double

package purebind

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/kqueuedouble/bridge"
)

// The test double stands in for the system's calls. It is C, and this
// binding must not be: it calls through one variable.
var kqueueDouble = bridge.Calls

const (
	_ = -(unsafe.Sizeof(kevent{}) ^ bridge.SizeofKevent)
	_ = -(unsafe.Offsetof(kevent{}.Udata) ^ bridge.OffsetofUdata)
)

func openQueue() (int, error) { return kqueueDouble.Kqueue() }

func closeQueue(kq int) error { return kqueueDouble.Close(kq) }

func callKevent(kq int, changes, events []kevent, timeout *unix.Timespec) (int, syscall.Errno) {
	// unsafe: the double uses the memory during the call only, and it has no
	// pointers in it.
	return kqueueDouble.Kevent(kq, unsafe.Pointer(unsafe.SliceData(changes)), len(changes),
		unsafe.Pointer(unsafe.SliceData(events)), len(events), unsafe.Pointer(timeout))
}
