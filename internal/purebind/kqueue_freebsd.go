package purebind

import "golang.org/x/sys/unix"

type kfilter = int16

const (
	evfiltRead   = unix.EVFILT_READ
	evfiltWrite  = unix.EVFILT_WRITE
	evfiltUser   = unix.EVFILT_USER
	evfiltExcept = 0 // there is none
	noteOOB      = 0
	hasExcept    = false
)

func makeKevent(fd int32, filter kfilter, flags, fflags uint32, udata uintptr) kevent {
	return kevent{Ident: uintptr(fd), Filter: filter, Flags: uint16(flags), Fflags: fflags, Udata: udata}
}
