package gopoll

import (
	"math"
	"runtime"
	"sync"
	"testing"
	"weak"
)

func mustArena(tb testing.TB, count, size int) *Arena {
	tb.Helper()
	a, err := NewArena(count, size)
	must(tb, err)
	return a
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}

func TestArenaSizes(t *testing.T) {
	for _, c := range [][2]int{{0, 1}, {1, 0}, {-1, 1}, {1, -1}, {math.MaxInt, math.MaxInt}, {math.MaxInt, 1}, {1, math.MaxInt},
		{math.MaxInt32, math.MaxInt32}, {math.MinInt, math.MinInt}} {
		if a, err := NewArena(c[0], c[1]); a != nil || err == nil {
			t.Errorf("arena of %d x %d: got %v, %v", c[0], c[1], a, err)
		} else {
			mustBe(t, err, ErrInvalid)
		}
	}
}

func TestArenaBuffers(t *testing.T) {
	a := mustArena(t, 3, 10)
	bufs := [][]byte{a.Get(), a.Get(), a.Get()}
	if a.Get() != nil {
		t.Error("a fourth buffer of three")
	}
	for i, buf := range bufs {
		if len(buf) != 10 || cap(buf) != 10 {
			t.Errorf("length %d, capacity %d, want 10", len(buf), cap(buf))
		}
		for j := range buf {
			buf[j] = byte(i)
		}
	}
	for i, buf := range bufs {
		for _, c := range buf {
			if c != byte(i) {
				t.Fatal("buffers overlap")
			}
		}
	}
	mustPanic(t, "Put of a part that does not begin where its buffer begins", func() { a.Put(bufs[0][1:]) })
	mustPanic(t, "Put of a stranger's memory", func() { a.Put(make([]byte, 10)) })
	mustPanic(t, "Put of nothing", func() { a.Put(nil) })
	a.Put(bufs[1][:4])
	mustPanic(t, "a second Put", func() { a.Put(bufs[1]) })
	if again := a.Get(); &again[0] != &bufs[1][0] || len(again) != 10 {
		t.Error("not the whole buffer that was put")
	}
	must(t, a.Free())
	mustBe(t, a.Free(), ErrClosed)
	if a.Get() != nil {
		t.Error("a buffer of a freed arena")
	}
	a.Put(bufs[0]) // no panic
	bufs[0][3] = 7 // and still readable
}

func TestArenaLends(t *testing.T) {
	if invariants {
		t.Skip("gopoll_invariants panics where this test looks for errors; TestInvariants has those")
	}
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		x, _ := newPair(t)
		s := mustAdd(t, p, x, 1, 0, Level)
		a := mustArena(t, 4, 64)
		first, second := a.Get(), a.Get()
		whole := a.block

		must(t, s.LendRead(first[:20]), s.LendRead(first[40:64]), s.LendRead(second))
		mustBe(t, s.LendRead(first[19:21]), ErrExist)
		mustBe(t, s.LendWrite(first[63:]), ErrExist)
		must(t, s.LendRead(first[20:40]))
		mustBe(t, s.LendRead(whole[100:200]), ErrInvalid) // parts of two buffers
		mustBe(t, s.LendRead(whole), ErrInvalid)
		mustBe(t, a.Free(), ErrExist)
		mustPanic(t, "Put of what is lent", func() { a.Put(first) })

		must(t, s.Reclaim())
		events := make([]Event, 8)
		must(t, waitSome(p, events, 4))
		nothingLent(t, p)
		a.Put(first)
		must(t, a.Free())
		mustBe(t, s.LendRead(second), ErrInvalid)
		mustBe(t, s.LendRead(second[5:6]), ErrInvalid)
		nothingLent(t, p)
	})
}

// TestArenaTombstones: a freed arena is remembered as long as somebody holds
// its memory, and not longer, or the memory of its next owner could not be lent.
func TestArenaTombstones(t *testing.T) {
	p := newPoller(t, Pure)
	x, _ := newPair(t)
	s := mustAdd(t, p, x, 1, 0, Level)
	before := tombstones()

	a := mustArena(t, 1, 1<<20)
	buf := a.Get()
	block := weak.Make(&a.block[0])
	must(t, a.Free())
	collected := func() bool { runtime.GC(); return block.Value() == nil }
	for range 3 {
		if collected() {
			t.Fatal("collected while held")
		}
		mustBe(t, s.LendRead(buf), ErrInvalid)
	}
	runtime.KeepAlive(buf)
	buf = nil
	until("the block to be collected", collected)

	// Whoever is given that memory now can lend it.
	for range 64 {
		must(t, s.LendRead(make([]byte, 1<<20)))
	}
	must(t, s.Reclaim(), waitSome(p, make([]Event, 64), 64))

	must(t, mustArena(t, 1, 8).Free())
	if now := tombstones(); now > before+1 {
		t.Errorf("%d freed arenas are remembered, %d before", now, before)
	}
}

func tombstones() (count int) {
	list := arenas.list.Load()
	if list == nil {
		return 0
	}
	for _, r := range *list {
		if r.arena == nil && r.freed.Value() != nil {
			count++
		}
	}
	return count
}

// TestArenaManyGoroutines: no buffer is given to two at a time.
func TestArenaManyGoroutines(t *testing.T) {
	a := mustArena(t, 5, 32)
	defer a.Free()
	var group sync.WaitGroup
	for id := range 8 {
		group.Go(func() {
			for range 2000 {
				buf := a.Get()
				if buf == nil {
					runtime.Gosched()
					continue
				}
				for i := range buf {
					buf[i] = byte(id)
				}
				runtime.Gosched()
				for _, c := range buf {
					if c != byte(id) {
						t.Error("somebody else wrote to the buffer")
						return
					}
				}
				a.Put(buf)
			}
		})
	}
	join("Get and Put", &group)
	var all [][]byte
	for buf := a.Get(); buf != nil; buf = a.Get() {
		all = append(all, buf)
	}
	if len(all) != 5 {
		t.Errorf("%d buffers at the end, want 5", len(all))
	}
}

// TestFindArena looks among many, some of them freed, at every edge.
func TestFindArena(t *testing.T) {
	var live, freed []*Arena
	var held [][]byte
	for i := range 20 {
		a := mustArena(t, 3, 100+i)
		held = append(held, a.block)
		if i%3 == 0 {
			freed = append(freed, a)
		} else {
			live = append(live, a)
		}
	}
	for _, a := range freed {
		must(t, a.Free())
	}
	for i, block := range held {
		size := 100 + i
		for _, c := range []struct {
			from, to int
			inside   bool
		}{{0, 1, true}, {0, size, true}, {size - 1, size, true}, {size, 2 * size, true}, {3*size - 1, 3 * size, true},
			{0, size + 1, false}, {size - 1, size + 1, false}, {0, 3 * size, false}} {
			a, err := findArena(block[c.from:c.to])
			switch {
			case i%3 == 0 || !c.inside:
				mustBe(t, err, ErrInvalid)
			case err != nil || a == nil || a.size != size:
				t.Errorf("bytes %d to %d of arena %d: got %v, %v", c.from, c.to, i, a, err)
			}
		}
	}
	if a, err := findArena(make([]byte, 50)); a != nil || err != nil {
		t.Errorf("a plain buffer: got %v, %v", a, err)
	}
	for _, a := range live {
		must(t, a.Free())
	}
	runtime.KeepAlive(held)
}
