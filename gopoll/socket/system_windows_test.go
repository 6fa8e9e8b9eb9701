package socket_test

import (
	"errors"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"

	"gopoll.dev/gopoll/socket"
)

const allocatesAddresses = false

func shrinkBacklog(uintptr) error { return errors.ErrUnsupported }

var procGetHandleInformation = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetHandleInformation")

func setNoDelay(fd uintptr, on int) error {
	return windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_TCP, windows.TCP_NODELAY, on)
}

func v6only(fd uintptr) (int, error) {
	return windows.GetsockoptInt(windows.Handle(fd), windows.IPPROTO_IPV6, windows.IPV6_V6ONLY)
}

// Every way to get a socket gives one that children don't inherit and that has
// TCP's delay off. (Whether it is non-blocking can't be asked; the other tests
// would hang.)
func TestFlags(t *testing.T) {
	client, server := connect(t, "tcp4", "127.0.0.1:0")
	bound, _ := listen(t, "udp4", "127.0.0.1:0")
	a, b, err := socket.Pair()
	must(t, err)
	for _, fd := range []uintptr{client, server, a, b} {
		closing(t, fd, nil)
		on, err := windows.GetsockoptInt(windows.Handle(fd), windows.IPPROTO_TCP, windows.TCP_NODELAY)
		if err != nil || on == 0 {
			t.Errorf("TCP_NODELAY is %d, %v", on, err)
		}
	}
	for _, fd := range []uintptr{client, server, bound, a, b} {
		var flags uint32
		ok, _, err := procGetHandleInformation.Call(fd, uintptr(unsafe.Pointer(&flags)))
		if ok == 0 || flags&windows.HANDLE_FLAG_INHERIT != 0 {
			t.Errorf("flags %#x, %v: inherited", flags, err)
		}
	}
}

// Winsock's numbers and the names of package syscall.
func TestNames(t *testing.T) {
	for code, name := range map[syscall.Errno]error{
		windows.WSAEMFILE:       syscall.EMFILE,
		windows.WSAECONNREFUSED: syscall.ECONNREFUSED,
		windows.WSAESHUTDOWN:    syscall.EPIPE,
		windows.WSAENOTSOCK:     syscall.EBADF,
		windows.WSAEAFNOSUPPORT: errors.ErrUnsupported,
		windows.WSAEOPNOTSUPP:   errors.ErrUnsupported,
		windows.WSAEACCES:       syscall.EACCES,
	} {
		err := error(&socket.Error{Op: "test", Err: code})
		if !errors.Is(err, name) || !errors.Is(err, code) {
			t.Errorf("%d is not %v", uintptr(code), name)
		}
		if errors.Is(err, syscall.EXDEV) {
			t.Errorf("%d is EXDEV", uintptr(code))
		}
	}
}
