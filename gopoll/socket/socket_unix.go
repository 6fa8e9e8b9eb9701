//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package socket

import (
	"math"
	"syscall"

	"golang.org/x/sys/unix"
)

type (
	sockaddr      = unix.Sockaddr
	sockaddrInet4 = unix.SockaddrInet4
	sockaddrInet6 = unix.SockaddrInet6
	sockaddrUnix  = unix.SockaddrUnix
)

const (
	afInet      = unix.AF_INET
	afInet6     = unix.AF_INET6
	afUnix      = unix.AF_UNIX
	sockStream  = unix.SOCK_STREAM
	sockDgram   = unix.SOCK_DGRAM
	solSocket   = unix.SOL_SOCKET
	soType      = unix.SO_TYPE
	soError     = unix.SO_ERROR
	soReuseAddr = unix.SO_REUSEADDR
	soBroadcast = unix.SO_BROADCAST
	ipprotoTCP  = unix.IPPROTO_TCP
	tcpNoDelay  = unix.TCP_NODELAY
	ipprotoIPv6 = unix.IPPROTO_IPV6
	ipv6V6Only  = unix.IPV6_V6ONLY
	msgOOB      = unix.MSG_OOB

	eWouldBlock  = unix.EAGAIN
	eNotConn     = unix.ENOTCONN
	eConnAborted = unix.ECONNABORTED
	eConnReset   = unix.ECONNRESET
	eAfNoSupport = unix.EAFNOSUPPORT

	// Lets a restarted server have its port while old connections linger.
	reuseAddr = true
)

// number keeps a descriptor that no kernel can have given out from being cut
// down to one that is somebody's.
func number(fd uintptr) int {
	if fd > math.MaxInt32 {
		return -1
	}
	return int(fd)
}

func names(e syscall.Errno) []syscall.Errno { return []syscall.Errno{e} }

func wrongFamily(e syscall.Errno) bool {
	return e == unix.EAFNOSUPPORT || e == unix.EINVAL
}

func bind(fd uintptr, sa sockaddr) error { return unix.Bind(number(fd), sa) }

func listen(fd uintptr, backlog int) error { return unix.Listen(number(fd), backlog) }

func connect(fd uintptr, sa sockaddr) error {
	err := unix.Connect(number(fd), sa)
	if err == unix.EINPROGRESS || err == unix.EINTR {
		// Interrupted, the connection goes on being made too.
		return nil
	}
	return err
}

// settled reports whether a connection is no longer being made.
func settled(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(number(fd)), Events: unix.POLLOUT}}
	for {
		n, err := unix.Poll(p, 0)
		if err != unix.EINTR {
			return n != 0
		}
	}
}

func shutdown(fd uintptr, how int) error { return unix.Shutdown(number(fd), how) }

func closeSocket(fd uintptr) error {
	err := unix.Close(number(fd))
	if err == unix.EINTR {
		// The descriptor is gone; trying again might close another's.
		return nil
	}
	return err
}

func setLingerZero(fd uintptr) {
	unix.SetsockoptLinger(number(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

func getInt(fd uintptr, level, opt int) (int, error) {
	return unix.GetsockoptInt(number(fd), level, opt)
}

func setInt(fd uintptr, level, opt, value int) error {
	return unix.SetsockoptInt(number(fd), level, opt, value)
}

func getsockname(fd uintptr) (sockaddr, error) { return unix.Getsockname(number(fd)) }
func getpeername(fd uintptr) (sockaddr, error) { return unix.Getpeername(number(fd)) }
