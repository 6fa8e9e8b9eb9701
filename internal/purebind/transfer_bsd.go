//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package purebind

import (
	"syscall"

	"golang.org/x/sys/unix"

	"gopoll.dev/internal/abi"
)

// receive allocates the sender's address: x/sys has no call that tells of a
// cut datagram without it, and direct system calls are closed on OpenBSD.
func receive(t *abi.Transfer, buf []byte) (int, syscall.Errno) {
	n, _, flags, _, err := unix.Recvmsg(int(t.Fd), buf, nil, 0)
	t.Cut = cut(flags)
	return result(n, err)
}

// send is write(2): Go's runtime turns SIGPIPE of a socket into EPIPE
// (package os/signal, "SIGPIPE").
func send(fd int, buf []byte) (int, error) { return unix.Write(fd, buf) }
