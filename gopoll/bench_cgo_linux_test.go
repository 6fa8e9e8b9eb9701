//go:build linux && cgo && !purego && !kqueue_double

package gopoll

import (
	"testing"

	"gopoll.dev/internal/cloop"
)

func init() {
	rivals = append(rivals, rival{"c", cWaits, cAdds, cModifies, cWakes, cReads})
}

func narrow(fds []uintptr) (narrowed []int32) {
	for _, fd := range fds {
		narrowed = append(narrowed, int32(fd))
	}
	return narrowed
}

// The loop is in C: one call makes all rounds.

func cWaits(b *testing.B, fds []uintptr, capacity int) {
	epfd := bareSet(b, fds)
	b.ResetTimer()
	cloop.Waits(epfd, capacity, b.N)
}

func cAdds(b *testing.B, fds []uintptr) {
	epfd, narrowed := bareSet(b, nil), narrow(fds)
	b.ResetTimer()
	if failed := cloop.Adds(epfd, narrowed, b.N); failed != 0 {
		b.Fatal(failed)
	}
}

func cModifies(b *testing.B, fds []uintptr) {
	epfd, narrowed := bareSet(b, fds), narrow(fds)
	b.ResetTimer()
	if failed := cloop.Modifies(epfd, narrowed, b.N); failed != 0 {
		b.Fatal(failed)
	}
}

func cWakes(b *testing.B) {
	if !cloop.Wakes(b.N) {
		b.Fatal("a call failed")
	}
}

func cReads(b *testing.B, fds, peers []uintptr) {
	epfd, narrowed, theirs := bareSet(b, fds), narrow(fds), narrow(peers)
	b.ResetTimer()
	if n := cloop.Reads(epfd, narrowed, theirs, b.N); n != b.N*len(fds) {
		b.Fatal(n)
	}
}
