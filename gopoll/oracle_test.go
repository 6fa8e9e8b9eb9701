//go:build linux

package gopoll

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gopoll.dev/gopoll/socket"
)

// The oracle runs programs of random instructions on a poller, and compares
// every result with poll(2) and with a model of what the modes promise. What
// may happen is bounded by what poll(2) says before a Wait and after it, as a
// Wait moves lent bytes and with them what is ready.

// instruction is one step; its operands are taken modulo what they choose from.
type instruction struct {
	op      opcode
	a, b, c byte
}

type opcode byte

const (
	opOpen opcode = iota
	opWrite
	opFill
	opRead
	opDrain
	opShutdown
	opCloseEnd
	opDup
	opCloseDup
	opReset
	opAdd
	opModify
	opDelete
	opRearm
	opApply
	opLendRead
	opLendWrite
	opReclaim
	opWake
	opWait
	opWaits // several, so that nothing starves
	opcodes
)

var opcodeNames = [opcodes]string{"open", "write", "fill", "read", "drain", "shutdown", "close", "dup", "close dup", "reset",
	"add", "modify", "delete", "rearm", "apply", "lend read", "lend write", "reclaim", "wake", "wait", "waits"}

// decode makes a program of any bytes; encode is its inverse.
func decode(data []byte) (tcp bool, program []instruction) {
	if len(data) == 0 {
		return false, nil
	}
	tcp = data[0]%4 == 3
	for data = data[1:]; len(data) >= 4 && len(program) < 400; data = data[4:] {
		program = append(program, instruction{opcode(data[0] % byte(opcodes)), data[1], data[2], data[3]})
	}
	return tcp, program
}

func encode(tcp bool, program []instruction) []byte {
	data := []byte{0}
	if tcp {
		data[0] = 3
	}
	for _, i := range program {
		data = append(data, byte(i.op), i.a, i.b, i.c)
	}
	return data
}

// listing is a program to be read and to be replayed.
func listing(tcp bool, program []instruction) string {
	var text strings.Builder
	for n, i := range program {
		fmt.Fprintf(&text, "%4d  %-10s %d %d %d\n", n, opcodeNames[i.op], i.a, i.b, i.c)
	}
	fmt.Fprintf(&text, "replay: GOPOLL_ORACLE=%x go test -run TestOracleReplay ./gopoll\n", encode(tcp, program))
	return text.String()
}

const oraclePairs = 5

// oraclePatience is how long a Wait may take that has something to report. It
// is shorter while a failing program is shortened.
var oraclePatience = patience / 4

// endpoint is one end of a connected pair.
type endpoint struct {
	fd      uintptr
	open    bool
	dups    []uintptr
	peer    *endpoint
	kind    int
	in      inbox
	counter byte // of the bytes sent to it
	shaken  bool // something of the pair was shut down or closed: calls may fail
}

// Kinds of pairs.
const (
	kindStream = iota
	kindDatagram
	kindTCP
)

// inbox is what was sent to an end and not read: a stream as one message.
type inbox struct {
	messages [][]byte
	unknown  bool // a canceled write may have sent more
}

func (q *inbox) put(kind int, data []byte) {
	if kind != kindDatagram && len(q.messages) > 0 {
		q.messages[0] = append(q.messages[0], data...)
	} else if kind == kindDatagram || len(data) > 0 {
		q.messages = append(q.messages, slices.Clone(data))
	}
}

// take checks bytes that were read with a buffer of size.
func (q *inbox) take(kind int, got []byte, size int) error {
	if q.unknown {
		return nil
	}
	if len(q.messages) == 0 {
		return fmt.Errorf("%d bytes were read, none were sent", len(got))
	}
	want := q.messages[0]
	if !slices.Equal(got, want[:min(len(got), len(want))]) || len(got) > len(want) {
		return fmt.Errorf("read %x of %x", got, want)
	}
	if kind == kindDatagram {
		q.messages = q.messages[1:]
		if len(got) != min(size, len(want)) {
			return fmt.Errorf("read %d of a datagram of %d, room for %d", len(got), len(want), size)
		}
		return nil
	}
	if q.messages[0] = want[len(got):]; len(q.messages[0]) == 0 {
		q.messages = nil
	}
	return nil
}

