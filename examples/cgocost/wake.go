package main

import (
	"errors"
	"sync/atomic"

	"gopoll.dev/gopoll"
)

// wakes measures how long it takes from Wake to the return of a Wait that is
// blocked in another goroutine: half a round trip between two pollers.
func wakes(l *lab) (s *section, err error) {
	s = &section{Title: "Wake", Unit: nanoseconds, Columns: waiters(),
		Note: "From Wake to the return of a blocked Wait in another goroutine. " + nestedNote}
	var clean cleanup
	defer clean.run(&err)
	r := s.add("hand-off", "")
	var benches []*bench
	for _, column := range s.Columns {
		near, err := newWakeable(column, &clean)
		if err != nil {
			return nil, err
		}
		far, err := newWakeable(column, &clean)
		if err != nil {
			return nil, err
		}
		stopped := make(chan error, 1)
		go func() { stopped <- answer(far, near) }()
		clean.add(func() error {
			far.stop.Store(true)
			return errors.Join(far.wake(), <-stopped)
		})
		benches = append(benches, &bench{r, column, 2, func(n int) error {
			for range n {
				if err := errors.Join(far.wake(), near.wait()); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	return s, l.measure(benches)
}

const nestedNote = "Nested: the poller's Fd is parked in the runtime's own poller (see the guide)."

// waiters are the columns of sections that block.
func waiters() []string {
	if nested == "" {
		return bindings()
	}
	return append(bindings(), nested)
}

// answer wakes near whenever far is woken.
func answer(far, near *wakeable) error {
	for {
		if err := far.wait(); err != nil || far.stop.Load() {
			return err
		}
		if err := near.wake(); err != nil {
			return err
		}
	}
}

// wakeable is a poller that only wakes are for.
type wakeable struct {
	p     *gopoll.Poller
	n     *nest // or nil
	woken atomic.Bool
	stop  atomic.Bool
}

func newWakeable(column string, clean *cleanup) (*wakeable, error) {
	p, err := newPoller(column)
	if err != nil {
		return nil, err
	}
	clean.add(p.Close)
	w := &wakeable{p: p}
	if column == nested {
		if w.n, err = newNest(p); err != nil {
			return nil, err
		}
		clean.add(w.n.close)
	}
	return w, nil
}

func (w *wakeable) wake() error {
	w.woken.Store(true)
	return w.p.Wake()
}

func (w *wakeable) wait() error {
	var events [1]gopoll.Event
	var err error
	if w.n == nil {
		_, err = w.p.Wait(events[:], -1)
	} else {
		_, err = w.n.wait(events[:], w.woken.Load)
	}
	w.woken.Store(false)
	return err
}
