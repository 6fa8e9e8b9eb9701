//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package socket_test

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gopoll.dev/gopoll/socket"
)

var allocatesAddresses = runtime.GOOS == "darwin" || runtime.GOOS == "netbsd" || runtime.GOOS == "openbsd" ||
	runtime.GOOS == "linux" && (runtime.GOARCH == "386" || runtime.GOARCH == "s390x")

func shrinkBacklog(fd uintptr) error { return unix.Listen(int(fd), 1) }

func setNoDelay(fd uintptr, on int) error {
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY, on)
}

func v6only(fd uintptr) (int, error) {
	return unix.GetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
}

// Every way to get a descriptor gives one that is non-blocking, is closed in
// children, and has the options that net sets.
func TestFlags(t *testing.T) {
	client, server := connect(t, "tcp4", "127.0.0.1:0")
	bound, _ := listen(t, "udp4", "127.0.0.1:0")
	a, b, err := socket.Pair()
	must(t, err)
	for _, fd := range []uintptr{client, server, a, b} {
		closing(t, fd, nil)
	}
	for _, fd := range []uintptr{client, server, bound, a, b} {
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("flags %#x, %v: not non-blocking", flags, err)
		}
		flags, err = unix.FcntlInt(fd, unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("flags %#x, %v: not closed on exec", flags, err)
		}
	}
	for _, fd := range []uintptr{client, server} {
		on, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY)
		if err != nil || on == 0 {
			t.Errorf("TCP_NODELAY is %d, %v", on, err)
		}
	}
	l, _ := listen(t, "tcp4", "127.0.0.1:0")
	if on, err := unix.GetsockoptInt(int(l), unix.SOL_SOCKET, unix.SO_REUSEADDR); err != nil || on == 0 {
		t.Errorf("SO_REUSEADDR is %d, %v", on, err)
	}
}

// A server that has run out of descriptors can tell, and serves the client when
// it has one again.
func TestAcceptNoDescriptors(t *testing.T) {
	l, a := listen(t, "tcp4", "127.0.0.1:0")
	c, err := socket.Dial("tcp4", a.String())
	closing(t, c, err)
	writable(t, c)
	readable(t, l)

	// The lowest free number becomes the limit.
	free, err := unix.Dup(int(l))
	must(t, err)
	must(t, unix.Close(free))
	var old unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
	low := old
	low.Cur = 0
	for range free {
		low.Cur++
	}
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	_, err = socket.Accept(l)
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &old))
	typed(t, err, "accept", l, syscall.EMFILE)

	readable(t, l)
	s, err := socket.Accept(l)
	closing(t, s, err)
}

func TestNoSigpipe(t *testing.T) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGPIPE, syscall.SIGWINCH)
	defer signal.Stop(signals)
	tcp, peer := connect(t, "tcp4", "127.0.0.1:0")
	must(t, socket.Shutdown(tcp, socket.ShutWrite))
	closing(t, peer, nil)
	pair, other, err := socket.Pair()
	must(t, err)
	must(t, socket.Close(other))
	for _, fd := range []uintptr{tcp, pair} {
		closing(t, fd, nil)
		if _, err := socket.Write(fd, []byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("Write: %v, want EPIPE", err)
		}
	}
	// A SIGPIPE came at once if it came, and the runtime hands out what is pending
	// by number, of which SIGWINCH has the higher.
	must(t, unix.Kill(unix.Getpid(), unix.SIGWINCH))
	if s := <-signals; s != syscall.SIGWINCH {
		t.Errorf("got %v", s)
	}
}

// A full queue of a unix listener is no error and leaves nothing behind.
func TestUnixBacklogFull(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere a full queue refuses the connection")
	}
	t.Chdir(t.TempDir())
	l, _ := listen(t, "unix", "s")
	must(t, shrinkBacklog(l))
	for range 64 {
		fd, err := socket.Dial("unix", "s")
		if err == socket.ErrWouldBlock {
			if fd != socket.Invalid {
				t.Errorf("and descriptor %d", fd)
			}
			return
		}
		closing(t, fd, err)
	}
	t.Error("64 connections fit a backlog of one")
}
