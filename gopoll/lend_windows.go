package gopoll

import (
	"syscall"

	"golang.org/x/sys/windows"

	"gopoll.dev/internal/abi"
)

const canceledCode = int32(windows.ERROR_OPERATION_ABORTED)

func canceled(code int32) bool { return code == canceledCode }

// transferBatch bounds the transfers of one crossing.
const transferBatch = 64

// transfers is scratch for one crossing.
type transfers struct {
	calls [transferBatch]abi.Request
}

// lendable has the handle's own overlapped calls complete on the port, and
// says how its bytes move.
func (b *backend) lendable(_ *Poller, _ uint32, s *slot) (lendKind, error) {
	info := b.bind.Inspect(s.fd)
	switch {
	case s.native == 0, isGone(info.Err), s.native != lendOnly && uintptr(info.Base) != b.slabs.at(s.native).base:
		return 0, errGone
	case info.Err != 0:
		return 0, errnoErr(syscall.Errno(info.Err))
	}
	switch err := b.bind.Associate(s.fd); {
	case err == windows.ERROR_INVALID_PARAMETER:
		// It has a port for life. If it is this one, an earlier registration
		// of the handle has been lent to.
		if _, ok := b.bound[s.fd]; !ok {
			return 0, unsupported{err}
		}
	case err != 0:
		return 0, errnoErr(err)
	}
	b.bound[s.fd] = struct{}{}
	switch info.Type {
	case 0:
		return lendFile, nil
	case windows.SOCK_STREAM:
		return lendStream, nil
	}
	return lendDatagram, nil
}

// refresh has nothing to change: transfers need no readiness.
func (b *backend) refresh(uint32, *slot) error { return nil }

// A lane of which the kernel has a buffer is not ready: one at a time, or they
// might end in another order. Its native part is the op of that buffer.

// transfer starts the first lend of every lane that has none with the kernel,
// in as few crossings as there are batches. Called with p.mu held.
func (b *backend) transfer(p *Poller, _ int) {
	calls, n := &p.lender.scratch.calls, 0
	for n < len(calls) && p.lender.movable.head != nil {
		a := p.lender.movable.pop()
		if a.head == nil || !a.ready {
			continue
		}
		number, err := b.slabs.take()
		if err != nil {
			p.failLane(a, int32(windows.ERROR_NOT_ENOUGH_MEMORY))
			continue
		}
		l := a.head
		l.trace.check(l.buf)
		rest := l.buf[l.done:]
		o := b.slabs.at(number)
		o.transfer, o.flying = true, true
		b.slabs.transferOf(number).lane = a
		b.flying++
		a.ready, a.native = false, number
		// address: l keeps the memory pinned until finish.
		calls[n] = abi.Request{Handle: uint64(a.owner.slot.fd), Block: uint64(b.slabs.address(number)),
			Addr: uint64(address(rest)), Len: uint32(len(rest)), Op: transferOp(a)}
		n++
	}
	b.bind.Submit(calls[:n])
	for i := range calls[:n] {
		if r := &calls[i]; r.Err != 0 {
			b.ended(p, b.slabs.number(r.Block), 0, syscall.Errno(r.Err))
		}
	}
}

func transferOp(a *lane) uint32 {
	switch {
	case a.owner.kind == lendFile && a.direction == Readable:
		return abi.RequestRead
	case a.owner.kind == lendFile:
		return abi.RequestWrite
	case a.direction == Readable:
		return abi.RequestReceive
	}
	return abi.RequestSend
}

// landTransfer ends the flight of a transfer that moved n bytes.
func (b *backend) landTransfer(p *Poller, number, n uint32) {
	status := uint32(b.slabs.at(number).block.Status)
	code := abi.SocketCode(status)
	if b.slabs.transferOf(number).lane.owner.kind == lendFile {
		code = abi.FileCode(status)
	}
	b.ended(p, number, n, code)
}

// ended settles a transfer that the kernel is done with.
func (b *backend) ended(p *Poller, number, n uint32, code syscall.Errno) {
	t := b.slabs.transferOf(number)
	a, tail := t.lane, t.tail
	b.landed(b.slabs.at(number))
	b.slabs.give(number)
	a.ready, a.native = true, 0
	first, reclaimed := a.head, tail == nil
	if reclaimed || code != windows.ERROR_OPERATION_ABORTED {
		b.settle(p, a, int32(n), code)
		reclaimed = reclaimed || a.head == nil || first == tail && a.head != first
	}
	for !reclaimed { // what was asked back together, in order
		first = a.head
		p.finish(a, Failed, canceledCode)
		reclaimed = first == tail
	}
	if a.head != nil {
		p.lender.movable.push(a)
		p.hot.Store(true)
	}
}

// settle says what became of the first lend of a lane.
func (b *backend) settle(p *Poller, a *lane, n int32, code syscall.Errno) {
	l, kind := a.head, a.owner.kind
	switch {
	case code == 0 && a.direction == Writable:
		if l.done += int(n); l.done == len(l.buf) || kind == lendDatagram {
			p.finish(a, 0, int32(l.done))
		}
	case code == 0 && n == 0 && kind == lendStream, kind == lendFile && a.direction == Readable && isEnd(code):
		p.finish(a, EOF, 0)
	case code == 0:
		p.finish(a, 0, n)
	case code == windows.WSAEMSGSIZE && kind == lendDatagram && a.direction == Readable:
		p.finish(a, Truncated, n)
	case code == windows.ERROR_MORE_DATA && kind == lendFile:
		p.finish(a, 0, n) // the rest of the message comes with the next read
	default:
		p.failLane(a, int32(code))
	}
}

func isEnd(code syscall.Errno) bool {
	return code == windows.ERROR_BROKEN_PIPE || code == windows.ERROR_HANDLE_EOF || code == windows.ERROR_PIPE_NOT_CONNECTED
}

// cancel asks for what is lent for a lane. What the kernel has comes back when
// its completion was dequeued, and those behind it then.
func (b *backend) cancel(p *Poller, a *lane) {
	if a.native == 0 {
		p.failLane(a, canceledCode)
		return
	}
	b.slabs.transferOf(a.native).tail = a.tail
	if !b.slabs.at(a.native).canceled {
		b.cancelNow(a.native)
	}
}

// drain waits until the kernel has given back every lent buffer. Called with
// p.mu held and nobody waiting.
func (b *backend) drain(p *Poller) {
	for {
		kept := b.stash[:0]
		for _, f := range b.stash {
			if number := b.slabs.number(f.Data); number != 0 && b.slabs.at(number).transfer {
				b.landTransfer(p, number, f.Bits)
				continue
			}
			kept = append(kept, f)
		}
		b.stash = kept
		transfers := 0
		b.slabs.flying(func(_ uint32, o *op) {
			if o.transfer {
				transfers++
			}
		})
		if transfers == 0 || b.stashMore(-1) != nil {
			return
		}
	}
}
