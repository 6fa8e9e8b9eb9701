// Echo is a server that sends back what it receives, on one poller and one
// goroutine.
//
//	go run ./examples/echo                       # drives itself for five seconds
//	go run ./examples/echo -listen :7007         # serves until it is interrupted
//	go run ./examples/echo -mode edge -binding pure -conns 5000
//
// The loop is in server.go, what becomes of a connection in conn.go, the load in
// driver.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
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
	f := flag.NewFlagSet("echo", flag.ContinueOnError)
	listen := f.String("listen", "", "serve on `address` until interrupted (default: drive a server of one's own)")
	conns := f.Int("conns", 1000, "connections of the load")
	size := f.Int("size", 64, "bytes of a message")
	duration := f.Duration("duration", 5*time.Second, "length of the load")
	most := f.Int("max", 10000, "connections served at one time; the others wait to be accepted")
	idle := f.Duration("idle", 5*time.Minute, "close connections without progress for so long; 0: never")
	lend := f.Bool("lend", false, "lend buffers, whatever the mode, instead of reading and writing when ready")
	binding := exampleserver.BindingFlag(f)
	mode := exampleserver.ModeFlag(f)
	if err := exampleserver.Parse(f, args, out); err != nil {
		return err
	}
	if *conns < 1 || *size < 1 || *most < 1 || *idle < 0 || *duration < 0 {
		return errors.New("echo: numbers have to be positive")
	}
	warn := func(format string, args ...any) { fmt.Fprintf(warnings, "echo: "+format+"\n", args...) }
	c := config{listen: *listen, binding: *binding, mode: *mode, lend: *lend, max: *most, idle: *idle, warn: warn}
	if *listen != "" {
		return serve(ctx, c, out)
	}
	// Both ends of a connection are here, and a few descriptors are others'.
	if room := (descriptorLimit() - 32) / 2; *conns > room && room > 0 {
		warn("the limit of %d descriptors has room for %d connections only", descriptorLimit(), room)
		*conns = room
	}
	c.listen, c.max = "127.0.0.1:0", max(c.max, *conns)
	return drive(ctx, c, newDriver(*conns, *size), *duration, out)
}

// serve serves until ctx is done.
func serve(ctx context.Context, c config, out io.Writer) error {
	s, err := newServer(c)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "serving on %s (%s, %v, %s)\n", s.door.Addr(), s.poller.Backend(), s.poller.Binding(), s.way())
	if err := s.run(ctx); err != nil {
		return err
	}
	var t exampleserver.Table
	s.describe(&t)
	t.Row("connections", "%s served, %d open at the end, accepting paused %d times",
		exampleserver.Number(s.state.accepted), s.state.open, s.door.Pauses)
	t.Row("bytes echoed", "%s", exampleserver.Number(s.count.bytes))
	t.Row("system calls", "%s waits, %s reads, %s writes, %s registrations and accepts", exampleserver.Number(s.count.waits),
		exampleserver.Number(s.count.reads), exampleserver.Number(s.count.writes), exampleserver.Number(s.count.changes+s.door.Calls))
	t.Print(out)
	return nil
}

// drive serves the driver's load, and tells how it went.
func drive(ctx context.Context, c config, d *driver, duration time.Duration, out io.Writer) error {
	started, connected := make(chan struct{}), make(chan struct{})
	first, all := sync.OnceFunc(func() { close(started) }), sync.OnceFunc(func() { close(connected) })
	c.observe = func(st state) {
		first()
		if st.open >= len(d.clients) {
			all()
		}
	}
	s, err := newServer(c)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.run(serving) }()
	var bytes int64
	err = func() error {
		defer d.close()
		defer exampleserver.Progress(out, func() string {
			return fmt.Sprintf("%d connections, %s messages", len(d.clients), exampleserver.Number(d.messages.Load()))
		})()
		s.poller.Wake() // the memory of its first Wait is no connection's
		if err := await(ctx, started); err != nil {
			return err
		}
		// The driver's sockets alone take no Go memory: what grows is the server's.
		before := heap()
		if err := d.dial(s.door.Addr()); err != nil {
			return err
		}
		if err := await(ctx, connected); err != nil {
			return err
		}
		bytes = max(heap()-before, 0) / int64(len(d.clients))
		return d.run(ctx, duration)
	}()
	stop()
	if err = errors.Join(err, <-ended); err != nil && ctx.Err() == nil {
		return err
	}
	var t exampleserver.Table
	s.describe(&t)
	s.compare(&t, d, bytes)
	t.Print(out)
	fmt.Fprintln(out, "Every byte was checked. The load ran in the same process, with a message of each connection\n"+
		"under way at all times: most of the latency is waiting behind the others. Calls and memory\n"+
		"are the server's alone, the calls as it counts them.")
	return nil
}

// await waits until the server has closed what.
func await(ctx context.Context, what <-chan struct{}) error {
	select {
	case <-what:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(patience):
		return errors.New("echo: the server does not take all connections")
	}
}

func (s *server) way() string {
	if s.lend {
		return "lent buffers"
	}
	return strings.ToLower(s.mode.String())
}

func (s *server) describe(t *exampleserver.Table) {
	t.Row("backend", "%s", s.poller.Backend())
	t.Row("binding", "%v", s.poller.Binding())
	t.Row("mode", "%s", s.way())
}

// compare is the load's part of the table.
func (s *server) compare(t *exampleserver.Table, d *driver, idleBytes int64) {
	messages := d.messages.Load()
	t.Row("connections", "%s", exampleserver.Number(len(d.clients)))
	t.Row("messages", "%s of %s bytes in %.1f s", exampleserver.Number(messages), exampleserver.Number(d.size), d.elapsed.Seconds())
	if messages > 0 {
		t.Row("messages/s", "%s", exampleserver.Number(int64(float64(messages)/d.elapsed.Seconds())))
		t.Row("latency p50, p99", "%v, %v", round(d.latency.quantile(0.50)), round(d.latency.quantile(0.99)))
		per := func(n int) float64 { return float64(n) / float64(messages) }
		waits, reads, writes, rest := s.count.waits, s.count.reads, s.count.writes, s.count.changes+s.door.Calls
		t.Row("system calls per message", "%.2f: %.2f waits, %.2f reads, %.2f writes, %.2f registrations and accepts",
			per(waits+reads+writes+rest), per(waits), per(reads), per(writes), per(rest))
	}
	text := exampleserver.Number(idleBytes)
	if s.lend {
		text += " and a lent buffer of " + exampleserver.Number(lendSize)
	}
	t.Row("Go bytes per idle connection", "%s", text)
}

func round(d time.Duration) time.Duration {
	if d > time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(100 * time.Nanosecond)
}

// heap is the Go memory in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // the first may leave what had finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
