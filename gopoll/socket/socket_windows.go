package socket

import (
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

type (
	sockaddr      = windows.Sockaddr
	sockaddrInet4 = windows.SockaddrInet4
	sockaddrInet6 = windows.SockaddrInet6
	sockaddrUnix  = windows.SockaddrUnix
	rawInet4      = windows.RawSockaddrInet4
	rawInet6      = windows.RawSockaddrInet6
)

const (
	afInet      = windows.AF_INET
	afInet6     = windows.AF_INET6
	afUnix      = windows.AF_UNIX
	sockStream  = windows.SOCK_STREAM
	sockDgram   = windows.SOCK_DGRAM
	solSocket   = windows.SOL_SOCKET
	soType      = 0x1008
	soError     = 0x1007
	soReuseAddr = windows.SO_REUSEADDR
	soExclusive = ^windows.SO_REUSEADDR
	soBroadcast = windows.SO_BROADCAST
	ipprotoTCP  = windows.IPPROTO_TCP
	tcpNoDelay  = windows.TCP_NODELAY
	ipprotoIPv6 = windows.IPPROTO_IPV6
	ipv6V6Only  = windows.IPV6_V6ONLY
	msgOOB      = windows.MSG_OOB
	msgNoSignal = 0

	fionbio = 0x8004667e

	eWouldBlock  = windows.WSAEWOULDBLOCK
	eNotConn     = windows.WSAENOTCONN
	eConnAborted = windows.WSAECONNABORTED
	eConnReset   = windows.WSAECONNRESET
	eAfNoSupport = windows.WSAEAFNOSUPPORT

	// Here it would let two servers share a port, and a restart needs nothing.
	reuseAddr = false
)

// Winsock's calls themselves, where x/sys has none, or allocates for each
// "would block" because its error is a number that doesn't fit a byte.
var (
	ws2_32          = windows.NewLazySystemDLL("ws2_32.dll")
	procAccept      = ws2_32.NewProc("accept")
	procSelect      = ws2_32.NewProc("select")
	procWSARecv     = ws2_32.NewProc("WSARecv")
	procWSASend     = ws2_32.NewProc("WSASend")
	procWSARecvFrom = ws2_32.NewProc("WSARecvFrom")
	procWSASendTo   = ws2_32.NewProc("WSASendTo")
)

var startup = sync.OnceValue(func() error {
	var data windows.WSAData
	return windows.WSAStartup(0x202, &data)
})

// overlappedSocket makes a blocking socket that children don't inherit and that
// completion ports can work with.
func overlappedSocket(family, kind int) (windows.Handle, error) {
	// net may not have needed Winsock yet; starting it twice does no harm.
	if err := startup(); err != nil {
		return windows.InvalidHandle, err
	}
	return windows.WSASocket(int32(family), int32(kind), 0, nil, 0,
		windows.WSA_FLAG_OVERLAPPED|windows.WSA_FLAG_NO_HANDLE_INHERIT)
}

func newSocket(family, kind int) (uintptr, error) {
	s, err := overlappedSocket(family, kind)
	if err != nil {
		return Invalid, err
	}
	if err := setNonblock(s); err != nil {
		windows.Closesocket(s)
		return Invalid, err
	}
	if kind == sockDgram {
		// Else an ICMP answer to one datagram fails the read of another.
		ioctl(s, windows.SIO_UDP_CONNRESET, 0)
		ioctl(s, windows.SIO_UDP_NETRESET, 0)
	}
	return uintptr(s), nil
}

func ioctl(s windows.Handle, code, value uint32) error {
	var got uint32
	return windows.WSAIoctl(s, code, (*byte)(unsafe.Pointer(&value)), 4, nil, 0, &got, nil, 0)
}

func setNonblock(s windows.Handle) error { return ioctl(s, fionbio, 1) }

func bind(fd uintptr, sa sockaddr) error { return windows.Bind(windows.Handle(fd), sa) }

func listen(fd uintptr, backlog int) error { return windows.Listen(windows.Handle(fd), backlog) }

func connect(fd uintptr, sa sockaddr) error {
	err := windows.Connect(windows.Handle(fd), sa)
	if err == windows.WSAEWOULDBLOCK {
		return nil
	}
	return err
}

// fdSet is a set of one, which select allows.
type fdSet struct {
	n  uint32
	fd [1]uintptr
}

// settled reports whether a connection is no longer being made.
func settled(fd uintptr) bool {
	write := fdSet{1, [1]uintptr{fd}}
	except := write
	var now windows.Timeval
	n, _, _ := syscall.SyscallN(procSelect.Addr(), 0, 0, uintptr(unsafe.Pointer(&write)),
		uintptr(unsafe.Pointer(&except)), uintptr(unsafe.Pointer(&now)))
	return n != 0
}

func accept(fd uintptr) (uintptr, syscall.Errno) {
	s, _, errno := syscall.SyscallN(procAccept.Addr(), fd, 0, 0)
	if s == Invalid {
		return Invalid, errno
	}
	h := windows.Handle(s)
	// Whether the listener's mode is passed on depends on who made it.
	err := setNonblock(h)
	if err == nil {
		err = windows.SetHandleInformation(h, windows.HANDLE_FLAG_INHERIT, 0)
	}
	if err != nil {
		windows.Closesocket(h)
		errno, _ := err.(syscall.Errno)
		return Invalid, errno
	}
	return s, 0
}

// failure is what the calls below end with.
const failure = 1<<32 - 1

func recv(fd uintptr, p []byte, flags int) (int, syscall.Errno) {
	buf := windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)}
	var n uint32
	f := uint32(flags)
	r, _, errno := syscall.SyscallN(procWSARecv.Addr(), fd, uintptr(unsafe.Pointer(&buf)), 1,
		uintptr(unsafe.Pointer(&n)), uintptr(unsafe.Pointer(&f)), 0, 0)
	return received(r, n, len(p), errno)
}

