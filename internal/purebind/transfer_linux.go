package purebind

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
)

// receive asks with MSG_TRUNC for the real length of the datagram, as
// recv(2) has it. x/sys's Recvfrom would allocate the sender's address.
func receive(t *abi.Transfer, buf []byte) (int, syscall.Errno) {
	// unsafe: the kernel fills buf during the call only.
	n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(t.Fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))),
		uintptr(len(buf)), unix.MSG_TRUNC, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	t.More = 0
	if int(n) > len(buf) {
		t.More, n = 1, uintptr(len(buf))
	}
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
