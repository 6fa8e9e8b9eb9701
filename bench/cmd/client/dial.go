package main

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// perSource connections are made from one address of the loopback net, fewer
// than it has ephemeral ports.
const perSource = 20_000

// dial connects the i-th connection, from an address that has ports left.
// Closing it resets it, which leaves no TIME_WAIT behind for the next run.
func dial(to netip.AddrPort, i int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("connection %d: %w", i, err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
			err = fmt.Errorf("connection %d: %w", i, err)
		}
	}()
	if err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return fd, err
	}
	from := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + i/perSource)}}
	if err = unix.Bind(fd, from); err != nil {
		return fd, err
	}
	if err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return fd, err
	}
	if err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fd, err
	}
	if err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return fd, err
	}
	return fd, unix.SetNonblock(fd, true)
}
