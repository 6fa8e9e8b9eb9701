package socket_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"gopoll.dev/gopoll/socket"
)

// patience bounds every wait: far more than any of them takes.
const patience = 20 * time.Second

func await(t testing.TB, what string, ok bool, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
	if !ok {
		stacks := make([]byte, 1<<20)
		t.Fatalf("no %s within %v\n%s", what, patience, stacks[:runtime.Stack(stacks, true)])
	}
}

func readable(t testing.TB, fd uintptr) {
	t.Helper()
	ok, err := ready(fd, false, patience)
	await(t, "input", ok, err)
}

func writable(t testing.TB, fd uintptr) {
	t.Helper()
	ok, err := ready(fd, true, patience)
	await(t, "room for output", ok, err)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// closing closes fd with the test; one that the test closes itself is not given here.
func closing(t testing.TB, fd uintptr, err error) uintptr {
	t.Helper()
	must(t, err)
	t.Cleanup(func() {
		if err := socket.Close(fd); err != nil {
			t.Error(err)
		}
	})
	return fd
}

func listen(t testing.TB, network, address string) (uintptr, net.Addr) {
	t.Helper()
	l, err := socket.Listen(network, address)
	if address == "[::1]:0" && (errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EADDRNOTAVAIL)) {
		t.Skipf("no IPv6 on this machine: %v", err)
	}
	if network == "unix" && errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("no unix sockets on this system: %v", err)
	}
	closing(t, l, err)
	a, err := socket.LocalAddr(l)
	must(t, err)
	return l, a
}

// connect returns both ends, unclosed, of a connection through a listener.
func connect(t testing.TB, network, address string) (client, server uintptr) {
	t.Helper()
	l, a := listen(t, network, address)
	// On some systems a connection gets its options from the listener: not this one.
	must(t, setNoDelay(l, 0))
	client, err := socket.Dial(network, a.String())
	must(t, err)
	writable(t, client)
	must(t, socket.ConnectError(client))
	readable(t, l)
	server, err = socket.Accept(l)
	must(t, err)
	return client, server
}

func read(t testing.TB, fd uintptr, want string) {
	t.Helper()
	buf := make([]byte, len(want)+1)
	for got := 0; got < len(want); {
		n, err := socket.Read(fd, buf[got:])
		if err == socket.ErrWouldBlock {
			readable(t, fd)
			continue
		}
		must(t, err)
		got += n
		if !strings.HasPrefix(want, string(buf[:got])) {
			t.Fatalf("read %q, want %q", buf[:got], want)
		}
	}
}

func write(t testing.TB, fd uintptr, s string) {
	t.Helper()
	n, err := socket.Write(fd, []byte(s))
	if n != len(s) || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
}

// final waits for a read that fails, and returns how.
func final(t testing.TB, fd uintptr) error {
	t.Helper()
	var buf [64]byte
	for {
		readable(t, fd)
		if _, err := socket.Read(fd, buf[:]); err != nil && err != socket.ErrWouldBlock {
			return err
		}
	}
}

// typed checks the operation, the descriptor and the meaning of an error.
func typed(t testing.TB, err error, op string, fd uintptr, target error) {
	t.Helper()
	var e *socket.Error
	if !errors.As(err, &e) || e.Op != op || e.Fd != fd || !errors.Is(err, target) {
		t.Errorf("error %#v (%v), want one of %q on descriptor %d that is %v", err, err, op, int(fd), target)
	}
}

