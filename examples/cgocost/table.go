package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// columns is the width of a terminal that everybody has.
const columns = 80

const (
	nameWidth   = 19
	figureWidth = 14
)

// print writes the section as a table. The verdict stands beside the figures
// where there is room, else below them.
func (s *section) print(out io.Writer) {
	fmt.Fprintf(out, "\n%s", wrap(strings.ToUpper(s.Title)))
	if s.Note != "" {
		fmt.Fprint(out, wrap(s.Note))
	}
	if len(s.Rows) > 0 {
		line := pad("", nameWidth, false)
		for _, column := range s.Columns {
			line += pad(column, figureWidth, true)
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
	}
	for _, r := range s.Rows {
		line := pad(r.Name, nameWidth, false)
		for _, column := range s.Columns {
			line += pad(s.cell(r.Figures[column]), figureWidth, true)
		}
		if room := columns - utf8.RuneCountInString(line) - 2; utf8.RuneCountInString(r.Verdict) <= room {
			fmt.Fprintln(out, strings.TrimRight(line+"  "+r.Verdict, " "))
			continue
		}
		fmt.Fprintln(out, strings.TrimRight(line, " "))
		fmt.Fprint(out, indent("  ", r.Verdict))
	}
	if s.Verdict != "" {
		fmt.Fprint(out, wrap("=> "+s.Verdict))
	}
	if s.Missing != "" {
		fmt.Fprint(out, wrap("Not measured: "+s.Missing+"."))
	}
}

func (s *section) cell(f *figure) string {
	if f == nil {
		return "-"
	}
	if len(f.Samples) < 2 {
		return s.Unit.format(f.Median)
	}
	spread := "±>99%"
	if f.spread() < 0.995 {
		spread = fmt.Sprintf("±%.0f%%", 100*f.spread())
	}
	return s.Unit.format(f.Median) + " " + spread
}

func pad(text string, width int, right bool) string {
	space := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
	if right {
		return space + text
	}
	return text + space
}

// progress is one line that overwrites itself, on a terminal only.
type progress struct {
	out  io.Writer
	name string
	last int
}

func newProgress(out io.Writer) *progress {
	f, ok := out.(*os.File)
	if !ok {
		return &progress{}
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return &progress{}
	}
	return &progress{out: out}
}

func (p *progress) begin(name string) {
	p.name, p.last = name, -1
	p.step(0, 1)
}

func (p *progress) step(done, of int) {
	percent := 100 * done / of
	if p.out == nil || percent == p.last {
		return
	}
	p.last = percent
	fmt.Fprintf(p.out, "\r\x1b[K%s: %d %%", p.name, percent)
}

func (p *progress) end() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
