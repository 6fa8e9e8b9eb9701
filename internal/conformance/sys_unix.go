//go:build unix

package conformance

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// connsBlock: package net's sockets are non-blocking.
const connsBlock = false

// What poll(2) can be asked; the runner looks at descriptors with it and never through the poller under test.
const (
	pollIn  = unix.POLLIN
	pollOut = unix.POLLOUT
	pollPri = unix.POLLPRI
	pollHup = unix.POLLHUP
	pollErr = unix.POLLERR
)

// sysPoll waits up to ms milliseconds for one of the bits, HUP and ERR included.
func sysPoll(fd uintptr, bits int16, ms int) (int16, error) {
	p := []unix.PollFd{{Fd: int32(fd), Events: bits}}
	for {
		_, err := unix.Poll(p, ms)
		if err == unix.EINTR {
			continue
		}
		return p[0].Revents, err
	}
}

// sysQueued is how many bytes wait to be read.
func sysQueued(fd uintptr) (int, error) { return unix.IoctlGetInt(int(fd), fionread) }

func sysRead(fd uintptr, b []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), b)
		if err != unix.EINTR {
			return max(n, 0), wouldBlock(err)
		}
	}
}

func sysWrite(fd uintptr, b []byte) (int, error) {
	for {
		n, err := unix.Write(int(fd), b)
		if err != unix.EINTR {
			return max(n, 0), wouldBlock(err)
		}
	}
}

func wouldBlock(err error) error {
	if err == unix.EAGAIN || err == unix.EWOULDBLOCK {
		return errWouldBlock
	}
	return err
}

func sysClose(fd uintptr) error { return unix.Close(int(fd)) }

// sysSmall keeps what fill has to write small, and makes a full connection stay full: with segments much smaller than
// the buffers, what a probe of the closed window still moves is never enough to make room. It must be said before
// the connection is made; of a listener, connections inherit it.
func sysSmall(fd uintptr) error {
	for _, o := range []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_SNDBUF, 16 << 10},
		{unix.SOL_SOCKET, unix.SO_RCVBUF, 16 << 10},
		{unix.IPPROTO_TCP, unix.TCP_MAXSEG, 1024},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
	} {
		if err := unix.SetsockoptInt(int(fd), o.level, o.name, o.value); err != nil && o.name != unix.TCP_MAXSEG {
			return err
		}
	}
	return nil
}

// sysDialSmall begins a TCP connection of sysSmall.
func sysDialSmall(to netip.AddrPort) (uintptr, error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, err
	}
	unix.CloseOnExec(fd)
	if err = unix.SetNonblock(fd, true); err == nil {
		if err = sysSmall(uintptr(fd)); err == nil {
			if err = sysConnect(uintptr(fd), to); err == unix.EINPROGRESS {
				err = nil
			}
		}
	}
	if err != nil {
		unix.Close(fd)
	}
	return uintptr(fd), err
}

func sysBlocking(fd uintptr) error { return unix.SetNonblock(int(fd), false) }

func sysDup(fd uintptr) (uintptr, error) {
	n, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	return uintptr(n), err
}

// sysFresh is a TCP socket that is not connected; bound says that it has an address, on which it does not listen.
func sysFresh(bound bool) (uintptr, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, err
	}
	unix.CloseOnExec(fd)
	if err = unix.SetNonblock(fd, true); err == nil && bound {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err != nil {
		unix.Close(fd)
		return 0, err
	}
	return uintptr(fd), nil
}

// sysPort is the port that a socket of sysFresh is bound to.
func sysPort(fd uintptr) (int, error) {
	sa, err := unix.Getsockname(int(fd))
	if err != nil {
		return 0, err
	}
	return sa.(*unix.SockaddrInet4).Port, nil
}

// sysUnixPair is a pair of AF_UNIX sockets.
func sysUnixPair(datagram bool) (a, b uintptr, err error) {
	how := unix.SOCK_STREAM
	if datagram {
		how = unix.SOCK_DGRAM
	}
	p, err := unix.Socketpair(unix.AF_UNIX, how, 0)
	if err != nil {
		return 0, 0, err
	}
	for _, fd := range p {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			return 0, 0, err
		}
	}
	return uintptr(p[0]), uintptr(p[1]), nil
}

// sysConnect connects a socket; a datagram socket gets its peer.
func sysConnect(fd uintptr, to netip.AddrPort) error {
	if to.Addr().Is4() {
		return unix.Connect(int(fd), &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	}
	return unix.Connect(int(fd), &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
}

func sysPipe() (r, w uintptr, err error) {
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		return 0, 0, err
	}
	for _, fd := range p {
		unix.CloseOnExec(fd)
		if err := unix.SetNonblock(fd, true); err != nil {
			return 0, 0, err
		}
	}
	return uintptr(p[0]), uintptr(p[1]), nil
}

func sysFifo(dir string) (r, w uintptr, err error) {
	path := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return 0, 0, err
	}
	rd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	wr, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(rd)
		return 0, 0, err
	}
	return uintptr(rd), uintptr(wr), nil
}

func sysOpen(path string) (uintptr, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	return uintptr(fd), err
}

const nullDevice = "/dev/null"

// openDescriptors names what the process has open, for the leak check.
func openDescriptors() map[string]string {
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		d, err := os.Open(dir)
		if err != nil {
			continue
		}
		self := strconv.Itoa(int(d.Fd()))
		names, _ := d.Readdirnames(-1)
		open := map[string]string{}
		for _, n := range names {
			if n != self {
				target, _ := os.Readlink(filepath.Join(dir, n))
				open[n] = target
			}
		}
		d.Close()
		return open
	}
	return nil
}

// reserve is address space of the size, none of it memory, for lengths that must be refused unseen.
func reserve(size int) ([]byte, func() error, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	return b, func() error { return unix.Munmap(b) }, err
}

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

func onWine() bool { return false }
