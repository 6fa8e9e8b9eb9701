// The echo server on evio, as in its own echo example, a loop for each CPU.
package main

import (
	"runtime"

	"github.com/tidwall/evio"

	"gopoll.dev/bench/internal/server"
)

func main() {
	server.Start()
	server.Check(evio.Serve(evio.Events{
		NumLoops: runtime.GOMAXPROCS(0),
		Data: func(_ evio.Conn, in []byte) (out []byte, action evio.Action) {
			return in, evio.None
		},
	}, "tcp://"+*server.Addr))
}
