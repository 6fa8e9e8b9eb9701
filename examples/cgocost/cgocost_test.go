package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"gopoll.dev/gopoll"
)

// The test program is the client of the blocked wait too.
func TestMain(m *testing.M) {
	if addresses := os.Getenv(clientEnv); addresses != "" {
		if err := runClient(addresses, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The whole run but the builds, as short as it can be.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	page, raw := filepath.Join(dir, "report.html"), filepath.Join(dir, "report.json")
	var out strings.Builder
	args := []string{"-rounds=2", "-pings=1", "-slice=1us", "-only=crossing,wait,change,lend,wake,busy,idle", "-html=" + page, "-json=" + raw}
	if err := run(args, &out, &out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > columns {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("progress was written to what is no terminal")
	}
	text, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	var rep report
	if err := json.Unmarshal(text, &rep); err != nil {
		t.Fatal(err)
	}
	if len(rep.Sections) != 7 {
		t.Errorf("%d sections", len(rep.Sections))
	}
	for _, s := range rep.Sections {
		for _, r := range s.Rows {
			for _, column := range bindings() {
				if f := r.Figures[column]; f == nil && r.Name != "empty C function" || f != nil && f.Median < 0 {
					t.Errorf("%s, %s: %s is %v", s.Title, r.Name, column, f)
				}
			}
			if both := len(gopoll.Bindings()) == 2 && r.Figures["cgo"] != nil && r.Figures["pure"] != nil; both && !strings.HasPrefix(r.Verdict, "cgo is ") {
				t.Errorf("%s, %s: the verdict is %q", s.Title, r.Name, r.Verdict)
			}
		}
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(html), "<svg "); n != len(rep.Sections) {
		t.Errorf("%d charts for %d sections", n, len(rep.Sections))
	}
	for _, bad := range []string{"ZgotmplZ", "src=", "http:", "https:", "NaN"} {
		if strings.Contains(string(html), bad) {
			t.Errorf("the page has %s in it", bad)
		}
	}
}

func TestArguments(t *testing.T) {
	var out strings.Builder
	for _, args := range [][]string{{"-rounds=0"}, {"-only=wait,nothing"}, {"more"}, {"-slice=0s"}} {
		if err := run(args, &out, &out); err == nil {
			t.Errorf("%v is no error", args)
		}
	}
}

func TestVerdict(t *testing.T) {
	s := &section{Unit: nanoseconds, Columns: []string{"cgo", "pure", "net"}}
	put := func(r *row, column string, value float64) {
		r.Figures[column] = newFigure(slices.Repeat([]float64{value}, 3))
	}
	for _, line := range []struct {
		name      string
		cgo, pure float64
	}{{"an empty wait", 230, 200}, {"1 ready", 330, 300}, {"16 changes", 1000, 1005}, {"64 changes", 2000, 2500}, {"256 changes", 8000, 9000}} {
		r := s.add(line.name, line.name)
		put(r, "cgo", line.cgo)
		put(r, "pure", line.pure)
	}
	put(s.Rows[0], "net", 2300)
	s.judge()
	if got, want := s.Verdict, "cgo is 30.0 ns behind at an empty wait, level at 16 changes, ahead from 64 changes."; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for i, want := range []string{"cgo is 30.0 ns behind (15 %); net 10 times behind", "cgo is 30.0 ns behind (10 %)", "cgo is level", "cgo is 500 ns ahead (20 %)"} {
		if got := s.Rows[i].Verdict; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		u    unit
		v    float64
		want string
	}{{nanoseconds, 0, "0.00 ns"}, {nanoseconds, 25.54, "25.5 ns"}, {nanoseconds, 999.7, "1.00 µs"}, {nanoseconds, 1234567, "1.23 ms"},
		{nanoseconds, 5e12, "5000 s"}, {bytes, 62, "62 B"}, {bytes, 2603624, "2.60 MB"}, {seconds, 6.5, "6.50 s"}} {
		if got := c.u.format(c.v); got != c.want {
			t.Errorf("%v %s is %q, want %q", c.v, c.u, got, c.want)
		}
	}
}

// What disturbs both in the same round hides no difference.
func TestPaired(t *testing.T) {
	a, b := newFigure([]float64{110, 510, 120, 910, 115}), newFigure([]float64{100, 500, 110, 900, 105})
	if d := difference(a, b); d != 0 {
		t.Errorf("apart, the difference is %v", d)
	}
	a.paired, b.paired = true, true
	if d := difference(a, b); d != 10 {
		t.Errorf("in pairs, the difference is %v", d)
	}
}

func TestQuantile(t *testing.T) {
	f := newFigure([]float64{5, 1, 3, 2, 4})
	if f.Low != 2 || f.Median != 3 || f.High != 4 || f.Samples[0] != 5 {
		t.Errorf("%+v", f)
	}
	p := percentile([]float64{1, 9, 2, 8, 3, 7, 4, 6}, 1)
	if p.Median != 9 || p.Low != 6 || p.High != 9 {
		t.Errorf("%+v", p)
	}
}
