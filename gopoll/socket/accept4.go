//go:build netbsd || openbsd || (linux && (386 || s390x))

package socket

import "syscall"

// accept goes through package syscall: x/sys lacks accept4 on some of these.
func accept(fd uintptr) (uintptr, syscall.Errno) {
	for {
		s, _, err := syscall.Accept4(number(fd), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err == nil {
			return uintptr(s), 0
		}
		if err != syscall.EINTR {
			return Invalid, errnoOf(err)
		}
	}
}