func TestStream(t *testing.T) {
	for _, test := range []struct{ network, address string }{
		{"tcp", "127.0.0.1:0"}, {"tcp4", "127.0.0.1:0"}, {"tcp4", ":0"},
		{"tcp", "[::1]:0"}, {"tcp6", "[::1]:0"},
		{"unix", "s"},
	} {
		t.Run(test.network+" "+test.address, func(t *testing.T) {
			if test.network == "unix" {
				// A long temporary folder doesn't fit into a socket address.
				t.Chdir(t.TempDir())
			}
			l, a := listen(t, test.network, test.address)
			if _, err := socket.Accept(l); err != socket.ErrWouldBlock {
				t.Fatalf("Accept on an empty queue: %v", err)
			}
			client, err := socket.Dial(test.network, strings.Replace(a.String(), "0.0.0.0", "", 1))
			closing(t, client, err)
			writable(t, client)
			must(t, socket.ConnectError(client))
			readable(t, l)
			server, err := socket.Accept(l)
			closing(t, server, err)

			if _, err := socket.Read(server, make([]byte, 1)); err != socket.ErrWouldBlock {
				t.Fatalf("Read of nothing: %v", err)
			}
			write(t, client, "question")
			read(t, server, "question")
			write(t, server, "answer")
			read(t, client, "answer")
			if n, err := socket.Read(client, nil); n != 0 || err != nil {
				t.Errorf("Read into nothing: %d, %v", n, err)
			}

			here, err := socket.LocalAddr(client)
			must(t, err)
			there, err := socket.PeerAddr(server)
			must(t, err)
			if test.network != "unix" && (here.String() != there.String() || here.Network() != "tcp") {
				t.Errorf("the client is %v %v to itself, %v to the server", here.Network(), here, there)
			}
			peer, err := socket.PeerAddr(client)
			must(t, err)
			if peer.Network() != strings.TrimRight(test.network, "46") {
				t.Errorf("the server's address is one of %s", peer.Network())
			}

			must(t, socket.Shutdown(client, socket.ShutWrite))
			if err := final(t, server); err != io.EOF {
				t.Errorf("after the peer's shutdown: %v, want EOF", err)
			}
			if _, err := socket.Write(client, []byte("x")); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("Write after Shutdown: %v, want EPIPE", err)
			}
			write(t, server, "late")
			read(t, client, "late")
		})
	}
}

// A socket on every address is so over both families, and says so in its own
// address as net's does.
func TestDualStack(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0"} {
		theirs, err := net.Listen("tcp", address)
		must(t, err)
		defer theirs.Close()
		host, _, _ := net.SplitHostPort(theirs.Addr().String())
		for _, network := range []string{"tcp", "udp"} {
			_, a := listen(t, network, address)
			if ours, _, _ := net.SplitHostPort(a.String()); ours != host {
				t.Errorf("%s %s is on %q, net's on %q", network, address, ours, host)
			}
		}
		l, a := listen(t, "tcp", address)
		_, port, _ := net.SplitHostPort(a.String())
		client, err := socket.Dial("tcp4", ":"+port)
		closing(t, client, err)
		readable(t, l)
		server, err := socket.Accept(l)
		closing(t, server, err)
		from, err := socket.PeerAddr(server)
		must(t, err)
		if host, _, _ := net.SplitHostPort(from.String()); host != "127.0.0.1" {
			t.Errorf("an IPv4 client is %v", from)
		}
	}
}

// tcp6 and udp6 on every address are on every IPv6 address. TestDualStack has the
// others.
func TestV6Only(t *testing.T) {
	for _, network := range []string{"tcp6", "udp6"} {
		listen(t, network, "[::1]:0") // skips the test where there is no IPv6
		fd, _ := listen(t, network, ":0")
		if only, err := v6only(fd); only != 1 || err != nil {
			t.Errorf("%s: IPV6_V6ONLY is %d, %v", network, only, err)
		}
	}
}

func TestDialRefused(t *testing.T) {
	// The port of a connection that was bound before it was made: nobody listens
	// on it, and nobody else can get it.
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	holder, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}).Dial("tcp4", l.Addr().String())
	must(t, err)
	defer holder.Close()
	a := holder.LocalAddr()

	fd, err := socket.Dial("tcp4", a.String())
	if err != nil {
		typed(t, err, "dial", socket.Invalid, syscall.ECONNREFUSED)
		return
	}
	closing(t, fd, nil)
	writable(t, fd)
	typed(t, socket.ConnectError(fd), "connect", fd, syscall.ECONNREFUSED)
	if err := socket.ConnectError(fd); err == nil || err == socket.ErrWouldBlock {
		t.Errorf("asked again, a failed connection says %v", err)
	}
}

