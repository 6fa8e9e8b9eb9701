package main

import (
	"runtime"
	"time"
)

// bench is one row for one contender: run does the row's work n times.
type bench struct {
	row *row
	by  string // the contender's column
	per int    // things done by one run of the work; the figure is for one thing
	run func(n int) error
}

// lab is how to measure.
type lab struct {
	rounds   int
	pings    int
	slice    time.Duration
	progress *progress
}

// measure takes samples of all benches in turn, forwards and backwards, and
// enters the figures into their rows.
func (l *lab) measure(benches []*bench) error {
	counts := make([]int, len(benches))
	samples := make([][]float64, len(benches))
	for i, b := range benches {
		n, err := b.calibrate(l.slice)
		if err != nil {
			return err
		}
		counts[i] = n
	}
	runtime.GC()
	for round := range l.rounds {
		l.progress.step(round, l.rounds)
		for i := range benches {
			if round%2 == 1 {
				i = len(benches) - 1 - i
			}
			took, err := benches[i].sample(counts[i])
			if err != nil {
				return err
			}
			samples[i] = append(samples[i], float64(took)/float64(counts[i]*benches[i].per))
		}
	}
	for i, b := range benches {
		f := newFigure(samples[i])
		f.paired = true
		b.row.Figures[b.by] = f
	}
	return nil
}

func (b *bench) sample(n int) (time.Duration, error) {
	start := time.Now()
	err := b.run(n)
	return time.Since(start), err
}

// calibrate finds how often the work fits into one sample.
func (b *bench) calibrate(slice time.Duration) (int, error) {
	for n := 1; ; n *= 2 {
		took, err := b.sample(n)
		if err != nil {
			return 0, err
		}
		if took >= slice || n >= 1<<24 {
			return n, nil
		}
	}
}
