package main

import (
	"fmt"
	"strings"
)

// A goal is a factor by which one contender is to lead (or may trail) another
// in every shape of a metric.
type goal struct {
	text    string
	figures figures
	us      string
	them    func(shape string) (string, float64)
	factor  float64 // the lead must be at least this
}

// writeGoals writes, for each goal, in how many shapes it's reached and how
// near the worst one comes.
func (b *board) writeGoals(w *strings.Builder) {
	goals := b.goals()
	fmt.Fprint(w, "### Goals\n\nA lead of 1.20 is 20 % better than whom it's measured against, one of 0.95 is 5 % worse; of medians.\n\n")
	fmt.Fprint(w, "| goal | lead to reach | reached in | worst lead |\n|---|--:|--:|---|\n")
	for _, g := range goals {
		reached, shapes := 0, 0
		worst, where := 0.0, "not measured"
		for _, shape := range g.figures.shapes {
			us, ok := g.figures.at[shape][g.us]
			name, v := g.them(shape)
			if !ok || name == "" {
				continue
			}
			lead := g.figures.lead(us.median, v)
			if lead >= g.factor {
				reached++
			}
			if shapes == 0 || lead < worst {
				worst, where = lead, fmt.Sprintf("%.2f at %s, against %s", lead, strings.TrimSuffix(shape, "+0"), name)
			}
			shapes++
		}
		fmt.Fprintf(w, "| %s | %.2f | %d of %d | %s |\n", g.text, g.factor, reached, shapes, where)
	}
	fmt.Fprintln(w)
}

func (b *board) goals() []goal {
	against := func(f figures, name string) func(string) (string, float64) {
		return func(shape string) (string, float64) {
			v, ok := f.at[shape][name]
			if !ok {
				return "", 0
			}
			return name, v.median
		}
	}
	bestPeer := func(f figures) func(string) (string, float64) {
		return func(shape string) (string, float64) { return f.best(shape, b.peers(f.race)) }
	}
	var (
		d         = dispatch.of(b.samples, every)
		t         = throughput.of(b.samples, calm)
		closed    = closedP99.of(b.samples, calm)
		paced     = pacedP99.of(b.samples, calm)
		busyPaced = pacedP99.of(b.samples, busy)
		busyLoop  = closedP99.of(b.samples, busy)
		lent      = b.role("echo", "lent")
		net       = b.role("echo", "net")
		chainLent = b.role("chain", "lent")
		hand      = b.role("chain", "baseline")
	)
	return []goal{
		{"dispatch, readiness: at most 1.15 × the C epoll loop's time", d, b.role("chain", "readiness"), against(d, hand), 1 / 1.15},
		{"dispatch, lent: at most 1.05 × the C epoll loop's time", d, chainLent, against(d, hand), 1 / 1.05},
		{"dispatch, lent: ahead of every library", d, chainLent, bestPeer(d), 1},
		{"echo, lent: 1.2 × the best Go peer's throughput", t, lent, bestPeer(t), 1.2},
		{"echo, lent: 0.9 × the C epoll loop's throughput", t, lent, against(t, b.role("echo", "baseline")), 0.9},
		{"echo, lent: p99 of the closed loop no worse than the best Go peer's", closed, lent, bestPeer(closed), 1},
		{"echo, lent: p99 at the fixed rate no worse than the best Go peer's", paced, lent, bestPeer(paced), 1},
		{"echo beside CPU-bound goroutines, lent: p99 of the closed loop no worse than net's", busyLoop, lent, against(busyLoop, net), 1},
		{"echo beside CPU-bound goroutines, lent: p99 at the fixed rate no worse than net's", busyPaced, lent, against(busyPaced, net), 1},
	}
}

// writeBehind says where a peer is ahead of the best of ours.
func (b *board) writeBehind(w *strings.Builder) {
	fmt.Fprint(w, "### Where a peer is ahead\n\nThe best peer (not the C epoll loop) against the best of gopoll's, by medians; less than the spread of the two is noise.\n\n")
	behind := 0
	for _, m := range []metric{dispatch, register, throughput, closedP99, pacedP99, pacedP999, closedCPU, resident, idleBytes} {
		f := m.of(b.samples, every)
		for _, shape := range f.shapes {
			if m.title == closedCPU.title && busy(shape) {
				continue // it would be the CPU-bound goroutines' time
			}
			us, mine := f.best(shape, b.ours(m.race))
			them, theirs := f.best(shape, b.peers(m.race))
			if us == "" || them == "" {
				continue
			}
			if lead := m.lead(theirs, mine); lead > 1 {
				behind++
				fmt.Fprintf(w, "- %s, %s: %s %s, %s %s (%.2f×)\n", m, strings.TrimSuffix(shape, "+0"), them, m.show(theirs), us, m.show(mine), lead)
			}
		}
	}
	if behind == 0 {
		fmt.Fprint(w, "Nowhere in this run.\n")
	}
	fmt.Fprintln(w)
}
