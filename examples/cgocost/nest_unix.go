//go:build unix

package main

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"gopoll.dev/gopoll"
)

const nested = "nested"

// nest waits for a poller in the runtime's own, which parks the goroutine and
// holds no thread.
type nest struct {
	p    *gopoll.Poller
	file *os.File
	raw  syscall.RawConn
}

func newNest(p *gopoll.Poller) (*nest, error) {
	// A duplicate, because the file closes what it is given. Non-blocking is
	// what makes package os hand it to the runtime's poller.
	fd, err := unix.FcntlInt(p.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "gopoll")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &nest{p, file, raw}, nil
}

// wait is Poller.Wait without a timeout. One goroutine may call it at a time.
// A Wake ends it only once woken is true, which has to be set before Wake: a
// Wait that does not block can't tell a wake from nothing.
func (w *nest) wait(events []gopoll.Event, woken func() bool) (n int, err error) {
	failed := w.raw.Read(func(uintptr) bool {
		n, err = w.p.Wait(events, 0)
		return n > 0 || err != nil || woken()
	})
	if err == nil {
		err = failed
	}
	return n, err
}

func (w *nest) close() error { return w.file.Close() }
