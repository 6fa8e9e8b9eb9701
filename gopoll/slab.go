//go:build windows

package gopoll

import (
	"math"
	"unsafe"

	"golang.org/x/sys/windows"

	"gopoll.dev/internal/abi"
)

const (
	// slabSize is VirtualAlloc's granularity: an address inside a slab names
	// its start.
	slabSize = 64 << 10
	opSize   = 128
	slabOps  = slabSize / opSize
)

// op is one operation that the kernel may have under way: the poll of a
// socket, or the transfer of a lent buffer. A poll's op lives as long as the
// registration, and longer if its completion is still to come.
type op struct {
	block    abi.Block // what the kernel writes to
	base     uintptr   // the socket that is polled
	slot     uint32    // whose poll it is; 0: the registration is over
	epoch    uint32    // when the poll was submitted
	asked    uint32    // what the poll in flight waits for
	helper   uint32    // the helper handle that polls go through
	armed    Readiness // what is to be reported next
	free     uint32    // the next free op
	next     uint32    // the next in the queue; see enqueue
	used     bool
	transfer bool // of a lent buffer: see slabs.transfers
	flying   bool // from its submission until its completion was dequeued
	canceled bool // asked to end early
	stale    bool // of an earlier registration: its completion means nothing
	queued   bool
}

// transfer is a lent buffer that the kernel has.
type transfer struct {
	lane *lane
	tail *lend // where it was cancelled: the last lend that this concerns
}

// slabs owns the ops of one poller, outside the Go heap: a completion that is
// late must find its block where it was, whatever became of its source. An op
// therefore holds no Go pointers. Number 0 is none, and its block the one that
// probes share.
type slabs struct {
	bases     []uintptr
	byBase    map[uintptr]uint32
	transfers []*[slabOps]transfer // as bases; nil where there never was one
	free      uint32               // a list
	used      int
}

// take reserves an op.
func (s *slabs) take() (uint32, error) {
	if s.free == 0 {
		if err := s.grow(); err != nil {
			return 0, err
		}
	}
	number := s.free
	o := s.at(number)
	s.free, o.used = o.free, true
	s.used++
	return number, nil
}

func (s *slabs) grow() error {
	if len(s.bases) == math.MaxUint32/slabOps {
		return ErrLimit
	}
	base, err := windows.VirtualAlloc(0, slabSize, windows.MEM_RESERVE|windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		return err
	}
	if s.byBase == nil {
		s.byBase = make(map[uintptr]uint32)
	}
	first := uint32(len(s.bases)) * slabOps
	s.byBase[base] = uint32(len(s.bases))
	s.bases = append(s.bases, base)
	s.transfers = append(s.transfers, nil)
	for number := first + slabOps - 1; number >= max(first, 1); number-- {
		s.at(number).free, s.free = s.free, number
	}
	return nil
}

// give returns an op that is not flying.
func (s *slabs) give(number uint32) {
	o := s.at(number)
	if o.transfer {
		*s.transferOf(number) = transfer{}
	}
	*o = op{free: s.free, next: o.next, queued: o.queued} // the queue may still hold it
	s.free = number
	s.used--
}

// address is that of the op, and of its block.
func (s *slabs) address(number uint32) uintptr {
	return s.bases[number/slabOps] + uintptr(number%slabOps)*opSize
}

// at is the op of a number.
func (s *slabs) at(number uint32) *op {
	// unsafe: memory outside the Go heap; op fits opSize, see below.
	return (*op)(unsafe.Pointer(abi.BlockAt(s.address(number))))
}

var _ [opSize - unsafe.Sizeof(op{})]struct{}

// transferOf is the Go side of the op of a lent buffer.
func (s *slabs) transferOf(number uint32) *transfer {
	chunk := &s.transfers[number/slabOps]
	if *chunk == nil {
		*chunk = new([slabOps]transfer)
	}
	return &(*chunk)[number%slabOps]
}

// number is the op at an address; 0: nobody's, as of an overlapped call that
// somebody else made on a handle that is associated with the port.
func (s *slabs) number(addr uint64) uint32 {
	base := uintptr(addr) &^ (slabSize - 1)
	index, ok := s.byBase[base]
	if !ok || uint64(base)+slabSize <= addr || addr%opSize != 0 {
		return 0
	}
	return index*slabOps + uint32((uintptr(addr)-base)/opSize)
}

// flying calls f with every op whose completion is still to come.
func (s *slabs) flying(f func(number uint32, o *op)) {
	for number := uint32(1); number < uint32(len(s.bases)*slabOps); number++ {
		if o := s.at(number); o.flying {
			f(number, o)
		}
	}
}

// close frees the slabs; nothing may be flying.
func (s *slabs) close() error {
	var first error
	for _, base := range s.bases {
		if err := windows.VirtualFree(base, 0, windows.MEM_RELEASE); err != nil && first == nil {
			first = err
		}
	}
	*s = slabs{}
	return first
}
