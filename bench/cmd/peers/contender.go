package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// A contender is all that the harness knows of one: how it's built and run.
type contender struct {
	Race    string
	Name    string
	Ours    bool
	Role    string   // what the goals and ratios call it: baseline, readiness, lent, net
	Needs   []string // tools
	Build   []string
	Run     []string
	Version []string // prints it
}

// A tool is there if a command succeeds.
type tool struct {
	Try []string
	Why string // what a skip says when it isn't there
}

type field struct {
	Tools      map[string]tool
	Contenders []contender
}

func loadField(name string, only *regexp.Regexp) (field, error) {
	var f field
	text, err := os.ReadFile(name)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("%s: %w", name, err)
	}
	var chosen []contender
	for _, c := range f.Contenders {
		if only.MatchString(c.id()) {
			chosen = append(chosen, c)
		}
	}
	f.Contenders = chosen
	return f, nil
}

func (c contender) id() string { return c.Race + "/" + c.Name }

// build builds all whose tools are there, and tells why the others were left out.
func (f *field) build() (skipped map[string]string, err error) {
	skipped = map[string]string{}
	missing := map[string]string{}
	for name, t := range f.Tools {
		if exec.Command(t.Try[0], t.Try[1:]...).Run() != nil {
			missing[name] = t.Why
		}
	}
	var built []contender
	done := map[string]bool{}
next:
	for _, c := range f.Contenders {
		for _, need := range c.Needs {
			if why, ok := missing[need]; ok {
				skipped[c.id()] = why
				continue next
			}
		}
		if command := strings.Join(c.Build, " "); !done[command] {
			fmt.Println("build:", command)
			if out, err := exec.Command(c.Build[0], c.Build[1:]...).CombinedOutput(); err != nil {
				return nil, fmt.Errorf("%s: %s: %w\n%s", c.id(), command, err, out)
			}
			done[command] = true
		}
		built = append(built, c)
	}
	f.Contenders = built
	return skipped, nil
}

func (f *field) race(name string) []contender {
	var in []contender
	for _, c := range f.Contenders {
		if c.Race == name {
			in = append(in, c)
		}
	}
	return in
}

// output is the first line a command prints, or "".
func output(argv ...string) string {
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}
