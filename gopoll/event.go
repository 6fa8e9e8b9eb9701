package gopoll

import (
	"math/bits"
	"strconv"
	"strings"
	"syscall"
)

// Readiness is a set of bits. The first three are what a caller can be
// interested in; events carry them and the others.
type Readiness uint32

const (
	// Readable: a read, an accept or a receive will not block. On error or
	// hang-up it is reported too, so that the next read tells the truth.
	Readable Readiness = 1 << iota
	// Writable: a write will not block, or a connect has ended. On error or
	// hang-up it is reported too, so that the next write tells the truth.
	Writable
	// Priority: urgent (out-of-band) data, where the kernel can tell of it.
	// On error or hang-up it is reported only if nothing else was asked for.
	Priority
	// ReadClosed is a hint beside the bits asked for: the peer will send no
	// more. Bytes that it sent before may still be unread.
	ReadClosed
	// WriteClosed is a hint: what is written goes nowhere.
	WriteClosed
	// Errored is a hint: the source has an error for the next operation.
	Errored
	// Returned: a lent buffer is back. Readable or Writable beside it says
	// which direction it was lent for, and Event.Result the rest.
	Returned
	// EOF beside Returned: the stream has ended.
	EOF
	// Truncated beside Returned: the datagram was longer than the buffer.
	Truncated
	// Failed beside Returned: Event.N is the system's error number.
	Failed
)

const (
	interestBits = Readable | Writable | Priority
	hintBits     = ReadClosed | WriteClosed | Errored
	hungUp       = ReadClosed | WriteClosed
)

var readinessNames = [...]string{"Readable", "Writable", "Priority", "ReadClosed", "WriteClosed", "Errored",
	"Returned", "EOF", "Truncated", "Failed"}

// String lists the names of the bits, as in "Readable|ReadClosed".
func (r Readiness) String() string {
	if r == 0 {
		return "0"
	}
	var names []string
	for r != 0 {
		i := bits.TrailingZeros32(uint32(r))
		if i < len(readinessNames) {
			names = append(names, readinessNames[i])
			r &^= 1 << i
			continue
		}
		names = append(names, "0x"+strconv.FormatUint(uint64(r), 16))
		break
	}
	return strings.Join(names, "|")
}

// Mode says when a source that stays ready is reported again.
type Mode uint8

const (
	// Level: at each Wait while the condition holds.
	Level Mode = iota
	// Edge: once, and then again at the next arrival after the caller has
	// drained the source to "would block" and called Rearm.
	Edge
	// OneShot: once, and then not before Modify.
	OneShot
)

// String is the name of the mode.
func (m Mode) String() string {
	switch m {
	case Level:
		return "Level"
	case Edge:
		return "Edge"
	case OneShot:
		return "OneShot"
	}
	return "Mode(" + strconv.Itoa(int(m)) + ")"
}

// Event says that a source is ready, or that a lent buffer is back. The event
// of a Wake, which only the iterator Events yields, has no bits.
type Event struct {
	Key   uint64    // as given with the source
	Ready Readiness // what it is ready for
	N     int32     // with Returned: bytes moved, or with Failed an error number
}

// Result is what a returned buffer brought: the bytes moved, or the error
// that Failed stands for. The end of a stream is 0 bytes without an error.
func (e Event) Result() (int, error) {
	if e.Ready&Failed == 0 {
		return int(e.N), nil
	}
	if canceled(e.N) {
		return 0, ErrCanceled
	}
	return 0, errnoErr(syscall.Errno(e.N))
}
