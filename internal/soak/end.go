package main

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// end is one end of a connection. It sends a stream of a length by chance and
// shuts it down, and reads the other's to its end.
type end struct {
	w      *world
	key    uint64
	fd     uintptr
	tcp    bool
	stream uint32 // that it sends
	peer   *end   // for its stream's number and length

	cut atomic.Bool // its stream may end at any byte

	mu       sync.Mutex
	source   gopoll.Source
	mode     gopoll.Mode
	lends    bool
	length   int // of what it sends
	sent     int
	received int
	reading  []byte // lent
	ofArena  bool   // reading is
	writing  []byte // lent
	readEnd  bool   // the other's stream has ended
	writeEnd bool   // its own has
	broken   bool   // it is given up
	gone     bool
}

const chunk = 4096

// newEnd is an end that nobody else can use yet, by its lock. Called with w.mu
// held.
func (w *world) newEnd(fd uintptr, tcp bool) *end {
	w.nextKey++
	e := &end{w: w, key: w.nextKey, fd: fd, tcp: tcp, stream: w.rng.Uint32(), mode: gopoll.Mode(w.rng.IntN(3)),
		lends: w.rng.IntN(2) == 0, length: w.rng.IntN(1 << w.rng.IntN(20))}
	e.mu.Lock()
	w.ends[e.key] = e
	return e
}

func streamByte(stream uint32, at int) byte { return byte((uint32(at) + stream) * 2654435761 >> 11) }

func (e *end) interest() (r gopoll.Readiness) {
	if e.lends {
		return 0
	}
	if !e.readEnd {
		r = gopoll.Readable
	}
	if !e.writeEnd {
		r |= gopoll.Writable
	}
	return r
}

// start registers the end. Called, as what follows, with e.mu held.
func (e *end) start() {
	var err error
	e.source, err = e.w.p.Add(e.fd, e.key, e.interest(), e.mode)
	if err != nil {
		e.wrong("add", err)
		return
	}
	if e.lends {
		e.lendRead()
		e.lendWrite()
	}
}

// wrong complains, unless the poller was closed.
func (e *end) wrong(what string, err error) {
	if !errors.Is(err, gopoll.ErrClosed) || !e.w.stop.Load() {
		complain("%s: %v", what, err)
	}
}

func (e *end) handle(ev gopoll.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case ev.Ready&gopoll.Returned != 0:
		e.returned(ev)
	case e.gone: // another waiter had the same event
	case e.lends:
		complain("%v of an end that only lends", ev.Ready)
	default:
		e.ready()
	}
	e.finish()
}

// ready reads and writes what is possible.
func (e *end) ready() {
	before := e.interest()
	for turn := 0; turn < 16 || e.mode == gopoll.Edge; turn++ {
		read, wrote := e.read(), e.write()
		if !read && !wrote {
			break
		}
	}
	if e.broken {
		return
	}
	now := e.interest()
	switch {
	case now == 0:
	case e.mode == gopoll.OneShot || now != before:
		if err := e.source.Modify(e.key, now, e.mode); err != nil {
			e.wrong("modify", err)
		}
	case e.mode == gopoll.Edge:
		if err := e.source.Rearm(now); err != nil {
			e.wrong("rearm", err)
		}
	}
}

// read reads once, and says whether there may be more.
func (e *end) read() bool {
	if e.readEnd || e.broken {
		return false
	}
	buf := make([]byte, chunk)
	n, err := socket.Read(e.fd, buf)
	switch {
	case err == nil:
		e.check(buf[:n])
		return true
	case err == io.EOF:
		e.end()
	case err != socket.ErrWouldBlock:
		e.fails("read", err)
	}
	return false
}

func (e *end) check(got []byte) {
	for i, c := range got {
		if want := streamByte(e.peer.stream, e.received+i); c != want {
			complain("byte %d of stream %d is %#x and not %#x", e.received+i, e.peer.stream, c, want)
			break
		}
	}
	e.received += len(got)
	e.w.figures.add(bytesChecked, len(got))
}

// end is the end of the other's stream: all of it must have come.
func (e *end) end() {
	e.readEnd = true
	if e.received != e.peer.length && !e.tcpBroken() {
		complain("a stream of %d ended after %d (tcp %v)", e.peer.length, e.received, e.tcp)
	}
}

// tcpBroken says whether the other end may have been cut off.
func (e *end) tcpBroken() bool { return e.broken || e.peer.cut.Load() }

// write writes once, and says whether there is room for more.
func (e *end) write() bool {
	if e.writeEnd || e.broken {
		return false
	}
	n, err := socket.Write(e.fd, e.next())
	switch {
	case err == nil:
		e.sent += n
		e.writeDone()
		return !e.writeEnd
	case err != socket.ErrWouldBlock:
		e.fails("write", err)
	}
	return false
}

// next are the bytes to be sent next.
func (e *end) next() []byte {
	buf := make([]byte, min(chunk, e.length-e.sent))
	for i := range buf {
		buf[i] = streamByte(e.stream, e.sent+i)
	}
	return buf
}

func (e *end) writeDone() {
	if e.sent == e.length {
		e.writeEnd = true
		if err := socket.Shutdown(e.fd, socket.ShutWrite); err != nil {
			e.fails("shutdown", err)
		}
	}
}

// fails is for errors that only a connection may have of which one end was cut
// off.
func (e *end) fails(what string, err error) {
	if !e.tcpBroken() {
		complain("%s: %v", what, err)
	}
	e.breakOff()
}

// breakOff gives the connection up: what is lent comes back first.
func (e *end) breakOff() {
	if e.broken || e.gone {
		return
	}
	e.broken = true
	e.cut.Store(true)
	if e.reading != nil || e.writing != nil {
		if err := e.source.Reclaim(); err != nil {
			e.wrong("reclaim", err)
		}
	}
}

// finish closes the end when it has nothing to do any more.
func (e *end) finish() {
	if e.gone || e.reading != nil || e.writing != nil || !e.broken && !(e.readEnd && e.writeEnd) {
		return
	}
	e.gone = true
	if err := e.source.Delete(); err != nil {
		e.wrong("delete", err)
		return
	}
	if e.broken && e.tcp {
		e.w.figures.add(resets, 1)
		socket.Reset(e.fd)
	} else {
		socket.Close(e.fd)
	}
	e.w.forget(e)
}

// forget takes an end off the list.
func (w *world) forget(e *end) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ends, e.key)
	if _, there := w.ends[e.peer.key]; !there {
		w.live--
	}
}

// reset cuts the connection off.
func (e *end) reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.breakOff()
	e.finish()
}

// reclaim takes back what is lent. A write that was canceled can't be made
// again, as nobody knows how much of it went out.
func (e *end) reclaim() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone || e.reading == nil && e.writing == nil {
		return
	}
	if e.writing != nil {
		e.cut.Store(true)
	}
	if err := e.source.Reclaim(); err != nil {
		e.wrong("reclaim", err)
	}
}
