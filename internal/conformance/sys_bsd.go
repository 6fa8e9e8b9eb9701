//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package conformance

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	fionread    = 0x4004667f
	pollPeerEnd = unix.POLLIN // poll(2) here shows the end of a stream only as something to read
)

// sysRenumber gives the descriptor the number to, which must not be open.
func sysRenumber(fd, to uintptr) error {
	if err := unix.Dup2(int(fd), int(to)); err != nil {
		return err
	}
	unix.CloseOnExec(int(to))
	return unix.Close(int(fd))
}

// sysStuck can't be asked here: what may still move is only seen to have moved.
func sysStuck(uintptr) (bool, error) { return true, nil }

// fillQuiet is how many looks in a row must find no room before a socket counts as full.
const fillQuiet = 8

func threadID() int { return 0 }

// threadAsleep can't be asked here: the state of the goroutine has to do.
func threadAsleep(int) string { return "unknown" }

// interruptThread sends a signal that the Go runtime handles and ignores; the system chooses the thread.
func interruptThread(int) error { return unix.Kill(os.Getpid(), syscall.SIGURG) }
