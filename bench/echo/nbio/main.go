// The echo server on nbio, as in its README, but that the echo isn't copied:
// Write keeps a copy of its own of what the kernel doesn't take.
package main

import (
	"github.com/lesismal/nbio"
	"github.com/lesismal/nbio/logging"

	"gopoll.dev/bench/internal/server"
)

func main() {
	server.Start()
	logging.SetLevel(logging.LevelNone)
	engine := nbio.NewEngine(nbio.Config{
		Network:            "tcp",
		Addrs:              []string{*server.Addr},
		MaxWriteBufferSize: 6 << 20,
	})
	engine.OnData(func(c *nbio.Conn, data []byte) {
		c.Write(data)
	})
	server.Check(engine.Start())
	select {}
}
