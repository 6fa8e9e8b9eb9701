package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

const netColumn = "net"

// busy measures the answer to 8 bytes from another process, while this one has
// nothing else to do and while goroutines want all of its processors.
func busy(l *lab) (s *section, err error) {
	burners := 2 * runtime.GOMAXPROCS(0)
	s = &section{Title: "A blocked Wait beside goroutines that compute", Unit: nanoseconds,
		Columns: append(waiters(), netColumn),
		Note: fmt.Sprintf("Round trip of 8 bytes to another process: while nobody computes, and beside %d goroutines that do, "+
			"with the next message at once or after 1 ms. Net: a goroutine in a net.Conn's Read. ", burners) + nestedNote}
	var clean cleanup
	defer clean.run(&err)
	var addresses []string
	for _, column := range s.Columns {
		address, err := startEcho(column, &clean)
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
	}
	c, err := startClient(addresses)
	if err != nil {
		return nil, err
	}
	clean.add(c.close)
	const block = 10
	rounds := max(1, l.pings/block)
	warm := task{Rounds: 2, Block: block}
	if _, err := c.do(warm, func(int) {}); err != nil {
		return nil, err
	}
	for _, load := range []struct {
		name    string
		burners int
		task    task
	}{
		{"idle", 0, task{rounds, block, 0, busyLimit}},
		{"busy, at once", burners, task{rounds, block, 0, busyLimit}},
		// Long enough for the scheduler to take the processor from a blocked call.
		{"busy, paused", burners, task{rounds * block, 1, time.Millisecond, busyLimit}},
	} {
		stop := burn(load.burners)
		samples, err := c.do(load.task, func(round int) { l.progress.step(round, load.task.Rounds) })
		stop()
		if err != nil {
			return nil, err
		}
		half, most := s.add(load.name+", p50", ""), s.add(load.name+", p99", "")
		for i, column := range s.Columns {
			half.Figures[column] = percentile(samples[i], 0.5)
			most.Figures[column] = percentile(samples[i], 0.99)
		}
	}
	return s, nil
}

// busyLimit keeps a run short where answers are slow.
const busyLimit = 8 * time.Second

// burn keeps n goroutines computing until the function that it returns is called.
func burn(n int) (stop func()) {
	var over atomic.Bool
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for !over.Load() {
			}
		})
	}
	return func() { over.Store(true); all.Wait() }
}

// startEcho serves one connection, in the column's way.
func startEcho(column string, clean *cleanup) (address string, err error) {
	if column == netColumn {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		clean.add(listener.Close)
		go func() {
			if conn, err := listener.Accept(); err == nil {
				defer conn.Close()
				io.CopyBuffer(struct{ io.Writer }{conn}, struct{ io.Reader }{conn}, make([]byte, pingSize))
			}
		}()
		return listener.Addr().String(), nil
	}
	listener, err := socket.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	clean.add(func() error { return socket.Close(listener) })
	at, err := socket.LocalAddr(listener)
	if err != nil {
		return "", err
	}
	p, err := newPoller(column)
	if err != nil {
		return "", err
	}
	wait := func(events []gopoll.Event) (int, error) { return p.Wait(events, -1) }
	if column == nested {
		n, err := newNest(p)
		if err != nil {
			return "", errors.Join(err, p.Close())
		}
		clean.add(n.close)
		wait = func(events []gopoll.Event) (int, error) { return n.wait(events, func() bool { return false }) }
	}
	ended := make(chan error, 1)
	go func() { ended <- echoOne(p, wait, listener) }()
	// Once the client has gone the loop is at its end; Close ends it before.
	clean.add(func() error { return errors.Join(p.Close(), ignoreClosed(<-ended)) })
	return at.String(), nil
}

// ignoreClosed drops the error that Close gave a waiter.
func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// echoOne accepts one connection and sends back what it reads, to its end.
func echoOne(p *gopoll.Poller, wait func([]gopoll.Event) (int, error), listener uintptr) error {
	if _, err := p.Add(listener, 0, gopoll.Readable, gopoll.Level); err != nil {
		return err
	}
	var events [4]gopoll.Event
	var buf [pingSize]byte
	conn := uintptr(socket.Invalid)
	for {
		n, err := wait(events[:])
		if err != nil {
			return err
		}
		for _, e := range events[:n] {
			if e.Key == 0 {
				if conn, err = socket.Accept(listener); err == nil {
					defer socket.Close(conn)
					_, err = p.Add(conn, 1, gopoll.Readable, gopoll.Level)
				}
			} else if k, readErr := socket.Read(conn, buf[:]); readErr == nil {
				_, err = socket.Write(conn, buf[:k])
			} else {
				err = readErr
			}
			if err == io.EOF {
				return nil
			}
			if err != nil && err != socket.ErrWouldBlock {
				return err
			}
		}
	}
}
