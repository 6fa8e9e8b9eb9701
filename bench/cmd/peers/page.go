package main

import (
	"bytes"
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
	b.table(w, dispatch.of(b.samples, every), true)
	b.table(w, register.of(b.samples, every), true)

	fmt.Fprint(w, "### Echo\n\nColumns are connections × bytes of a message @ the fixed rate in messages/s.\n\n")
	picture(w, dir, "echo-throughput.svg", "Throughput of the closed loop")
	picture(w, dir, "echo-p99.svg", "p99 at the fixed rate")
	for _, m := range []metric{throughput, closedP50, closedP99, closedP999, closedCPU, clientBusy, pacedP50, pacedP99, pacedP999, pacedCPU, resident} {
		b.table(w, m.of(b.samples, calm), m.title == throughput.title)
	}

	fmt.Fprint(w, "### Echo beside CPU-bound goroutines\n\nThe same, with as many CPU-bound goroutines in the server (threads, in C) as the column says after the +.\n\n")
	picture(w, dir, "echo-busy-p99.svg", "p99 at the fixed rate beside CPU-bound goroutines")
	for _, m := range []metric{throughput, closedP50, closedP99, closedP999, pacedP50, pacedP99, pacedP999, resident} {
		b.table(w, m.of(b.samples, busy), false)
	}

	fmt.Fprint(w, "### Idle connections\n\nColumns are connections; each has had one message of 64 bytes.\n\n")
	picture(w, dir, "idle.svg", "Bytes of an idle connection")
	b.table(w, idleBytes.of(b.samples, every), false)
	return w.String()
}

func picture(w *strings.Builder, dir, name, title string) {
	fmt.Fprintf(w, "![%s](%s)\n\n", title, filepath.ToSlash(filepath.Join(filepath.Base(dir), name)))
}

func (b *board) writeMachine(w *strings.Builder) {
	m := b.machine
	fmt.Fprintf(w, "%s, %s; %d CPUs of %s; %s. `%s`, %.0f minutes.\n", m.Date, m.Kernel, m.CPUs, m.CPU, m.System, m.Command, m.Seconds/60)
	for _, tool := range m.Tools {
		fmt.Fprintf(w, "%s. ", tool)
	}
	fmt.Fprint(w, "\n\n")
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

// table writes a metric with a row for each contender and a column for each
// shape. The best is in bold.
func (b *board) table(w *strings.Builder, f figures, ratios bool) {
	if len(f.shapes) == 0 {
		return
	}
	fmt.Fprintf(w, "**%s**\n\n| |", f.metric)
	for _, shape := range f.shapes {
		fmt.Fprintf(w, " %s |", strings.TrimSuffix(shape, "+0"))
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("--:|", len(f.shapes)))
	race := f.race
	if race == "idle" {
		race = "echo"
	}
	base := b.role(race, "baseline")
	for _, c := range b.field.race(race) {
		row := &strings.Builder{}
		seen := false
		for _, shape := range f.shapes {
			v, ok := f.at[shape][c.Name]
			if !ok {
				fmt.Fprint(row, " – |")
				continue
			}
			seen = true
			cell := f.show(v.median)
			if best, _ := f.best(shape, every); best == c.Name {
				cell = "**" + cell + "**"
			}
			if on, ok := f.at[shape][base]; ratios && ok && c.Name != base {
				cell += fmt.Sprintf(" %.2f×", v.median/on.median)
			}
			if v.high > v.low {
				cell += fmt.Sprintf(" ±%.0f%%", v.spread())
			}
			fmt.Fprintf(row, " %s |", cell)
		}
		if seen {
			fmt.Fprintf(w, "| %s |%s\n", c.Name, row)
		}
	}
	fmt.Fprintln(w)
}

// role is the name of the contender of a race with a role.
func (b *board) role(race, role string) string {
	for _, c := range b.field.race(race) {
		if c.Role == role {
			return c.Name
		}
	}
	return ""
}

// The three sides of the race: ours, the baseline by hand, the peers.
func (b *board) ours(race string) func(string) bool {
	return func(name string) bool {
		return slices.ContainsFunc(b.field.race(race), func(c contender) bool { return c.Name == name && c.Ours })
	}
}

func (b *board) peers(race string) func(string) bool {
	ours, base := b.ours(race), b.role(race, "baseline")
	return func(name string) bool { return !ours(name) && name != base }
}
