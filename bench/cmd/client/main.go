// Command client loads an echo server from a process of its own and compares
// every byte that comes back.
//
// It connects, sends one message on each connection, prints "connected", and
// then obeys orders on its standard input, one a line, each answered with lines
// on its standard output:
//
//	load    the closed loop, then the fixed rate: a line of JSON each
//	round   one message on each connection: prints "round"
//
// It ends when its standard input does.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"time"
)

func main() {
	var (
		addr   = flag.String("addr", "127.0.0.1:7000", "the server's `address`")
		conns  = flag.Int("conns", 100, "number of `connections`")
		size   = flag.Int("size", 64, "`bytes` of a message")
		pid    = flag.Int("pid", 0, "the server's `process`, to read its CPU time and memory")
		warm   = flag.Duration("warm", 150*time.Millisecond, "length of the closed loop before it is measured")
		length = flag.Duration("length", 500*time.Millisecond, "length of each measurement")
		rate   = flag.Float64("rate", 40_000, "messages a second in the paced measurement")
	)
	flag.Parse()
	if err := run(*addr, *conns, *size, *pid, *warm, *length, *rate); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(addr string, conns, size, pid int, warm, length time.Duration, rate float64) error {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return err
	}
	l, err := connect(to, conns, size)
	if err != nil {
		return err
	}
	defer l.free()
	fmt.Println("connected")

	orders, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for orders.Scan() {
		switch orders.Text() {
		case "load":
			p, err := closed(l, pid, conns, warm, length)
			if err != nil {
				return err
			}
			if err := out.Encode(p); err != nil {
				return err
			}
			if p, err = paced(l, pid, rate, length); err != nil {
				return err
			}
			if err := out.Encode(p); err != nil {
				return err
			}
		case "round":
			if err := round(l, 0, conns); err != nil {
				return err
			}
			fmt.Println("round")
		}
	}
	return orders.Err()
}

// connect makes the connections in groups smaller than a listener's backlog,
// with an echo on each before the next group.
func connect(to netip.AddrPort, conns, size int) (*loop, error) {
	const group = 500
	fds := make([]int32, conns)
	for i := range fds {
		fd, err := dial(to, i)
		if err != nil {
			return nil, err
		}
		fds[i] = int32(fd)
		if (i+1)%group == 0 || i+1 == conns {
			if err := greet(fds[i/group*group:i+1], size); err != nil {
				return nil, err
			}
		}
	}
	return newLoop(fds, size)
}

// greet sends a message on each of a group of connections.
func greet(fds []int32, size int) error {
	l, err := newLoop(fds, size)
	if err != nil {
		return err
	}
	defer l.free()
	return round(l, 0, len(fds))
}
