package socket

import (
	"os"

	"golang.org/x/sys/windows"
)

// pair connects two sockets over loopback. Any process may connect to the
// listener in between, so only a connection that comes from our own socket's
// address is taken. Nothing blocks for long: connect returns once ours is in
// the queue, and accept has only those before it to take.
func pair() (a, b uintptr, err error) {
	var open []windows.Handle
	defer func() {
		for _, s := range open {
			if err != nil || s == open[0] {
				windows.Closesocket(s)
			}
		}
	}()
	fail := func(call string, err error) (uintptr, uintptr, error) {
		return Invalid, Invalid, os.NewSyscallError(call, err)
	}
	for range 2 {
		s, err := overlappedSocket(afInet, sockStream)
		if err != nil {
			return fail("WSASocket", err)
		}
		open = append(open, s)
	}
	listener, near := open[0], open[1]
	if err := windows.SetsockoptInt(listener, solSocket, soExclusive, 1); err != nil {
		return fail("setsockopt", err)
	}
	if err := windows.Bind(listener, &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fail("bind", err)
	}
	if err := windows.Listen(listener, windows.SOMAXCONN); err != nil {
		return fail("listen", err)
	}
	address, err := windows.Getsockname(listener)
	if err != nil {
		return fail("getsockname", err)
	}
	if err := windows.Connect(near, address); err != nil {
		return fail("connect", err)
	}
	if err := setNonblock(near); err != nil {
		return fail("ioctl", err)
	}
	for {
		s, errno := accept(uintptr(listener))
		if errno == eConnReset || errno == eConnAborted {
			continue
		}
		if errno != 0 {
			return fail("accept", errno)
		}
		if sameEnds(near, windows.Handle(s)) {
			open = append(open, windows.Handle(s))
			a, b = uintptr(near), s
			break
		}
		windows.Closesocket(windows.Handle(s))
	}
	setInt(a, ipprotoTCP, tcpNoDelay, 1)
	setInt(b, ipprotoTCP, tcpNoDelay, 1)
	return a, b, nil
}

// sameEnds reports whether far was accepted from near.
func sameEnds(near, far windows.Handle) bool {
	here, err := windows.Getsockname(near)
	if err != nil {
		return false
	}
	there, err := windows.Getpeername(far)
	if err != nil {
		return false
	}
	h, ok1 := here.(*windows.SockaddrInet4)
	t, ok2 := there.(*windows.SockaddrInet4)
	return ok1 && ok2 && h.Port == t.Port && h.Addr == t.Addr
}
