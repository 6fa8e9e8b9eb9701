package main

import (
	"fmt"

	"gopoll.dev/gopoll"
	"gopoll.dev/gopoll/socket"
)

const message = 64 // bytes

// lends measures reads and writes of small messages, lent and by own calls.
func lends(l *lab) (s *section, err error) {
	own := "own calls"
	s = &section{Title: "Reads and writes", Unit: nanoseconds, Columns: append(bindings(), own),
		Note: "64 bytes through a socket; for one read or write, lent to the poller, or made by package socket after Wait said ready."}
	var clean cleanup
	defer clean.run(&err)
	var benches []*bench
	for _, n := range []int{1, 4, 16, 64} {
		r := s.add(fmt.Sprintf("%d sockets busy", n), fmt.Sprintf("%d sockets", n))
		if n == 1 {
			r.Name, r.Case = "1 socket busy", "one socket"
		}
		for _, column := range s.Columns {
			p, err := newPoller(column)
			if err != nil {
				return nil, err
			}
			// Of its own: on Windows a socket can be lent to one poller only.
			fds, err := openSockets(2 * n)
			if err != nil {
				return nil, err
			}
			clean.add(func() error { fds.close(); return nil })
			clean.add(p.Close)
			var run func(int) error
			if column == own {
				run, err = ownCalls(p, fds)
			} else {
				run, err = lentCalls(p, fds, &clean)
			}
			if err != nil {
				return nil, err
			}
			benches = append(benches, &bench{r, column, 2 * n, run})
		}
	}
	return s, l.measure(benches)
}

// lentCalls lends a read of each odd socket and a write of each even one, and
// waits until all are back.
func lentCalls(p *gopoll.Poller, fds []uintptr, clean *cleanup) (func(int) error, error) {
	arena, err := gopoll.NewArena(len(fds), message)
	if err != nil {
		return nil, err
	}
	sources := make([]gopoll.Source, len(fds))
	buffers := make([][]byte, len(fds))
	for i, fd := range fds {
		buffers[i] = arena.Get()
		if sources[i], err = p.Add(fd, uint64(i), 0, gopoll.Level); err != nil {
			return nil, err
		}
	}
	clean.add(arena.Free)
	events := make([]gopoll.Event, len(fds))
	return func(times int) error {
		for range times {
			for i, source := range sources {
				lend := source.LendWrite
				if i%2 == 1 {
					lend = source.LendRead
				}
				if err := lend(buffers[i]); err != nil {
					return err
				}
			}
			for back := 0; back < len(fds); {
				n, err := p.Wait(events, -1)
				if err != nil {
					return err
				}
				for _, e := range events[:n] {
					if moved, err := e.Result(); err != nil || moved != message {
						return fmt.Errorf("moved %d of %d bytes: %w", moved, message, err)
					}
				}
				back += n
			}
		}
		return nil
	}, nil
}

func ownCalls(p *gopoll.Poller, fds []uintptr) (func(int) error, error) {
	for i, fd := range fds {
		if i%2 == 0 {
			continue
		}
		if _, err := p.Add(fd, uint64(fd), gopoll.Readable, gopoll.Level); err != nil {
			return nil, err
		}
	}
	events := make([]gopoll.Event, len(fds))
	buf := make([]byte, message)
	return func(times int) error {
		for range times {
			for i := 0; i < len(fds); i += 2 {
				if _, err := socket.Write(fds[i], buf); err != nil {
					return err
				}
			}
			for back := 0; back < len(fds)/2; {
				n, err := p.Wait(events, -1)
				if err != nil {
					return err
				}
				for _, e := range events[:n] {
					if _, err := socket.Read(uintptr(e.Key), buf); err != nil {
						return err
					}
				}
				back += n
			}
		}
		return nil
	}, nil
}
