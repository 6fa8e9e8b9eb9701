//go:build linux && !kqueue_double

package gopoll

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"gopoll.dev/gopoll/socket"
)

// inChild runs a part of a test in a process of its own, once for each
// binding: what it does to the process can't be undone.
func inChild(t *testing.T, part func(t *testing.T, b Binding)) {
	if isChild() {
		for _, b := range Bindings() {
			if childRole() == b.String() {
				part(t, b)
				childDone(t)
			}
		}
		return
	}
	eachBinding(t, func(t *testing.T, b Binding) {
		mustPlay(t, b.String())
	})
}

// TestDescriptorsRunOut: New fails with EMFILE at each of its descriptors and
// keeps none of them; a poller that stands goes on, and one Add more is the
// kernel's concern and not the table's.
func TestDescriptorsRunOut(t *testing.T) {
	inChild(t, func(t *testing.T, b Binding) {
		standing := newPoller(t, b)
		a, peer := newPair(t)
		s := mustAdd(t, standing, a, 1, Readable, Level)

		var limit unix.Rlimit
		must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
		highest := uint64(0)
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		for _, e := range entries {
			var n uint64
			fmt.Sscan(e.Name(), &n)
			highest = max(highest, n)
		}
		limit.Cur = highest + 8
		must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
		var taken []int
		for {
			fd, err := unix.FcntlInt(a, unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				mustBe(t, err, syscall.EMFILE)
				break
			}
			taken = append(taken, fd)
		}
		for free := range 5 {
			before := countDescriptors(int(limit.Cur))
			p, err := New(WithBinding(b))
			if err == nil {
				if free < 2 {
					t.Errorf("a poller with %d descriptors to be had", free)
				}
				must(t, p.Close())
			} else {
				var e *Error
				if mustBe(t, err, syscall.EMFILE); !errors.As(err, &e) || e.Op != "new" {
					t.Errorf("%v does not name the operation", err)
				}
				if free >= 2 {
					t.Errorf("%v with %d descriptors to be had", err, free)
				}
			}
			if after := countDescriptors(int(limit.Cur)); after != before {
				t.Errorf("%d descriptors before New, %d after", before, after)
			}
			// What needs no descriptor goes on.
			mustWrite(t, peer, []byte{1})
			mustWait(t, standing, make([]Event, 1))
			mustRead(t, a, make([]byte, 1))
			must(t, s.Delete())
			s, err = standing.Add(a, 1, Readable, Level)
			must(t, err)
			must(t, unix.Close(taken[len(taken)-1]))
			taken = taken[:len(taken)-1]
		}
		// An orphan can't have the set renewed now: it must not stop the rest.
		must(t, socket.Close(a), s.Delete())
		mustWrite(t, peer, []byte{1})
		for {
			fd, err := unix.FcntlInt(peer, unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				break
			}
			taken = append(taken, fd)
		}
		other := mustAdd(t, standing, uintptr(taken[len(taken)-1]), 2, Writable, Level)
		for range 100 {
			if e := mustWait(t, standing, make([]Event, 1))[0]; e.Key != 2 {
				t.Fatalf("event %v of an orphan", e)
			}
		}
		must(t, other.Delete())
		for _, fd := range taken {
			unix.Close(fd)
		}
	})
}

// countDescriptors needs none of its own.
func countDescriptors(limit int) (count int) {
	for fd := range limit {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			count++
		}
	}
	return count
}

