package main

import (
	"errors"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Phase is one line of results.
type Phase struct {
	Phase      string  `json:"phase"`
	Offered    float64 `json:"offered_per_s,omitempty"` // paced
	Seconds    float64 `json:"seconds"`
	Messages   int64   `json:"messages"`             // answered, every byte compared
	Unfinished int     `json:"unfinished,omitempty"` // paced: given up, counted in the latencies
	P50        int64   `json:"p50_ns"`
	P99        int64   `json:"p99_ns"`
	P999       int64   `json:"p999_ns"`
	Max        int64   `json:"max_ns"`
	ServerCPU  int64   `json:"server_cpu_ns"`
	ClientCPU  int64   `json:"client_cpu_ns"`
	ServerRSS  int64   `json:"server_rss_bytes"`
}

// patience is how long a server may be silent.
const patience = 10 * time.Second

var errSilent = errors.New("the server doesn't answer")

// recorder collects one phase's latencies and counts.
type recorder struct {
	l         *loop
	pid       int
	histogram *hdrhistogram.Histogram
	phase     Phase
	begun     time.Duration
	heard     time.Duration // when the last reply came
}

func record(l *loop, pid int, name string) *recorder {
	r := &recorder{
		l: l, pid: pid,
		histogram: hdrhistogram.New(100, int64(time.Minute), 3),
		begun:     l.now(), heard: l.now(),
	}
	r.phase.Phase = name
	r.phase.ServerCPU, r.phase.ClientCPU = -cpuOf(pid), -cpuOf(0)
	return r
}

func (r *recorder) turn() error {
	latencies, err := r.l.turn()
	if err != nil {
		return err
	}
	for _, ns := range latencies {
		r.add(ns)
	}
	r.phase.Messages += int64(len(latencies))
	switch {
	case len(latencies) > 0:
		r.heard = r.l.now()
	case r.l.now()-r.heard > patience:
		return errSilent
	}
	return nil
}

func (r *recorder) add(ns int64) {
	// A latency beyond the histogram's minute counts as a minute.
	r.histogram.RecordValue(min(ns, r.histogram.HighestTrackableValue()))
}

func (r *recorder) passed() time.Duration { return r.l.now() - r.begun }

func (r *recorder) finish() Phase {
	p, h := &r.phase, r.histogram
	p.Seconds = r.passed().Seconds()
	p.ServerCPU += cpuOf(r.pid)
	p.ClientCPU += cpuOf(0)
	p.ServerRSS = rssOf(r.pid)
	p.P50, p.P99, p.P999 = h.ValueAtQuantile(50), h.ValueAtQuantile(99), h.ValueAtQuantile(99.9)
	p.Max = h.Max()
	return *p
}

// drain waits for what is under way and forgets its latency.
func drain(l *loop) error {
	l.stop()
	for r := record(l, 0, ""); l.waiting() > 0; {
		if err := r.turn(); err != nil {
			return err
		}
	}
	return nil
}

// round sends one message on each of the connections [from, to) and waits for all.
func round(l *loop, from, to int) error {
	if err := l.closed(from, to); err != nil {
		return err
	}
	return drain(l)
}

// closed keeps one message under way on each of n connections: the most the
// server can do.
func closed(l *loop, pid, n int, warm, length time.Duration) (Phase, error) {
	if err := l.closed(0, n); err != nil {
		return Phase{}, err
	}
	if err := l.lastFor(record(l, pid, ""), warm); err != nil {
		return Phase{}, err
	}
	r := record(l, pid, "closed")
	if err := l.lastFor(r, length); err != nil {
		return Phase{}, err
	}
	p := r.finish()
	return p, drain(l)
}

func (l *loop) lastFor(r *recorder, length time.Duration) error {
	for r.passed() < length {
		if err := r.turn(); err != nil {
			return err
		}
	}
	return nil
}

// paced offers rate messages a second for the length of time. A server that
// can't keep up gets as long again, twice; then the rest is given up, each with
// the latency it had reached.
func paced(l *loop, pid int, rate float64, length time.Duration) (Phase, error) {
	total := int64(rate * length.Seconds())
	l.paced(rate, total)
	r := record(l, pid, "paced")
	for l.waiting() > 0 && r.passed() < 3*length {
		if err := r.turn(); err != nil {
			return Phase{}, err
		}
	}
	left := l.abandon()
	for _, ns := range left {
		r.add(ns)
	}
	p := r.finish()
	p.Offered, p.Unfinished = rate, len(left)
	return p, nil
}
