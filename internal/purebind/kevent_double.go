//go:build linux && kqueue_double && !kqueue_double_netbsd

package purebind

type kfilter = int16

// kevent is FreeBSD's, with macOS's EVFILT_EXCEPT.
type kevent struct {
	Ident  uintptr
	Filter kfilter
	Flags  uint16
	Fflags uint32
	Data   int64
	Udata  uintptr
	Ext    [4]uint64
}

const (
	evfiltRead   = -1
	evfiltWrite  = -2
	evfiltUser   = -11
	evfiltExcept = -15
	noteOOB      = 2
	hasExcept    = true
)

func makeKevent(fd int32, filter kfilter, flags, fflags uint32, udata uintptr) kevent {
	return kevent{Ident: uintptr(fd), Filter: filter, Flags: uint16(flags), Fflags: fflags, Udata: udata}
}
