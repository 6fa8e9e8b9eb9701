package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestField(t *testing.T) {
	f, err := loadField("../../contenders.json", regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range f.Contenders {
		if seen[c.id()] {
			t.Errorf("%s is there twice", c.id())
		}
		seen[c.id()] = true
		if len(c.Build) == 0 || len(c.Run) == 0 || len(c.Version) == 0 {
			t.Errorf("%s lacks a command", c.id())
		}
		for _, need := range c.Needs {
			if _, ok := f.Tools[need]; !ok {
				t.Errorf("%s needs %q, which is no tool", c.id(), need)
			}
		}
	}
}

func TestShapes(t *testing.T) {
	for _, text := range strings.Fields(allChains) {
		if _, err := parseChainShape(text); err != nil {
			t.Error(err)
		}
	}
	for _, text := range strings.Fields(allEchoes) {
		if _, err := parseEchoShape(text); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"", "100", "100/1x", "100x64@1", "100x64@1+0 "} {
		_, chain := parseChainShape(text)
		_, echo := parseEchoShape(text)
		if chain == nil || echo == nil {
			t.Errorf("%q is taken for a shape", text)
		}
	}
}

func TestFigures(t *testing.T) {
	var samples []sample
	add := func(who string, ns ...float64) {
		for _, v := range ns {
			samples = append(samples, sample{"chain", who, "100/1", 0, map[string]float64{"dispatch_ns": v, "events": 1}})
		}
	}
	add("a", 3, 1, 2)
	add("b", 4, 10, 5, 100)
	f := dispatch.of(samples, every)
	if got := f.at["100/1"]["a"].median; got != 2 {
		t.Errorf("median of 1 2 3: %v", got)
	}
	if got := f.at["100/1"]["b"].median; got != 7.5 {
		t.Errorf("median of 4 5 10 100: %v", got)
	}
	if name, v := f.best("100/1", every); name != "a" || v != 2 {
		t.Errorf("best: %s %v", name, v)
	}
	if lead := f.lead(2, 7.5); lead != 3.75 {
		t.Errorf("2 against 7.5 where less is better: %v", lead)
	}
	if lead := throughput.lead(2, 8); lead != 0.25 {
		t.Errorf("2 against 8 where more is better: %v", lead)
	}
	for v, want := range map[float64]string{0: "0.00", 0.123: "0.12", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 12345: "12345"} {
		if got := short(v); got != want {
			t.Errorf("short(%v) = %s", v, got)
		}
	}
}

// The page says who is ahead, whoever it is, and nothing outside the markers changes.
func TestPage(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "README.md")
	if err := os.WriteFile(page, []byte("before\n"+pageBegin+"\nold\n"+pageEnd+"\nafter\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	f := field{Contenders: []contender{
		{Race: "chain", Name: "hand", Role: "baseline"},
		{Race: "chain", Name: "mine", Ours: true, Role: "lent"},
		{Race: "chain", Name: "theirs"},
	}}
	if err := (machine{Skipped: map[string]string{"chain/none": "no compiler"}}).save(dir); err != nil {
		t.Fatal(err)
	}
	for _, race := range []string{"chain", "echo", "idle"} {
		s, err := createStore(filepath.Join(dir, race+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for name, ns := range map[string]float64{"hand": 100, "mine": 120, "theirs": 90} {
			v := map[string]float64{"dispatch_ns": ns, "register_ns": ns, "events": 1, "pairs": 1}
			if race == "chain" {
				if err := s.add(sample{race, name, "100/1", 0, v}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := writePage(f, dir, page); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"before\n" + pageBegin, pageEnd + "\nafter\n",
		"not raced: chain/none: no compiler",
		"- Dispatch, ns an event, 100/1: theirs 90.0, mine 120 (1.33×)",
		"| dispatch, lent: at most 1.05 × the C epoll loop's time | 0.95 | 0 of 1 | 0.83 at 100/1, against hand |",
		"| theirs | **90.0** 0.90× |",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page doesn't say %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old") {
		t.Error("the old results are still there")
	}
	if _, err := os.Stat(filepath.Join(dir, "chain.svg")); err != nil {
		t.Error(err)
	}
}