// registration is the model of one source. Those that are over are kept: their
// handles are used on.
type registration struct {
	source        Source
	id, version   uint64
	at            *endpoint
	fd            uintptr
	live          bool
	gone          bool // its descriptor was closed without Delete
	interest      Readiness
	mode          Mode
	fired         bool
	armed         Readiness // Edge: what has to be reported when it is ready
	drained       Readiness // Edge: directions that have said "would block"
	reads, writes []loan
	held          Readiness // directions of which the poller has a buffer in its hands
	missed        int       // Waits in a row that did not report it, though it was due
}

func (r *registration) key() uint64 { return r.id<<16 | r.version }

type loan struct{ buf []byte }

func (r *registration) lent() (d Readiness) {
	if len(r.reads) > 0 {
		d = Readable
	}
	if len(r.writes) > 0 {
		d |= Writable
	}
	return d
}

// oracle is one run of a program.
type oracle struct {
	p     *Poller
	tcp   bool
	ends  [2 * oraclePairs]*endpoint
	all   []*registration
	byFd  map[uintptr]*registration
	trace []string
	err   error

	memory        waiter
	hung          atomic.Bool
	wake, mayWake bool // a Wake that no Wait has taken, surely or perhaps
	operations    int
}

func (o *oracle) fail(format string, args ...any) {
	if o.err == nil {
		o.err = fmt.Errorf(format, args...)
	}
}

func (o *oracle) note(format string, args ...any) {
	o.trace = append(o.trace, fmt.Sprintf(format, args...))
}

// runOracle runs a program on one binding; the trace is what it saw.
func runOracle(b Binding, tcp bool, program []instruction) (trace []string, err error) {
	p, err := New(WithBinding(b))
	if err != nil {
		return nil, err
	}
	o := &oracle{p: p, tcp: tcp, byFd: make(map[uintptr]*registration)}
	// Close ends a Wait that does not end by itself.
	defer time.AfterFunc(2*oraclePatience, func() {
		o.hung.Store(true)
		p.Close()
	}).Stop()
	for i := range o.ends {
		o.ends[i] = &endpoint{}
	}
	for i, in := range program {
		o.step(in)
		if o.err != nil {
			o.err = fmt.Errorf("%v, instruction %d, %s: %w", b, i, opcodeNames[in.op], o.err)
			break
		}
	}
	o.finish()
	return o.trace, o.err
}

// pick chooses among the ends, or registrations.
func (o *oracle) end(n byte) *endpoint { return o.ends[int(n)%len(o.ends)] }

func (o *oracle) registration(n byte) *registration {
	if len(o.all) == 0 {
		return nil
	}
	// The newest are the most likely to be live.
	return o.all[max(0, len(o.all)-1-int(n)%16)]
}

func (o *oracle) step(in instruction) {
	o.operations++
	e, r := o.end(in.a), o.registration(in.a)
	switch in.op {
	case opOpen:
		o.open(int(in.a)%oraclePairs, int(in.b))
	case opAdd, opModify, opDelete, opApply:
		o.change(in)
	case opWake:
		if err := o.p.Wake(); err != nil {
			o.fail("%v", err)
		}
		o.wake = true
	case opWait:
		o.wait(1 + int(in.a)%8)
	case opWaits:
		for i := 0; i < 12 && o.err == nil; i++ {
			o.wait(1 + int(in.a)%8)
		}
	case opRearm, opLendRead, opLendWrite, opReclaim:
		if r != nil {
			o.use(in, r)
		}
	default:
		if e.open {
			o.move(in, e)
		}
	}
}

func (o *oracle) open(pair, kind int) {
	a, b := o.ends[2*pair], o.ends[2*pair+1]
	if a.open || b.open || len(a.dups)+len(b.dups) > 0 {
		return
	}
	kinds := 2
	if o.tcp {
		kinds = 3
	}
	kind %= kinds
	x, y, err := openPair(kind)
	if err != nil {
		o.fail("open: %v", err)
		return
	}
	*a = endpoint{fd: x, open: true, peer: b, kind: kind}
	*b = endpoint{fd: y, open: true, peer: a, kind: kind}
}

