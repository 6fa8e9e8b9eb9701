//go:build curl && cgo

package main

import (
	"errors"
	"os"
	"runtime/cgo"
	"time"

	"gopoll.dev/gopoll"
)

// transfer is a URL and the file that it goes to.
type transfer struct {
	url, file string
	err       error // result

	out *os.File
}

// loop is the goroutine's: libcurl calls back only while it is called.
type loop struct {
	poller    *gopoll.Poller
	multi     *multi
	transfers []transfer
	sources   map[uintptr]gopoll.Source
	deadline  time.Time // of libcurl's timer; zero: it is stopped
	err       error     // of a callback
}

// fetch makes all transfers at one time. The result of each is with it.
func fetch(all []transfer) (err error) {
	l := &loop{transfers: all, sources: map[uintptr]gopoll.Source{}}
	handle := cgo.NewHandle(l)
	defer handle.Delete()
	if l.poller, err = gopoll.New(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.poller.Close()) }()
	if l.multi, err = newMulti(handle); err != nil {
		return err
	}
	defer l.multi.close() // before the poller: it unregisters its sockets
	for i := range all {
		t := &all[i]
		if t.out, err = os.Create(t.file); err != nil {
			return err
		}
		defer t.out.Close()
		if err := l.multi.add(handle, i, t.url); err != nil {
			return err
		}
	}
	return l.run()
}

// run goes on until every transfer has ended.
func (l *loop) run() error {
	events := make([]gopoll.Event, 64)
	for {
		l.multi.done(l.ended)
		if l.err != nil || len(l.multi.easy) == 0 {
			return l.err
		}
		n, err := l.poller.Wait(events, l.left())
		if err != nil {
			return err
		}
		for _, ev := range events[:n] {
			if _, ok := l.sources[uintptr(ev.Key)]; !ok {
				continue // libcurl lost interest while it saw to an earlier event
			}
			if err := l.multi.action(uintptr(ev.Key), ev.Ready); err != nil {
				return err
			}
		}
		if l.left() == 0 {
			l.deadline = time.Time{}
			if err := l.multi.timeout(); err != nil {
				return err
			}
		}
	}
}

// left is the time until libcurl's timer runs out, or -1 for ever.
func (l *loop) left() time.Duration {
	if l.deadline.IsZero() {
		return -1
	}
	return max(time.Until(l.deadline), 0)
}

func (l *loop) setTimer(ms int64) {
	l.deadline = time.Time{}
	if ms >= 0 {
		l.deadline = time.Now().Add(time.Duration(ms) * time.Millisecond)
	}
}

func (l *loop) watch(fd uintptr, interest gopoll.Readiness) {
	source, ok := l.sources[fd]
	var err error
	if ok {
		err = source.Modify(uint64(fd), interest, gopoll.Level)
	} else if source, err = l.poller.Add(fd, uint64(fd), interest, gopoll.Level); err == nil {
		l.sources[fd] = source
	}
	l.err = errors.Join(l.err, err)
}

func (l *loop) forget(fd uintptr) {
	if source, ok := l.sources[fd]; ok {
		delete(l.sources, fd)
		l.err = errors.Join(l.err, source.Delete())
	}
}

// write takes what a transfer brings, and says how much of it.
func (l *loop) write(index int, data []byte) int {
	t := &l.transfers[index]
	n, err := t.out.Write(data)
	t.err = err
	return n
}

func (l *loop) ended(index int, err error) {
	t := &l.transfers[index]
	if t.err == nil {
		t.err = err
	}
	t.err = errors.Join(t.err, t.out.Close())
}
