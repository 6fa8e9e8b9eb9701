//go:build unix

package guide

import (
	"errors"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// listenShared opens one of several listening sockets on one address, one for
// each poller. The kernel spreads connections over them.
func listenShared(address netip.AddrPort) (uintptr, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, err
	}
	unix.CloseOnExec(fd)
	err = errors.Join(
		unix.SetNonblock(fd, true),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}),
		unix.Listen(fd, unix.SOMAXCONN))
	if err != nil {
		unix.Close(fd)
		return 0, err
	}
	return uintptr(fd), nil
}

func TestListenShared(t *testing.T) {
	first, err := listenShared(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close(first)
	address, err := socket.LocalAddr(first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := listenShared(netip.MustParseAddrPort(address.String()))
	if err != nil {
		t.Fatal(err)
	}
	socket.Close(second)
}

// Nest waits for a poller in the runtime's own: the goroutine is parked, and no
// thread is held.
type Nest struct {
	poller *gopoll.Poller
	file   *os.File
	conn   syscall.RawConn
}

func NewNest(p *gopoll.Poller) (*Nest, error) {
	fd, err := unix.FcntlInt(p.Fd(), unix.F_DUPFD_CLOEXEC, 0) // the file closes what it has
	if err != nil {
		return nil, err
	}
	unix.SetNonblock(fd, true) // else package os does not hand it to the runtime
	file := os.NewFile(uintptr(fd), "poller")
	conn, err := file.SyscallConn()
	return &Nest{p, file, conn}, err
}

// Wait is for one goroutine at a time. Wait with a timeout of 0 can't tell a
// Wake from nothing, so queued has to say whether one was meant, as a queue
// of functions that was filled before Wake does.
func (n *Nest) Wait(events []gopoll.Event, queued func() bool) (count int, err error) {
	parked := n.conn.Read(func(uintptr) bool {
		count, err = n.poller.Wait(events, 0)
		return count > 0 || err != nil || queued()
	})
	return count, errors.Join(err, parked)
}

func TestNest(t *testing.T) {
	p, a, b := pair(t)
	nest, err := NewNest(p)
	if err != nil {
		t.Fatal(err)
	}
	defer nest.file.Close()
	if _, err := p.Add(b, 1, gopoll.Readable, gopoll.Level); err != nil {
		t.Fatal(err)
	}
	go socket.Write(a, []byte("x"))
	events := make([]gopoll.Event, 4)
	for range 2 { // Level: a second time without a second write
		n, err := nest.Wait(events, func() bool { return false })
		if n != 1 || events[0].Key != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	socket.Read(b, make([]byte, 1))
	go p.Wake()
	if n, err := nest.Wait(events, func() bool { return true }); n != 0 || err != nil {
		t.Error(n, err)
	}
}
