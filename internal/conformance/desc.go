package conformance

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"gopoll.dev/gopoll/socket"
)

// patience bounds whatever a script waits for. It says only when to give up: nothing waits this long to find
// that nothing comes.
var patience = 20 * time.Second

// kind is what a descriptor is.
type kind uint8

const (
	kindTCP kind = iota
	kindUnix
	kindUDP
	kindUnixgram
	kindPipe
	kindListener
	kindFile // and whatever else has no data in scripts
)

func (k kind) datagram() bool { return k == kindUDP || k == kindUnixgram }

// desc is a name that a script gave to a descriptor.
type desc struct {
	name  string
	fd    uintptr
	open  bool
	end   *end
	owner owner // of package net or os: it is read, written and closed there
	kept  bool  // belongs to somebody else: not closed with the script
}

// owner is what another package's connection, listener or file can do.
type owner interface {
	io.Closer
	syscall.Conn
}

// end is one end of a connection, however many descriptors it has.
type end struct {
	kind    kind
	holders []*desc // open descriptors
	peer    *end
	out, in *stream
	noRead  bool // shut down, or never possible
	noWrite bool
	filled  bool // written until it would block: a drained peer makes it writable again

	waiting bool   // in a listener's queue, not accepted yet
	address string // listeners and unconnected datagram sockets
	backlog []*end // listeners: connections not accepted yet
}

func (e *end) fd() uintptr { return e.holders[0].fd }
func (e *end) open() bool  { return len(e.holders) > 0 }

func (d *desc) try(b []byte, read bool) (int, error) {
	if d.owner != nil {
		rc, err := d.owner.SyscallConn()
		if err != nil {
			return 0, err
		}
		var n int
		once := func(fd uintptr) bool { // one attempt: a true result keeps package net from waiting
			if connsBlock {
				bits := int16(pollOut)
				if read {
					bits = pollIn
				}
				var got int16
				if got, err = sysPoll(fd, bits, 0); got == 0 || err != nil {
					err = errors.Join(err, errWouldBlock)
					return true
				}
			}
			n, err = tryFd(d.end.kind, fd, b, read)
			return true
		}
		var outer error
		if read {
			outer = rc.Read(once)
		} else {
			outer = rc.Write(once)
		}
		if outer != nil {
			return 0, outer
		}
		return n, err
	}
	if d.end == nil {
		return tryFd(kindFile, d.fd, b, read)
	}
	return tryFd(d.end.kind, d.fd, b, read)
}

func tryFd(k kind, fd uintptr, b []byte, read bool) (int, error) {
	switch {
	case k == kindPipe || k == kindFile:
		if read {
			return sysRead(fd, b)
		}
		return sysWrite(fd, b)
	case read:
		n, err := socket.Read(fd, b)
		if err == io.EOF {
			err = nil
		}
		return n, err
	}
	return socket.Write(fd, b)
}

func (d *desc) close() error {
	if !d.open {
		return fmt.Errorf("%s is closed already", d.name)
	}
	d.open = false
	if e := d.end; e != nil {
		for i, h := range e.holders {
			if h == d {
				e.holders = append(e.holders[:i:i], e.holders[i+1:]...)
				break
			}
		}
	}
	switch {
	case d.kept:
		return nil
	case d.owner != nil:
		return d.owner.Close()
	case d.end == nil || d.end.kind == kindPipe || d.end.kind == kindFile:
		return sysClose(d.fd)
	}
	return socket.Close(d.fd)
}

// until looks again and again, each time for a moment in poll(2), until done says so.
func until(fd uintptr, bits int16, what string, done func(got int16) (bool, error)) error {
	deadline := time.Now().Add(patience)
	for {
		got, err := sysPoll(fd, bits, 5)
		if err != nil {
			return fmt.Errorf("poll: %w", err)
		}
		if ok, err := done(got); ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s did not come about in %v (poll says %#x)", what, patience, uint16(got))
		}
		if got != 0 {
			pause() // poll doesn't wait while something else is ready
		}
	}
}

// settleWritten returns when what e wrote has reached its peer.
func (e *end) settleWritten() error {
	p := e.peer
	if p == nil || p.waiting {
		return nil
	}
	if !p.open() {
		if e.kind != kindTCP {
			return nil
		}
		return until(e.fd(), 0, "the reset that answers bytes for nobody", func(got int16) (bool, error) {
			return got&(pollHup|pollErr) != 0, nil
		})
	}
	s := e.out
	s.mu.Lock()
	want, skip := s.wrote-s.read, p.noRead || s.lent > 0 || s.reader
	exact := !e.kind.datagram() && !s.vague && want <= 16<<10
	s.mu.Unlock()
	if skip || want == 0 && !e.kind.datagram() {
		return nil
	}
	return until(p.fd(), pollIn, "the arrival of what was written", func(got int16) (bool, error) {
		if !exact {
			return got&(pollIn|pollHup|pollErr) != 0, nil
		}
		n, err := sysQueued(p.fd())
		return int64(n) == want && got&pollIn != 0 || got&(pollHup|pollErr) != 0, err
	})
}

// settleEnd returns when the peer knows that nothing more comes from e.
func (e *end) settleEnd() error {
	p := e.peer
	if p == nil || !p.open() || e.kind.datagram() {
		return nil
	}
	bits := int16(pollPeerEnd)
	if e.kind == kindPipe && !p.noWrite { // the reader has gone: the writer is told by an error
		bits = pollOut
		return until(p.fd(), bits, "the end of the pipe", func(got int16) (bool, error) { return got&(pollErr|pollHup) != 0, nil })
	}
	return until(p.fd(), bits, "the end of the stream at the peer", func(got int16) (bool, error) {
		return got&(bits|pollHup|pollErr) != 0, nil
	})
}

