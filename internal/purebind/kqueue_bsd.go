//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package purebind

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// x/sys's struct must have the layout of ours: a difference in size or in
// where a field stands is a negative constant, which no uintptr can be.
const (
	_ = -(unsafe.Sizeof(kevent{}) ^ unsafe.Sizeof(unix.Kevent_t{}))
	_ = -(unsafe.Offsetof(kevent{}.Filter) ^ unsafe.Offsetof(unix.Kevent_t{}.Filter))
	_ = -(unsafe.Offsetof(kevent{}.Flags) ^ unsafe.Offsetof(unix.Kevent_t{}.Flags))
	_ = -(unsafe.Offsetof(kevent{}.Fflags) ^ unsafe.Offsetof(unix.Kevent_t{}.Fflags))
	_ = -(unsafe.Offsetof(kevent{}.Data) ^ unsafe.Offsetof(unix.Kevent_t{}.Data))
	_ = -(unsafe.Offsetof(kevent{}.Udata) ^ unsafe.Offsetof(unix.Kevent_t{}.Udata))
)

func openQueue() (int, error) { return unix.Kqueue() }

func closeQueue(kq int) error { return unix.Close(kq) }

// callKevent goes through x/sys, which on macOS and OpenBSD goes through libc
// as those systems demand.
func callKevent(kq int, changes, events []kevent, timeout *unix.Timespec) (int, syscall.Errno) {
	n, err := unix.Kevent(kq, borrow(changes), borrow(events), timeout)
	if err != nil {
		return 0, err.(syscall.Errno)
	}
	return n, 0
}

// borrow gives our structs x/sys's type for one call.
func borrow(events []kevent) []unix.Kevent_t {
	// unsafe: the layouts are the same, as asserted above. The memory was
	// allocated without pointers, so the collector never takes udata for one.
	return unsafe.Slice((*unix.Kevent_t)(unsafe.Pointer(unsafe.SliceData(events))), len(events))
}
