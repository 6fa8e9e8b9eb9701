package gopoll

import (
	"iter"
	"math"
)

// slot is what a poller knows of one source. Slots stay at their address for
// the poller's life; Poller.mu guards every field.
type slot struct {
	key      uint64
	fd       uintptr
	lends    *lends    // nil until the first lend
	born     uint32    // the stamp of its Add: a Source holds it, to be told from later tenants
	stamp    uint32    // raised by Add and Modify: the kernel holds it, to tell stale events
	interest Readiness // interestBits only
	native   uint32    // the backend's own; of a free slot the next free one
	mode     Mode
	live     bool // between Add and Delete
	fired    bool // OneShot has reported and waits for Modify
	borrowed bool // added by AddConn: the descriptor belongs to a connection

	contested bool // a staged change may end it
}

// deliver is the one place that decides what of the kernel's word becomes an
// event. Zero means none.
func (s *slot) deliver(got Readiness) Readiness {
	if s.fired {
		return 0
	}
	ready := got & s.interest
	if ready == 0 {
		// A half-close concerns who reads alone; lending has the kernel tell
		// of it whatever the interest is.
		if got&Errored == 0 && got&hungUp != hungUp {
			return 0
		}
		// Whoever waits for something that can't come any more is told by
		// the bits it waits for. A paused source has none.
		if ready = s.interest; ready == 0 {
			return 0
		}
	}
	s.fired = s.mode == OneShot
	return ready | got&hintBits
}

// data is the user data of the source's native registration. It is a number
// and no pointer: the kernel may hold it longer than the source lives.
func (s *slot) data(index uint32) uint64 { return nativeData(index, s.stamp) }

// registry holds the slots of one poller and finds them by number and by
// descriptor. Poller.mu guards it. Slot 0 is the poller's own.
type registry struct {
	chunks []*[chunkSize]slot
	free   uint32 // a list, linked by slot.native; 0 ends it
	live   int
	used   uint32 // slots ever used
	stamps uint32 // the newest stamp given
	byFd   map[uintptr]*fdPage
}

const (
	chunkSize = 128
	pageSize  = 256
)

// fdPage holds the slot number of each of 256 neighbouring descriptors:
// descriptors are small and dense, and a page costs four bytes for each.
type fdPage [pageSize]uint32

func (r *registry) init() {
	r.used = 1
	r.byFd = make(map[uintptr]*fdPage)
}

func (r *registry) at(index uint32) *slot { return &r.chunks[index/chunkSize][index%chunkSize] }

// lookup is the live slot of this number and stamp of birth, or nil.
func (r *registry) lookup(index, born uint32) *slot {
	if index == 0 || index >= r.used {
		return nil
	}
	if s := r.at(index); s.live && s.born == born {
		return s
	}
	return nil
}

// current is the live slot that the kernel's data names, or nil where its
// registration is over or was replaced.
func (r *registry) current(data uint64) (uint32, *slot) {
	index, stamp := splitData(data)
	if index == 0 || index >= r.used {
		return index, nil
	}
	if s := r.at(index); s.live && s.stamp&stampMask == stamp {
		return index, s
	}
	return index, nil
}

// all yields every live slot.
func (r *registry) all() iter.Seq2[uint32, *slot] {
	return func(yield func(uint32, *slot) bool) {
		for index := uint32(1); index < r.used; index++ {
			if s := r.at(index); s.live && !yield(index, s) {
				return
			}
		}
	}
}

// take reserves a slot, not live yet; 0 means that none is left.
func (r *registry) take() uint32 {
	if index := r.free; index != 0 {
		s := r.at(index)
		r.free, s.native = s.native, 0
		return index
	}
	if r.used == min(maxSlots, math.MaxUint32) {
		return 0
	}
	if int(r.used/chunkSize) == len(r.chunks) {
		r.chunks = append(r.chunks, new([chunkSize]slot))
	}
	r.used++
	return r.used - 1
}

// give returns a slot that is not live.
func (r *registry) give(index uint32) {
	r.at(index).native, r.free = r.free, index
}

// nextStamp is never that of an older registration of the same slot, unless
// four thousand million changes lie between.
func (r *registry) nextStamp() uint32 {
	r.stamps++
	return r.stamps
}

// find is the slot that has the descriptor, or 0.
func (r *registry) find(fd uintptr) uint32 {
	fd /= fdStep
	if page := r.byFd[fd/pageSize]; page != nil {
		return page[fd%pageSize]
	}
	return 0
}

func (r *registry) enter(fd uintptr, index uint32) {
	fd /= fdStep
	page := r.byFd[fd/pageSize]
	if page == nil {
		page = new(fdPage)
		r.byFd[fd/pageSize] = page
	}
	page[fd%pageSize] = index
	r.live++
}

// remove ends the slot's life. The descriptor's entry is left alone where
// another slot has taken it.
func (r *registry) remove(index uint32) {
	s := r.at(index)
	fd := s.fd / fdStep
	if page := r.byFd[fd/pageSize]; page[fd%pageSize] == index {
		page[fd%pageSize] = 0
	}
	*s = slot{}
	r.live--
	r.give(index)
}
