//go:build unix

package purebind

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
)

// Transfer tries every transfer once, in order. The caller keeps the buffers
// pinned.
func Transfer(transfers []abi.Transfer) {
	for i := range transfers {
		t := &transfers[i]
		n, errno := attempt(t)
		for errno == unix.EINTR {
			n, errno = attempt(t)
		}
		t.N, t.Err = int32(n), int32(errno)
		if errno != 0 {
			t.N = 0
		}
	}
}

func attempt(t *abi.Transfer) (int, syscall.Errno) {
	// unsafe: Addr is the start of Len bytes that are pinned until the lend
	// has returned, so they neither move nor go away.
	addr := uintptr(t.Addr)
	buf := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), t.Len)
	switch t.Op {
	case abi.TransferRead:
		return result(unix.Read(int(t.Fd), buf))
	case abi.TransferWrite:
		return result(unix.Write(int(t.Fd), buf))
	case abi.TransferReceive:
		return receive(t, buf)
	case abi.TransferSend:
		return result(send(int(t.Fd), buf))
	}
	return 0, unix.EINVAL
}

// cut translates the flags of recvmsg(2).
func cut(flags int) (bits uint16) {
	if flags&unix.MSG_TRUNC != 0 {
		bits |= abi.CutData
	}
	if flags&unix.MSG_CTRUNC != 0 {
		bits |= abi.CutControl
	}
	return bits
}

func result(n int, err error) (int, syscall.Errno) {
	if err != nil {
		return 0, err.(syscall.Errno)
	}
	return n, 0
}
