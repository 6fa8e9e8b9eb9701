package conformance

import (
	"fmt"
	"strings"
)

// column is one backend and binding of the table, with the proof that a run of the scripts gives.
type column struct {
	head  string
	proof string
	run   Env   // where the scripts run
	real  []Env // systems the proof stands for, where run only resembles them
}

// The proofs a column can have. A backend whose scripts have not been run anywhere has none.
const (
	proofKernel = "kernel"
	proofDouble = "double"
	proofWine   = "Wine"
	proofBuild  = "compiled"
)

func columns() []column {
	var all []column
	for _, binding := range []string{"cgo", "pure"} {
		all = append(all, column{
			head: "epoll " + binding, proof: proofKernel,
			run: Env{OS: "linux", Backend: "epoll", Binding: binding},
		})
	}
	for _, binding := range []string{"cgo", "pure"} {
		c := column{
			head: "kqueue " + binding, proof: proofDouble,
			run: Env{OS: "linux", Backend: "kqueue", Binding: binding, Double: true},
		}
		for _, os := range bsds {
			c.real = append(c.real, Env{OS: os, Backend: "kqueue", Binding: binding})
		}
		all = append(all, c)
	}
	for _, binding := range []string{"cgo", "pure"} {
		all = append(all, column{
			head: "iocp " + binding, proof: proofWine,
			run:  Env{OS: "windows", Backend: "iocp", Binding: binding, Wine: true},
			real: []Env{{OS: "windows", Backend: "iocp", Binding: binding}},
		})
	}
	return all
}

// Table is docs/conformance.md: each behaviour, and what shows it where.
func Table(scripts []*Script) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# What is shown, and where

Made by `+"`go run ./internal/conformance/table`"+` from the scripts in gopoll/testdata/conformance; do not edit. There
are %d scripts, one for each promised behaviour, and `+"`go test ./gopoll -run TestConformance`"+` runs them all.
[scripts.md](scripts.md) describes their language, and [proof.md](proof.md) what else is tested, with figures.

| proof | what it means |
|---|---|
| %s | the script runs on the real kernel |
| %s | it runs on Linux against a test double of kqueue(2): that shows how the manual was read, and is no kernel |
| %s | it runs under Wine, whose AFD and ports are not those of Windows |
| %s | the system that runs here can't show it: the code is built for those that can, and run by nobody here |
| *number* | it does not apply; the reasons are below the table |

With a star, lines of the script that are marked for other systems are left out there.

`, len(scripts), proofKernel, proofDouble, proofWine, proofBuild)
	cols := columns()
	b.WriteString("| behaviour | script |")
	for _, c := range cols {
		b.WriteString(" " + c.head + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(cols)) + "\n")
	var reasons []string
	number := map[string]int{}
	for _, s := range scripts {
		fmt.Fprintf(&b, "| %s | [%s](../gopoll/testdata/conformance/%s.txt) |", s.Title, s.Name, s.Name)
		for _, c := range cols {
			proof, reason := c.cell(s)
			if reason != "" {
				if number[reason] == 0 {
					reasons = append(reasons, reason)
					number[reason] = len(reasons)
				}
				proof = fmt.Sprintf("*%d*", number[reason])
			}
			b.WriteString(" " + proof + " |")
		}
		b.WriteString("\n")
	}
	if len(reasons) > 0 {
		b.WriteString("\nWhy a behaviour does not apply:\n\n")
		for i, r := range reasons {
			fmt.Fprintf(&b, "%d. %s\n", i+1, r)
		}
	}
	return b.String()
}

// cell says what shows the behaviour in a column, or why nothing does.
func (c column) cell(s *Script) (proof, reason string) {
	if m, skipped := s.SkippedBy(c.run); skipped {
		for _, e := range c.real {
			if _, skipped := s.SkippedBy(e); !skipped {
				return proofBuild, ""
			}
		}
		return "", m.String() + ": " + m.Reason
	}
	for _, st := range s.steps {
		if leavesOut(st.l, c.run) {
			return c.proof + "*", ""
		}
	}
	return c.proof, ""
}

// leavesOut says whether the line or one below it is marked for other systems.
func leavesOut(l *line, e Env) bool {
	if !l.applies(e) {
		return true
	}
	for _, in := range l.block {
		if leavesOut(in, e) {
			return true
		}
	}
	return false
}
