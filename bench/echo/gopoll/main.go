// The echo server on gopoll, on sockets of its own: by readiness, or with lent
// buffers.
package main

import (
	"errors"
	"flag"

	"gopoll.dev/bench/internal/server"
	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// listening is the key of the listener; a connection's is its place in the table.
const listening = ^uint64(0)

func main() {
	binding := flag.String("binding", "cgo", "`binding` of the poller")
	lend := flag.Bool("lent", false, "lend buffers for all reads and writes")
	server.Start()

	listener, err := socket.Listen("tcp", *server.Addr)
	server.Check(err)
	count, bytes := 2**server.Conns, int64(2**server.Conns)*int64(*server.Size)
	p, err := gopoll.New(gopoll.WithBinding(named(*binding)), gopoll.WithLendLimit(count, bytes))
	server.Check(err)
	_, err = p.Add(listener, listening, gopoll.Readable, gopoll.Level)
	server.Check(err)

	if *lend {
		serveLent(p, listener)
	} else {
		serveReady(p, listener)
	}
}

// accept passes every connection that waits to add.
func accept(listener uintptr, add func(fd uintptr)) {
	for {
		fd, err := socket.Accept(listener)
		if err == socket.ErrWouldBlock {
			return
		}
		server.Check(err)
		add(fd)
	}
}

// A table gives connections places of their own.
type table[T any] struct {
	conns []T
	free  []uint64
}

func newTable[T any]() table[T] {
	// One more than the connections: the harness makes one to see that there is a server.
	return table[T]{conns: make([]T, 0, *server.Conns+1)}
}

func (t *table[T]) take(c T) uint64 {
	if n := len(t.free); n > 0 {
		key := t.free[n-1]
		t.free = t.free[:n-1]
		t.conns[key] = c
		return key
	}
	t.conns = append(t.conns, c)
	return uint64(len(t.conns) - 1)
}

func (t *table[T]) release(key uint64) {
	var none T
	t.conns[key] = none
	t.free = append(t.free, key)
}

func named(binding string) gopoll.Binding {
	for _, b := range gopoll.Bindings() {
		if b.String() == binding {
			return b
		}
	}
	server.Check(errors.New("no binding " + binding))
	return 0
}
