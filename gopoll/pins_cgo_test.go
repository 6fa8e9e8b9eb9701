//go:build cgo && !purego

package gopoll

import (
	"runtime"
	"testing"

	"gopoll.dev/internal/cloop"
)

// TestPins: what is lent is pinned, from the call until its return was taken
// from the kernel, whichever way it comes back, and not longer.
func TestPins(t *testing.T) {
	if outside := make([]byte, 64); cloop.Pinned(&outside[0]) {
		t.Skip("cgo does not check pointers here (GODEBUG): nothing can tell what is pinned")
	}
	var pinner runtime.Pinner
	known := make([]byte, 64)
	pinner.Pin(&known[0])
	if !cloop.Pinned(&known[0]) {
		t.Fatal("what is pinned does not look so")
	}
	pinner.Unpin()
	eachBinding(t, func(t *testing.T, b Binding) {
		for name, end := range map[string]func(p *Poller, s Source, peer uintptr, count int){
			"returned": func(p *Poller, s Source, peer uintptr, count int) {
				for range count {
					mustWrite(t, peer, []byte{1})
					mustWait(t, p, make([]Event, 1))
				}
			},
			"reclaimed": func(p *Poller, s Source, peer uintptr, count int) {
				must(t, s.Reclaim(), waitSome(p, make([]Event, 8), count))
			},
			"deleted": func(p *Poller, s Source, peer uintptr, count int) {
				must(t, s.Delete(), waitSome(p, make([]Event, 8), count))
			},
			"closed": func(p *Poller, s Source, peer uintptr, count int) { must(t, p.Close()) },
		} {
			t.Run(name, func(t *testing.T) {
				p := newPoller(t, b)
				a, peer := newPair(t)
				s := mustAdd(t, p, a, 1, 0, Level)
				var bufs [][]byte
				for _, size := range []int{16, 100, 5000, 70000} {
					buf := make([]byte, size)
					must(t, s.LendRead(buf))
					bufs = append(bufs, buf)
				}
				for _, buf := range bufs {
					if !cloop.Pinned(&buf[0]) {
						t.Errorf("%d bytes that are lent are not pinned", len(buf))
					}
				}
				end(p, s, peer, len(bufs))
				for _, buf := range bufs {
					if cloop.Pinned(&buf[0]) {
						t.Errorf("%d bytes are pinned after their return", len(buf))
					}
				}
			})
		}
		t.Run("refused", func(t *testing.T) {
			p := newPoller(t, b, WithLendLimit(1, 1<<20))
			a, _ := newPair(t)
			s := mustAdd(t, p, a, 1, Writable, Level)
			first, second := make([]byte, 64), make([]byte, 64)
			mustBe(t, s.LendWrite(second), ErrExist)
			must(t, s.LendRead(first))
			mustBe(t, s.LendRead(second), ErrLimit)
			if cloop.Pinned(&second[0]) {
				t.Error("what was refused is pinned")
			}
		})
	})
	arena := mustArena(t, 2, 64)
	block := arena.Get()
	if !cloop.Pinned(&block[0]) {
		t.Error("an arena is not pinned")
	}
	must(t, arena.Free())
	if cloop.Pinned(&block[0]) {
		t.Error("an arena is pinned that was freed")
	}
}
