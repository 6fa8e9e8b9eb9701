package socket

import (
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Invalid stands where a descriptor would, when there is none.
const Invalid = ^uintptr(0)

// maxTransfer bounds one read or write: some systems refuse more than 2 GiB.
const maxTransfer = 1 << 30

// Listen opens a socket bound to address: listening for tcp, tcp4, tcp6 and unix,
// only bound for udp, udp4, udp6 and unixgram. An empty host means every address
// of the machine, over IPv4 and IPv6 where net does so. The backlog is the
// largest that the system allows.
//
// A unix socket leaves its file behind; removing it is the caller's task.
func Listen(network, address string) (uintptr, error) {
	e, err := resolve(network, address, true)
	var fd uintptr
	if err == nil {
		fd, err = e.listen()
	}
	if err != nil {
		return Invalid, &Error{Op: "listen", Fd: Invalid, Addr: network + " " + address, Err: err}
	}
	return fd, nil
}

func (e *endpoint) listen() (uintptr, error) {
	fd, err := e.open()
	if err != nil {
		return Invalid, err
	}
	call := ""
	if e.stream && reuseAddr {
		call, err = "setsockopt", setInt(fd, solSocket, soReuseAddr, 1)
	}
	if err == nil {
		call, err = "bind", bind(fd, e.addr)
	}
	if err == nil && e.stream {
		// Every kernel lowers this to its own maximum.
		call, err = "listen", listen(fd, 1<<31-1)
	}
	if err != nil {
		closeSocket(fd)
		return Invalid, os.NewSyscallError(call, err)
	}
	return fd, nil
}

// Dial opens a socket and begins to connect it to the first address that the
// given one resolves to; where there may be several, resolve with package net and
// call Dial for each. Resolving a name blocks, connecting does not: the
// connection stands, or has failed, once the descriptor is writable, and
// [ConnectError] tells which. For datagrams it stands at once.
//
// A unix listener on Linux whose backlog is full makes Dial return
// [ErrWouldBlock] and no descriptor: nothing is pending, dial again later.
func Dial(network, address string) (uintptr, error) {
	e, err := resolve(network, address, false)
	var fd uintptr
	if err == nil {
		fd, err = e.dial()
	}
	if err == ErrWouldBlock {
		return Invalid, err
	}
	if err != nil {
		return Invalid, &Error{Op: "dial", Fd: Invalid, Addr: network + " " + address, Err: err}
	}
	return fd, nil
}

func (e *endpoint) dial() (uintptr, error) {
	fd, err := e.open()
	if err != nil {
		return Invalid, err
	}
	switch err := connect(fd, e.addr); {
	case err == nil:
		return fd, nil
	case err == eWouldBlock && e.family == afUnix:
		closeSocket(fd)
		return Invalid, ErrWouldBlock
	default:
		closeSocket(fd)
		return Invalid, os.NewSyscallError("connect", err)
	}
}

// ConnectError tells how a connection begun by [Dial] came out: nil if it stands,
// [ErrWouldBlock] if it is still under way, otherwise why it failed. The kernel
// tells the reason once; after that it is ENOTCONN.
func ConnectError(fd uintptr) error {
	if _, err := getpeername(fd); err == eNotConn && !settled(fd) {
		return ErrWouldBlock
	}
	code, err := getInt(fd, solSocket, soError)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	if err == nil {
		// No error may also mean that it was never connected.
		_, err = getpeername(fd)
	}
	return failedWith("connect", fd, err)
}

// Accept takes the next connection off a listening socket. [PeerAddr] tells
// where it came from. When descriptors have run out, errors.Is(err,
// syscall.EMFILE) or ENFILE holds, and the connection stays in the queue.
func Accept(fd uintptr) (uintptr, error) {
	for {
		s, errno := accept(fd)
		switch errno {
		case 0:
			// Fails on unix sockets and on connections that are dead already;
			// neither is a reason to refuse them.
			setInt(s, ipprotoTCP, tcpNoDelay, 1)
			return s, nil
		case eConnAborted, eConnReset:
			// The client gave up while in the queue: not the listener's error.
		default:
			return Invalid, failed("accept", fd, errno)
		}
	}
}

// Read reads what has arrived, or one datagram of which what doesn't fit in p is
// lost. At the end of a stream it returns io.EOF. An empty p reads nothing.
func Read(fd uintptr, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, errno := recv(fd, p[:min(len(p), maxTransfer)], 0)
	if errno != 0 {
		return 0, failed("read", fd, errno)
	}
	if n == 0 {
		// An empty datagram is not the end of anything.
		if kind, err := getInt(fd, solSocket, soType); err != nil || kind != sockDgram {
			return 0, io.EOF
		}
	}
	return n, nil
}

// Write writes as much of p as the socket takes: on a stream that may be less
// than all of it, without an error. It never raises SIGPIPE.
func Write(fd uintptr, p []byte) (int, error) {
	n, errno := send(fd, p[:min(len(p), maxTransfer)], msgNoSignal)
	if errno != 0 {
		return 0, failed("write", fd, errno)
	}
	return n, nil
}

// ReadFrom reads one datagram and tells who sent it; what doesn't fit in p is
// lost. A sender seen through a dual-stack socket has the mapped form of its IPv4
// address, the zone of a link-local one is the number of its interface, and one
// without an IP address, as on unixgram, is the zero AddrPort.
//
// ReadFrom and WriteTo allocate nothing, save for the address on macOS, NetBSD,
// OpenBSD and Linux on 386 and s390x, where Accept does too.
func ReadFrom(fd uintptr, p []byte) (int, netip.AddrPort, error) {
	n, from, errno := recvFrom(fd, p[:min(len(p), maxTransfer)])
	if errno != 0 {
		return 0, netip.AddrPort{}, failed("read", fd, errno)
	}
	return n, from, nil
}

// WriteTo sends p as one datagram to an IP address. IPv4 addresses may be in
// either form, whatever the family of the socket.
func WriteTo(fd uintptr, p []byte, to netip.AddrPort) (int, error) {
	scope, err := zoneIndex(to.Addr().Zone())
	if err != nil {
		return 0, failedWith("write", fd, err)
	}
	if !to.IsValid() {
		return 0, failed("write", fd, syscall.EDESTADDRREQ)
	}
	errno := sendTo(fd, p, to, scope)
	if wrongFamily(errno) {
		if other, ok := otherForm(to); ok {
			if again := sendTo(fd, p, other, 0); !wrongFamily(again) {
				errno = again
			}
		}
	}
	if errno != 0 {
		return 0, failed("write", fd, errno)
	}
	return len(p), nil
}

// WriteUrgent sends b as TCP's urgent byte, which the peer's poller reports as
// priority data.
func WriteUrgent(fd uintptr, b byte) error {
	if _, errno := send(fd, []byte{b}, msgOOB|msgNoSignal); errno != 0 {
		return failed("write urgent", fd, errno)
	}
	return nil
}

// ReadUrgent takes the urgent byte. Where there is none the error is the
// system's own, mostly EINVAL.
func ReadUrgent(fd uintptr) (byte, error) {
	var b [1]byte
	n, errno := recv(fd, b[:], msgOOB)
	if errno != 0 {
		return 0, failed("read urgent", fd, errno)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return b[0], nil
}

// How says which side of a connection [Shutdown] ends.
type How int

const (
	ShutRead  How = iota // Read sees the end of the stream
	ShutWrite            // the peer sees it; Write is EPIPE
	ShutBoth
)

// Shutdown ends one side of a connection, or both, and keeps the descriptor.
func Shutdown(fd uintptr, how How) error {
	if how < ShutRead || how > ShutBoth {
		return failed("shutdown", fd, syscall.EINVAL)
	}
	return failedWith("shutdown", fd, shutdown(fd, int(how)))
}

// Close closes a socket. The descriptor is gone even if there was an error.
func Close(fd uintptr) error { return failedWith("close", fd, closeSocket(fd)) }

// Reset closes a TCP connection with a reset: what is unsent is thrown away and
// the peer reads ECONNRESET. Other sockets are only closed.
func Reset(fd uintptr) error {
	setLingerZero(fd)
	return failedWith("reset", fd, closeSocket(fd))
}

// LocalAddr returns the address a socket is bound to, as package net has it,
// except that a zone is the number of its interface.
func LocalAddr(fd uintptr) (net.Addr, error) {
	return netAddr("local address", fd, getsockname)
}

// PeerAddr returns the address a socket is connected to, in the form of
// [LocalAddr].
func PeerAddr(fd uintptr) (net.Addr, error) {
	return netAddr("peer address", fd, getpeername)
}

// Pair returns two connected stream sockets: a socketpair, or on Windows a TCP
// connection over loopback of which both ends are known to be ours.
func Pair() (a, b uintptr, err error) {
	a, b, err = pair()
	if err != nil {
		return Invalid, Invalid, &Error{Op: "pair", Fd: Invalid, Err: err}
	}
	return a, b, nil
}
