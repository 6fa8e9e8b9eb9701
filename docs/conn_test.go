package guide

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"gopoll.dev/gopoll"
)

// Idle keeps connections of package net that have nothing to say: no goroutine
// and no buffer for any of them, until one can be read.
type Idle struct {
	poller *gopoll.Poller

	mu    sync.Mutex
	conns map[uint64]waiting
	last  uint64
}

type waiting struct {
	conn   *net.TCPConn
	source gopoll.Source
}

// Add keeps a connection. It is OneShot: reported once, whoever serves it.
func (i *Idle) Add(conn *net.TCPConn) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.last++
	source, err := i.poller.AddConn(conn, i.last, gopoll.Readable, gopoll.OneShot)
	if err == nil {
		i.conns[i.last] = waiting{conn, source}
	}
	return err
}

// Run starts serve for each connection that can be read. serve gives it back
// with Add when it has nothing more to say, or closes it.
func (i *Idle) Run(ctx context.Context, serve func(*net.TCPConn)) error {
	for ev, err := range i.poller.Events(ctx) {
		if err != nil {
			return err
		}
		i.mu.Lock()
		w, ok := i.conns[ev.Key]
		delete(i.conns, ev.Key)
		i.mu.Unlock()
		if ok {
			w.source.Delete()
			go serve(w.conn)
		}
	}
	return nil
}

func TestIdle(t *testing.T) {
	p, err := gopoll.New()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	idle := &Idle{poller: p, conns: map[uint64]waiting{}}
	ctx, stop := context.WithCancel(t.Context())
	var runner sync.WaitGroup
	runner.Go(func() {
		err := idle.Run(ctx, func(conn *net.TCPConn) {
			buf := make([]byte, 10)
			conn.SetReadDeadline(time.Now().Add(time.Minute)) // readable, but perhaps not with all of a message
			n, err := conn.Read(buf)
			if err != nil {
				conn.Close()
				return
			}
			conn.Write(buf[:n])
			if err := idle.Add(conn); err != nil {
				t.Error(err)
			}
		})
		if err != context.Canceled {
			t.Error(err)
		}
	})
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := idle.Add(server.(*net.TCPConn)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		client.Write([]byte("x"))
		if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	client.(*net.TCPConn).CloseWrite()
	if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Error(n, err)
	}
	stop()
	runner.Wait()
}
