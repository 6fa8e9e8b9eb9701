// The echo server on the standard library: a goroutine and a buffer for each
// connection.
package main

import (
	"net"

	"gopoll.dev/bench/internal/server"
)

func main() {
	server.Start()
	l, err := net.Listen("tcp", *server.Addr)
	server.Check(err)
	for {
		c, err := l.Accept()
		server.Check(err)
		go echo(c)
	}
}

func echo(c net.Conn) {
	defer c.Close()
	buf := make([]byte, *server.Size)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
