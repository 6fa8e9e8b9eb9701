package purebind

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
)

// receive is here and not unix.Recvmsg, which allocates the sender's address.
func receive(t *abi.Transfer, buf []byte) (int, syscall.Errno) {
	vector := unix.Iovec{Base: unsafe.SliceData(buf)}
	vector.SetLen(len(buf))
	message := unix.Msghdr{Iov: &vector}
	message.SetIovlen(1)
	// unsafe: the kernel uses message and what it points to during the call
	// only; buf is pinned by its lend.
	n, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(t.Fd), uintptr(unsafe.Pointer(&message)), 0)
	if errno != 0 {
		return 0, errno
	}
	t.Cut = cut(int(message.Flags))
	return int(n), 0
}

// send is here and not unix.SendmsgN, which allocates.
func send(fd int, buf []byte) (int, error) {
	// unsafe: the kernel reads buf during the call only.
	n, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))),
		uintptr(len(buf)), unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
