//go:build darwin || dragonfly || freebsd || netbsd || openbsd || kqueue_double

package gopoll

import (
	"errors"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
)

var allModes = []Mode{Level, Edge, OneShot}

// ready is what one look finds.
func ready(t *testing.T, p *Poller) []Event {
	t.Helper()
	events := make([]Event, 8)
	n, err := p.Wait(events, 0)
	must(t, err)
	return events[:n]
}

// newPipe is the writing end of a pipe, and what closes the reading one.
func newPipe(t *testing.T) (w int, leave func()) {
	t.Helper()
	var fds [2]int
	must(t, unix.Pipe(fds[:]))
	leave = sync.OnceFunc(func() { unix.Close(fds[0]) })
	t.Cleanup(func() {
		leave()
		unix.Close(fds[1])
	})
	must(t, unix.SetNonblock(fds[1], true))
	return fds[1], leave
}

func fill(t *testing.T, fd int) {
	t.Helper()
	block := make([]byte, 4096)
	for {
		if _, err := unix.Write(fd, block); err == unix.EAGAIN {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// renumber gives the number of fd to another descriptor, as close and open in
// another goroutine might.
func renumber(t *testing.T, from, fd uintptr) {
	t.Helper()
	must(t, unix.Dup2(int(from), int(fd)))
}

func TestKqueueWriterLearnsThatReaderHasGone(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		for _, mode := range allModes {
			for _, before := range []bool{true, false} {
				p := newPoller(t, b)
				w, leave := newPipe(t)
				fill(t, w)
				if before {
					leave()
				}
				s := mustAdd(t, p, uintptr(w), 7, Writable, mode)
				if !before {
					silent(t, p)
					leave()
				}
				for range 3 {
					got := mustWait(t, p, make([]Event, 4))
					if len(got) != 1 || got[0].Key != 7 || got[0].Ready&(Writable|WriteClosed) != Writable|WriteClosed {
						t.Fatalf("%v, gone before Add %v: got %v", mode, before, got)
					}
					if mode != Level {
						silent(t, p)
						must(t, s.Modify(7, Writable, mode))
					}
				}
				must(t, s.Delete())
				silent(t, p)
			}
		}
	})
}

// A FIFO opened for both holds the bytes that its writer has written, and the
// knote that watches for the reader's leaving must not wake for them over and
// over.
func TestKqueueUnwantedBytesDoNotSpin(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		path := filepath.Join(t.TempDir(), "fifo")
		must(t, unix.Mkfifo(path, 0o600))
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK, 0)
		must(t, err)
		defer unix.Close(fd)
		p := newPoller(t, b)
		s := mustAdd(t, p, uintptr(fd), 1, Writable, Level)
		fill(t, fd)
		silent(t, p)
		n, err := p.native.wait(p, make([]abi.Fact, 4), 0)
		if n != 0 || err != nil {
			t.Fatalf("a full FIFO woke the queue: %d facts, error %v", n, err)
		}
		must(t, s.Delete())
	})
}

func TestKqueueApplyOneDescriptorTwice(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		x, y := newPair(t)
		mustWrite(t, y, []byte("x"))
		first := []Change{{Op: OpAdd, Fd: x, Key: 1, Interest: Readable}, {Op: OpAdd, Fd: x, Key: 2, Interest: Readable}}
		mustBe(t, p.Apply(first), ErrExist)
		must(t, first[0].Err)
		s := first[0].Source
		must(t, p.Apply([]Change{
			{Op: OpModify, Source: s, Key: 3, Interest: Writable, Mode: Edge},
			{Op: OpModify, Source: s, Key: 4, Interest: Readable, Mode: OneShot},
		}))
		if got := ready(t, p); len(got) != 1 || got[0].Key != 4 {
			t.Fatalf("got %v", got)
		}
		again := []Change{
			{Op: OpDelete, Source: s},
			{Op: OpDelete, Source: s},
			{Op: OpModify, Source: s, Key: 5, Interest: Readable},
			{Op: OpAdd, Fd: x, Key: 6, Interest: Readable},
			{Op: OpModify, Source: s, Key: 7, Interest: Readable},
		}
		mustBe(t, p.Apply(again), ErrNotExist)
		must(t, again[0].Err, again[3].Err)
		for _, i := range []int{1, 2, 4} {
			mustBe(t, again[i].Err, ErrNotExist)
		}
		if got := ready(t, p); len(got) != 1 || got[0].Key != 6 {
			t.Fatalf("got %v", got)
		}
		must(t, again[3].Source.Delete())
		silent(t, p)
	})
}

