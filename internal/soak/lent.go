package main

import (
	"errors"
	"slices"

	"gopoll.dev/gopoll"
)

// lendRead lends a buffer of the arena if it has one.
func (e *end) lendRead() {
	e.reading = e.w.arena.Get()
	if e.ofArena = e.reading != nil; !e.ofArena {
		e.reading = make([]byte, chunk)
	}
	if err := e.source.LendRead(e.reading); err != nil {
		e.takeBack()
		e.wrong("lend a read", err)
	}
}

// lendWrite lends what is to be sent next, or ends the stream.
func (e *end) lendWrite() {
	if e.sent == e.length {
		e.writeDone()
		return
	}
	buf := e.next()
	if err := e.source.LendWrite(buf); err != nil {
		e.wrong("lend a write", err)
		return
	}
	e.writing = buf
}

// takeBack ends a lent read. What was of the arena is copied: it is another's
// from then on.
func (e *end) takeBack() (buf []byte) {
	if buf = e.reading; e.ofArena {
		buf = slices.Clone(buf)
		e.w.arena.Put(e.reading)
	}
	e.reading = nil
	return buf
}

// returned takes a buffer back.
func (e *end) returned(ev gopoll.Event) {
	e.w.figures.add(returns, 1)
	n, err := ev.Result()
	if ev.Ready&gopoll.Writable != 0 {
		e.returnedWrite(n, err)
		return
	}
	if e.reading == nil {
		complain("a read returned that was not lent")
		return
	}
	buf := e.takeBack()
	switch {
	case errors.Is(err, gopoll.ErrCanceled):
		e.w.figures.add(cancels, 1)
	case err != nil:
		e.fails("lent read", err)
	case ev.Ready&gopoll.EOF != 0:
		e.end()
	default:
		e.check(buf[:n])
	}
	if !e.readEnd && !e.broken {
		e.lendRead()
	}
}

func (e *end) returnedWrite(n int, err error) {
	buf := e.writing
	if buf == nil {
		complain("a write returned that was not lent")
		return
	}
	e.writing = nil
	switch {
	case errors.Is(err, gopoll.ErrCanceled):
		e.w.figures.add(cancels, 1)
		if !e.broken && !e.cut.Load() {
			complain("a write came back canceled that nobody has canceled")
		}
		e.breakOff()
	case err != nil:
		e.fails("lent write", err)
	case n != len(buf):
		complain("a lent write of %d returned as %d", len(buf), n)
	default:
		e.sent += n
		if !e.broken {
			e.lendWrite()
		}
	}
}
