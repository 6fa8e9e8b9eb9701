package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

// A driver loads an echo server: each of its clients sends a message, checks
// every byte of the echo, and sends the next. It runs beside the server on a
// poller of its own, always the same, whatever the server does: of all ways to
// load a server in the same process that takes the least from it.
type driver struct {
	size     int
	clients  []client
	opened   int // clients that have a socket
	open     int // clients that are not done
	running  bool
	pattern  []byte // what is sent, from an offset of its own for each message
	buffer   []byte
	poller   *gopoll.Poller
	began    time.Time
	elapsed  time.Duration // until the last message was sent
	messages atomic.Int64
	latency  histogram
}

type client struct {
	fd        uintptr
	source    gopoll.Source
	round     int
	sent, got int           // of this round's message
	since     time.Duration // when it was sent
	closing   bool          // it has sent its last
}

const (
	period   = 251 // of the pattern; a prime, so that no message fits another's place
	patience = 30 * time.Second
)

func newDriver(conns, size int) *driver {
	d := &driver{size: size, clients: make([]client, conns), pattern: make([]byte, size+period), buffer: make([]byte, 64<<10)}
	for i := range d.pattern {
		d.pattern[i] = byte(i % period)
	}
	return d
}

// dial opens the connections, and nothing else.
func (d *driver) dial(address string) error {
	for i := range d.clients {
		fd, err := socket.Dial("tcp", address)
		if err != nil {
			return err
		}
		d.clients[i].fd = fd
		d.opened++
	}
	return nil
}

// run loads the server for a time, or until ctx is done, then waits for the
// last echoes, and ends each connection one side at a time.
func (d *driver) run(ctx context.Context, duration time.Duration) error {
	var err error
	if d.poller, err = gopoll.New(); err != nil {
		return err
	}
	defer d.poller.Close()
	defer context.AfterFunc(ctx, func() { d.poller.Wake() })()
	changes := make([]gopoll.Change, d.opened)
	for i := range changes {
		changes[i] = gopoll.Change{Op: gopoll.OpAdd, Fd: d.clients[i].fd, Key: uint64(i), Interest: gopoll.Writable}
	}
	if err := d.poller.Apply(changes); err != nil {
		return err
	}
	for i := range changes {
		d.clients[i].source = changes[i].Source
	}
	d.open, d.running, d.began = d.opened, true, time.Now()

	events := make([]gopoll.Event, 1024)
	for d.open > 0 {
		timeout := patience
		if d.running {
			timeout = max(duration-time.Since(d.began), 0)
		}
		n, err := d.poller.Wait(events, timeout)
		if err != nil {
			return err
		}
		if n == 0 && !d.running {
			return fmt.Errorf("%d connections wait for an echo or the end that does not come", d.open)
		}
		for _, ev := range events[:n] {
			if err := d.serve(ev); err != nil {
				return fmt.Errorf("connection %d: %w", ev.Key, err)
			}
		}
		if d.running && (ctx.Err() != nil || time.Since(d.began) >= duration) {
			d.elapsed = time.Since(d.began)
			d.running = false
		}
	}
	return nil
}

func (d *driver) serve(ev gopoll.Event) error {
	c := &d.clients[ev.Key]
	if ev.Ready&gopoll.Writable != 0 && c.sent < d.size {
		if err := d.send(c, ev.Key, true); err != nil {
			return err
		}
	}
	if ev.Ready&gopoll.Readable != 0 {
		return d.receive(c, ev.Key)
	}
	return nil
}

// message is what this round of a client sends, and gets back.
func (d *driver) message(c *client, key uint64) []byte {
	offset := (int(key)*31 + c.round*17) % period
	return d.pattern[offset : offset+d.size]
}

// send sends what is left of the message. It watches for room while some is.
func (d *driver) send(c *client, key uint64, watching bool) error {
	if c.sent == 0 {
		c.since = time.Since(d.began)
	}
	n, err := socket.Write(c.fd, d.message(c, key)[c.sent:])
	if err != nil && err != socket.ErrWouldBlock {
		return err
	}
	c.sent += n
	switch left := c.sent < d.size; {
	case left == watching:
		return nil
	case left:
		return c.source.Modify(key, gopoll.Readable|gopoll.Writable, gopoll.Level)
	}
	return c.source.Modify(key, gopoll.Readable, gopoll.Level)
}

// receive checks what has come.
func (d *driver) receive(c *client, key uint64) error {
	n, err := socket.Read(c.fd, d.buffer)
	switch {
	case err == socket.ErrWouldBlock:
		return nil
	case err == io.EOF && c.closing:
		c.source.Delete()
		d.open--
		return nil
	case err == io.EOF:
		return errors.New("closed by the server")
	case err != nil:
		return err
	case n > c.sent-c.got:
		return errors.New("more comes back than was sent")
	case !bytes.Equal(d.buffer[:n], d.message(c, key)[c.got:c.got+n]):
		return fmt.Errorf("message %d comes back with wrong bytes", c.round)
	}
	if c.got += n; c.got < d.size {
		return nil
	}
	d.latency.add(time.Since(d.began) - c.since)
	d.messages.Add(1)
	if !d.running {
		c.closing = true
		return socket.Shutdown(c.fd, socket.ShutWrite)
	}
	c.round++
	c.sent, c.got = 0, 0
	return d.send(c, key, false)
}

func (d *driver) close() {
	for i := range d.clients[:d.opened] {
		socket.Close(d.clients[i].fd)
	}
}