// While the handshake goes on there is no result. Only a full backlog holds it up
// without a network, and only on some systems.
func TestConnectUnderWay(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux leaves a connection to a full backlog without an answer")
	}
	l, a := listen(t, "tcp4", "127.0.0.1:0")
	must(t, shrinkBacklog(l))
	for range 64 {
		fd, err := socket.Dial("tcp4", a.String())
		closing(t, fd, err)
		if socket.ConnectError(fd) == socket.ErrWouldBlock {
			return
		}
	}
	t.Error("64 connections to a backlog of one, and none had to wait")
}

func TestDatagrams(t *testing.T) {
	for _, test := range []struct{ network, address string }{
		{"udp", "127.0.0.1:0"}, {"udp4", "127.0.0.1:0"}, {"udp", "[::1]:0"}, {"udp6", "[::1]:0"},
	} {
		t.Run(test.network+" "+test.address, func(t *testing.T) {
			a, addrA := listen(t, test.network, test.address)
			b, addrB := listen(t, test.network, test.address)
			toB := addrB.(*net.UDPAddr).AddrPort()
			var buf [8]byte
			if _, _, err := socket.ReadFrom(b, buf[:]); err != socket.ErrWouldBlock {
				t.Fatalf("ReadFrom of nothing: %v", err)
			}
			for _, test := range []struct{ sent, got string }{
				{"four", "four"}, {"", ""}, {"longer than eight", "longer t"}, {"last", "last"},
			} {
				n, err := socket.WriteTo(a, []byte(test.sent), toB)
				if n != len(test.sent) || err != nil {
					t.Fatalf("WriteTo: %d, %v", n, err)
				}
				readable(t, b)
				n, from, err := socket.ReadFrom(b, buf[:])
				if err != nil || string(buf[:n]) != test.got || from != addrA.(*net.UDPAddr).AddrPort() {
					t.Errorf("sent %q: got %q from %v, %v", test.sent, buf[:n], from, err)
				}
			}

			c, err := socket.Dial(test.network, addrB.String())
			closing(t, c, err)
			must(t, socket.ConnectError(c))
			write(t, c, "connected")
			readable(t, b)
			_, from, err := socket.ReadFrom(b, buf[:])
			must(t, err)
			for _, s := range []string{"", "answer", "longer than the buffer is"} {
				_, err := socket.WriteTo(b, []byte(s), from)
				must(t, err)
				readable(t, c)
				n, err := socket.Read(c, buf[:])
				if err != nil || string(buf[:n]) != s[:min(len(s), len(buf))] {
					t.Errorf("sent %q: got %q, %v", s, buf[:n], err)
				}
			}
			if _, err := socket.WriteTo(a, nil, netip.AddrPort{}); !errors.Is(err, syscall.EDESTADDRREQ) {
				t.Errorf("WriteTo nobody: %v", err)
			}
			if _, err := socket.WriteTo(a, nil, netip.MustParseAddrPort("[fe80::1%no-such-zone]:1")); err == nil {
				t.Error("WriteTo an unknown zone succeeded")
			}
		})
	}
}

