package main

import (
	"time"

	"gopoll.dev/gopoll"
)

// lent has a buffer of one byte lent for reading on every read end, and lends
// one on a write end for each byte passed on: the poller does all reads and
// writes. Both ends are registered, with no interest of their own.
type lent struct {
	*chain
	arena *gopoll.Arena
	ends  []end
}

// An end is what one pair has: two sources and three buffers. A write may be lent before the return of the one
// before it has been seen, in the same Wait; no more than two are ever out.
type end struct {
	in, out gopoll.Source
	read    []byte
	write   [2][]byte
	writes  uint
}

// room is what a read has: more than the one byte that comes, so that a read
// which is short of it tells that nothing is left.
const room = 16

func newLent(c *chain) *lent {
	arena, err := gopoll.NewArena(3*len(c.pairs), room)
	check(err)
	l := &lent{c, arena, make([]end, len(c.pairs))}
	for i := range l.ends {
		e := &l.ends[i]
		e.read, e.write = arena.Get(), [2][]byte{arena.Get()[:1], arena.Get()[:1]}
		e.write[0][0], e.write[1][0] = byte(i), byte(i)
	}
	return l
}

func (l *lent) register() {
	changes := make([]gopoll.Change, 2*len(l.pairs))
	for i, p := range l.pairs {
		changes[2*i] = gopoll.Change{Op: gopoll.OpAdd, Fd: p.in, Key: uint64(i)}
		changes[2*i+1] = gopoll.Change{Op: gopoll.OpAdd, Fd: p.out, Key: uint64(i)}
	}
	check(l.poller.Apply(changes))
	for i := range l.ends {
		e := &l.ends[i]
		e.in, e.out = changes[2*i].Source, changes[2*i+1].Source
		check(e.in.LendRead(e.read))
	}
	l.wait(0)
}

func (l *lent) turn() { l.wait(-1) }

func (l *lent) wait(timeout time.Duration) {
	n, err := l.poller.Wait(l.events, timeout)
	check(err)
	for _, ev := range l.events[:n] {
		moved, err := ev.Result()
		check(err)
		if moved != 1 {
			fail("bytes moved:", moved)
		}
		if ev.Ready&gopoll.Writable != 0 {
			continue
		}
		i := int(ev.Key)
		e := &l.ends[i]
		if e.read[0] != byte(i) {
			fail("a byte of another pair")
		}
		check(e.in.LendRead(e.read))
		if to, ok := l.next(i); ok {
			e := &l.ends[to]
			check(e.out.LendWrite(e.write[e.writes%2]))
			e.writes++
		}
	}
}

func (l *lent) shut(err error) {
	check(err)
	check(l.arena.Free())
}