func openPair(kind int) (a, b uintptr, err error) {
	switch kind {
	case kindDatagram:
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		return uintptr(fds[0]), uintptr(fds[1]), err
	case kindTCP:
		return tcpPair()
	}
	return socket.Pair()
}

// tcpPair is a connection over loopback.
func tcpPair() (a, b uintptr, err error) {
	l, err := socket.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer socket.Close(l)
	address, err := socket.LocalAddr(l)
	if err != nil {
		return 0, 0, err
	}
	if a, err = socket.Dial("tcp4", address.String()); err != nil {
		return 0, 0, err
	}
	pollFor(l, unix.POLLIN)
	if b, err = socket.Accept(l); err != nil {
		return 0, 0, err
	}
	pollFor(a, unix.POLLOUT)
	return a, b, socket.ConnectError(a)
}

func pollFor(fd uintptr, events int16) int16 {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		if _, err := unix.Poll(fds, int(patience/time.Millisecond)); err != syscall.EINTR {
			return fds[0].Revents
		}
	}
}

// truth is what poll(2) says now of what is asked for.
func truth(fd uintptr, interest Readiness) (got Readiness) {
	asked := int16(0)
	if interest&Readable != 0 {
		asked |= unix.POLLIN | unix.POLLRDHUP
	}
	if interest&Writable != 0 {
		asked |= unix.POLLOUT
	}
	if interest&Priority != 0 {
		asked |= unix.POLLPRI
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: asked}}
	for {
		if _, err := unix.Poll(fds, 0); err != syscall.EINTR {
			break
		}
	}
	hung := false
	for bit, means := range map[int16]Readiness{unix.POLLIN: Readable, unix.POLLOUT: Writable, unix.POLLPRI: Priority,
		unix.POLLRDHUP: Readable | ReadClosed, unix.POLLHUP: ReadClosed | WriteClosed, unix.POLLERR: Errored} {
		if fds[0].Revents&bit != 0 {
			got |= means
			hung = hung || bit == unix.POLLHUP || bit == unix.POLLERR
		}
	}
	if hung {
		got |= interest & (Readable | Writable)
		if interest == Priority {
			got |= Priority
		}
	}
	if got&interest == 0 {
		return 0
	}
	return got & (interest | hintBits)
}

// move is an instruction that moves bytes or ends a connection.
func (o *oracle) move(in instruction, e *endpoint) {
	r := o.byFd[e.fd]
	reading, writing := r != nil && len(r.reads) > 0, r != nil && len(r.writes) > 0
	switch in.op {
	case opWrite:
		if !writing {
			o.write(e, r, 1+int(in.b)%200)
		}
	case opFill:
		for i := 0; !writing && i < 2000 && e.kind != kindTCP && o.write(e, r, 1000); i++ {
		}
	case opRead:
		if !reading {
			o.read(e, r, 1+int(in.b))
		}
	case opDrain:
		for !reading && o.read(e, r, 4096) {
		}
	case opShutdown:
		socket.Shutdown(e.fd, socket.How(in.b%3))
		e.shaken, e.peer.shaken = true, true
		// What is unread may be lost.
		if in.b%3 != 1 {
			e.in.unknown = true
		}
	case opDup:
		if len(e.dups) < 3 {
			fd, err := unix.FcntlInt(e.fd, unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				o.fail("dup: %v", err)
				return
			}
			e.dups = append(e.dups, uintptr(fd))
		}
	case opCloseDup:
		if len(e.dups) > 0 {
			socket.Close(e.dups[0])
			e.dups = e.dups[1:]
		}
	case opReset:
		if e.kind == kindTCP && len(e.dups) == 0 {
			o.close(e, socket.Reset, in.b%2 == 0)
		}
	case opCloseEnd:
		o.close(e, socket.Close, in.b%2 == 0)
	}
	if e.kind == kindTCP {
		runtime.Gosched()
	}
}

func (o *oracle) write(e *endpoint, r *registration, n int) bool {
	data := e.peer.next(n)
	n, err := socket.Write(e.fd, data)
	switch {
	case err == nil:
		e.peer.in.put(e.kind, data[:n])
		e.peer.counter += byte(n)
		return true
	case err == socket.ErrWouldBlock:
		if r != nil {
			r.drained |= Writable
		}
	case !e.shaken:
		o.fail("write: %v", err)
	}
	return false
}