func recvFrom(fd uintptr, p []byte) (int, netip.AddrPort, syscall.Errno) {
	buf := windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)}
	var n, flags uint32
	// Not less than the longest address of any family: Winsock doesn't truncate.
	var sa windows.RawSockaddrAny
	size := int32(unsafe.Sizeof(sa))
	r, _, errno := syscall.SyscallN(procWSARecvFrom.Addr(), fd, uintptr(unsafe.Pointer(&buf)), 1,
		uintptr(unsafe.Pointer(&n)), uintptr(unsafe.Pointer(&flags)),
		uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)), 0, 0)
	got, errno := received(r, n, len(p), errno)
	return got, decode((*rawInet6)(unsafe.Pointer(&sa))), errno
}

func received(r uintptr, n uint32, room int, errno syscall.Errno) (int, syscall.Errno) {
	if uint32(r) != failure {
		return int(n), 0
	}
	// Two cases that are errors here only.
	switch errno {
	case windows.WSAEMSGSIZE: // a datagram that didn't fit
		return room, 0
	case windows.WSAESHUTDOWN: // the end, made by our own Shutdown
		return 0, 0
	}
	return 0, errno
}

func send(fd uintptr, p []byte, flags int) (int, syscall.Errno) {
	buf := windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)}
	var n uint32
	r, _, errno := syscall.SyscallN(procWSASend.Addr(), fd, uintptr(unsafe.Pointer(&buf)), 1,
		uintptr(unsafe.Pointer(&n)), uintptr(flags), 0, 0)
	if uint32(r) == failure {
		return 0, errno
	}
	return int(n), 0
}

func sendTo(fd uintptr, p []byte, to netip.AddrPort, scope uint32) syscall.Errno {
	var sa rawInet6
	size := encode(&sa, to, scope)
	buf := windows.WSABuf{Len: uint32(len(p)), Buf: unsafe.SliceData(p)}
	var n uint32
	r, _, errno := syscall.SyscallN(procWSASendTo.Addr(), fd, uintptr(unsafe.Pointer(&buf)), 1,
		uintptr(unsafe.Pointer(&n)), 0, uintptr(unsafe.Pointer(&sa)), size, 0, 0)
	if uint32(r) == failure {
		return errno
	}
	return 0
}

// wrongFamily knows more codes than Unix: a short address is a fault to Winsock,
// and other implementations of it have their own.
func wrongFamily(e syscall.Errno) bool {
	switch e {
	case windows.WSAEAFNOSUPPORT, windows.WSAEINVAL, windows.WSAEFAULT, windows.WSAEADDRNOTAVAIL, windows.WSAEOPNOTSUPP:
		return true
	}
	return false
}

func shutdown(fd uintptr, how int) error { return windows.Shutdown(windows.Handle(fd), how) }

func closeSocket(fd uintptr) error { return windows.Closesocket(windows.Handle(fd)) }

func setLingerZero(fd uintptr) {
	windows.SetsockoptLinger(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_LINGER,
		&windows.Linger{Onoff: 1})
}

func getInt(fd uintptr, level, opt int) (int, error) {
	return windows.GetsockoptInt(windows.Handle(fd), level, opt)
}

func setInt(fd uintptr, level, opt, value int) error {
	return windows.SetsockoptInt(windows.Handle(fd), level, opt, value)
}

func getsockname(fd uintptr) (sockaddr, error) { return windows.Getsockname(windows.Handle(fd)) }
func getpeername(fd uintptr) (sockaddr, error) { return windows.Getpeername(windows.Handle(fd)) }
