// The echo server on gnet, as in its own echo example and benchmark: multicore,
// everything that has come is written back from the event loop.
package main

import (
	"github.com/panjf2000/gnet/v2"

	"gopoll.dev/bench/internal/server"
)

type echo struct{ gnet.BuiltinEventEngine }

func (*echo) OnTraffic(c gnet.Conn) gnet.Action {
	buf, err := c.Next(-1)
	if err != nil {
		return gnet.Close
	}
	if _, err := c.Write(buf); err != nil {
		return gnet.Close
	}
	return gnet.None
}

func main() {
	server.Start()
	server.Check(gnet.Run(&echo{}, "tcp://"+*server.Addr, gnet.WithMulticore(true)))
}
