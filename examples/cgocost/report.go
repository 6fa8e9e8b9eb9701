package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"gopoll.dev/gopoll"
)

// report is all that was measured.
type report struct {
	Machine  machine
	Sections []*section
}

// section is one table.
type section struct {
	Title   string
	Unit    unit
	Note    string   // what a figure stands for
	Columns []string // contenders
	Rows    []*row
	Verdict string // over all rows, where they belong together
	Missing string // what could not be measured here, and why
}

// row is one line of a table.
type row struct {
	Name    string
	Case    string // the row in a sentence: "an empty wait"
	Figures map[string]*figure
	Verdict string
}

func (s *section) add(name, in string) *row {
	r := &row{Name: name, Case: in, Figures: map[string]*figure{}}
	s.Rows = append(s.Rows, r)
	return r
}

// machine is what the figures hold for.
type machine struct {
	System  string
	CPU     string
	CPUs    int
	Go      string
	Backend string
	Date    string
}

func thisMachine() machine {
	m := machine{System: runtime.GOOS + "/" + runtime.GOARCH, CPU: cpuName(), CPUs: runtime.GOMAXPROCS(0),
		Go: runtime.Version(), Date: time.Now().UTC().Format("2006-01-02 15:04 UTC")}
	if p, err := gopoll.New(); err == nil {
		m.Backend = p.Backend()
		p.Close()
	}
	return m
}

func (m machine) String() string {
	cpu := m.CPU
	if cpu != "" {
		cpu = " of " + cpu
	}
	return wrap(fmt.Sprintf("What cgo costs: %s on %s, %s, %d CPUs%s, %s", m.Backend, m.System, m.Go, m.CPUs, cpu, m.Date))
}

// bindings are the columns of both bindings, or of the only one there is.
func bindings() []string {
	var names []string
	for _, b := range gopoll.Bindings() {
		names = append(names, b.String())
	}
	return names
}

// newPoller makes a poller for a column.
func newPoller(column string) (*gopoll.Poller, error) {
	for _, b := range gopoll.Bindings() {
		if b.String() == column {
			return gopoll.New(gopoll.WithBinding(b))
		}
	}
	return gopoll.New()
}

// unit is what figures are of.
type unit string

const (
	nanoseconds unit = "ns"
	bytes       unit = "B"
	seconds     unit = "s"
)

// format writes a value with three digits.
func (u unit) format(v float64) string {
	scales := []string{string(u)}
	step := 1000.0
	switch u {
	case nanoseconds:
		scales = []string{"ns", "µs", "ms", "s"}
	case bytes:
		scales = []string{"B", "kB", "MB", "GB"}
	}
	i := 0
	for ; i+1 < len(scales) && v >= step*0.9995; i++ {
		v /= step
	}
	digits := 2
	switch {
	case v >= 99.95 || i == 0 && u == bytes:
		digits = 0
	case v >= 9.995:
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, v, scales[i])
}

// wrap breaks text into lines of a terminal.
func wrap(text string) string { return indent("", text) }

// indent is wrap with something before each line.
func indent(before, text string) string {
	var out strings.Builder
	out.WriteString(before)
	width := len(before)
	for word := range strings.FieldsSeq(text) {
		n := len([]rune(word))
		switch {
		case width == len(before):
		case width+1+n > columns:
			out.WriteString("\n" + before)
			width = len(before)
		default:
			out.WriteByte(' ')
			width++
		}
		out.WriteString(word)
		width += n
	}
	out.WriteByte('\n')
	return out.String()
}