// TestSignalStorm: signals that interrupt every system call make no Wait
// return early, lose nothing, and reach no caller.
func TestSignalStorm(t *testing.T) {
	inChild(t, func(t *testing.T, b Binding) {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGUSR1)
		var stop atomic.Bool
		var storm, waiters sync.WaitGroup
		storm.Go(func() {
			for !stop.Load() {
				// To every thread in turn, the one in epoll_pwait2 among them.
				entries, err := os.ReadDir("/proc/self/task")
				if err != nil {
					t.Error(err)
					return
				}
				for _, e := range entries {
					var tid int
					fmt.Sscan(e.Name(), &tid)
					unix.Tgkill(os.Getpid(), tid, syscall.SIGUSR1)
				}
				select {
				case <-signals:
				default:
				}
			}
		})
		defer func() {
			stop.Store(true)
			join("the storm", &storm)
		}()
		p := newPoller(t, b)
		// A time-out is never early.
		for _, timeout := range []time.Duration{time.Microsecond, time.Millisecond, 30 * time.Millisecond, 200 * time.Millisecond} {
			began := time.Now()
			n, err := p.Wait(make([]Event, 1), timeout)
			if took := time.Since(began); n != 0 || err != nil || took < timeout {
				t.Fatalf("Wait of %v returned %d, %v after %v", timeout, n, err, took)
			}
		}
		// Bytes lent and watched, by several waiters.
		a, peer := newPair(t)
		s := mustAdd(t, p, a, 1, 0, Level)
		watched := mustAdd(t, p, peer, 2, Readable, OneShot)
		returned, readable := make(chan Event, 2), make(chan Event, 2)
		for range 2 {
			waiters.Go(func() {
				events := make([]Event, 2)
				for {
					n, err := p.Wait(events, -1)
					if err != nil {
						allowed(t, "wait", err, ErrClosed)
						return
					}
					for _, e := range events[:n] {
						if e.Key == 1 {
							returned <- e
						} else {
							readable <- e
						}
					}
				}
			})
		}
		buf := make([]byte, 64)
		for round := range repeat(500) {
			out := pattern(round, 1+round%64)
			must(t, s.LendWrite(out))
			if e := receive("a lent write", returned); int(e.N) != len(out) {
				t.Fatalf("%v of %d bytes", e, len(out))
			}
			receive("a watched read", readable)
			if got := mustRead(t, peer, buf); string(got) != string(out) {
				t.Fatalf("round %d: read %x of %x", round, got, out)
			}
			must(t, watched.Modify(2, Readable, OneShot))
		}
		must(t, p.Close())
		join("waiters", &waiters)
	})
}

// TestWithoutPwait2 has the kernel answer epoll_pwait2 as old kernels and some
// sandboxes do: the poller counts in milliseconds, and is never early.
func TestWithoutPwait2(t *testing.T) {
	if isChild() {
		var code int
		var name string
		fmt.Sscan(childRole(), &name, &code)
		withoutPwait2(t, name, syscall.Errno(code))
		return
	}
	eachBinding(t, func(t *testing.T, b Binding) {
		for _, errno := range []syscall.Errno{unix.ENOSYS, unix.EPERM} {
			t.Run(unix.ErrnoName(errno), func(t *testing.T) {
				mustPlay(t, fmt.Sprint(b, " ", int(errno)))
			})
		}
	})
}

func withoutPwait2(t *testing.T, binding string, errno syscall.Errno) {
	refuse(t, unix.SYS_EPOLL_PWAIT2, errno)
	// The kernel does refuse it.
	_, _, got := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, 0, 0, 0, 0, 0, 0)
	if got != errno {
		t.Fatalf("epoll_pwait2 answers %v, want %v", got, errno)
	}
	for _, b := range Bindings() {
		if b.String() != binding {
			continue
		}
		p := newPoller(t, b)
		for _, timeout := range []time.Duration{0, 1, 999 * time.Microsecond, time.Millisecond, 1500 * time.Microsecond, 20 * time.Millisecond} {
			began := time.Now()
			n, err := p.Wait(make([]Event, 1), timeout)
			if took := time.Since(began); n != 0 || err != nil || took < timeout {
				t.Errorf("Wait of %v returned %d, %v after %v", timeout, n, err, took)
			}
		}
		hugeTimeouts(t, p)
		a, peer := newPair(t)
		s := mustAdd(t, p, a, 1, Readable, Level)
		mustWrite(t, peer, []byte("bytes"))
		if e := mustWait(t, p, make([]Event, 4))[0]; e.Key != 1 || e.Ready != Readable {
			t.Errorf("got %v", e)
		}
		must(t, s.Modify(1, 0, Level), s.LendRead(make([]byte, 8)))
		if e := mustWait(t, p, make([]Event, 4))[0]; e.N != 5 {
			t.Errorf("got %v", e)
		}
		childDone(t)
	}
}