// next are the bytes that are sent to e next.
func (e *endpoint) next(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = e.counter + byte(i)
	}
	return data
}

func (o *oracle) read(e *endpoint, r *registration, size int) bool {
	buf := make([]byte, size)
	n, err := socket.Read(e.fd, buf)
	switch {
	case err == nil:
		if bad := e.in.take(e.kind, buf[:n], size); bad != nil {
			o.fail("read: %v", bad)
		}
		return true
	case err == socket.ErrWouldBlock:
		// A datagram socket that was shut down is readable for ever, says
		// poll(2), and has nothing: nothing arrives any more either.
		if r != nil && !(e.kind == kindDatagram && e.shaken) {
			r.drained |= Readable
		}
	case !e.shaken && err != io.EOF || err == io.EOF && !e.shaken:
		o.fail("read: %v", err)
	}
	return false
}

// close takes lent buffers back first, as a caller has to.
func (o *oracle) close(e *endpoint, how func(uintptr) error, deleted bool) {
	if r := o.byFd[e.fd]; r != nil && !r.gone {
		if r.lent() != 0 {
			o.reclaim(r)
			for i := 0; r.lent() != 0 && o.err == nil; i++ {
				o.wait(8)
			}
		}
		if deleted {
			o.remove(r, r.source.Delete())
		} else {
			r.gone = true
		}
	}
	if err := how(e.fd); err != nil {
		o.fail("close: %v", err)
	}
	e.open = false
	e.shaken, e.peer.shaken = true, true
	if e.peer.in.messages != nil || e.kind == kindTCP {
		e.peer.in.unknown = true // a reset throws away what is unread
	}
}

// use is an instruction on one source, of which the handle may be stale.
func (o *oracle) use(in instruction, r *registration) {
	switch in.op {
	case opRearm:
		direction := Readiness(in.b % 8)
		err := r.source.Rearm(direction)
		switch {
		case !r.live:
			o.want("rearm", err, ErrNotExist)
		case r.mode != Edge || direction == 0 || direction&^r.interest != 0:
			o.want("rearm", err, ErrInvalid)
		default:
			o.want("rearm", err, nil)
			r.armed |= direction & r.drained
		}
	case opReclaim:
		o.reclaim(r)
	case opLendRead, opLendWrite:
		if r.gone || len(r.reads)+len(r.writes) > 12 {
			return // the descriptor has to stay open, says the contract
		}
		buf := make([]byte, int(in.b)*(1+int(in.c)%32))
		lend, direction := r.source.LendRead, Readable
		if in.op == opLendWrite {
			lend, direction = r.source.LendWrite, Writable
			if r.live {
				copy(buf, r.at.peer.next(len(buf)))
			}
			if r.live && r.at.kind == kindDatagram && len(buf) > 2000 {
				buf = buf[:2000]
			}
		}
		err := lend(buf)
		switch {
		case !r.live:
			o.want("lend", err, ErrNotExist)
		case len(buf) == 0:
			o.want("lend", err, ErrInvalid)
		case r.interest&direction != 0:
			o.want("lend", err, ErrExist)
		default:
			if o.want("lend", err, nil); err != nil {
				return
			}
			if direction == Readable {
				r.reads = append(r.reads, loan{buf})
				return
			}
			r.writes = append(r.writes, loan{buf})
			r.at.peer.in.put(r.at.kind, buf)
			r.at.peer.counter += byte(len(buf))
		}
	}
}

func (o *oracle) reclaim(r *registration) {
	r.canceling()
	err := r.source.Reclaim()
	if !r.live {
		o.want("reclaim", err, ErrNotExist)
		return
	}
	o.want("reclaim", err, nil)
}

// want compares errors; a registration that died with its descriptor may have
// been noticed or not.
func (o *oracle) want(what string, err, want error) {
	o.note("%s: %v", what, err)
	if want == nil && err != nil || want != nil && !errors.Is(err, want) {
		o.fail("%s: got error %v, want %v", what, err, want)
	}
}

