package main

import (
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// ready watches the read ends, level-triggered; all are added in one crossing.
type ready struct{ *chain }

func newReady(c *chain) ready { return ready{c} }

func (r ready) register() {
	changes := make([]gopoll.Change, len(r.pairs))
	for i, p := range r.pairs {
		changes[i] = gopoll.Change{Op: gopoll.OpAdd, Fd: p.in, Key: uint64(i), Interest: gopoll.Readable}
	}
	check(r.poller.Apply(changes))
	r.wait(0)
}

func (r ready) turn() { r.wait(-1) }

func (r ready) wait(timeout time.Duration) {
	n, err := r.poller.Wait(r.events, timeout)
	check(err)
	var b [1]byte
	for _, ev := range r.events[:n] {
		i := int(ev.Key)
		_, err := socket.Read(r.pairs[i].in, b[:])
		check(err)
		if b[0] != byte(i) {
			fail("a byte of another pair")
		}
		if to, ok := r.next(i); ok {
			b[0] = byte(to)
			_, err := socket.Write(r.pairs[to].out, b[:])
			check(err)
		}
	}
}

func (r ready) shut(err error) { check(err) }
