//go:build linux && kqueue_double && kqueue_double_netbsd

package purebind

type kfilter = uint32

// kevent is NetBSD's.
type kevent struct {
	Ident  uintptr
	Filter kfilter
	Flags  uint32
	Fflags uint32
	Data   int64
	Udata  uintptr
}

const (
	evfiltRead   = 0
	evfiltWrite  = 1
	evfiltUser   = 8
	evfiltExcept = 99 // there is none
	noteOOB      = 0
	hasExcept    = false
)

func makeKevent(fd int32, filter kfilter, flags, fflags uint32, udata uintptr) kevent {
	return kevent{Ident: uintptr(fd), Filter: filter, Flags: flags, Fflags: fflags, Udata: udata}
}