// change is add, modify, delete, or several of them at once.
func (o *oracle) change(in instruction) {
	if in.op != opApply {
		o.changes(in, Op(in.op-opAdd))
		return
	}
	o.changes(in, Op(in.c%3), Op(in.c/3%3), Op(in.c/9%3))
}

// interestHere is what the system can tell of.
var interestHere = sync.OnceValue(func() Readiness {
	p, err := New()
	if err != nil {
		panic(err)
	}
	defer p.Close()
	a, b, err := socket.Pair()
	if err != nil {
		panic(err)
	}
	defer socket.Close(a)
	defer socket.Close(b)
	if _, err := p.Add(a, 0, Priority, Level); errors.Is(err, errors.ErrUnsupported) {
		return Readable | Writable
	}
	return interestBits
})

func (o *oracle) changes(in instruction, ops ...Op) {
	var changes []Change
	var about []*registration
	for i, op := range ops {
		interest, mode := Readiness(in.b%8)&interestHere(), Mode(in.b/8%3)
		c := Change{Op: op, Interest: interest, Mode: mode}
		if op == OpAdd {
			e := o.end(in.a + byte(i))
			if !e.open {
				continue
			}
			c.Fd, c.Key = e.fd, uint64(len(o.all)+i)<<16
			changes, about = append(changes, c), append(about, &registration{id: uint64(len(o.all) + i), at: e, fd: e.fd})
			continue
		}
		r := o.registration(in.a + byte(i))
		if r == nil || slices.Contains(about, r) && op == OpModify {
			continue
		}
		c.Source, c.Key = r.source, r.key()+1
		r.held = o.held(r)
		changes, about = append(changes, c), append(about, r)
	}
	if len(changes) == 0 {
		return
	}
	if len(changes) == 1 {
		changes[0] = o.one(changes[0])
	} else {
		o.p.Apply(changes)
	}
	for i, c := range changes {
		o.changed(about[i], c)
	}
}

// held are the directions that have more lent than what is on its way back.
func (o *oracle) held(r *registration) Readiness {
	o.p.mu.Lock()
	defer o.p.mu.Unlock()
	s := o.p.registry.lookup(r.source.index, r.source.born)
	if s == nil {
		return 0
	}
	return s.lends.directions() & r.lent()
}

// one makes a change by the call that is for one.
func (o *oracle) one(c Change) Change {
	switch c.Op {
	case OpAdd:
		c.Source, c.Err = o.p.Add(c.Fd, c.Key, c.Interest, c.Mode)
	case OpModify:
		c.Err = c.Source.Modify(c.Key, c.Interest, c.Mode)
	case OpDelete:
		c.Err = c.Source.Delete()
	}
	return c
}

// changed enters the result of a change into the model.
func (o *oracle) changed(r *registration, c Change) {
	switch c.Op {
	case OpAdd:
		old := o.byFd[r.fd]
		if old != nil && !old.gone {
			o.want("add", c.Err, ErrExist)
			return
		}
		if o.want("add", c.Err, nil); c.Err != nil {
			return
		}
		if old != nil {
			old.live = false
		}
		r.source, r.live = c.Source, true
		for uint64(len(o.all)) < r.id {
			o.all = append(o.all, &registration{source: c.Source.stale()})
		}
		o.all = append(o.all, r)
		o.byFd[r.fd] = r
	case OpDelete:
		o.remove(r, c.Err)
		return
	case OpModify:
		switch {
		case !r.live:
			o.want("modify", c.Err, ErrNotExist)
			return
		case r.held&c.Interest != 0:
			o.want("modify", c.Err, ErrExist)
			return
		case r.gone:
			o.want("modify", c.Err, ErrNotExist)
			o.over(r)
			return
		}
		if o.want("modify", c.Err, nil); c.Err != nil {
			return
		}
		r.version++
	}
	r.interest, r.mode, r.fired, r.armed, r.drained, r.missed = c.Interest, c.Mode, false, c.Interest, 0, 0
}

// stale is a handle of the same poller that nobody has.
func (s Source) stale() Source { return Source{p: s.p, index: s.index, born: 1 << 31} }

