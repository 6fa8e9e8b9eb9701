//go:build linux || freebsd || netbsd || openbsd || dragonfly

package socket

import "golang.org/x/sys/unix"

const msgNoSignal = unix.MSG_NOSIGNAL

func newSocket(family, kind int) (uintptr, error) {
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return Invalid, err
	}
	return uintptr(fd), nil
}

func pair() (a, b uintptr, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return uintptr(fds[0]), uintptr(fds[1]), err
}
