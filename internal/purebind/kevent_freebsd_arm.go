//go:build freebsd && arm

package purebind

// kevent is that of FreeBSD 12 and later.
type kevent struct {
	Ident  uintptr
	Filter kfilter
	Flags  uint16
	Fflags uint32
	_      [4]byte
	Data   int64
	Udata  uintptr
	_      [4]byte
	Ext    [4]uint64
}
