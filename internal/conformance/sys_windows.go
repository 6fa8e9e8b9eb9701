package conformance

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"gopoll.dev/gopoll/socket"
)

// connsBlock: package net leaves its sockets blocking, as its own calls are overlapped.
const connsBlock = true

// What WSAPoll can be asked; the runner looks at sockets with it and never through the poller under test.
const (
	pollIn      = 0x0100 // POLLRDNORM
	pollPri     = 0x0200 // POLLRDBAND
	pollOut     = 0x0010
	pollErr     = 0x0001
	pollHup     = 0x0002
	pollPeerEnd = pollIn
)

var (
	ws2         = windows.NewLazySystemDLL("ws2_32.dll")
	wsaPoll     = ws2.NewProc("WSAPoll")
	ioctlsocket = ws2.NewProc("ioctlsocket")
)

// sysPoll waits up to ms milliseconds for one of the bits, HUP and ERR included.
func sysPoll(fd uintptr, bits int16, ms int) (int16, error) {
	p := struct {
		fd      uintptr
		events  int16
		revents int16
	}{fd: fd, events: bits}
	if n, _, err := wsaPoll.Call(uintptr(unsafe.Pointer(&p)), 1, uintptr(ms)); int32(n) < 0 {
		return 0, err
	}
	return p.revents, nil
}

func ioctl(fd uintptr, command uint32, value *uint32) error {
	if r, _, err := ioctlsocket.Call(fd, uintptr(command), uintptr(unsafe.Pointer(value))); int32(r) != 0 {
		return err
	}
	return nil
}

// sysQueued is how many bytes wait to be read.
func sysQueued(fd uintptr) (int, error) {
	var n uint32
	err := ioctl(fd, 0x4004667f, &n) // FIONREAD
	return int(n), err
}

func sysBlocking(fd uintptr) error {
	var off uint32
	return ioctl(fd, 0x8004667e, &off) // FIONBIO
}

// sysSmall keeps what fill has to write small.
func sysSmall(fd uintptr) error {
	if err := windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_SNDBUF, 16<<10); err != nil {
		return err
	}
	return windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_RCVBUF, 16<<10)
}

// sysDialSmall begins a TCP connection of sysSmall.
func sysDialSmall(to netip.AddrPort) (uintptr, error) {
	fd, err := socket.Dial("tcp", to.String())
	if err != nil {
		return 0, err
	}
	return fd, sysSmall(fd)
}

// sysFresh is a TCP socket that is not connected; bound says that it has an address, on which it does not listen.
func sysFresh(bound bool) (uintptr, error) {
	h, err := windows.Socket(windows.AF_INET, windows.SOCK_STREAM, 0)
	if err != nil {
		return 0, err
	}
	on := uint32(1)
	if err = ioctl(uintptr(h), 0x8004667e, &on); err == nil && bound {
		err = windows.Bind(h, &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err != nil {
		windows.Closesocket(h)
		return 0, err
	}
	return uintptr(h), nil
}

// sysPort is the port that a socket of sysFresh is bound to.
func sysPort(fd uintptr) (int, error) {
	sa, err := windows.Getsockname(windows.Handle(fd))
	if err != nil {
		return 0, err
	}
	return sa.(*windows.SockaddrInet4).Port, nil
}

func sysOpen(path string) (uintptr, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_BACKUP_SEMANTICS, 0)
	return uintptr(h), err
}

const nullDevice = "NUL"

func sysClose(fd uintptr) error { return windows.CloseHandle(windows.Handle(fd)) }

// sysConnect gives a bound datagram socket its peer.
func sysConnect(fd uintptr, to netip.AddrPort) error {
	if to.Addr().Is4() {
		return windows.Connect(windows.Handle(fd), &windows.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	}
	return windows.Connect(windows.Handle(fd), &windows.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
}

// sysStuck can't be asked here: what may still move is only seen to have moved.
func sysStuck(uintptr) (bool, error) { return true, nil }

// fillQuiet is how many looks in a row must find no room before a socket counts as full. They take half a second: TCP
// may hold an acknowledgement back for a fifth of one.
const fillQuiet = 100

// These exist on Unix only; a script that uses them says so with a mark.
func sysRead(uintptr, []byte) (int, error)       { return 0, errUnsupportedHere }
func sysWrite(uintptr, []byte) (int, error)      { return 0, errUnsupportedHere }
func sysDup(uintptr) (uintptr, error)            { return 0, errUnsupportedHere }
func sysRenumber(uintptr, uintptr) error         { return errUnsupportedHere }
func sysPipe() (r, w uintptr, err error)         { return 0, 0, errUnsupportedHere }
func sysUnixPair(bool) (a, b uintptr, err error) { return 0, 0, errUnsupportedHere }
func sysFifo(string) (r, w uintptr, err error)   { return 0, 0, errUnsupportedHere }
func interruptThread(int) error                  { return errUnsupportedHere }

// What is open and what threads do can't be listed here: the leak check counts goroutines, and blocked goes by
// the state of the goroutine.
func openDescriptors() map[string]string { return nil }
func threadID() int                      { return 0 }
func threadAsleep(int) string            { return "unknown" }

// reserve is address space of the size, none of it memory, for lengths that must be refused unseen.
func reserve(size int) ([]byte, func() error, error) {
	addr, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_RESERVE, windows.PAGE_NOACCESS)
	if err != nil {
		return nil, nil, err
	}
	p := *(*unsafe.Pointer)(unsafe.Pointer(&addr)) // an address that Go's allocator doesn't know
	return unsafe.Slice((*byte)(p), size), func() error { return windows.VirtualFree(addr, 0, windows.MEM_RELEASE) }, nil
}

// Errors of gopoll answer to these names with errors.Is, whatever the Windows code.
var systemErrors = map[string]error{
	"EBADF":        syscall.EBADF,
	"EPERM":        syscall.EPERM,
	"EINVAL":       syscall.EINVAL,
	"EPIPE":        syscall.EPIPE,
	"ECONNRESET":   syscall.ECONNRESET,
	"ECONNREFUSED": syscall.ECONNREFUSED,
	"ENOTCONN":     syscall.ENOTCONN,
	"ENOTSOCK":     syscall.ENOTSOCK,
}

// onWine looks for what only Wine's ntdll has.
func onWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}
