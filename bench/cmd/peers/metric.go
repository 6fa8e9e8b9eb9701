package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat"
)

// better is which way a metric is better.
type better int8

const (
	less better = iota
	more
	neither
)

// A metric is one figure read from the samples of one race.
type metric struct {
	race, title string
	unit        string
	better      better
	value       func(map[string]float64) float64
	scale       float64 // from what is sampled to the unit
}

func plain(name string) func(map[string]float64) float64 {
	return func(v map[string]float64) float64 { return v[name] }
}

func ratio(over, under string, scale float64) func(map[string]float64) float64 {
	return func(v map[string]float64) float64 { return scale * v[over] / v[under] }
}

// short prints three significant digits, and never fewer than those before the point.
func short(v float64) string {
	digits := 2
	if v != 0 {
		digits = min(max(2-int(math.Floor(math.Log10(math.Abs(v)))), 0), 2)
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

var (
	dispatch   = metric{"chain", "Dispatch", "ns an event", less, ratio("dispatch_ns", "events", 1), 1}
	register   = metric{"chain", "Registration", "ns a pair", less, ratio("register_ns", "pairs", 1), 1}
	throughput = metric{"echo", "Closed loop: throughput", "thousand messages/s", more, ratio("closed.messages", "closed.seconds", 1), 1e-3}
	closedP50  = metric{"echo", "Closed loop: p50", "µs", less, plain("closed.p50_ns"), 1e-3}
	closedP99  = metric{"echo", "Closed loop: p99", "µs", less, plain("closed.p99_ns"), 1e-3}
	closedP999 = metric{"echo", "Closed loop: p99.9", "µs", less, plain("closed.p999_ns"), 1e-3}
	closedCPU  = metric{"echo", "Closed loop: server", "CPU seconds a million messages", less, ratio("closed.server_cpu_ns", "closed.messages", 1e-3), 1}
	clientBusy = metric{"echo", "Closed loop: client", "% of its CPU", neither, ratio("closed.client_cpu_ns", "closed.seconds", 1e-7), 1}
	pacedP50   = metric{"echo", "Fixed rate: p50", "µs", less, plain("paced.p50_ns"), 1e-3}
	pacedP99   = metric{"echo", "Fixed rate: p99", "µs", less, plain("paced.p99_ns"), 1e-3}
	pacedP999  = metric{"echo", "Fixed rate: p99.9", "µs", less, plain("paced.p999_ns"), 1e-3}
	pacedCPU   = metric{"echo", "Fixed rate: server", "CPU seconds a million messages", less, ratio("paced.server_cpu_ns", "paced.messages", 1e-3), 1}
	resident   = metric{"echo", "Resident memory of the server", "MiB", less, plain("closed.server_rss_bytes"), 1.0 / (1 << 20)}
	idleBytes  = metric{"idle", "Memory of an idle connection", "bytes in user space", less, func(v map[string]float64) float64 {
		return (v["after_bytes"] - v["before_bytes"]) / v["conns"]
	}, 1}
)

// A figure is what the samples of one contender in one shape say of a metric.
type figure struct{ median, low, high float64 } // the quartiles beside it

func (f figure) spread() float64 { return (f.high - f.low) / 2 / f.median * 100 }

// figures are those of a metric by shape and contender.
type figures struct {
	metric
	shapes []string // in the order of the race
	at     map[string]map[string]figure
}

func (m metric) of(samples []sample, keep func(shape string) bool) figures {
	f := figures{metric: m, at: map[string]map[string]figure{}}
	raw := map[string]map[string][]float64{}
	for _, s := range samples {
		if s.Race != m.race || !keep(s.Shape) {
			continue
		}
		if raw[s.Shape] == nil {
			raw[s.Shape] = map[string][]float64{}
			f.shapes = append(f.shapes, s.Shape)
		}
		raw[s.Shape][s.Contender] = append(raw[s.Shape][s.Contender], m.value(s.Values))
	}
	for shape, by := range raw {
		f.at[shape] = map[string]figure{}
		for name, v := range by {
			slices.Sort(v)
			q := func(p float64) float64 { return stat.Quantile(p, stat.LinInterp, v, nil) }
			f.at[shape][name] = figure{middle(v), q(0.25), q(0.75)}
		}
	}
	return f
}

// middle is the median of sorted values, the mean of the two middle ones if need be.
func middle(v []float64) float64 {
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// best is who has the best median in a shape, of those that are in.
func (f figures) best(shape string, in func(name string) bool) (name string, v float64) {
	for who, fig := range f.at[shape] {
		ahead := fig.median < v
		if f.better == more {
			ahead = fig.median > v
		}
		if in(who) && (name == "" || ahead || fig.median == v && who < name) {
			name, v = who, fig.median
		}
	}
	return name, v
}

// lead is by what factor a is better than b: more than 1 if it is.
func (m metric) lead(a, b float64) float64 {
	if m.better == more {
		return a / b
	}
	return b / a
}

func (m metric) show(v float64) string { return short(v * m.scale) }

func (m metric) String() string { return fmt.Sprintf("%s, %s", m.title, m.unit) }