// refuse has every thread's calls of one number fail, for the life of the
// process.
func refuse(t *testing.T, number uintptr, errno syscall.Errno) {
	must(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(number), Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// unsafe: the kernel copies the program during the call.
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if e != 0 {
		t.Fatalf("no filter of system calls: %v", e)
	}
}

// hugeTimeouts begins Waits that would end in centuries, or at once if a
// number were too narrow for them.
func hugeTimeouts(t *testing.T, p *Poller) {
	t.Helper()
	for _, timeout := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, 1 << 62, 25 * 24 * time.Hour, 50 * 24 * time.Hour,
		math.MaxInt32 * time.Millisecond, (math.MaxInt32 + 1) * time.Millisecond, math.MaxUint32 * time.Millisecond,
		(math.MaxUint32 + 1) * time.Millisecond, math.MaxInt32 * time.Second, (math.MaxInt32 + 1) * time.Second, -1, math.MinInt64} {
		returned := make(chan error, 1)
		go func() {
			n, woke, err := p.wait(new(waiter), make([]Event, 1), timeout)
			if err == nil && (n != 0 || !woke) {
				err = fmt.Errorf("%d events, woke %v: not by the wake", n, woke)
			}
			returned <- err
		}()
		runtime.Gosched()
		must(t, p.Wake())
		if err := receive("a Wait that was woken", returned); err != nil {
			t.Errorf("Wait of %v: %v", timeout, err)
		}
	}
}

func TestHugeTimeouts(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) { hugeTimeouts(t, newPoller(t, b)) })
}

// steady runs something many times, and checks that descriptors, threads,
// goroutines, pins and memory are afterwards what they were.
func steady(t *testing.T, times int, once func(i int)) {
	t.Helper()
	for i := range min(times, 10) { // what is kept from then on
		once(i)
	}
	leakCheck(t)
	tasks, memory := threads(), heap()
	for i := range times {
		once(i)
	}
	if now := threads(); now > tasks+4 { // the runtime's own come when it needs them
		t.Errorf("%d threads before, %d after", tasks, now)
	}
	if now := heap(); now > memory+1<<20 {
		t.Errorf("%.0f bytes before, %.0f after", memory, now)
	}
}

// TestManyPollers makes and closes pollers, with something lent and a waiter
// in each tenth.
func TestManyPollers(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		a, _ := newPair(t)
		steady(t, repeat(10000), func(i int) {
			p, err := New(WithBinding(b))
			must(t, err)
			s := mustAdd(t, p, a, 1, 0, Level)
			var waiter sync.WaitGroup
			if i%10 == 0 {
				must(t, s.LendRead(make([]byte, 64)))
				waiter.Go(func() {
					_, err := p.Wait(make([]Event, 1), -1)
					allowed(t, "wait", err, ErrClosed)
				})
			}
			must(t, p.Close())
			join("the waiter", &waiter)
		})
	})
}

// TestManyRegistrations adds and removes, with numbers and slots used again,
// one in five closed without Delete, and lends to one in seven.
func TestManyRegistrations(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		p := newPoller(t, b)
		var sources [64]Source
		var fds [64]int
		events, one := make([]Event, 8), binary.NativeEndian.AppendUint64(nil, 1)
		steady(t, repeat(100000), func(i int) {
			at := i % len(sources)
			if fds[at] != 0 {
				if i%5 != 0 {
					must(t, sources[at].Delete())
				}
				must(t, unix.Close(fds[at]))
				if i%10 == 0 {
					must(t, sources[at].Delete())
				}
			}
			var err error
			fds[at], err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
			must(t, err)
			sources[at], err = p.Add(uintptr(fds[at]), uint64(at), Readable, Mode(i%3))
			must(t, err)
			if i%7 != 0 {
				return
			}
			must(t, sources[at].LendWrite(one))
			for _, want := range []Readiness{Returned | Writable, Readable} {
				if e := mustWait(t, p, events[:1])[0]; e.Key != uint64(at) || e.Ready != want {
					t.Fatalf("got %v, want %v of %d", e, want, at)
				}
			}
			must(t, sources[at].Modify(uint64(at), 0, Mode(i%3)))
		})
		for _, fd := range fds {
			unix.Close(fd)
		}
		if p.registry.used > 200 {
			t.Errorf("%d slots were used for 64 sources", p.registry.used)
		}
	})
}

