package main

import (
	"errors"

	"gopoll.dev/gopoll/socket"
)

// sockets are connected pairs: each even one is connected to the next.
type sockets []uintptr

// openSockets opens n sockets, or as many as the system lets a process have,
// less some for what else the process opens.
func openSockets(n int) (sockets, error) {
	var all sockets
	for len(all) < n {
		a, b, err := socket.Pair()
		if err != nil && len(all) > 2*spare {
			all[len(all)-spare:].close()
			return all[:len(all)-spare], nil
		}
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, a, b)
	}
	return all, nil
}

const spare = 32

func (s sockets) close() {
	for _, fd := range s {
		socket.Close(fd)
	}
}

// cleanup closes what a section has opened, last first.
type cleanup []func() error

func (c *cleanup) add(f func() error) { *c = append(*c, f) }

func (c *cleanup) run(err *error) {
	for i := len(*c) - 1; i >= 0; i-- {
		*err = errors.Join(*err, (*c)[i]())
	}
}
