// Package server is what every echo server written in Go shares: its command
// line, and the two orders it takes on its standard input.
package server

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
)

// The command line that every echo server takes, whether it has a use for all
// of it or not.
var (
	Addr  = flag.String("addr", "127.0.0.1:7000", "`address` to listen on")
	Size  = flag.Int("size", 4096, "largest message in `bytes`, for those that keep a buffer for each connection")
	Conns = flag.Int("conns", 100, "most `connections` at one time, for those that lay out their memory at start")
	burn  = flag.Int("burn", 0, "CPU-bound `goroutines` to start when told")
)

// Start parses the command line and begins to listen for orders:
//
//	burn    start the CPU-bound goroutines
//	settle  collect garbage and give free memory back, before memory is read
//
// Each is answered with its own name when it's done.
func Start() {
	flag.Parse()
	go obey()
}

func obey() {
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		switch orders.Text() {
		case "burn":
			for range *burn {
				go spin()
			}
		case "settle":
			debug.FreeOSMemory()
		}
		fmt.Println(orders.Text())
	}
	os.Exit(0) // the harness is gone
}

var spins atomic.Uint64

func spin() {
	var x uint64 = 1
	for {
		for range 1 << 16 {
			x = x*6364136223846793005 + 1442695040888963407
		}
		spins.Store(x)
	}
}

// Check ends the program at an error.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
