//go:build (linux && !386 && !s390x) || freebsd || dragonfly

package socket

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls themselves, and not x/sys's around them: those allocate an address
// for each datagram and each accept, and don't tell how much a send took.
// recvfrom and sendto are also a few percent faster than read and write.

type (
	rawInet4 = unix.RawSockaddrInet4
	rawInet6 = unix.RawSockaddrInet6
)

func recv(fd uintptr, p []byte, flags int) (int, syscall.Errno) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(number(fd)),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags), 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func send(fd uintptr, p []byte, flags int) (int, syscall.Errno) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(number(fd)),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags), 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func recvFrom(fd uintptr, p []byte) (int, netip.AddrPort, syscall.Errno) {
	for {
		var sa rawInet6
		size := uint32(unsafe.Sizeof(sa))
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(number(fd)),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), 0,
			uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)))
		if errno != unix.EINTR {
			return int(n), decode(&sa), errno
		}
	}
}

func sendTo(fd uintptr, p []byte, to netip.AddrPort, scope uint32) syscall.Errno {
	var sa rawInet6
	size := encode(&sa, to, scope)
	for {
		_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(number(fd)),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), msgNoSignal,
			uintptr(unsafe.Pointer(&sa)), size)
		if errno != unix.EINTR {
			return errno
		}
	}
}

func accept(fd uintptr) (uintptr, syscall.Errno) {
	for {
		s, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(number(fd)), 0, 0,
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if errno != unix.EINTR {
			return s, errno
		}
	}
}
