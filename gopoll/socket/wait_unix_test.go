//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package socket_test

import (
	"time"

	"golang.org/x/sys/unix"
)

// ready waits until fd is readable (or writable), with the system's own poll.
func ready(fd uintptr, write bool, timeout time.Duration) (bool, error) {
	var want int16 = unix.POLLIN
	if write {
		want = unix.POLLOUT
	}
	return poll(fd, want, timeout)
}

// readyUrgent waits for the urgent byte.
func readyUrgent(fd uintptr, timeout time.Duration) (bool, error) {
	return poll(fd, unix.POLLPRI, timeout)
}

func poll(fd uintptr, want int16, timeout time.Duration) (bool, error) {
	deadline := time.Now().Add(timeout)
	p := []unix.PollFd{{Fd: int32(fd), Events: want}}
	for {
		left := max(time.Until(deadline), 0)
		n, err := unix.Poll(p, int(left.Milliseconds()))
		if err != unix.EINTR {
			return n > 0, err
		}
	}
}
