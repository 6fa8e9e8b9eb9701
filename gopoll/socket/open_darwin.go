package socket

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Here a socket, not a call, is kept from raising SIGPIPE.
const msgNoSignal = 0

// prepare makes up for flags that macOS doesn't take when it opens a socket. The
// caller holds syscall.ForkLock, so no child sees the descriptor before.
func prepare(fd int) error {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	// Fails on a connection that is dead already, which can't matter.
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NOSIGPIPE, 1)
	return nil
}

func newSocket(family, kind int) (uintptr, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, kind, 0)
	if err != nil {
		return Invalid, err
	}
	if err := prepare(fd); err != nil {
		unix.Close(fd)
		return Invalid, err
	}
	return uintptr(fd), nil
}

func pair() (a, b uintptr, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return Invalid, Invalid, err
	}
	for _, fd := range fds {
		if err == nil {
			err = prepare(fd)
		}
	}
	if err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
	}
	return uintptr(fds[0]), uintptr(fds[1]), err
}

// accept doesn't hold the lock for long, as the descriptors are non-blocking; on
// a blocking one that isn't ours it would hold up forks.
func accept(fd uintptr) (uintptr, syscall.Errno) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for {
		s, _, err := unix.Accept(number(fd))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return Invalid, errnoOf(err)
		}
		if err := prepare(s); err != nil {
			unix.Close(s)
			return Invalid, errnoOf(err)
		}
		return uintptr(s), 0
	}
}