// states are what a registration can be in when its descriptor is closed.
var states = []struct {
	name     string
	interest Readiness
	mode     Mode
	fire     bool
}{
	{"level", Readable | Writable, Level, false},
	{"edge", Readable, Edge, true},
	{"armed", Readable | Writable, OneShot, false},
	{"fired", Readable | Writable, OneShot, true},
	{"paused", 0, Level, false},
}

func TestKqueueAddAgain(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		for _, state := range states {
			p := newPoller(t, b)
			x, y := newPair(t)
			stranger, peer := newPair(t)
			mustWrite(t, y, []byte("x"))
			s := mustAdd(t, p, x, 1, state.interest, state.mode)
			if state.fire {
				mustWait(t, p, make([]Event, 4))
			}
			_, err := p.Add(x, 2, Readable, Level)
			mustBe(t, err, ErrExist)
			if got := ready(t, p); state.fire && state.mode == OneShot || state.interest == 0 {
				if len(got) != 0 {
					t.Fatalf("%s: a second Add revived the first: %v", state.name, got)
				}
			}
			renumber(t, stranger, x)
			mustWrite(t, peer, []byte("y"))
			fresh, err := p.Add(x, 3, Readable, Level)
			if err != nil {
				t.Fatalf("%s: %v", state.name, err)
			}
			mustBe(t, s.Modify(1, Readable, Level), ErrNotExist)
			if got := ready(t, p); len(got) != 1 || got[0].Key != 3 || got[0].Ready != Readable {
				t.Fatalf("%s: got %v", state.name, got)
			}
			must(t, fresh.Delete())
		}
	})
}

// Whoever has the number now is a stranger, whom nothing of the old source
// must touch.
func TestKqueueStranger(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		for _, state := range states {
			for op, want := range map[string]error{"modify": ErrNotExist, "lend": ErrNotExist, "delete": nil} {
				p := newPoller(t, b)
				x, _ := newPair(t)
				stranger, peer := newPair(t)
				s := mustAdd(t, p, x, 1, state.interest&^Readable, state.mode)
				renumber(t, stranger, x)
				mustWrite(t, peer, []byte("y"))
				var err error
				switch op {
				case "modify":
					err = s.Modify(2, Readable|Writable, Level)
				case "lend":
					err = s.LendRead(make([]byte, 8))
				case "delete":
					err = s.Delete()
				}
				if !errors.Is(err, want) {
					t.Fatalf("%s of %s: got %v, want %v", op, state.name, err, want)
				}
				if n, err := p.native.wait(p, make([]abi.Fact, 4), 0); n != 0 || err != nil {
					t.Fatalf("%s of %s left %d facts, error %v", op, state.name, n, err)
				}
			}
		}
	})
}

// stubborn is a binding whose kernel refuses some changes.
type stubborn struct {
	kqueueBinding
	refuse func(*abi.KqueueChange) syscall.Errno
}

func (s stubborn) Change(changes []abi.KqueueChange) {
	for i := range changes {
		if errno := s.refuse(&changes[i]); errno != 0 {
			changes[i].Err = int32(errno)
		} else {
			s.kqueueBinding.Change(changes[i : i+1])
		}
	}
}

func refuseAdd(filter uint16, errno syscall.Errno) func(*abi.KqueueChange) syscall.Errno {
	return func(c *abi.KqueueChange) syscall.Errno {
		if c.Filter == filter && c.Flags&abi.KqueueAdd != 0 {
			return errno
		}
		return 0
	}
}

func TestKqueueFailedChangeChangesNothing(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		for _, mode := range allModes {
			p := newPoller(t, b)
			x, y := newPair(t)
			mustWrite(t, y, []byte("x"))
			real := p.native.bind
			p.native.bind = stubborn{real, refuseAdd(abi.KqueueWrite, unix.ENOMEM)}
			_, err := p.Add(x, 1, Readable|Writable, mode)
			mustBe(t, err, unix.ENOMEM)
			silent(t, p)
			s := mustAdd(t, p, x, 2, Readable, mode)
			mustBe(t, s.Modify(3, Readable|Writable, Level), unix.ENOMEM)
			if got := ready(t, p); len(got) != 1 || got[0] != (Event{Key: 2, Ready: Readable}) {
				t.Fatalf("%v: got %v", mode, got)
			}
			if mode == OneShot {
				mustBe(t, s.Modify(3, Readable|Writable, Level), unix.ENOMEM)
				silent(t, p)
			}
			p.native.bind = real
			must(t, s.Delete())
			silent(t, p)
		}
	})
}

