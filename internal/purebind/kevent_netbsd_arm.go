//go:build netbsd && arm

package purebind

type kevent struct {
	Ident  uintptr
	Filter kfilter
	Flags  uint32
	Fflags uint32
	Data   int64
	Udata  uintptr
	_      [4]byte
}
