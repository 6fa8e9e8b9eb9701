package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopoll.dev/gopoll"
)

// step is one line, ready to run.
type step struct {
	l   *line
	run func(*run) error
}

// command is one word of the language.
type command struct {
	usage string
	block bool // takes indented lines
	want  bool // may be followed by -> and an error
	// compile checks the words and returns what they do.
	compile func(c *compiler, l *line) (func(*run) error, error)
}

// commands holds the whole language; each file adds those that it is about.
var commands = map[string]*command{}

func register(usage string, flags string, compile func(c *compiler, l *line) (func(*run) error, error)) {
	name, _, _ := strings.Cut(usage, " ")
	commands[name] = &command{usage, strings.Contains(flags, "block"), strings.Contains(flags, "want"), compile}
}

// Kinds of names. A descriptor and its source have one name, told apart by where it stands.
const (
	aDescriptor = "descriptor"
	aSource     = "source"
	aPoller     = "poller"
	aTask       = "background command"
	anArena     = "arena"
	aSlice      = "slice"
)

// compiler knows the names that the lines above have made.
type compiler struct {
	names   map[string]map[string]bool
	keys    map[string]map[uint64]bool // of a descriptor: every key it was ever given
	expects bool                       // some line can fail for what gopoll does
}

func newCompiler() *compiler {
	return &compiler{
		names: map[string]map[string]bool{aPoller: {"p": true}, aSource: {"zero@p": true}},
		keys:  map[string]map[uint64]bool{},
	}
}

func (c *compiler) compile(lines []*line) ([]step, error) {
	var steps []step
	for _, l := range lines {
		do, err := c.one(l)
		if err != nil {
			if _, ok := err.(*lineError); !ok {
				err = l.errorf("%s", err)
			}
			return nil, err
		}
		steps = append(steps, step{l, do})
	}
	return steps, nil
}

func (c *compiler) one(l *line) (func(*run) error, error) {
	cmd := commands[l.words[0]]
	if cmd == nil {
		return nil, l.errorf("unknown command %q", l.words[0])
	}
	if len(l.block) > 0 && !cmd.block {
		return nil, l.block[0].errorf("indented, but %s takes no indented lines", l.words[0])
	}
	if l.want != "" {
		if !cmd.want {
			return nil, l.errorf("%s has no error to expect\nusage: %s", l.words[0], cmd.usage)
		}
		c.expects = true
	}
	do, err := cmd.compile(c, l)
	if err != nil {
		return nil, err
	}
	return func(r *run) error {
		if !l.applies(r.env) {
			return nil
		}
		return do(r)
	}, nil
}

// applies says whether every mark of the line holds.
func (l *line) applies(e Env) bool {
	return !slices.ContainsFunc(l.marks, func(m Mark) bool { return !m.Holds(e) })
}

func (l *line) usage() error { return l.errorf("usage: %s", commands[l.words[0]].usage) }

// args are the words behind the command; there must be between low and high of them.
func (l *line) args(low, high int) ([]string, error) {
	if n := len(l.words) - 1; n < low || high >= 0 && n > high {
		return nil, l.usage()
	}
	return l.words[1:], nil
}

func (c *compiler) define(kind string, names ...string) error {
	for _, n := range names {
		if strings.ContainsAny(n, "@=|[]?+-") || n == "" || n == "zero" || n == "first" || n == "rest" || n == "nobody" {
			return fmt.Errorf("%q can't be a name", n)
		}
		c.set(kind, n)
	}
	return nil
}

func (c *compiler) set(kind, name string) {
	if c.names[kind] == nil {
		c.names[kind] = map[string]bool{}
	}
	c.names[kind][name] = true
}

func (c *compiler) known(kind string, names ...string) error {
	for _, n := range names {
		if !c.names[kind][n] {
			return fmt.Errorf("unknown %s %q", kind, n)
		}
	}
	return nil
}

// source completes the name of a source: NAME or NAME@POLLER.
func (c *compiler) source(word string) (full string, err error) {
	full = sourceName(word)
	return full, c.known(aSource, full)
}

func sourceName(word string) string {
	if !strings.Contains(word, "@") {
		word += "@p"
	}
	return word
}

