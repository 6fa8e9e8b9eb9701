// The chain on gopoll: by readiness with the program's own reads and writes, or
// with lent buffers. What the chain does, and why, is told in ../chain.h.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gopoll.dev/gopoll"
)

// A loop is one of the two ways to run the chain.
type loop interface {
	register()  // watches every read end, and takes one turn that doesn't block
	turn()      // waits once and passes on what came
	shut(error) // forgets every descriptor
}

type pair struct{ in, out uintptr }

// A chain is the state of one run.
type chain struct {
	pairs          []pair
	poller         *gopoll.Poller
	events         []gopoll.Event
	writesLeft     int
	sent, received int
}

func main() {
	var (
		n       = flag.Int("n", 100, "`pairs`")
		active  = flag.Int("a", 1, "`pairs` that get a byte first")
		writes  = flag.Int("w", 10_000, "`writes` after that")
		runs    = flag.Int("r", 1, "`runs`, each with fresh pairs")
		binding = flag.String("binding", "cgo", "`binding` of the poller")
		lent    = flag.Bool("lent", false, "lend buffers for all reads and writes")
	)
	flag.Parse()
	for r := range *runs {
		run(r, *n, *active, *writes, *binding, *lent)
	}
}

func run(run, n, active, writes int, binding string, lent bool) {
	c := &chain{events: make([]gopoll.Event, 1024), writesLeft: writes}
	for range n {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		check(err)
		c.pairs = append(c.pairs, pair{uintptr(fds[0]), uintptr(fds[1])})
	}
	var err error
	c.poller, err = gopoll.New(gopoll.WithBinding(named(binding)))
	check(err)
	var l loop = newReady(c)
	if lent {
		l = newLent(c)
	}

	begin := time.Now()
	l.register()
	register := time.Since(begin)

	for i := range active {
		at := i * n / active
		_, err := unix.Write(int(c.pairs[at].out), []byte{byte(at)})
		check(err)
		c.sent++
	}
	fired := time.Now()
	for c.received < c.sent {
		l.turn()
	}
	dispatch := time.Since(fired)

	if c.received != active+writes {
		fail("the number of bytes", c.received)
	}
	fmt.Printf("{\"run\":%d,\"register_ns\":%d,\"dispatch_ns\":%d,\"events\":%d}\n", run, register, dispatch, c.received)
	l.shut(c.poller.Close())
	for _, p := range c.pairs {
		unix.Close(int(p.in))
		unix.Close(int(p.out))
	}
}

// next is where the byte that came to i goes on to, if it does.
func (c *chain) next(i int) (int, bool) {
	c.received++
	if c.writesLeft == 0 {
		return 0, false
	}
	c.writesLeft--
	c.sent++
	if i++; i == len(c.pairs) {
		i = 0
	}
	return i, true
}

func named(binding string) gopoll.Binding {
	for _, b := range gopoll.Bindings() {
		if b.String() == binding {
			return b
		}
	}
	fail("no binding", binding)
	return 0
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(what ...any) {
	fmt.Fprintln(os.Stderr, append([]any{"chain:"}, what...)...)
	os.Exit(1)
}
