package conformance

import (
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	fionread    = unix.TIOCINQ
	pollPeerEnd = unix.POLLRDHUP // the peer sends no more, also while bytes are unread
)

// sysRenumber gives the descriptor the number to, which must not be open.
func sysRenumber(fd, to uintptr) error {
	if err := unix.Dup3(int(fd), int(to), unix.O_CLOEXEC); err != nil {
		return err
	}
	return unix.Close(int(fd))
}

// sysStuck says whether nothing that a TCP socket has to send can move before its peer reads: the peer's window is
// closed and every byte sent is acknowledged.
func sysStuck(fd uintptr) (bool, error) {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return false, err
	}
	return info.Unacked == 0 && info.Snd_wnd == 0, nil
}

// fillQuiet is how many looks in a row must find a socket stuck before it counts as full.
const fillQuiet = 1

func threadID() int { return unix.Gettid() }

// threadAsleep returns a mark that stays the same as long as the thread sleeps in one system call, and "" where
// it runs.
func threadAsleep(tid int) string {
	call, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", tid))
	if err != nil || !(call[0] >= '0' && call[0] <= '9') {
		return "" // running
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", tid))
	if err != nil {
		return ""
	}
	mark := string(call)
	for _, l := range strings.Split(string(status), "\n") {
		if strings.Contains(l, "ctxt_switches") {
			mark += l
		}
	}
	return mark
}

// interruptThread sends a signal that the Go runtime handles and ignores: a blocking call ends with EINTR.
func interruptThread(tid int) error { return unix.Tgkill(os.Getpid(), tid, syscall.SIGURG) }
