package gopoll

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
	"weak"
)

// Arena is one block of memory, pinned once, in buffers of one size. Lending
// its buffers, or parts of them, costs no pin of their own: it is meant for
// hot paths. Its methods may be called from any goroutine. An arena that is
// not freed is never collected.
type Arena struct {
	mu    sync.Mutex // taken inside Poller.mu
	block []byte     // nil once freed
	base  uintptr
	size  int
	step  int // from one buffer to the next
	free  []int32
	taken []bool  // by buffer: between Get and Put
	lends []*lend // by buffer: what is lent of it, each linked to the next by below
	lent  int     // lends in all
	pin   runtime.Pinner
}

// NewArena makes an arena of count buffers of size bytes each.
//
// Errors: ErrInvalid for sizes that are not positive or that no address
// space holds.
func NewArena(count, size int) (*Arena, error) {
	if count <= 0 || size <= 0 || count > math.MaxInt32 || size > math.MaxInt32 || count > maxArena/size {
		return nil, fail("arena", NoFd, ErrInvalid)
	}
	step := size
	if size%cacheStride == 0 {
		step += cacheLine
	}
	a := &Arena{block: make([]byte, count*step), size: size, step: step, free: make([]int32, count), taken: make([]bool, count), lends: make([]*lend, count)}
	for i := range a.free {
		a.free[i] = int32(count - 1 - i)
	}
	a.pin.Pin(unsafe.SliceData(a.block))
	// For comparison with the addresses of buffers: the block is pinned.
	a.base = uintptr(unsafe.Pointer(unsafe.SliceData(a.block)))
	arenas.add(a)
	return a, nil
}

// Buffers whose size is a multiple of cacheStride would begin in the same few
// sets of a processor's cache, and push each other out of it: such buffers
// are a cache line apart.
const (
	cacheStride = 512
	cacheLine   = 64
)

// maxArena is a quarter of what an address space can hold: 64 TiB, or 1 GiB
// with 32 bits.
const maxArena = 1 << (30 + 16*(^uint(0)>>63))

// Get takes a buffer, or nil if all are taken or the arena is freed. Its
// bytes are what the last user left.
func (a *Arena) Get() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.free)
	if a.block == nil || n == 0 {
		return nil
	}
	i := int(a.free[n-1])
	a.free = a.free[:n-1]
	a.taken[i] = true
	start := i * a.step
	return a.block[start : start+a.size : start+a.size]
}

// Put gives a buffer back, whole or any part of it that begins where it
// begins. After Free it does nothing. It panics where buf is not a buffer that
// Get gave out, or is lent.
func (a *Arena) Put(buf []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.block == nil {
		return
	}
	offset := address(buf) - a.base
	i := int(offset / uintptr(a.step))
	if offset >= uintptr(len(a.block)) || offset%uintptr(a.step) != 0 || !a.taken[i] {
		panic("gopoll: Put of what is no buffer of the arena")
	}
	if a.lends[i] != nil {
		panic("gopoll: Put of a buffer that is lent")
	}
	a.taken[i] = false
	a.free = append(a.free, int32(i))
}

// Free unpins the block. Buffers that are still held stay readable, but can't
// be lent any more.
//
// Errors: ErrExist while a part of the arena is lent, which changes nothing;
// ErrClosed when it was freed before.
func (a *Arena) Free() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.block == nil {
		return fail("free", NoFd, ErrClosed)
	}
	if a.lent > 0 {
		return fail("free", NoFd, ErrExist)
	}
	arenas.retire(a)
	a.pin.Unpin()
	a.block = nil
	return nil
}

// lend marks the memory of l as lent. Called with a.mu held.
func (a *Arena) lend(l *lend) error {
	if a.block == nil {
		return ErrInvalid
	}
	i := (l.start() - a.base) / uintptr(a.step)
	if !a.taken[i] {
		return ErrInvalid // it was Put back
	}
	first := &a.lends[i]
	for other := *first; other != nil; other = other.below {
		if l.start() < other.end() && other.start() < l.end() {
			return errOverlap
		}
	}
	l.arena, l.below = a, *first
	*first = l
	a.lent++
	return nil
}

// unlend is the end of lend. Called with a.mu held.
func (a *Arena) unlend(l *lend) {
	at := &a.lends[(l.start()-a.base)/uintptr(a.step)]
	for *at != l {
		at = &(*at).below
	}
	*at = l.below
	a.lent--
}

// address is for comparison only: with an arena's block, which is pinned.
func address(buf []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(buf))) }

// arenaRange is the memory of an arena. Of one that was freed it is kept as
// long as somebody holds a buffer of it, and no longer: the collector may give
// the memory to somebody else.
type arenaRange struct {
	start, end uintptr
	arena      *Arena
	freed      weak.Pointer[byte] // the block, once it was freed
}

// arenaTable finds the arena of a buffer. Readers take the whole list, which
// never changes; writers make a new one.
type arenaTable struct {
	mu   sync.Mutex // held by writers
	list atomic.Pointer[[]arenaRange]
}

var arenas arenaTable

func (t *arenaTable) update(change func([]arenaRange) []arenaRange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []arenaRange
	if old := t.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = slices.DeleteFunc(list, func(r arenaRange) bool { return r.arena == nil && r.freed.Value() == nil })
	list = change(list)
	slices.SortFunc(list, func(x, y arenaRange) int {
		if x.start < y.start {
			return -1
		}
		return 1
	})
	t.list.Store(&list)
}

func (t *arenaTable) add(a *Arena) {
	t.update(func(list []arenaRange) []arenaRange {
		return append(list, arenaRange{start: a.base, end: a.base + uintptr(len(a.block)), arena: a})
	})
}

func (t *arenaTable) retire(a *Arena) {
	t.update(func(list []arenaRange) []arenaRange {
		for i := range list {
			if list[i].arena == a {
				list[i].arena, list[i].freed = nil, weak.Make(unsafe.SliceData(a.block))
			}
		}
		return list
	})
}

// findArena is the arena that buf lies in, or nil. Part of one buffer can be
// lent, but not of two, nor of an arena that was freed.
func findArena(buf []byte) (*Arena, error) {
	list := arenas.list.Load()
	if list == nil || len(*list) == 0 {
		return nil, nil
	}
	start := address(buf)
	end := start + uintptr(len(buf))
	low, high := 0, len(*list)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if (*list)[middle].end <= start {
			low = middle + 1
		} else {
			high = middle
		}
	}
	for _, r := range (*list)[low:] {
		switch {
		case r.start >= end:
			return nil, nil
		case r.arena == nil && r.freed.Value() != nil:
			return nil, ErrInvalid
		case r.arena == nil: // the collector has it: buf is of somebody else
		case start < r.start || end > r.end || (start-r.start)/uintptr(r.arena.step) != (end-1-r.start)/uintptr(r.arena.step):
			return nil, ErrInvalid
		default:
			return r.arena, nil
		}
	}
	return nil, nil
}
