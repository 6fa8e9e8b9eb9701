package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	pageBegin = "<!-- results: written by make peers -->"
	pageEnd   = "<!-- end of the results -->"
)

// A board is all that the page is written from.
type board struct {
	field
	machine machine
	samples []sample
}

// writePage puts the tables between the markers of the page, and draws the plots.
func writePage(f field, dir, page string) error {
	m, err := loadMachine(dir)
	if err != nil {
		return err
	}
	b := board{field: f, machine: m}
	for _, race := range []string{"chain", "echo", "idle"} {
		s, err := loadSamples(filepath.Join(dir, race+".jsonl"))
		if err != nil {
			return err
		}
		b.samples = append(b.samples, s...)
	}
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	head, rest, ok := bytes.Cut(old, []byte(pageBegin))
	_, tail, end := bytes.Cut(rest, []byte(pageEnd))
	if !ok || !end {
		return fmt.Errorf("%s has no place for the results", page)
	}
	if err := b.draw(dir); err != nil {
		return err
	}
	text := string(head) + pageBegin + "\n\n" + b.write(dir) + pageEnd + string(tail)
	return os.WriteFile(page, []byte(text), 0o666)
}

func every(string) bool  { return true }
func calm(s string) bool { return strings.HasSuffix(s, "+0") }
func busy(s string) bool { return !calm(s) }

func (b *board) write(dir string) string {
	w := &strings.Builder{}
	b.writeMachine(w)
	b.writeGoals(w)
	b.writeBehind(w)

	fmt.Fprint(w, "### Chain\n\nColumns are pairs/active; × is the ratio to the C epoll loop, ± half the distance between the quartiles.\n\n")
	picture(w, dir, "chain.svg", "Dispatch, ns an event")
	b.table(w, true, dispatch.of(b.samples, every))
	b.table(w, true, register.of(b.samples, every))

	fmt.Fprint(w, "### Echo\n\nColumns are connections × bytes of a message @ the fixed rate in messages/s.\n\n")
	picture(w, dir, "echo-throughput.svg", "Throughput of the closed loop")
	picture(w, dir, "echo-p99.svg", "p99 at the fixed rate")
	b.table(w, true, throughput.of(b.samples, calm))
	b.table(w, false, latencies(b.samples, calm, closedP50, closedP99, closedP999)...)
	b.table(w, false, latencies(b.samples, calm, pacedP50, pacedP99, pacedP999)...)
	for _, m := range []metric{closedCPU, pacedCPU, clientBusy, resident} {
		b.table(w, false, m.of(b.samples, calm))
	}

	fmt.Fprint(w, "### Echo beside CPU-bound goroutines\n\nThe same, with as many CPU-bound goroutines in the server (threads, in C) as the column says after the +.\n\n")
	picture(w, dir, "echo-busy-p99.svg", "p99 at the fixed rate beside CPU-bound goroutines")
	b.table(w, false, throughput.of(b.samples, busy))
	b.table(w, false, latencies(b.samples, busy, closedP50, closedP99, closedP999)...)
	b.table(w, false, latencies(b.samples, busy, pacedP50, pacedP99, pacedP999)...)

	fmt.Fprint(w, "### Idle connections\n\nColumns are connections; each has had one message of 64 bytes.\n\n")
	picture(w, dir, "idle.svg", "Bytes of an idle connection")
	b.table(w, false, idleBytes.of(b.samples, every))
	return w.String()
}

func picture(w *strings.Builder, dir, name, title string) {
	fmt.Fprintf(w, "![%s](%s)\n\n", title, filepath.ToSlash(filepath.Join(filepath.Base(dir), name)))
}

func (b *board) writeMachine(w *strings.Builder) {
	m := b.machine
	fmt.Fprintf(w, "%s, %s; %d CPUs of %s; %s. `%s`, %.0f minutes.\n", m.Date, m.Kernel, m.CPUs, m.CPU, m.System, m.Command, m.Seconds/60)
	fmt.Fprintf(w, "%s.\n\n", strings.Join(m.Tools, "; "))
	var named []string
	for _, c := range b.Contenders {
		if v := m.Versions[c.id()]; v != "" && !c.Ours && c.Role != "baseline" && c.Role != "net" {
			named = append(named, c.Name+" "+v)
		}
	}
	fmt.Fprintf(w, "Contenders: %s.\n\n", strings.Join(slices.Compact(named), ", "))
	for _, id := range slices.Sorted(maps.Keys(m.Skipped)) {
		fmt.Fprintf(w, "- not raced: %s: %s\n", id, m.Skipped[id])
	}
	for _, id := range slices.Sorted(maps.Keys(m.Failed)) {
		fmt.Fprintf(w, "- failed: %s: %s\n", id, m.Failed[id])
	}
	fmt.Fprintln(w)
}

// latencies are p50, p99 and p99.9, to be shown in one table.
func latencies(samples []sample, keep func(string) bool, metrics ...metric) []figures {
	var all []figures
	for _, m := range metrics {
		all = append(all, m.of(samples, keep))
	}
	return all
}

// table writes a metric with a row for each contender and a column for each
// shape, or several metrics in one cell. The best is in bold.
func (b *board) table(w *strings.Builder, ratios bool, metrics ...figures) {
	first := metrics[0]
	if len(first.shapes) == 0 {
		return
	}
	title := first.title
	for _, f := range metrics[1:] {
		_, short, _ := strings.Cut(f.title, ": ")
		title += " / " + short
	}
	fmt.Fprintf(w, "**%s, %s**\n\n| |", title, first.unit)
	for _, shape := range first.shapes {
		fmt.Fprintf(w, " %s |", strings.TrimSuffix(shape, "+0"))
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("--:|", len(first.shapes)))
	for _, c := range b.racing(first.race) {
		row := &strings.Builder{}
		seen := false
		for _, shape := range first.shapes {
			var cells []string
			for _, f := range metrics {
				if _, ok := f.at[shape][c.Name]; ok {
					cells = append(cells, b.cell(f, shape, c.Name, ratios))
					seen = true
				}
			}
			fmt.Fprintf(row, " %s |", cmp.Or(strings.Join(cells, " / "), "–"))
		}
		if seen {
			fmt.Fprintf(w, "| %s |%s\n", c.Name, row)
		}
	}
	fmt.Fprintln(w)
}

func (b *board) cell(f figures, shape, name string, ratios bool) string {
	v := f.at[shape][name]
	text := f.show(v.median)
	if best, _ := f.best(shape, every); best == name && f.better != neither {
		text = "**" + text + "**"
	}
	base := b.role(f.race, "baseline")
	if on, ok := f.at[shape][base]; ratios && ok && name != base {
		text += fmt.Sprintf(" %.2f×", v.median/on.median)
	}
	if v.high > v.low {
		text += fmt.Sprintf(" ±%.0f%%", v.spread())
	}
	return text
}

// racing are the contenders of a race; the echo servers run the idle one, too.
func (b *board) racing(race string) []contender {
	if race == "idle" {
		race = "echo"
	}
	return b.field.race(race)
}

// role is the name of the contender of a race with a role.
func (b *board) role(race, role string) string {
	for _, c := range b.racing(race) {
		if c.Role == role {
			return c.Name
		}
	}
	return ""
}

// The three sides of the race: ours, the baseline by hand, the peers.
func (b *board) ours(race string) func(string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(b.racing(race), func(c contender) bool { return c.Name == name && c.Ours })
	}
}

func (b *board) peers(race string) func(string) bool {
	ours, base := b.ours(race), b.role(race, "baseline")
	return func(name string) bool { return !ours(name) && name != base }
}
