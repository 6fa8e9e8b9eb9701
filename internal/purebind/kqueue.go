//go:build darwin || dragonfly || freebsd || netbsd || openbsd || kqueue_double

package purebind

import (
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
)

// Kqueue is a kernel event queue and, once OpenPipe was called, a pipe that
// wakes its waiters. The methods may be called from any goroutine; the caller
// sees to it that none is under way or begins after Close.
type Kqueue struct {
	kq   int
	pipe [2]int // {-1, -1} until OpenPipe
}

// batch is the memory of one kevent call. It has no pointers: udata is a
// number here, and x/sys's *byte would be one that the collector follows.
type batch struct {
	events  [abi.KqueueBatch]kevent
	asked   [abi.KqueueBatch]int
	timeout unix.Timespec
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// OpenKqueue makes an empty queue.
func OpenKqueue() (*Kqueue, error) {
	// A child forked between the two calls would keep the descriptor.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	kq, err := openQueue()
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(kq)
	return &Kqueue{kq, [2]int{-1, -1}}, nil
}

// OpenPipe makes the pipe, and returns the descriptor to watch.
func (k *Kqueue) OpenPipe() (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return -1, err
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			unix.Close(fds[0])
			unix.Close(fds[1])
			return -1, err
		}
	}
	k.pipe = fds
	return fds[0], nil
}

// HasExcept is whether the system has EVFILT_EXCEPT.
func (k *Kqueue) HasExcept() bool { return hasExcept }

// Fd is the descriptor of the queue.
func (k *Kqueue) Fd() int { return k.kq }

// Change makes all changes; each gets its own Err.
func (k *Kqueue) Change(changes []abi.KqueueChange) {
	b := batches.Get().(*batch)
	for len(changes) > 0 {
		n := min(len(changes), abi.KqueueBatch)
		k.change(changes[:n], b)
		changes = changes[n:]
	}
	batches.Put(b)
}

// change is one kevent(2). EV_RECEIPT makes it answer each change, in order,
// and take no event from the queue. EINTR means that the changes were made
// and the answers are lost.
func (k *Kqueue) change(changes []abi.KqueueChange, b *batch) {
	used := 0
	for i := range changes {
		c := &changes[i]
		inspect(c)
		filter, fflags, ok := nativeFilter(c.Filter, c.Fflags)
		if c.Err == 0 && !ok {
			c.Err = int32(unix.EINVAL)
		}
		if c.Err != 0 {
			continue
		}
		b.events[used] = makeKevent(c.Fd, filter, uint32(c.Flags)|abi.KqueueReceipt, fflags, uintptr(c.Data))
		b.asked[used] = i
		used++
	}
	if used == 0 {
		return
	}
	b.timeout = unix.Timespec{}
	answered, errno := callKevent(k.kq, b.events[:used], b.events[:used], &b.timeout)
	lost := unix.EIO
	if errno != 0 {
		answered, lost = 0, errno
		if errno == unix.EINTR {
			lost = 0
		}
	}
	for i := range used {
		c := &changes[b.asked[i]]
		switch {
		case i >= answered:
			c.Err = int32(lost)
		case uint32(b.events[i].Flags)&abi.KqueueError != 0:
			c.Err = int32(b.events[i].Data)
		}
	}
}

// inspect looks at the descriptor where that is asked for. c.Err becomes 0 if
// the change may go to the kernel.
func inspect(c *abi.KqueueChange) {
	c.Err = 0
	if c.Refuse == 0 {
		return
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(c.Fd), &st); err != nil {
		c.Err = int32(err.(syscall.Errno))
		return
	}
	c.Type = uint32(st.Mode) & unix.S_IFMT >> 12
	if c.Refuse>>c.Type&1 != 0 {
		c.Err = int32(unix.EPERM)
	}
}

// maxSeconds fits a time_t of 32 bits, and no kernel refuses it.
const maxSeconds = 99_999_999

// Wait is one kevent(2), for at most abi.KqueueBatch facts. timeout < 0 waits
// for ever.
func (k *Kqueue) Wait(facts []abi.Fact, timeout time.Duration) (int, syscall.Errno) {
	b := batches.Get().(*batch)
	defer batches.Put(b)
	var limit *unix.Timespec
	if timeout >= 0 {
		b.timeout = unix.NsecToTimespec(int64(min(timeout, maxSeconds*time.Second)))
		limit = &b.timeout
	}
	n, errno := callKevent(k.kq, nil, b.events[:min(len(facts), abi.KqueueBatch)], limit)
	if errno != 0 {
		return 0, errno
	}
	for i := range n {
		e := &b.events[i]
		facts[i] = abi.Fact{
			Data: uint64(e.Udata),
			Bits: filterCode(e)<<16 | uint32(e.Flags)&0xffff,
			Aux:  int32(e.Fflags),
		}
	}
	return n, 0
}

// Trigger fires the EVFILT_USER event of ident and data 0.
func (k *Kqueue) Trigger() syscall.Errno {
	b := batches.Get().(*batch)
	defer batches.Put(b)
	filter, _, _ := nativeFilter(abi.KqueueUser, 0)
	b.events[0] = makeKevent(0, filter, 0, noteTrigger, 0)
	_, errno := callKevent(k.kq, b.events[:1], nil, nil)
	return errno
}

// noteTrigger is NOTE_TRIGGER, which has one value everywhere; x/sys lacks it
// for some systems.
const noteTrigger = 0x01000000

// SignalPipe makes the pipe readable. A full pipe is readable.
func (k *Kqueue) SignalPipe() syscall.Errno {
	for {
		_, err := unix.Write(k.pipe[1], wakeByte[:])
		if err == nil || err == unix.EAGAIN {
			return 0
		}
		if err != unix.EINTR {
			return err.(syscall.Errno)
		}
	}
}

var wakeByte [1]byte

// DrainPipe takes what SignalPipe left.
func (k *Kqueue) DrainPipe() syscall.Errno {
	var sink [64]byte
	for {
		n, err := unix.Read(k.pipe[0], sink[:])
		if err == unix.EINTR || n == len(sink) {
			continue
		}
		if err == nil || err == unix.EAGAIN {
			return 0
		}
		return err.(syscall.Errno)
	}
}

// Close closes all descriptors.
func (k *Kqueue) Close() error {
	if k.pipe[0] >= 0 {
		unix.Close(k.pipe[0])
		unix.Close(k.pipe[1])
	}
	return closeQueue(k.kq)
}

// nativeFilter is the system's number of a filter of package abi, and fflags
// with what the filter itself needs.
func nativeFilter(code uint16, fflags uint32) (kfilter, uint32, bool) {
	switch code {
	case abi.KqueueRead:
		return evfiltRead, fflags, true
	case abi.KqueueWrite:
		return evfiltWrite, fflags, true
	case abi.KqueueExcept:
		return evfiltExcept, fflags | noteOOB, hasExcept
	case abi.KqueueUser:
		return evfiltUser, fflags, true
	}
	return 0, 0, false
}

func filterCode(e *kevent) uint32 {
	switch e.Filter {
	case evfiltRead:
		return abi.KqueueRead
	case evfiltWrite:
		return abi.KqueueWrite
	case evfiltUser:
		return abi.KqueueUser
	}
	return abi.KqueueExcept
}
