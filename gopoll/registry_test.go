package gopoll

import (
	"math/rand/v2"
	"testing"
)

// TestRegistryAgainstModel registers and removes descriptors at random, far
// apart and close together, beside a map.
func TestRegistryAgainstModel(t *testing.T) {
	type entry struct {
		index, born uint32
		at          *slot
	}
	var r registry
	r.init()
	rng := rand.New(rand.NewPCG(3, 4))
	model := make(map[uintptr]entry)
	var gone []entry
	bases := []uintptr{0, 250, 1 << 20, ^uintptr(0)/fdStep - 2000}
	for step := range 50000 {
		fd := (bases[rng.IntN(len(bases))] + uintptr(rng.IntN(600))) * fdStep
		e, has := model[fd]
		if got := r.find(fd); got != e.index {
			t.Fatalf("step %d: descriptor %d is in slot %d, want %d", step, fd, got, e.index)
		}
		if has {
			if r.lookup(e.index, e.born) != e.at || e.at.fd != fd {
				t.Fatalf("step %d: slot %d moved", step, e.index)
			}
			r.remove(e.index)
			delete(model, fd)
			gone = append(gone, e)
		} else {
			e = entry{index: r.take(), born: r.nextStamp()}
			if e.index == 0 {
				t.Fatal("slot 0 is the poller's own")
			}
			e.at = r.at(e.index)
			if e.at.live {
				t.Fatalf("step %d: slot %d has a tenant", step, e.index)
			}
			*e.at = slot{fd: fd, born: e.born, stamp: e.born, live: true}
			r.enter(fd, e.index)
			model[fd] = e
		}
		if r.live != len(model) {
			t.Fatalf("step %d: %d live, want %d", step, r.live, len(model))
		}
	}
	for _, e := range gone {
		if s := r.lookup(e.index, e.born); s != nil {
			t.Fatalf("a stale handle of slot %d finds its later tenant", e.index)
		}
		if _, s := r.current(nativeData(e.index, e.born)); s != nil {
			t.Fatalf("a stale event of slot %d finds its later tenant", e.index)
		}
	}
	count := 0
	for index, s := range r.all() {
		if model[s.fd].index != index {
			t.Fatalf("slot %d is not the one of descriptor %d", index, s.fd)
		}
		count++
	}
	if count != len(model) {
		t.Fatalf("all yields %d of %d", count, len(model))
	}
}

// TestRegistryReusesSlots: memory is what the most sources at one time took.
func TestRegistryReusesSlots(t *testing.T) {
	var r registry
	r.init()
	for round := range 100 {
		var taken []uint32
		for i := range uintptr(1000) {
			fd := i * fdStep
			index := r.take()
			*r.at(index) = slot{fd: fd, born: r.nextStamp(), live: true}
			r.enter(fd, index)
			taken = append(taken, index)
		}
		for _, index := range taken {
			r.remove(index)
		}
		if r.used > 1001 {
			t.Fatalf("round %d: %d slots used for 1,000 sources", round, r.used)
		}
	}
}

// TestRefusedChangesKeepNothing: an Add that fails, for whatever reason, leaves
// no slot behind.
func TestRefusedChangesKeepNothing(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		p := newPoller(t, b)
		a, _ := newPair(t)
		s := mustAdd(t, p, a, 1, Readable, Level)
		for range 1000 {
			_, err := p.Add(a, 2, Readable, Level)
			mustBe(t, err, ErrExist)
			if _, err = p.Add(NoFd, 2, Readable, Level); err == nil {
				t.Fatal("no error for what is no descriptor")
			}
			_, err = p.Add(a, 2, Returned, Level)
			mustBe(t, err, ErrInvalid)
			_, err = p.Add(a, 2, Readable, OneShot+1)
			mustBe(t, err, ErrInvalid)
			mustBe(t, s.Modify(2, Readable, OneShot+1), ErrInvalid)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.registry.live != 1 || p.registry.used > 4 {
			t.Errorf("%d sources live, %d slots used, for one", p.registry.live, p.registry.used-1)
		}
	})
}

// TestRegistryNewOwner: the end of an old registration leaves the descriptor's
// new one alone.
func TestRegistryNewOwner(t *testing.T) {
	var r registry
	r.init()
	old, fresh := r.take(), r.take()
	*r.at(old) = slot{fd: 7, born: r.nextStamp(), live: true}
	r.enter(7, old)
	*r.at(fresh) = slot{fd: 7, born: r.nextStamp(), live: true}
	r.enter(7, fresh)
	r.remove(old)
	if got := r.find(7); got != fresh {
		t.Errorf("descriptor 7 is in slot %d, want %d", got, fresh)
	}
}

// TestNativeData: what goes into the kernel comes back.
func TestNativeData(t *testing.T) {
	for _, index := range []uint32{0, 1, chunkSize, maxSlots - 1} {
		for _, stamp := range []uint32{0, 1, 1<<12 - 1, 1 << 12, 1 << 31, 1<<32 - 1} {
			i, s := splitData(nativeData(index, stamp))
			if i != index || s != stamp&stampMask {
				t.Errorf("slot %d, stamp %d came back as %d, %d", index, stamp, i, s)
			}
		}
	}
}

// TestDeliver goes through every registration and word of the kernel.
func TestDeliver(t *testing.T) {
	for interest := Readiness(0); interest <= interestBits; interest++ {
		for got := Readiness(0); got < Returned; got++ {
			for _, mode := range []Mode{Level, Edge, OneShot} {
				s := slot{interest: interest, mode: mode, live: true}
				ready := s.deliver(got)
				asked, hinted := got&interest != 0, got&Errored != 0 || got&hungUp == hungUp
				switch {
				case interest == 0 && ready != 0:
					t.Fatalf("paused, and yet %v for %v", ready, got)
				case interest != 0 && (ready != 0) != (asked || hinted):
					t.Fatalf("%v asked for, %v came, %v reported", interest, got, ready)
				case ready != 0 && ready&interestBits&^interest != 0:
					t.Fatalf("%v reported, %v asked for", ready, interest)
				case ready != 0 && ready&interest == 0:
					t.Fatalf("%v reported: nothing to do for who asked for %v", ready, interest)
				case ready != 0 && ready&hintBits != got&hintBits:
					t.Fatalf("%v reported of the hints in %v", ready, got)
				}
				again := s.deliver(got)
				if want := ready; mode == OneShot && again != 0 || mode != OneShot && again != want {
					t.Fatalf("%v: %v, and then %v", mode, ready, again)
				}
			}
		}
	}
}
