package exampleserver

import (
	"errors"
	"strings"
	"syscall"
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

const (
	// burst bounds the connections taken in a row: those that are in already
	// wait meanwhile. The listener is watched by level, so the rest are
	// reported again.
	burst = 64

	// retryAfter is when to try again after a failed accept, for descriptors
	// that come free elsewhere in the process, which nobody reports.
	retryAfter = time.Second
)

// A Door is a listening socket that is watched only while there is room for
// another connection. Those that wait outside wait in the kernel's queue,
// which is bounded.
type Door struct {
	fd     uintptr
	key    uint64
	source gopoll.Source
	shut   bool
	retry  time.Time // zero while the door is open, or shut for want of room

	Calls  int   // system calls made: accepts and changes of the registration
	Pauses int   // how often the door was shut
	Err    error // what made an accept fail, the last time
}

// OpenDoor listens on a TCP address, or on that of a unix socket written as
// unix:PATH, and watches.
func OpenDoor(p *gopoll.Poller, address string, key uint64) (*Door, error) {
	fd, err := socket.Listen(Address(address))
	if err != nil {
		return nil, err
	}
	source, err := p.Add(fd, key, gopoll.Readable, gopoll.Level)
	if err != nil {
		socket.Close(fd)
		return nil, err
	}
	return &Door{fd: fd, key: key, source: source, Calls: 1}, nil
}

// Address is the network and address of what is written as HOST:PORT or
// unix:PATH.
func Address(s string) (network, address string) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return "unix", path
	}
	return "tcp", s
}

// Addr is the address that the door listens on, as OpenDoor takes it.
func (d *Door) Addr() string {
	addr, err := socket.LocalAddr(d.fd)
	if err != nil {
		return ""
	}
	if addr.Network() == "unix" {
		return "unix:" + addr.String()
	}
	return addr.String()
}

// Accept hands the connections that wait to admit, as long as there is room.
func (d *Door) Accept(room int, admit func(fd uintptr)) {
	for i := range burst {
		if i >= room {
			d.Shut()
			return
		}
		fd, err := socket.Accept(d.fd)
		d.Calls++
		if err == socket.ErrWouldBlock {
			return
		}
		if err != nil {
			d.Fail(err)
			return
		}
		if admit(fd); d.shut {
			return // admit had no room for it
		}
	}
}

// Exhausted says whether an error is for want of descriptors or buffers, which
// others hold, and not the fault of what was asked for.
func Exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS)
}

// Fail shuts the door for what is mostly a want of descriptors. The queue stays
// readable meanwhile: watching on would report it without end.
func (d *Door) Fail(err error) {
	d.Err = err
	d.Shut()
	d.retry = time.Now().Add(retryAfter)
}

// Shut stops watching, until Open.
func (d *Door) Shut() {
	if !d.shut {
		d.Pauses++
		d.watch(0)
	}
}

// Open watches again. It is to be called whenever a connection was closed.
func (d *Door) Open() {
	if d.shut {
		d.watch(gopoll.Readable)
	}
}

func (d *Door) watch(interest gopoll.Readiness) {
	d.Calls++
	d.retry = time.Time{}
	if err := d.source.Modify(d.key, interest, gopoll.Level); err != nil {
		d.Err = err // nothing has changed: the next accept comes here again
		return
	}
	d.shut = interest == 0
}

// Timeout is how long until Tick has something to do, or -1 for ever.
func (d *Door) Timeout() time.Duration {
	if d.retry.IsZero() {
		return -1
	}
	return max(time.Until(d.retry), 0)
}

// Tick opens a door that failed long enough ago. It is to be called after
// every Wait.
func (d *Door) Tick() {
	if d.Timeout() == 0 {
		d.Open()
	}
}

// Close closes the listening socket.
func (d *Door) Close() {
	d.source.Delete()
	socket.Close(d.fd)
}
