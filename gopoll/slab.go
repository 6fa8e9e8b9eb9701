//go:build windows

package gopoll

import (
	"math"
	"slices"

	"golang.org/x/sys/windows"

	"gopoll.dev/internal/abi"
)

const (
	// slabSize is VirtualAlloc's granularity: an address inside a slab names
	// its start.
	slabSize = 64 << 10
	slabOps  = slabSize / abi.BlockSize
)

// op is one operation that the kernel may have under way: the poll of a
// socket, or the transfer of a lent buffer. What the kernel writes to is its
// block, at the same place in the slab. The poll's op lives as long as the
// registration, and longer if its completion is still to come.
type op struct {
	base     uintptr   // the socket that is polled
	lane     *lane     // of a transfer
	tail     *lend     // of a transfer that was cancelled: the last lend that this concerns
	slot     uint32    // whose poll it is; 0: the registration is over
	epoch    uint32    // when the poll was submitted
	asked    uint32    // what the poll in flight waits for
	helper   uint32    // the helper handle that polls go through
	armed    Readiness // what is to be reported next
	flying   bool      // from its submission until its completion was dequeued
	canceled bool      // asked to end early
	stale    bool      // of an earlier registration: its completion means nothing
	queued   bool      // in backend.queue
}

// slabs owns the blocks of one poller, outside the Go heap: a completion that
// is late must find its block where it was, whatever became of its source.
// Number 0 is no op, and its block the one that probes share.
type slabs struct {
	bases  []uintptr
	ops    []*[slabOps]op
	byBase map[uintptr]uint32
	free   []uint32
}

// take reserves an op.
func (s *slabs) take() (uint32, error) {
	if len(s.free) == 0 {
		if err := s.grow(); err != nil {
			return 0, err
		}
	}
	number := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
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
	s.ops = append(s.ops, new([slabOps]op))
	s.free = slices.Grow(s.free, len(s.bases)*slabOps) // so that give never allocates
	for number := first + slabOps - 1; number > first; number-- {
		s.free = append(s.free, number)
	}
	if first != 0 {
		s.free = append(s.free, first)
	}
	return nil
}

// give returns an op that is not flying.
func (s *slabs) give(number uint32) {
	queued := s.at(number).queued
	*s.at(number) = op{queued: queued} // the queue still has the number
	s.free = append(s.free, number)
}

func (s *slabs) at(number uint32) *op { return &s.ops[number/slabOps][number%slabOps] }

// address is that of the op's block.
func (s *slabs) address(number uint32) uintptr {
	return s.bases[number/slabOps] + uintptr(number%slabOps)*abi.BlockSize
}

func (s *slabs) block(number uint32) *abi.Block { return abi.BlockAt(s.address(number)) }

// number is the op whose block is at addr; 0: nobody's, as of an overlapped
// call that somebody else made on a handle that is associated with the port.
func (s *slabs) number(addr uint64) uint32 {
	base := uintptr(addr) &^ (slabSize - 1)
	index, ok := s.byBase[base]
	if !ok || uint64(base)+slabSize <= addr || addr%abi.BlockSize != 0 {
		return 0
	}
	return index*slabOps + uint32((uintptr(addr)-base)/abi.BlockSize)
}

// inUse counts the ops that are taken.
func (s *slabs) inUse() int { return max(len(s.bases)*slabOps-1, 0) - len(s.free) }

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
