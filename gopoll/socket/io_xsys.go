//go:build darwin || netbsd || openbsd || (linux && (386 || s390x))

package socket

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// These systems either allow system calls only through their C library, or have
// older kernels that multiplex the socket calls. x/sys knows how, at the price
// of an allocation for each address.

func recv(fd uintptr, p []byte, flags int) (n int, errno syscall.Errno) {
	for {
		var err error
		if flags == 0 {
			n, err = unix.Read(number(fd), p)
		} else {
			n, _, err = unix.Recvfrom(number(fd), p, flags)
		}
		if err != unix.EINTR {
			return n, errnoOf(err)
		}
	}
}

func send(fd uintptr, p []byte, flags int) (int, syscall.Errno) {
	for {
		n, err := unix.SendmsgN(number(fd), p, nil, nil, flags)
		if err != unix.EINTR {
			return n, errnoOf(err)
		}
	}
}

func recvFrom(fd uintptr, p []byte) (int, netip.AddrPort, syscall.Errno) {
	for {
		n, sa, err := unix.Recvfrom(number(fd), p, 0)
		if err == unix.EINTR {
			continue
		}
		var from netip.AddrPort
		switch sa := sa.(type) {
		case *unix.SockaddrInet4:
			from = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
		case *unix.SockaddrInet6:
			ip := netip.AddrFrom16(sa.Addr).WithZone(zoneName(sa.ZoneId))
			from = netip.AddrPortFrom(ip, uint16(sa.Port))
		}
		return n, from, errnoOf(err)
	}
}

func sendTo(fd uintptr, p []byte, to netip.AddrPort, scope uint32) syscall.Errno {
	var sa unix.Sockaddr
	if ip := to.Addr(); ip.Is4() {
		sa = &unix.SockaddrInet4{Port: int(to.Port()), Addr: ip.As4()}
	} else {
		sa = &unix.SockaddrInet6{Port: int(to.Port()), Addr: ip.As16(), ZoneId: scope}
	}
	for {
		err := unix.Sendto(number(fd), p, msgNoSignal, sa)
		if err != unix.EINTR {
			return errnoOf(err)
		}
	}
}

// errnoOf is for calls of x/sys, whose errors are all of this type.
func errnoOf(err error) syscall.Errno {
	errno, _ := err.(syscall.Errno)
	return errno
}