// poller takes @NAME from the words; without it, it is the script's first poller.
func (c *compiler) poller(words []string) (name string, rest []string, err error) {
	name = "p"
	for _, w := range words {
		if n, ok := strings.CutPrefix(w, "@"); ok {
			name = n
			continue
		}
		rest = append(rest, w)
	}
	return name, rest, c.known(aPoller, name)
}

// option takes key=value from the words.
func option(words []string, key string) (value string, rest []string) {
	for _, w := range words {
		if v, ok := strings.CutPrefix(w, key+"="); ok {
			value = v
			continue
		}
		rest = append(rest, w)
	}
	return value, rest
}

// flag takes a word from the words.
func flag(words []string, name string) (bool, []string) {
	i := slices.Index(words, name)
	if i < 0 {
		return false, words
	}
	return true, slices.Delete(slices.Clone(words), i, i+1)
}

// number reads a count: 4, 16k, 2M.
func number(s string) (int, error) {
	scale := 1
	if t, ok := strings.CutSuffix(s, "k"); ok {
		s, scale = t, 1<<10
	} else if t, ok := strings.CutSuffix(s, "M"); ok {
		s, scale = t, 1<<20
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no number", s)
	}
	return n * scale, nil
}

// span reads a time: 0, 1ns, 3ms, forever, huge.
func span(s string) (time.Duration, error) {
	switch s {
	case "forever":
		return -1, nil
	case "huge":
		return 1<<63 - 1, nil
	case "0":
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no time", s)
	}
	return d, nil
}

var bitNames = map[string]gopoll.Readiness{
	"readable":    gopoll.Readable,
	"writable":    gopoll.Writable,
	"priority":    gopoll.Priority,
	"readclosed":  gopoll.ReadClosed,
	"writeclosed": gopoll.WriteClosed,
	"errored":     gopoll.Errored,
	"returned":    gopoll.Returned,
	"eof":         gopoll.EOF,
	"truncated":   gopoll.Truncated,
	"failed":      gopoll.Failed,
}

const hints = gopoll.ReadClosed | gopoll.WriteClosed | gopoll.Errored

// interest reads directions: readable writable priority, none, or a number such as 0x400 for bits that don't exist.
func interest(words []string) (gopoll.Readiness, error) {
	if len(words) == 1 && words[0] == "none" {
		return 0, nil
	}
	var set gopoll.Readiness
	for _, w := range words {
		if n, err := strconv.ParseUint(w, 0, 32); err == nil && strings.HasPrefix(w, "0x") {
			set |= gopoll.Readiness(n)
			continue
		}
		if bitNames[w] == 0 {
			return 0, fmt.Errorf("unknown interest %q", w)
		}
		set |= bitNames[w]
	}
	if len(words) == 0 {
		return 0, fmt.Errorf("no interest given; for a paused source write none")
	}
	return set, nil
}

var modes = map[string]gopoll.Mode{"level": gopoll.Level, "edge": gopoll.Edge, "oneshot": gopoll.OneShot}

func mode(word string) (gopoll.Mode, error) {
	if m, ok := modes[word]; ok {
		return m, nil
	}
	n, err := strconv.ParseUint(word, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("unknown mode %q: level, edge or oneshot", word)
	}
	return gopoll.Mode(n), nil
}

// want are the words KEY INTEREST... MODE.
type registration struct {
	key      uint64
	interest gopoll.Readiness
	mode     gopoll.Mode
}

func (c *compiler) registration(name string, words []string) (reg registration, err error) {
	if len(words) < 3 {
		return reg, fmt.Errorf("after the name stand a key, an interest and a mode")
	}
	if reg.key, err = strconv.ParseUint(words[0], 0, 64); err != nil {
		return reg, fmt.Errorf("%q is no key", words[0])
	}
	if reg.interest, err = interest(words[1 : len(words)-1]); err != nil {
		return reg, err
	}
	if reg.mode, err = mode(words[len(words)-1]); err != nil {
		return reg, err
	}
	base, _, _ := strings.Cut(name, "@")
	if c.keys[base] == nil {
		c.keys[base] = map[uint64]bool{}
	}
	c.keys[base][reg.key] = true
	return reg, nil
}
