package purebind

import "golang.org/x/sys/unix"

type kfilter = int16

type kevent struct {
	Ident  uintptr
	Filter kfilter
	Flags  uint16
	Fflags uint32
	_      [4]byte
	Data   int64
	Udata  uintptr
	_      [4]byte
}

const (
	evfiltRead   = unix.EVFILT_READ
	evfiltWrite  = unix.EVFILT_WRITE
	evfiltExcept = unix.EVFILT_EXCEPT
	noteOOB      = unix.NOTE_OOB
	hasExcept    = true
)

func makeKevent(fd int32, filter kfilter, flags, fflags uint32, udata uintptr) kevent {
	return kevent{Ident: uintptr(fd), Filter: filter, Flags: uint16(flags), Fflags: fflags, Udata: udata}
}
