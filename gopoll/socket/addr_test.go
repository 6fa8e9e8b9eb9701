package socket

import (
	"errors"
	"net"
	"strings"
	"testing"
)

// A system without IPv6, played by one without the family that was chosen: every
// address means every IPv4 address then, and an IPv6 address is an error.
func TestFallback(t *testing.T) {
	const noFamily = 0x7f
	e, err := resolve("tcp", ":0", true)
	if err != nil {
		t.Fatal(err)
	}
	e.family = noFamily
	fd, err := e.listen()
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fd)
	a, err := LocalAddr(fd)
	if err != nil || !a.(*net.TCPAddr).IP.Equal(net.IPv4zero) {
		t.Errorf("on %v, %v", a, err)
	}
	for _, address := range []string{"[::]:0", "[::1]:0"} {
		e, err := resolve("tcp", address, true)
		if err != nil {
			t.Fatal(err)
		}
		e.family = noFamily
		_, err = e.listen()
		if err = failedWith("listen", Invalid, err); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// Zones go in by name or number and come out as numbers.
func TestZones(t *testing.T) {
	all, err := net.Interfaces()
	if err != nil || len(all) == 0 {
		t.Skipf("no network interfaces to be seen: %v", err)
	}
	index := uint32(all[0].Index)
	for _, zone := range []string{all[0].Name, zoneName(index)} {
		if got, err := zoneIndex(zone); got != index || err != nil {
			t.Errorf("zone %q is interface %d, %v; want %d", zone, got, err, index)
		}
	}
	if got, err := zoneIndex(""); got != 0 || err != nil {
		t.Errorf("no zone is %d, %v", got, err)
	}
	if got, err := zoneIndex(strings.Repeat("z", 9)); err == nil {
		t.Errorf("an unknown zone is %d", got)
	}
}
