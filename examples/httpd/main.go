// Httpd serves files over HTTP/1.1 on one poller and one goroutine.
//
//	go run ./examples/httpd -listen :8080 -dir public
//
// It is a small static responder: GET and HEAD, keep-alive, pipelining,
// 100-continue, entity tags. The loop is in server.go, a connection in conn.go,
// what a request is answered in request.go, the files in site.go. They are read
// into memory at the start, so that no request waits for a disk.
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
		return run(ctx, args, os.Stdout)
	})
}

// run is the program.
func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("httpd", flag.ContinueOnError)
	listen := f.String("listen", "127.0.0.1:8080", "serve on `address`")
	dir := f.String("dir", "", "serve the files below `folder` (default: a page that says hello)")
	c := config{binding: exampleserver.BindingFlag(f)}
	f.IntVar(&c.max, "max", 10000, "connections served at one time; the others wait to be accepted")
	f.DurationVar(&c.headTime, "head", 10*time.Second, "the time a client has for the head of a request, and for each refill of a response")
	f.DurationVar(&c.idleTime, "idle", time.Minute, "close connections without a request for so long")
	if err := exampleserver.Parse(f, args, out); err != nil {
		return err
	}
	if c.max < 1 || c.headTime <= 0 || c.idleTime <= 0 {
		return errors.New("httpd: numbers have to be positive")
	}
	pages := hello()
	if *dir != "" {
		var err error
		if pages, err = load(*dir); err != nil {
			return err
		}
	}
	s, err := newServer(*listen, pages, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "serving %d files on http://%s/ until interrupted\n", len(pages), s.door.Addr())
	return s.run(ctx)
}
