// The echo server on cloudwego/netpoll: its zero-copy reader and writer, number
// of pollers left to it, and no goroutine pool, since the handler grows no
// stack (the advice beside DisableGopool).
package main

import (
	"context"

	"github.com/cloudwego/netpoll"

	"gopoll.dev/bench/internal/server"
)

func main() {
	server.Start()
	server.Check(netpoll.DisableGopool())
	l, err := netpoll.CreateListener("tcp", *server.Addr)
	server.Check(err)
	loop, err := netpoll.NewEventLoop(echo)
	server.Check(err)
	server.Check(loop.Serve(l))
}

func echo(_ context.Context, c netpoll.Connection) error {
	r, w := c.Reader(), c.Writer()
	buf, err := r.Next(r.Len())
	if err != nil {
		return err
	}
	if _, err := w.WriteBinary(buf); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return r.Release()
}
