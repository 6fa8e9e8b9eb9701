package main

import (
	"fmt"

	"gopoll.dev/gopoll"
)

// waits measures Wait with so many sources ready: sockets that can be written
// to, in mode Level.
func waits(l *lab) (s *section, err error) {
	s = &section{Title: "Wait", Unit: nanoseconds, Columns: bindings(),
		Note: "A Wait that need not block, by how many sources are ready; for all of them together."}
	var clean cleanup
	defer clean.run(&err)
	all, err := openSockets(1024)
	if err != nil {
		return nil, err
	}
	clean.add(func() error { all.close(); return nil })
	var benches []*bench
	for _, n := range []int{0, 1, 16, 256, 1024} {
		if n > len(all) {
			s.Missing = fmt.Sprintf("%d ready: the system has descriptors for %d sources", n, len(all))
			break
		}
		r := s.add(fmt.Sprintf("%d ready", n), fmt.Sprintf("%d ready", n))
		if n == 0 {
			r.Name, r.Case = "nothing ready", "an empty wait"
		}
		for _, column := range s.Columns {
			p, err := newPoller(column)
			if err != nil {
				return nil, err
			}
			clean.add(p.Close)
			for i, fd := range all[:n] {
				if _, err := p.Add(fd, uint64(i), gopoll.Writable, gopoll.Level); err != nil {
					return nil, err
				}
			}
			benches = append(benches, &bench{r, column, 1, func(times int) error { return waitFor(p, n, times) }})
		}
	}
	return s, l.measure(benches)
}

// waitFor waits so often, each time until n events have come.
func waitFor(p *gopoll.Poller, n, times int) error {
	events := make([]gopoll.Event, max(n, 1))
	for range times {
		for got := 0; ; {
			k, err := p.Wait(events[got:], 0)
			if err != nil {
				return err
			}
			if got += k; got >= n {
				break
			}
		}
	}
	return nil
}