// canceling says that of what is lent for writing nobody knows how much will
// have been sent.
func (r *registration) canceling() {
	if len(r.writes) > 0 {
		r.at.peer.in.unknown = true
	}
}

func (o *oracle) remove(r *registration, err error) {
	if !r.live {
		o.want("delete", err, ErrNotExist)
		return
	}
	o.want("delete", err, nil)
	o.over(r)
}

func (o *oracle) over(r *registration) {
	r.canceling()
	r.live = false
	if o.byFd[r.fd] == r {
		delete(o.byFd, r.fd)
	}
}

// due is a source that has something to report, as poll(2) sees it.
type due struct {
	before, after Readiness
	hints         Readiness // that are true, whatever the source has asked for
}

// reportable is what a source may report, if poll(2) says got of it.
func (r *registration) reportable(got Readiness) Readiness {
	if !r.live || r.gone || r.mode == OneShot && r.fired {
		return 0
	}
	return got
}

// wait is one Wait, and the comparison with all that is known.
func (o *oracle) wait(capacity int) {
	dues := make(map[*registration]*due)
	var lent int
	some := false // something has to come
	for _, r := range o.all {
		lent += len(r.reads) + len(r.writes)
		if r.live && !r.gone {
			d := &due{before: r.reportable(truth(r.fd, r.interest)), hints: truth(r.fd, interestBits) & hintBits}
			dues[r] = d
			some = some || r.must(d.before)
			some = some || r.canMove()
		} else if r.lent() != 0 {
			some = true // canceled
		}
	}
	timeout := time.Duration(0)
	if o.wake || some && backendName == "epoll" {
		timeout = oraclePatience
	}
	events := make([]Event, capacity)
	n, woke, err := o.p.wait(&o.memory, events, timeout)
	events = events[:n]
	for _, e := range events {
		o.note("event %#x %v %d", e.Key, e.Ready, e.N)
	}
	switch {
	case err != nil:
		o.fail("%v (hung: %v), %v", err, o.hung.Load(), o.describe(dues))
		return
	case n == 0 && !woke && timeout > 0:
		o.fail("nothing came, though %v, wake %v", o.describe(dues), o.wake)
		return
	case woke && !o.wake && !o.mayWake:
		o.fail("a wake that nobody called for")
	}
	o.wake, o.mayWake = false, !woke && (o.wake || o.mayWake)
	for r, d := range dues {
		d.after = r.reportable(truth(r.fd, r.interest))
		d.hints |= truth(r.fd, interestBits) & hintBits
	}
	reported := make(map[*registration]bool)
	for _, e := range events {
		o.event(e, dues, reported)
	}
	for r, d := range dues {
		if reported[r] || !r.must(d.before&d.after) {
			r.missed = 0
			continue
		}
		if r.missed++; r.missed > 2*(len(dues)+lent)+4 {
			o.fail("source %#x is %v and was not reported in %d Waits", r.key(), d.before, r.missed)
		}
	}
}

// describe lists the live sources, with what poll(2) says of them.
func (o *oracle) describe(dues map[*registration]*due) (all []string) {
	for r, d := range dues {
		all = append(all, fmt.Sprintf("source %#x of descriptor %d, kind %d, %v %v: poll says %v, armed %v, lent %v, poll says %v of them",
			r.key(), r.fd, r.at.kind, r.interest, r.mode, d.before, r.armed, r.lent(), truth(r.fd, r.lent())))
	}
	return all
}

