//go:build cgo

package cloop

// static void look(void *holder) { (void)holder; }
import "C"

import "unsafe"

// holder is memory with a pointer to other memory.
type holder struct{ p *byte }

// Pinned says whether the memory at p is pinned: cgo panics where C is handed
// memory that holds a pointer to what is not. The setting cgocheck=0 in GODEBUG
// switches that off.
func Pinned(p *byte) (pinned bool) {
	defer func() { pinned = recover() == nil }()
	C.look(unsafe.Pointer(&holder{p}))
	return true
}
