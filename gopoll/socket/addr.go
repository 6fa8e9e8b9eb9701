package socket

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// endpoint is a network and an address, resolved.
type endpoint struct {
	family int
	stream bool
	addr   sockaddr
	v6only bool
	// fallback is the address to take where the system has no dual stack.
	fallback sockaddr
}

func resolve(network, address string, listening bool) (*endpoint, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
		a, err := net.ResolveTCPAddr(network, address)
		if err != nil {
			return nil, err
		}
		return resolved(network, a.AddrPort(), listening)
	case "udp", "udp4", "udp6":
		a, err := net.ResolveUDPAddr(network, address)
		if err != nil {
			return nil, err
		}
		return resolved(network, a.AddrPort(), listening)
	case "unix", "unixgram":
		return &endpoint{
			family: afUnix,
			stream: network == "unix",
			addr:   &sockaddrUnix{Name: address},
		}, nil
	}
	return nil, net.UnknownNetworkError(network)
}

// resolved chooses the family, by the rules of package net.
func resolved(network string, a netip.AddrPort, listening bool) (*endpoint, error) {
	scope, err := zoneIndex(a.Addr().Zone())
	if err != nil {
		return nil, err
	}
	e := &endpoint{stream: strings.HasPrefix(network, "tcp")}
	port := int(a.Port())
	ip := a.Addr().Unmap()
	wildcard := !ip.IsValid() || ip.IsUnspecified()
	if wildcard && !listening {
		// To connect to no address in particular means this machine.
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if strings.HasSuffix(network, "6") {
			ip = netip.IPv6Loopback()
		}
		wildcard = false
	}
	var any4 sockaddr = &sockaddrInet4{Port: port}
	switch {
	case strings.HasSuffix(network, "4") && wildcard:
		e.family, e.addr = afInet, any4
	case strings.HasSuffix(network, "6"):
		e.v6only = true
		fallthrough
	case wildcard:
		e.family = afInet6
		six := &sockaddrInet6{Port: port, ZoneId: scope}
		if !wildcard {
			six.Addr = ip.As16()
		} else if !e.v6only && !ip.Is6() {
			e.fallback = any4
		}
		e.addr = six
	case ip.Is4():
		e.family, e.addr = afInet, &sockaddrInet4{Port: port, Addr: ip.As4()}
	default:
		e.family, e.addr = afInet6, &sockaddrInet6{Port: port, Addr: ip.As16(), ZoneId: scope}
	}
	return e, nil
}

// open makes the socket, with the options that net gives it.
func (e *endpoint) open() (uintptr, error) {
	kind := sockDgram
	if e.stream {
		kind = sockStream
	}
	fd, err := newSocket(e.family, kind)
	call := "socket"
	if err == nil && e.family == afInet6 {
		only := 0
		if e.v6only {
			only = 1
		}
		// Some systems are never dual-stack. That matters where both were asked for.
		if setErr := setInt(fd, ipprotoIPv6, ipv6V6Only, only); setErr != nil && e.fallback != nil {
			closeSocket(fd)
			call, err = "setsockopt", setErr
		}
	}
	if err != nil {
		if e.fallback != nil {
			e.family, e.addr, e.fallback = afInet, e.fallback, nil
			return e.open()
		}
		return Invalid, os.NewSyscallError(call, err)
	}
	switch {
	case e.family == afUnix:
	case e.stream:
		setInt(fd, ipprotoTCP, tcpNoDelay, 1)
	default:
		setInt(fd, solSocket, soBroadcast, 1)
	}
	return fd, nil
}

func netAddr(op string, fd uintptr, get func(uintptr) (sockaddr, error)) (net.Addr, error) {
	sa, err := get(fd)
	if err != nil {
		return nil, failedWith(op, fd, err)
	}
	kind, err := getInt(fd, solSocket, soType)
	if err != nil {
		return nil, failedWith(op, fd, err)
	}
	var ip net.IP
	var port int
	var zone string
	switch sa := sa.(type) {
	case *sockaddrInet4:
		ip, port = slices.Clone(sa.Addr[:]), sa.Port
	case *sockaddrInet6:
		ip, port, zone = slices.Clone(sa.Addr[:]), sa.Port, zoneName(sa.ZoneId)
	case *sockaddrUnix:
		network := "unix"
		if kind == sockDgram {
			network = "unixgram"
		}
		return &net.UnixAddr{Name: sa.Name, Net: network}, nil
	default:
		return nil, failed(op, fd, eAfNoSupport)
	}
	if kind == sockDgram {
		return &net.UDPAddr{IP: ip, Port: port, Zone: zone}, nil
	}
	return &net.TCPAddr{IP: ip, Port: port, Zone: zone}, nil
}

// otherForm is the same IPv4 address for a socket of the other family.
func otherForm(a netip.AddrPort) (netip.AddrPort, bool) {
	ip := a.Addr()
	switch {
	case ip.Is4():
		return netip.AddrPortFrom(netip.AddrFrom16(ip.As16()), a.Port()), true
	case ip.Is4In6():
		return netip.AddrPortFrom(ip.Unmap(), a.Port()), true
	}
	return a, false
}

// A zone leaves this package as a number: names cost a walk over all interfaces
// each time, and a sender's address is mostly wanted for the answer only.
func zoneName(index uint32) string {
	if index == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(index), 10)
}

func zoneIndex(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	ifi, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, err
	}
	return uint32(ifi.Index), nil
}
