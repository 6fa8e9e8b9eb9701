package gopoll

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Errors that calls of this package wrap in an *Error.
var (
	// ErrClosed: the poller is closed, or the arena freed. It is an os.ErrClosed.
	ErrClosed = sentinel("closed", os.ErrClosed)
	// ErrExist: the descriptor is registered already, the direction is lent
	// or watched already, or the memory is lent already. It is an fs.ErrExist.
	ErrExist = sentinel("already in use", fs.ErrExist)
	// ErrNotExist: the source is not registered any more. It is an
	// fs.ErrNotExist.
	ErrNotExist = sentinel("source not registered", fs.ErrNotExist)
	// ErrInvalid: an argument is out of its range. It is an fs.ErrInvalid.
	ErrInvalid = sentinel("invalid argument", fs.ErrInvalid)
	// ErrCanceled: a lent buffer came back because of Reclaim or Delete, or
	// because the one before it failed. It is a syscall.ECANCELED.
	ErrCanceled = sentinel("canceled", syscall.ECANCELED)
	// ErrLimit: the poller has no room for another source, or lent as much
	// as it may.
	ErrLimit = errors.New("gopoll: limit reached")
)

func sentinel(text string, is error) error { return &sentinelError{text, is} }

type sentinelError struct {
	text string
	is   error
}

func (e *sentinelError) Error() string { return "gopoll: " + e.text }
func (e *sentinelError) Unwrap() error { return e.is }

// Error is what every failed call returns: the operation, the descriptor it
// was for, and the reason.
type Error struct {
	Op  string  // "add", "modify", ...
	Fd  uintptr // NoFd where the operation has none
	Err error   // one of this package's errors, or the system's number
}

// NoFd is the descriptor of an Error that concerns none.
const NoFd = ^uintptr(0)

func (e *Error) Error() string {
	text := e.Err.Error()
	var own *sentinelError
	if errors.As(e.Err, &own) {
		text = own.text
	}
	if e.Fd == NoFd {
		return "gopoll: " + e.Op + ": " + text
	}
	return fmt.Sprintf("gopoll: %s fd %d: %s", e.Op, int(e.Fd), text)
}

// Unwrap is the reason.
func (e *Error) Unwrap() error { return e.Err }

func fail(op string, fd uintptr, err error) error {
	if err == nil {
		return nil
	}
	return &Error{op, fd, err}
}

// unsupported is a system's own refusal of something that no call can make
// it do: it is errors.ErrUnsupported and the number too.
type unsupported struct{ syscall.Errno }

func (u unsupported) Error() string        { return "not supported on this descriptor: " + u.Errno.Error() }
func (u unsupported) Is(target error) bool { return target == errors.ErrUnsupported }
func (u unsupported) Unwrap() error        { return u.Errno }
