package conformance

import (
	"fmt"
	"strings"
)

// Env is what a mark in a script is judged against: the system, backend and binding a run is for.
type Env struct {
	OS         string // GOOS
	Backend    string // "epoll", "kqueue" or "iocp"
	Binding    string // "cgo" or "pure"
	Double     bool   // the kqueue backend runs on the test double
	Plays      string // the system whose variant the test double plays, or ""
	Wine       bool   // the Windows build runs under Wine
	Bits32     bool   // int has 32 bits
	Invariants bool   // built with the tag gopoll_invariants
}

var bsds = []string{"darwin", "freebsd", "netbsd", "openbsd", "dragonfly"}

// conditions are the words that a mark may use.
var conditions = func() map[string]func(Env) bool {
	m := map[string]func(Env) bool{
		"unix":       func(e Env) bool { return e.OS != "windows" },
		"wine":       func(e Env) bool { return e.Wine },
		"double":     func(e Env) bool { return e.Double },
		"32bit":      func(e Env) bool { return e.Bits32 },
		"invariants": func(e Env) bool { return e.Invariants },
		"bsd": func(e Env) bool {
			for _, os := range bsds {
				if e.OS == os {
					return true
				}
			}
			return false
		},
	}
	for _, os := range append([]string{"linux", "windows"}, bsds...) {
		m[os] = func(e Env) bool { return e.OS == os || e.Plays == os }
	}
	for _, b := range []string{"epoll", "kqueue", "iocp"} {
		m[b] = func(e Env) bool { return e.Backend == b }
	}
	for _, b := range []string{"cgo", "pure"} {
		m[b] = func(e Env) bool { return e.Binding == b }
	}
	return m
}()

// Mark is a condition with its reason: [windows: reason], [!kqueue !iocp: reason], [darwin freebsd: reason].
type Mark struct {
	Terms  []string
	Reason string
}

// parseMark reads what stands between the brackets.
func parseMark(s string) (Mark, error) {
	terms, reason, ok := strings.Cut(s, ":")
	reason = strings.TrimSpace(reason)
	if !ok || reason == "" {
		return Mark{}, fmt.Errorf("mark [%s] gives no reason: write [%s: why]", s, strings.TrimSpace(terms))
	}
	m := Mark{Terms: strings.Fields(strings.ReplaceAll(terms, ",", " ")), Reason: reason}
	if len(m.Terms) == 0 {
		return Mark{}, fmt.Errorf("mark [%s] names no condition", s)
	}
	for _, t := range m.Terms {
		if conditions[strings.TrimPrefix(t, "!")] == nil {
			return Mark{}, fmt.Errorf("mark [%s]: unknown condition %q", s, t)
		}
	}
	return m, nil
}

// Holds says whether the mark is true: no term with ! is contradicted, and, if there are plain terms, one of
// them is true.
func (m Mark) Holds(e Env) bool {
	plain, any := false, false
	for _, t := range m.Terms {
		if name, not := strings.CutPrefix(t, "!"); not {
			if conditions[name](e) {
				return false
			}
		} else {
			plain = true
			any = any || conditions[t](e)
		}
	}
	return any || !plain
}

// String is the mark's condition.
func (m Mark) String() string { return strings.Join(m.Terms, " ") }
