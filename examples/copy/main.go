// Copy is a TCP proxy: it joins each client with a connection to another
// address, and moves the bytes in lent buffers.
//
//	go run ./examples/copy                                  # tries itself for three seconds
//	go run ./examples/copy -listen :8080 -to localhost:80   # serves until it is interrupted
//	go run ./examples/copy -listen :8080 -to unix:/run/app  # any address to any address
//
// The loop is in proxy.go, what becomes of two connections in pair.go, the trial
// in trial.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"gopoll.dev/internal/exampleserver"
)

func main() {
	exampleserver.Main(func(ctx context.Context, args []string) error {
		return run(ctx, args, os.Stdout, os.Stderr)
	})
}

// run is the program.
func run(ctx context.Context, args []string, out, warnings io.Writer) error {
	f := flag.NewFlagSet("copy", flag.ContinueOnError)
	listen := f.String("listen", "", "take clients on `address`, HOST:PORT or unix:PATH")
	to := f.String("to", "", "connect them to `address` (default: a trial, with an echo server of one's own)")
	conns := f.Int("conns", 16, "connections of the trial")
	duration := f.Duration("duration", 3*time.Second, "length of the trial")
	size := f.Int("size", 32<<10, "bytes of a buffer, of which each pair of connections has two")
	most := f.Int("max", 1000, "pairs at one time; further clients wait to be accepted")
	idle := f.Duration("idle", 5*time.Minute, "end pairs without progress for so long; 0: never")
	binding := exampleserver.BindingFlag(f)
	if err := exampleserver.Parse(f, args, out); err != nil {
		return err
	}
	if *conns < 1 || *size < 1 || *most < 1 || *idle < 0 || *duration < 0 {
		return errors.New("copy: numbers have to be positive")
	}
	if (*listen == "") != (*to == "") {
		return errors.New("copy: -listen and -to go together")
	}
	warn := func(format string, args ...any) { fmt.Fprintf(warnings, "copy: "+format+"\n", args...) }
	c := config{listen: *listen, to: *to, binding: *binding, size: *size, max: *most, idle: *idle, warn: warn}
	if *to != "" {
		return serve(ctx, c, out)
	}
	return try(ctx, c, *conns, *duration, out)
}

// serve serves until ctx is done.
func serve(ctx context.Context, c config, out io.Writer) error {
	p, err := newProxy(c)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "serving on %s to %s (%s, %v)\n", p.door.Addr(), c.to, p.poller.Backend(), p.poller.Binding())
	if err := p.run(ctx); err != nil {
		return err
	}
	p.report(out, 0)
	return nil
}

// report prints the table; took is the length of a trial, or zero.
func (p *proxy) report(out io.Writer, took time.Duration) {
	number, n := exampleserver.Number[int64], &p.count
	var t exampleserver.Table
	t.Row("backend", "%s", p.poller.Backend())
	t.Row("binding", "%v", p.poller.Binding())
	t.Row("connections", "%d, of which %d failed; accepting paused %d times", n.pairs, n.failed, p.door.Pauses)
	t.Row("held for each", "2 buffers of %s bytes", number(int64(p.size)))
	t.Row("bytes", "%s up, %s down", number(n.up), number(n.down))
	if s := took.Seconds(); s > 0 {
		t.Row("MB/s", "%.0f up, %.0f down", float64(n.up)/s/1e6, float64(n.down)/s/1e6)
	}
	calls := n.waits + n.reads + n.writes + n.other + p.door.Calls
	t.Row("system calls", "%s: %s waits, %s reads, %s writes, %s others", number(int64(calls)), number(int64(n.waits)),
		number(int64(n.reads)), number(int64(n.writes)), number(int64(n.other+p.door.Calls)))
	if moved := n.up + n.down; moved > 0 {
		t.Row("system calls per MiB", "%.1f", float64(calls)/(float64(moved)/(1<<20)))
	}
	t.Print(out)
}