// An IPv4 address may be written in both ways, to sockets of both families.
func TestMappedAddresses(t *testing.T) {
	sink, a := listen(t, "udp4", "127.0.0.1:0")
	plain := a.(*net.UDPAddr).AddrPort()
	mapped := netip.AddrPortFrom(netip.AddrFrom16(plain.Addr().As16()), plain.Port())
	for _, address := range []string{"127.0.0.1:0", ":0"} {
		fd, from := listen(t, "udp", address)
		for _, to := range []netip.AddrPort{plain, mapped} {
			_, err := socket.WriteTo(fd, []byte("x"), to)
			if err != nil {
				t.Errorf("from %v to %v: %v", from, to, err)
				continue
			}
			readable(t, sink)
			var buf [2]byte
			n, sender, err := socket.ReadFrom(sink, buf[:])
			if n != 1 || err != nil || int(sender.Port()) != from.(*net.UDPAddr).Port {
				t.Errorf("from %v to %v: %d bytes from %v, %v", from, to, n, sender, err)
			}
			// The answer goes to the address as it was reported.
			_, err = socket.WriteTo(sink, []byte("y"), sender)
			must(t, err)
			readable(t, fd)
			n, sender, err = socket.ReadFrom(fd, buf[:])
			if n != 1 || err != nil || sender.Addr().Unmap() != plain.Addr() {
				t.Errorf("answer: %d bytes from %v, %v", n, sender, err)
			}
		}
	}
}

func TestUnixDatagrams(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := socket.Listen("unixgram", "s")
	if runtime.GOOS == "windows" {
		typed(t, err, "listen", socket.Invalid, errors.ErrUnsupported)
		return
	}
	closing(t, l, err)
	c, err := socket.Dial("unixgram", "s")
	closing(t, c, err)
	write(t, c, "hello")
	readable(t, l)
	var buf [8]byte
	n, from, err := socket.ReadFrom(l, buf[:])
	if string(buf[:n]) != "hello" || from.IsValid() || err != nil {
		t.Errorf("got %q from %v, %v", buf[:n], from, err)
	}
	a, err := socket.LocalAddr(l)
	if err != nil || a.Network() != "unixgram" || a.String() != "s" {
		t.Errorf("bound to %v, %v", a, err)
	}
}

func TestPair(t *testing.T) {
	a, b, err := socket.Pair()
	must(t, err)
	write(t, a, "there")
	read(t, b, "there")
	write(t, b, "back")
	read(t, a, "back")

	// All that a takes comes out of b, and a takes no end of it only if b is read.
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	sent := 0
	for {
		n, err := socket.Write(a, chunk[sent%16:])
		if err == socket.ErrWouldBlock {
			break
		}
		must(t, err)
		if sent += n; sent > 1<<30 {
			t.Fatal("a gigabyte was taken that nobody read")
		}
	}
	must(t, socket.Shutdown(a, socket.ShutWrite))
	buf := make([]byte, len(chunk))
	for got := 0; ; {
		n, err := socket.Read(b, buf)
		if err == socket.ErrWouldBlock {
			readable(t, b)
			continue
		}
		if err == io.EOF {
			if got != sent {
				t.Errorf("sent %d bytes, got %d", sent, got)
			}
			break
		}
		must(t, err)
		if !bytes.HasPrefix(chunk[got%16:], buf[:min(n, len(chunk)-16)]) {
			t.Fatalf("wrong bytes after %d", got)
		}
		got += n
	}
	must(t, socket.Close(a))
	must(t, socket.Close(b))
}

func TestShutdownRead(t *testing.T) {
	a, b := connect(t, "tcp4", "127.0.0.1:0")
	closing(t, a, nil)
	closing(t, b, nil)
	must(t, socket.Shutdown(a, socket.ShutRead))
	if _, err := socket.Read(a, make([]byte, 1)); err != io.EOF {
		t.Errorf("Read of a side shut down: %v, want EOF", err)
	}
	typed(t, socket.Shutdown(a, 3), "shutdown", a, syscall.EINVAL)
	typed(t, socket.Shutdown(a, -1), "shutdown", a, syscall.EINVAL)
	write(t, a, "still")
	read(t, b, "still")
}

func TestReset(t *testing.T) {
	a, b := connect(t, "tcp4", "127.0.0.1:0")
	closing(t, b, nil)
	must(t, socket.Reset(a))
	typed(t, final(t, b), "read", b, syscall.ECONNRESET)

	// On what has no reset it closes.
	a, b, err := socket.Pair()
	must(t, err)
	closing(t, b, nil)
	must(t, socket.Reset(a))
	final(t, b)
}

