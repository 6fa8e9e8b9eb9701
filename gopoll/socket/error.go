package socket

import (
	"errors"
	"fmt"
	"syscall"
)

// ErrWouldBlock says that a call has nothing to do now: wait until the
// descriptor is ready and call again. It is returned as it is, never wrapped, so
// that == is enough; errors.Is(err, syscall.EAGAIN) holds on every system.
var ErrWouldBlock error = wouldBlockError{}

type wouldBlockError struct{}

func (wouldBlockError) Error() string { return "socket: operation would block" }

func (wouldBlockError) Is(target error) bool {
	return target == syscall.EAGAIN || target == syscall.EWOULDBLOCK || target == eWouldBlock
}

// Error is every error of this package but [ErrWouldBlock] and io.EOF.
//
// errors.Is finds the names of package syscall (ECONNREFUSED, ECONNRESET, EPIPE,
// EADDRINUSE, EMFILE, ...) on every system: Winsock's numbers answer to them too.
// A closed descriptor is EBADF everywhere; an address family that the system
// lacks is errors.ErrUnsupported.
type Error struct {
	Op   string  // the call: "listen", "dial", "connect", "read", ...
	Fd   uintptr // the descriptor, Invalid if there was none yet
	Addr string  // network and address for listen and dial
	Err  error   // a syscall.Errno, an *os.SyscallError around one, or net's own
}

func (e *Error) Error() string {
	switch {
	case e.Fd != Invalid:
		return fmt.Sprintf("socket: %s %d: %v", e.Op, e.Fd, e.Err)
	case e.Addr != "":
		return fmt.Sprintf("socket: %s %s: %v", e.Op, e.Addr, e.Err)
	}
	return fmt.Sprintf("socket: %s: %v", e.Op, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Is gives the system's number the names that the other systems have for it.
func (e *Error) Is(target error) bool {
	errno, ok := errors.AsType[syscall.Errno](e.Err)
	if !ok {
		return false
	}
	for _, name := range names(errno) {
		if name == target || name.Is(target) {
			return true
		}
		switch name {
		case syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, syscall.ESOCKTNOSUPPORT:
			if target == errors.ErrUnsupported {
				return true
			}
		}
	}
	return false
}

// failed turns what a native call said into this package's errors.
func failed(op string, fd uintptr, errno syscall.Errno) error {
	if errno == eWouldBlock {
		return ErrWouldBlock
	}
	return &Error{Op: op, Fd: fd, Err: errno}
}

func failedWith(op string, fd uintptr, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Fd: fd, Err: err}
}
