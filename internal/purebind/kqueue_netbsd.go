package purebind

import "golang.org/x/sys/unix"

type kfilter = uint32

const (
	evfiltRead  = unix.EVFILT_READ
	evfiltWrite = unix.EVFILT_WRITE
	// evfiltUser is there since NetBSD 10, and x/sys's headers are older. The
	// poller probes for it: older kernels refuse the number.
	evfiltUser   = 8
	evfiltExcept = 0 // there is none
	noteOOB      = 0
	hasExcept    = false
)

func makeKevent(fd int32, filter kfilter, flags, fflags uint32, udata uintptr) kevent {
	return kevent{Ident: uintptr(fd), Filter: filter, Flags: flags, Fflags: fflags, Udata: udata}
}
