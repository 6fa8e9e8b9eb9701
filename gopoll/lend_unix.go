//go:build unix

package gopoll

import (
	"syscall"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
	"gopoll.dev/internal/purebind"
)

const canceledCode = int32(unix.ECANCELED)

func canceled(code int32) bool { return code == canceledCode }

// transferBatch bounds the transfers of one crossing, and with them the time
// that a crossing takes: Go's scheduler takes the processor from a call that
// it finds under way twice, 20 µs apart (runtime, sysmon and retake).
const transferBatch = 8

// transfers is scratch for one crossing.
type transfers struct {
	calls [transferBatch]abi.Transfer
	lanes [transferBatch]*lane
}

// lendable says how bytes move on a source, once it was seen that they can
// without blocking.
func (b *backend) lendable(_ *Poller, _ uint32, s *slot) (lendKind, error) {
	flags, err := unix.FcntlInt(s.fd, unix.F_GETFL, 0)
	if err == unix.EBADF {
		return 0, errGone
	}
	if err != nil {
		return 0, err
	}
	if flags&unix.O_NONBLOCK == 0 {
		return 0, ErrInvalid
	}
	kind, err := unix.GetsockoptInt(int(s.fd), unix.SOL_SOCKET, unix.SO_TYPE)
	switch {
	case err != nil:
		return lendFile, nil
	case kind == unix.SOCK_SEQPACKET:
		return lendSequence, nil
	case kind != unix.SOCK_STREAM:
		return lendDatagram, nil
	}
	switch address, _ := unix.Getsockname(int(s.fd)); address.(type) {
	case *unix.SockaddrInet4, *unix.SockaddrInet6:
		return lendStream, nil
	}
	return lendLocal, nil
}

// told are the directions that the kernel tells of for the lends' sake. A
// lane's native number says so.
func (l *lends) told() (r Readiness) {
	if l == nil {
		return 0
	}
	return Readiness(l.read.native | l.write.native)
}

func (l *lends) tell(directions Readiness) {
	l.read.native |= uint32(directions & Readable)
	l.write.native |= uint32(directions & Writable)
}

// lentReady notes the kernel's word for a source with lends. Called with p.mu
// held, by collect.
func (p *Poller) lentReady(s *slot, got Readiness) {
	if got&(hintBits|Priority) != 0 {
		// After the bytes that are there something follows without another
		// word: the end, an error, or what is behind an urgent mark, at which
		// reads stop short.
		s.lends.read.exact = true
	}
	for _, a := range [...]*lane{&s.lends.read, &s.lends.write} {
		if got&a.direction == 0 {
			continue
		}
		a.ready = true
		if a.head != nil {
			p.lender.movable.push(a)
			p.hot.Store(true)
		}
	}
}

// cancel returns what is lent for a lane: between two calls of transfer the
// kernel has none of it.
func (b *backend) cancel(p *Poller, a *lane) { p.failLane(a, canceledCode) }

// drain has nothing to wait for, for the same reason.
func (b *backend) drain(*Poller) {}

// transfer tries the next lanes that can move, at most room of them, in one
// crossing. Called with p.mu held.
func (b *backend) transfer(p *Poller, room int) {
	t, n := &p.lender.scratch, 0
	for n < min(room, transferBatch) && p.lender.movable.head != nil {
		a := p.lender.movable.pop()
		if a.head == nil {
			continue // reclaimed
		}
		l := a.head
		l.trace.check(l.buf)
		rest := l.buf[l.done:]
		// address: l keeps the memory pinned until finish.
		t.calls[n] = abi.Transfer{Addr: uint64(address(rest)), Len: uint32(len(rest)), Fd: int32(a.owner.slot.fd), Op: transferOp(a)}
		t.lanes[n] = a
		n++
	}
	if n == 0 {
		return
	}
	if p.binding == Cgo {
		transferCgo(t.calls[:n])
	} else {
		purebind.Transfer(t.calls[:n])
	}
	for i, a := range t.lanes[:n] {
		p.moved(a, &t.calls[i])
		if a.head != nil && a.ready {
			p.lender.movable.push(a)
		}
		if o := a.owner; o.slot != nil {
			if err := b.refresh(o.index, o.slot); err != nil && a.head != nil {
				p.failLane(a, refusal(err)) // nobody would tell when it can move
			}
		}
		t.lanes[i] = nil
	}
}

// refusal is the number to return a buffer with.
func refusal(err error) int32 {
	if errno, ok := err.(syscall.Errno); ok {
		return int32(errno)
	}
	return int32(unix.EBADF) // the registration is gone
}

func transferOp(a *lane) uint16 {
	kind := a.owner.kind
	switch {
	case a.direction == Readable && (kind == lendStream || kind == lendFile):
		return abi.TransferRead
	case a.direction == Readable:
		return abi.TransferReceive
	case kind == lendFile:
		return abi.TransferWrite
	}
	return abi.TransferSend
}

// moved settles one transfer of the first lend of a lane.
func (p *Poller) moved(a *lane, t *abi.Transfer) {
	l := a.head
	switch err := syscall.Errno(t.Err); {
	case err == unix.EAGAIN:
		a.ready = false
	case err != 0:
		p.failLane(a, t.Err)
	case a.direction == Writable:
		if l.done += int(t.N); l.done == len(l.buf) {
			p.finish(a, 0, int32(l.done))
		}
	case t.N == 0 && a.owner.kind != lendDatagram:
		p.finish(a, EOF, 0)
	default:
		if int(t.N) < len(l.buf) && !a.exact && t.Cut == 0 {
			a.ready = false // the kernel had no more, and will say so when it has
		}
		ready := Readiness(0)
		if t.Cut&abi.CutData != 0 {
			ready = Truncated
		}
		p.finish(a, ready, t.N)
	}
}
