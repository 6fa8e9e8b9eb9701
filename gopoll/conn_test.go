package gopoll

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"testing"

	"gopoll.dev/gopoll/socket"
)

// tcpConns are two ends of a connection of package net.
func tcpConns(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	must(t, err)
	server, err = listener.AcceptTCP()
	must(t, err)
	return conn.(*net.TCPConn), server
}

// TestAddConnRacesClose adds connections that are closed at the same time,
// while others take over the numbers of their descriptors: what is added is
// the connection, or nothing.
func TestAddConnRacesClose(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		p := newPoller(t, b)
		for round := range repeat(300) {
			client, server := tcpConns(t)
			var group sync.WaitGroup
			var source Source
			var added error
			var strangers [2]uintptr
			group.Go(func() { source, added = p.AddConn(client, uint64(round), Writable, Level) })
			group.Go(func() {
				for range round % 20 {
					runtime.Gosched()
				}
				client.Close()
				strangers[0], strangers[1], _ = socket.Pair() // writable, if it were mistaken for the connection
			})
			join("AddConn and Close", &group)
			if added == nil {
				// The connection is closed: it may have told so, but a
				// stranger of its number is not in the set.
				allowed(t, "delete", source.Delete(), ErrNotExist)
			} else {
				mustBe(t, added, net.ErrClosed)
				if source != (Source{}) {
					t.Error("a source beside an error")
				}
			}
			silent(t, p)
			server.Close()
			socket.Close(strangers[0])
			socket.Close(strangers[1])
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.registry.live != 0 {
			t.Errorf("%d sources are left", p.registry.live)
		}
	})
}

// TestAddConnBesideNet: a connection can be watched that package net waits for
// at the same time, and is net's to read.
func TestAddConnBesideNet(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		p := newPoller(t, b)
		client, server := tcpConns(t)
		defer client.Close()
		defer server.Close()
		s, err := p.AddConn(server, 1, Readable, OneShot)
		must(t, err)
		read := make(chan error, 1)
		go func() {
			var buf [8]byte
			n, err := server.Read(buf[:])
			if err == nil && string(buf[:n]) != "bytes" {
				err = errors.New("read " + string(buf[:n]))
			}
			read <- err
		}()
		_, err = client.Write([]byte("bytes"))
		must(t, err)
		must(t, receive("net's own Read", read))
		// The poller may have been too late: it is level-triggered below.
		client.CloseWrite()
		must(t, s.Modify(2, Readable, Level))
		for {
			e := mustWait(t, p, make([]Event, 1))[0]
			if e.Key == 2 && e.Ready&Readable != 0 {
				break
			}
		}
		mustBe(t, s.LendRead(make([]byte, 8)), errors.ErrUnsupported)
		must(t, s.Delete())
		silent(t, p)
	})
}