func TestUrgent(t *testing.T) {
	a, b := connect(t, "tcp4", "127.0.0.1:0")
	closing(t, a, nil)
	closing(t, b, nil)
	if _, err := socket.ReadUrgent(b); err == nil {
		t.Error("ReadUrgent found a byte before there was one")
	}
	write(t, a, "before")
	must(t, socket.WriteUrgent(a, '!'))
	write(t, a, "after")
	ok, err := readyUrgent(b, patience)
	await(t, "urgent byte", ok, err)
	c, err := socket.ReadUrgent(b)
	if c != '!' || err != nil {
		t.Errorf("the urgent byte is %q, %v", c, err)
	}
	read(t, b, "beforeafter")
}

func TestErrWouldBlock(t *testing.T) {
	would := socket.ErrWouldBlock
	//lint:ignore SA1032 what ErrWouldBlock answers is the question
	if !errors.Is(would, syscall.EAGAIN) || !errors.Is(would, syscall.EWOULDBLOCK) {
		t.Error("ErrWouldBlock is not EAGAIN")
	}
	if errors.Is(socket.ErrWouldBlock, os.ErrDeadlineExceeded) || os.IsTimeout(socket.ErrWouldBlock) {
		t.Error("ErrWouldBlock is a timeout")
	}
}

func TestBadDescriptor(t *testing.T) {
	closed, err := socket.Listen("udp4", "127.0.0.1:0")
	must(t, err)
	must(t, socket.Close(closed))
	to := netip.MustParseAddrPort("127.0.0.1:9")
	bad := []uintptr{closed, socket.Invalid, 1<<31 - 1}
	if ^uintptr(0)>>32 != 0 {
		// On most kernels the lower half alone would be descriptor 1.
		var high uint64 = 1<<32 + 1
		bad = append(bad, uintptr(high))
	}
	for _, fd := range bad {
		_, err := socket.Read(fd, make([]byte, 1))
		typed(t, err, "read", fd, syscall.EBADF)
		_, err = socket.Write(fd, make([]byte, 1))
		typed(t, err, "write", fd, syscall.EBADF)
		_, _, err = socket.ReadFrom(fd, make([]byte, 1))
		typed(t, err, "read", fd, syscall.EBADF)
		_, err = socket.WriteTo(fd, make([]byte, 1), to)
		typed(t, err, "write", fd, syscall.EBADF)
		_, err = socket.ReadUrgent(fd)
		typed(t, err, "read urgent", fd, syscall.EBADF)
		typed(t, socket.WriteUrgent(fd, 1), "write urgent", fd, syscall.EBADF)
		s, err := socket.Accept(fd)
		typed(t, err, "accept", fd, syscall.EBADF)
		if s != socket.Invalid {
			t.Errorf("Accept failed and returned %d", s)
		}
		_, err = socket.LocalAddr(fd)
		typed(t, err, "local address", fd, syscall.EBADF)
		_, err = socket.PeerAddr(fd)
		typed(t, err, "peer address", fd, syscall.EBADF)
		typed(t, socket.ConnectError(fd), "connect", fd, syscall.EBADF)
		typed(t, socket.Shutdown(fd, socket.ShutBoth), "shutdown", fd, syscall.EBADF)
		typed(t, socket.Close(fd), "close", fd, syscall.EBADF)
		typed(t, socket.Reset(fd), "reset", fd, syscall.EBADF)
	}
}