func TestKqueueUnsupported(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		for _, path := range []string{".", "kqueue_test.go"} {
			fd, err := unix.Open(path, unix.O_RDONLY, 0)
			must(t, err)
			for _, interest := range []Readiness{0, Readable, Writable, Readable | Writable} {
				_, err := p.Add(uintptr(fd), 1, interest, Level)
				mustBe(t, err, errors.ErrUnsupported)
			}
			unix.Close(fd)
		}
		silent(t, p)
		x, _ := newPair(t)
		if !p.native.bind.HasExcept() {
			_, err := p.Add(x, 1, Readable|Priority, Level)
			mustBe(t, err, errors.ErrUnsupported)
			mustBe(t, mustAdd(t, p, x, 1, Readable, Level).Modify(1, Priority, Level), errors.ErrUnsupported)
		}
	})
}

// Both directions of a OneShot source are ready, and there is room for the
// kernel's word on one only: the other comes later and is swallowed.
func TestKqueueOneShotAcrossWaits(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		x, y := newPair(t)
		mustWrite(t, y, []byte("x"))
		s := mustAdd(t, p, x, 1, Readable|Writable, OneShot)
		for range 3 {
			if got := mustWait(t, p, make([]Event, 1)); got[0].Ready&(Readable|Writable) == 0 {
				t.Fatalf("got %v", got)
			}
			silent(t, p)
			must(t, s.Modify(1, Readable|Writable, OneShot))
		}
		must(t, s.Delete())
	})
}

// counted counts the bytes in the pipe that wakes.
type counted struct {
	kqueueBinding
	bytes *int
}

func (c counted) SignalPipe() syscall.Errno {
	*c.bytes++
	return c.kqueueBinding.SignalPipe()
}

func (c counted) DrainPipe() syscall.Errno {
	*c.bytes = 0
	return c.kqueueBinding.DrainPipe()
}

// Without EVFILT_USER a pipe wakes. It must not fill up with wakes that were
// taken: what is written to a full pipe wakes nobody.
func TestKqueueWakeByPipe(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		leakCheck(t)
		p := newPoller(t, b)
		real, bytes := p.native.bind, 0
		if !p.native.pipe {
			p.native.bind = stubborn{real, refuseAdd(abi.KqueueUser, unix.EINVAL)}
			must(t, p.native.openWaker())
		}
		p.native.bind = counted{real, &bytes}
		defer watchdog("wakes")()
		for range 100 {
			must(t, p.Wake(), p.Wake())
			if bytes != 1 {
				t.Fatalf("%d bytes in the pipe after two wakes", bytes)
			}
			if n, err := p.Wait(make([]Event, 1), -1); n != 0 || err != nil || bytes != 0 {
				t.Fatalf("got %d events, error %v, and left %d bytes", n, err, bytes)
			}
		}
	})
}

func TestKqueueHints(t *testing.T) {
	const both = Readable | Writable
	for _, c := range []struct {
		interest Readiness
		end      func(fd int)
		want     Readiness
	}{
		{both, func(fd int) { unix.Shutdown(fd, unix.SHUT_WR) }, both | ReadClosed},
		{Readable, func(fd int) { unix.Shutdown(fd, unix.SHUT_WR) }, Readable | ReadClosed},
		{both, func(fd int) { unix.Close(fd) }, both | ReadClosed | WriteClosed},
		{Writable, func(fd int) { unix.Close(fd) }, Writable | WriteClosed},
	} {
		eachBinding(t, func(t *testing.T, b Binding) {
			leakCheck(t)
			p := newPoller(t, b)
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			must(t, err)
			defer unix.Close(fds[0])
			kept := fds[1]
			if c.end(kept); c.want&WriteClosed == 0 {
				defer unix.Close(kept)
			}
			s := mustAdd(t, p, uintptr(fds[0]), 9, c.interest, Level)
			if got := ready(t, p); len(got) != 1 || got[0] != (Event{Key: 9, Ready: c.want}) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			must(t, s.Delete())
		})
	}
}

// An error that fflags names concerns both directions, also where only one of
// the kernel's two words came.
func TestKqueueErrorMeansBothDirections(t *testing.T) {
	var b backend
	s := &slot{interest: Readable | Writable, native: wantForms(Readable|Writable, Level, 0, 0)}
	for _, filter := range []uint32{abi.KqueueRead, abi.KqueueWrite} {
		f := abi.Fact{Bits: filter<<16 | abi.KqueueEOF, Aux: int32(unix.ECONNRESET)}
		if got := b.readiness(1, s, &f); got&(Readable|Writable|Errored) != Readable|Writable|Errored {
			t.Fatalf("filter %d: got %v", filter, got)
		}
	}
}
