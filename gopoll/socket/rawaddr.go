//go:build (linux && !386 && !s390x) || freebsd || dragonfly || windows

package socket

import (
	"encoding/binary"
	"net/netip"
	"unsafe"
)

// encode puts an address into memory that has room for either family. The
// length byte of the BSDs is filled in by their kernels.
func encode(sa *rawInet6, a netip.AddrPort, scope uint32) uintptr {
	if ip := a.Addr(); ip.Is4() {
		sa4 := (*rawInet4)(unsafe.Pointer(sa))
		sa4.Family = afInet
		sa4.Port = netOrder(a.Port())
		sa4.Addr = ip.As4()
		return unsafe.Sizeof(*sa4)
	}
	sa.Family = afInet6
	sa.Port = netOrder(a.Port())
	sa.Addr = a.Addr().As16()
	sa.Scope_id = scope
	return unsafe.Sizeof(*sa)
}

func decode(sa *rawInet6) netip.AddrPort {
	switch sa.Family {
	case afInet:
		sa4 := (*rawInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(sa4.Addr), netOrder(sa4.Port))
	case afInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if sa.Scope_id != 0 {
			ip = ip.WithZone(zoneName(sa.Scope_id))
		}
		return netip.AddrPortFrom(ip, netOrder(sa.Port))
	}
	return netip.AddrPort{}
}

// netOrder converts both ways.
func netOrder(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}