func TestErrors(t *testing.T) {
	fd, err := socket.Listen("tcp4", "127.0.0.1:0")
	closing(t, fd, err)
	a, err := socket.LocalAddr(fd)
	must(t, err)
	second, err := socket.Listen("tcp4", a.String())
	typed(t, err, "listen", socket.Invalid, syscall.EADDRINUSE)
	if second != socket.Invalid || !strings.Contains(err.Error(), "tcp4 "+a.String()) {
		t.Errorf("descriptor %d, error %q", second, err)
	}
	_, err = socket.PeerAddr(fd)
	typed(t, err, "peer address", fd, syscall.ENOTCONN)

	var unknown net.UnknownNetworkError
	for _, call := range []func(network, address string) (uintptr, error){socket.Listen, socket.Dial} {
		fd, err := call("ip", "127.0.0.1:0")
		if fd != socket.Invalid || !errors.As(err, &unknown) {
			t.Errorf("network ip: %d, %v", fd, err)
		}
		var bad *net.AddrError
		fd, err = call("tcp", "127.0.0.1")
		if fd != socket.Invalid || !errors.As(err, &bad) {
			t.Errorf("no port: %d, %v", fd, err)
		}
	}
	if runtime.GOOS != "windows" {
		_, err = socket.Dial("unix", filepath.Join(t.TempDir(), "none"))
		typed(t, err, "dial", socket.Invalid, os.ErrNotExist)
	}
}

// The client is gone before it was accepted. Systems differ in whether it is still
// in the queue; the listener has no error, and what it gave out is dead.
func TestAcceptDead(t *testing.T) {
	l, a := listen(t, "tcp4", "127.0.0.1:0")
	c, err := socket.Dial("tcp4", a.String())
	must(t, err)
	writable(t, c)
	readable(t, l)
	must(t, socket.Reset(c))
	switch s, err := socket.Accept(l); err {
	case nil:
		t.Log("the dead connection says:", final(t, s))
		must(t, socket.Close(s))
	case socket.ErrWouldBlock:
	default:
		t.Error(err)
	}
}

// sanitized is set in builds with the address sanitizer.
var sanitized bool

func TestAllocs(t *testing.T) {
	if sanitized {
		t.Skip("the address sanitizer moves variables to the heap to watch them")
	}
	a, b, err := socket.Pair()
	must(t, err)
	closing(t, a, nil)
	closing(t, b, nil)
	l, _ := listen(t, "tcp4", "127.0.0.1:0")
	u, addr := listen(t, "udp4", "127.0.0.1:0")
	to := addr.(*net.UDPAddr).AddrPort()
	buf := make([]byte, 64)

	none := func(what string, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
	none("Write and Read", func() {
		if _, err := socket.Write(a, buf); err != nil {
			t.Fatal(err)
		}
		readable(t, b)
		if _, err := socket.Read(b, buf); err != nil {
			t.Fatal(err)
		}
	})
	none("Read of nothing", func() {
		if _, err := socket.Read(b, buf); err != socket.ErrWouldBlock {
			t.Fatal(err)
		}
	})
	none("Accept of nobody", func() {
		if _, err := socket.Accept(l); err != socket.ErrWouldBlock {
			t.Fatal(err)
		}
	})
	if allocatesAddresses {
		t.Log("on this system each address is an allocation: datagrams and Accept not measured")
		return
	}
	none("ReadFrom of nothing", func() {
		if _, _, err := socket.ReadFrom(u, buf); err != socket.ErrWouldBlock {
			t.Fatal(err)
		}
	})
	none("WriteTo and ReadFrom", func() {
		if _, err := socket.WriteTo(u, buf, to); err != nil {
			t.Fatal(err)
		}
		readable(t, u)
		if _, _, err := socket.ReadFrom(u, buf); err != nil {
			t.Fatal(err)
		}
	})
	name, err := socket.LocalAddr(l)
	must(t, err)
	const runs = 20
	clients := make([]uintptr, runs+1) // one more: AllocsPerRun warms up
	for i := range clients {
		fd, err := socket.Dial("tcp4", name.String())
		clients[i] = closing(t, fd, err)
		writable(t, fd)
	}
	if n := testing.AllocsPerRun(runs, func() {
		readable(t, l)
		s, err := socket.Accept(l)
		if err != nil {
			t.Fatal(err)
		}
		if err := socket.Close(s); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Accept and Close: %v allocations", n)
	}
}