// canMove says whether one of the lent buffers has to come back, as the calls
// see it and not poll(2): a shut down datagram socket is readable for ever, and
// a large message may not fit where a small one does.
func (r *registration) canMove() bool {
	if len(r.reads) > 0 {
		if _, _, err := unix.Recvfrom(int(r.fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT); err != unix.EAGAIN {
			return true
		}
	}
	return len(r.writes) > 0 && r.at.kind != kindDatagram && len(r.writes[0].buf) < 1000 && truth(r.fd, Writable) != 0
}

// must says whether a source has to report, if poll(2) says got of it.
func (r *registration) must(got Readiness) bool {
	if r.mode == Edge {
		return got&r.armed != 0
	}
	return got != 0
}

func (o *oracle) event(e Event, dues map[*registration]*due, reported map[*registration]bool) {
	id := e.Key >> 16
	if id >= uint64(len(o.all)) {
		o.fail("event %v %v of a key that nobody has", e.Key, e.Ready)
		return
	}
	r := o.all[id]
	if e.Ready&Returned != 0 {
		o.returned(r, e)
		return
	}
	d := dues[r]
	switch {
	case r.gone && r.live && len(r.at.dups) > 0:
		return // it lives on through a duplicate until it is deleted
	case d == nil || e.Key != r.key():
		o.fail("stale event %#x %v", e.Key, e.Ready)
		return
	case reported[r]:
		o.fail("source %#x was reported twice in a Wait", e.Key)
	case e.Ready&interestBits == 0 || e.Ready&^(d.before|d.after|d.hints) != 0:
		o.fail("event %#x %v, poll says %v before and %v after, hints %v", e.Key, e.Ready, d.before, d.after, d.hints)
	case backendName == "epoll" && d.before&d.after&interestBits&^e.Ready != 0:
		o.fail("event %#x %v lacks %v", e.Key, e.Ready, d.before&d.after&^e.Ready)
	}
	reported[r] = true
	r.fired = r.mode == OneShot
	r.armed &^= e.Ready
	r.drained &^= e.Ready
}

// returned checks a buffer that is back.
func (o *oracle) returned(r *registration, e Event) {
	queue := &r.reads
	if e.Ready&Writable != 0 {
		queue = &r.writes
	}
	if len(*queue) == 0 || e.Ready&(Readable|Writable) == Readable|Writable {
		o.fail("%v returned, which was not lent", e.Ready)
		return
	}
	l := (*queue)[0]
	*queue = (*queue)[1:]
	n, err := e.Result()
	switch {
	case errors.Is(err, ErrCanceled) || err != nil && r.at.shaken:
		if queue == &r.writes {
			r.at.peer.in.unknown = true // those behind one that failed are canceled too
		}
	case err != nil:
		o.fail("returned with %v", err)
	case queue == &r.writes:
		if n != len(l.buf) {
			o.fail("a write of %d returned as %d", len(l.buf), n)
		}
	case e.Ready&EOF != 0:
		if n != 0 || !r.at.shaken {
			o.fail("an end of a stream that has not ended: %v %d", e.Ready, n)
		}
	default:
		truncated := r.at.kind == kindDatagram && !r.at.in.unknown && len(r.at.in.messages) > 0 && len(r.at.in.messages[0]) > len(l.buf)
		if !r.at.in.unknown && truncated != (e.Ready&Truncated != 0) {
			o.fail("%v: truncated is %v", e.Ready, truncated)
		}
		if n == 0 && r.at.kind != kindDatagram {
			o.fail("a read returned nothing: %v", e.Ready)
		}
		if bad := r.at.in.take(r.at.kind, l.buf[:n], len(l.buf)); bad != nil {
			o.fail("lent read: %v", bad)
		}
	}
}

// finish takes everything back, and checks that nothing is left.
func (o *oracle) finish() {
	broken := o.err != nil
	for _, r := range o.all {
		if r.live && !broken {
			o.remove(r, r.source.Delete())
		}
	}
	left := func() (n int) {
		for _, r := range o.all {
			n += len(r.reads) + len(r.writes)
		}
		return n
	}
	for !broken && o.err == nil && left() > 0 {
		o.wait(3)
	}
	if !broken && o.err == nil {
		// Orphans may have the set made anew, but report nothing.
		if n, err := o.p.Wait(make([]Event, 4), 0); n != 0 || err != nil {
			o.fail("%d events, %v at the end", n, err)
		}
		o.p.mu.Lock()
		if o.p.registry.live != 0 || o.p.lender.count != 0 || o.p.lender.ranges != nil {
			o.fail("%d sources, %d lends at the end", o.p.registry.live, o.p.lender.count)
		}
		o.p.mu.Unlock()
	}
	if err := o.p.Close(); err != nil && !o.hung.Load() {
		o.fail("%v", err)
	}
	for _, e := range o.ends {
		if e.open {
			socket.Close(e.fd)
		}
		for _, fd := range e.dups {
			socket.Close(fd)
		}
	}
}