// TestKernelRefusesChanges has every epoll_ctl fail, as it does without memory
// or beyond max_user_watches: the call says so, and nothing has changed.
func TestKernelRefusesChanges(t *testing.T) {
	if isChild() {
		var code int
		var name string
		fmt.Sscan(childRole(), &name, &code)
		kernelRefusesChanges(t, name, syscall.Errno(code))
		return
	}
	eachBinding(t, func(t *testing.T, b Binding) {
		for _, errno := range []syscall.Errno{unix.ENOMEM, unix.ENOSPC} {
			t.Run(unix.ErrnoName(errno), func(t *testing.T) {
				mustPlay(t, fmt.Sprint(b, " ", int(errno)))
			})
		}
	})
}

func kernelRefusesChanges(t *testing.T, binding string, errno syscall.Errno) {
	for _, b := range Bindings() {
		if b.String() != binding {
			continue
		}
		p := newPoller(t, b)
		a, peer := newPair(t)
		s := mustAdd(t, p, a, 1, Readable, Level)
		c, _ := newPair(t)
		paused := mustAdd(t, p, c, 2, 0, Level)
		d, _ := newPair(t)
		arena := mustArena(t, 1, 64)
		refuse(t, unix.SYS_EPOLL_CTL, errno)

		source, err := p.Add(d, 3, Readable, Level)
		if mustBe(t, err, errno); source != (Source{}) {
			t.Error("a source beside an error")
		}
		mustBe(t, s.Modify(9, Readable|Writable, OneShot), errno)
		mustBe(t, s.Delete(), errno)
		changes := []Change{{Op: OpAdd, Fd: d}, {Op: OpDelete, Source: paused}}
		mustBe(t, p.Apply(changes), errno)
		mustBe(t, changes[1].Err, errno)
		// A lend to a paused source has to change its mask.
		mustBe(t, paused.LendRead(make([]byte, 64)), errno)
		mustBe(t, paused.LendWrite(arena.Get()), errno)
		nothingLent(t, p)
		must(t, arena.Free())
		if p.registry.live != 2 {
			t.Errorf("%d sources, want 2", p.registry.live)
		}
		mustWrite(t, peer, []byte{1})
		for range 2 {
			if e := mustWait(t, p, make([]Event, 4)); len(e) != 1 || e[0] != (Event{Key: 1, Ready: Readable}) {
				t.Errorf("got %v of the unchanged source", e)
			}
		}
		must(t, p.Wake(), p.Close())
		childDone(t)
	}
}

// TestAsManySourcesAsDescriptors fills the descriptor table with sources, has
// each report, and counts.
func TestAsManySourcesAsDescriptors(t *testing.T) {
	inChild(t, func(t *testing.T, b Binding) {
		var limit unix.Rlimit
		must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
		limit.Cur = min(limit.Max, uint64(repeat(100000)))
		must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
		p := newPoller(t, b)
		var fds []uintptr
		for {
			fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
			if err != nil {
				mustBe(t, err, syscall.EMFILE)
				break
			}
			fds = append(fds, uintptr(fd))
		}
		before := heap()
		changes := make([]Change, 1000)
		var sources []Source
		for from := 0; from < len(fds); from += len(changes) {
			part := changes[:min(len(changes), len(fds)-from)]
			for i := range part {
				part[i] = Change{Op: OpAdd, Fd: fds[from+i], Key: uint64(from + i), Interest: Readable, Mode: OneShot}
			}
			must(t, p.Apply(part))
			for i := range part {
				sources = append(sources, part[i].Source)
			}
		}
		each := (heap() - before - float64(len(sources))*float64(unsafe.Sizeof(Source{}))*1.3) / float64(len(fds))
		t.Logf("%d sources, %.1f bytes each", len(fds), each)
		if !raceDetector && !addressSanitizer && each > 64 {
			t.Errorf("an idle source takes %.1f bytes, more than 64", each)
		}
		seen := make([]bool, len(fds))
		events := make([]Event, 512)
		for left := len(fds); left > 0; {
			for _, e := range mustWait(t, p, events) {
				if seen[e.Key] {
					t.Fatalf("source %d twice", e.Key)
				}
				seen[e.Key] = true
				left--
			}
		}
		silent(t, p)
		for _, s := range sources {
			must(t, s.Delete())
		}
		for _, fd := range fds {
			unix.Close(int(fd))
		}
	})
}