// settleReset returns when the peer knows of the reset.
func (e *end) settleReset() error {
	p := e.peer
	if p == nil || !p.open() {
		return nil
	}
	return until(p.fd(), pollIn, "the reset at the peer", func(got int16) (bool, error) { return got&(pollErr|pollHup) != 0, nil })
}

// settleDrained returns when an end whose peer has read everything can write again.
func (e *end) settleDrained() error {
	if !e.filled || !e.open() || e.noWrite {
		return nil
	}
	e.filled = false
	return until(e.fd(), pollOut, "room to write", func(got int16) (bool, error) { return got&(pollOut|pollHup|pollErr) != 0, nil })
}

// pairUp makes two ends the ends of one connection.
func pairUp(a, b *end, seed uint64) {
	a.peer, b.peer = b, a
	a.out, b.out = &stream{seed: 2 * seed}, &stream{seed: 2*seed + 1}
	a.in, b.in = b.out, a.out
}

// write sends n bytes, all of them at once. It returns the error of the system call.
func (d *desc) write(n int) error {
	e := d.end
	if e == nil || e.out == nil {
		_, err := d.try(make([]byte, max(n, 1)), false)
		return err
	}
	b := e.out.sending(n)
	for first := true; first || len(b) > 0; first = false {
		m, err := d.try(b, false)
		if err != nil {
			return err
		}
		if e.kind.datagram() && m != len(b) {
			return fmt.Errorf("%d bytes of a datagram of %d were sent", m, len(b))
		}
		e.out.sent(m, e.kind.datagram())
		b = b[m:]
	}
	return nil
}

// fill writes until nothing more goes in and nothing is on its way that would make room.
func (d *desc) fill() error {
	e := d.end
	if e == nil || e.out == nil || e.kind.datagram() {
		return fmt.Errorf("only streams can be filled")
	}
	e.filled = true
	for moved := true; moved; { // what has left the buffer meanwhile made room for a little more
		moved = false
		for {
			m, err := d.try(e.out.sending(16<<10), false)
			if errors.Is(err, errWouldBlock) {
				break
			}
			if err != nil {
				return err
			}
			e.out.sent(m, false)
			moved = true
		}
		if e.kind != kindTCP || !moved {
			continue
		}
		quiet := 0
		err := until(d.fd, pollOut, "the end of the bytes in flight", func(got int16) (bool, error) {
			if got&pollOut != 0 {
				return true, nil
			}
			stuck, err := sysStuck(d.fd)
			if quiet++; !stuck {
				quiet = 0
			}
			return quiet == fillQuiet, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// read takes exactly n bytes, waiting for them to arrive.
func (d *desc) read(n int) error {
	e := d.end
	if e == nil || e.in == nil {
		return fmt.Errorf("%s has no peer that writes", d.name)
	}
	if e.kind.datagram() {
		b := make([]byte, 64<<10)
		m, err := d.readSome(b)
		if err == nil && m != n {
			err = fmt.Errorf("expected: a datagram of %d bytes\ncame:     %d bytes", n, m)
		}
		return err
	}
	for n > 0 {
		m, err := d.readSome(make([]byte, min(n, 64<<10)))
		if err != nil {
			return err
		}
		if m == 0 {
			return fmt.Errorf("end of stream, %d bytes before the expected one", n)
		}
		n -= m
	}
	return nil
}

// readSome is one read that waits until there is something, with the bytes checked.
func (d *desc) readSome(b []byte) (int, error) {
	for {
		m, err := d.try(b, true)
		if errors.Is(err, errWouldBlock) {
			err = until(d.fd, pollIn, "something to read", func(got int16) (bool, error) { return got != 0, nil })
			if err == nil {
				continue
			}
		}
		if err != nil {
			return m, err
		}
		if m == 0 && !d.end.kind.datagram() {
			return 0, nil
		}
		return m, d.end.in.received(b[:m], d.end.kind.datagram())
	}
}

// readAll takes everything that the peer has written, and then looks that a further read would block, as the
// caller of an edge source has to.
func (d *desc) readAll() error {
	e := d.end
	if e == nil || e.in == nil {
		return fmt.Errorf("%s has no peer that writes", d.name)
	}
	for {
		e.in.mu.Lock()
		left := int(e.in.wrote - e.in.read)
		if e.kind.datagram() {
			left = len(e.in.sizes)
		}
		e.in.mu.Unlock()
		if left == 0 {
			break
		}
		m, err := d.readSome(make([]byte, 64<<10))
		if err != nil {
			return err
		}
		if m == 0 && !e.kind.datagram() {
			return fmt.Errorf("end of stream, %d bytes before the expected one", left)
		}
	}
	n, err := d.try(make([]byte, 1), true)
	if !errors.Is(err, errWouldBlock) {
		return fmt.Errorf("expected: a read that would block\ncame:     %d bytes, error %v", n, err)
	}
	if e.peer != nil {
		return e.peer.settleDrained()
	}
	return nil
}

// readEOF takes everything that the peer has written, and then the end of the stream.
func (d *desc) readEOF() error {
	e := d.end
	if e == nil || e.in == nil || e.kind.datagram() {
		return fmt.Errorf("%s is no stream", d.name)
	}
	for {
		m, err := d.readSome(make([]byte, 64<<10))
		if err != nil {
			return err
		}
		if m == 0 {
			break
		}
	}
	if left := e.in.unread(); left != 0 && !e.in.vague {
		return fmt.Errorf("end of stream, %d bytes before the expected one", left)
	}
	return nil
}
