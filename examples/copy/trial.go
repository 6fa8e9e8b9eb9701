package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"gopoll.dev/internal/exampleserver"
)

// try pumps bytes through a proxy to an echo server and back, checks them, and
// tells how it went. Clients and echo server are of package net.
func try(ctx context.Context, c config, conns int, duration time.Duration, out io.Writer) error {
	behind, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer behind.Close()
	go echo(behind)
	c.listen, c.to, c.max = "127.0.0.1:0", behind.Addr().String(), max(c.max, conns)
	p, err := newProxy(c)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.run(serving) }()

	began := time.Now()
	timed, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	var moved atomic.Int64
	hide := exampleserver.Progress(out, func() string {
		return fmt.Sprintf("%d connections, %s bytes there and back", conns, exampleserver.Number(moved.Load()))
	})
	errs, addr := make([]error, conns), p.door.Addr()
	var all sync.WaitGroup
	for i := range conns {
		all.Go(func() { errs[i] = pump(timed, addr, i, &moved) })
	}
	all.Wait()
	took := time.Since(began)
	hide()
	stop()
	if err := errors.Join(append(errs, <-ended)...); err != nil {
		return err
	}
	p.report(out, took)
	fmt.Fprintf(out, "Every byte was checked: %s there and back, and the end of each stream. The clients and\n"+
		"the echo server ran in the same process. Calls are the proxy's alone, as it counts them.\n", exampleserver.Number(moved.Load()))
	return nil
}

// echo sends back what comes on any connection, to its end.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

const (
	period = 65521 // of what a pump sends; a prime, so that no lost block goes unseen
	block  = 32 << 10
)

var pattern = func() []byte {
	p := make([]byte, period+block)
	for i := range p {
		at := uint32(i % period)
		p[i] = byte(at * 2654435761 >> 24)
	}
	return p
}()

// at is what a stream has from a position on.
func at(position int64, n int) []byte {
	from := position % period
	return pattern[from : from+int64(n)]
}

// pump sends until ctx is done, but not nothing, ends its side, and reads all of it back.
func pump(ctx context.Context, addr string, number int, moved *atomic.Int64) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	start := int64(number) * 7919
	sent := make(chan int64, 1)
	go func() {
		n := int64(0)
		for n == 0 || ctx.Err() == nil {
			m, err := c.Write(at(start+n, block))
			if n += int64(m); err != nil {
				break // the reader sees it too
			}
		}
		c.(*net.TCPConn).CloseWrite()
		sent <- n
	}()
	buffer := make([]byte, block)
	for got := int64(0); ; {
		n, err := c.Read(buffer)
		if !bytes.Equal(buffer[:n], at(start+got, n)) {
			return fmt.Errorf("connection %d: wrong bytes after byte %d", number, got)
		}
		got += int64(n)
		moved.Add(int64(n))
		if err == io.EOF {
			if all := <-sent; got != all {
				return fmt.Errorf("connection %d: %d bytes come back of %d", number, got, all)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("connection %d: %w", number, err)
		}
	}
}
