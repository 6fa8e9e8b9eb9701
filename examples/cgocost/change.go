package main

import (
	"fmt"

	"gopoll.dev/gopoll"
)

// changes measures Add, Modify and Delete, one call each and many in one Apply.
func changes(l *lab) (s *section, err error) {
	s = &section{Title: "Add, Modify, Delete", Unit: nanoseconds, Columns: bindings(),
		Note: "A third each; for one change. Apply makes all its changes in one crossing."}
	var clean cleanup
	defer clean.run(&err)
	all, err := openSockets(256)
	if err != nil {
		return nil, err
	}
	clean.add(func() error { all.close(); return nil })
	var benches []*bench
	for _, n := range []int{0, 1, 4, 16, 64, 256} {
		r := s.add("one call each", "a call for each change")
		if n > 0 {
			r.Name = fmt.Sprintf("Apply of %d", n)
			r.Case = fmt.Sprintf("%d changes", n)
		}
		if n == 1 {
			r.Case = "an Apply of one"
		}
		for _, column := range s.Columns {
			p, err := newPoller(column)
			if err != nil {
				return nil, err
			}
			clean.add(p.Close)
			b := &bench{r, column, 3 * max(n, 1), func(times int) error { return applyAll(p, all[:n], times) }}
			if n == 0 {
				b.run = func(times int) error { return callEach(p, all[0], times) }
			}
			benches = append(benches, b)
		}
	}
	return s, l.measure(benches)
}

func callEach(p *gopoll.Poller, fd uintptr, times int) error {
	for i := range times {
		source, err := p.Add(fd, 1, gopoll.Readable, gopoll.Level)
		if err == nil {
			err = source.Modify(2, gopoll.Readable, gopoll.OneShot)
		}
		if err == nil {
			err = source.Delete()
		}
		if err == nil {
			err = sweep(p, i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func applyAll(p *gopoll.Poller, fds []uintptr, times int) error {
	changes := make([]gopoll.Change, len(fds))
	for i := range times {
		for _, op := range []gopoll.Op{gopoll.OpAdd, gopoll.OpModify, gopoll.OpDelete} {
			for k := range changes {
				c := &changes[k]
				c.Op, c.Fd, c.Key, c.Interest, c.Mode = op, fds[k], uint64(k), gopoll.Readable, gopoll.Level
			}
			if err := p.Apply(changes); err != nil {
				return err
			}
		}
		if err := sweep(p, i*len(fds)); err != nil {
			return err
		}
	}
	return nil
}

// sweep waits now and then: on Windows the kernel's last word on a registration
// comes through the queue.
func sweep(p *gopoll.Poller, done int) error {
	if done%64 != 0 {
		return nil
	}
	var events [64]gopoll.Event
	_, err := p.Wait(events[:], 0)
	return err
}
