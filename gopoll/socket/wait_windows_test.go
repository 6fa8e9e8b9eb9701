package socket_test

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var procSelect = windows.NewLazySystemDLL("ws2_32.dll").NewProc("select")

type fdSet struct {
	n  uint32
	fd [1]uintptr
}

// ready waits until fd is readable (or writable), with select: it tells of a
// failed connect on every version of Windows, which WSAPoll doesn't.
func ready(fd uintptr, write bool, timeout time.Duration) (bool, error) {
	set, except := fdSet{1, [1]uintptr{fd}}, fdSet{1, [1]uintptr{fd}}
	if write {
		return selectOn(nil, &set, &except, timeout)
	}
	return selectOn(&set, nil, nil, timeout)
}

// readyUrgent waits for the urgent byte.
func readyUrgent(fd uintptr, timeout time.Duration) (bool, error) {
	return selectOn(nil, nil, &fdSet{1, [1]uintptr{fd}}, timeout)
}

func selectOn(read, write, except *fdSet, timeout time.Duration) (bool, error) {
	tv := windows.NsecToTimeval(timeout.Nanoseconds())
	n, _, err := syscall.SyscallN(procSelect.Addr(), 0, uintptr(unsafe.Pointer(read)), uintptr(unsafe.Pointer(write)),
		uintptr(unsafe.Pointer(except)), uintptr(unsafe.Pointer(&tv)))
	if int32(n) < 0 {
		return false, err
	}
	return n > 0, nil
}
