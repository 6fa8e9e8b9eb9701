package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Script is one parsed script: every line known to be a command with the right arguments and known names.
type Script struct {
	File  string // as it is named in failures
	Name  string // the file's name without .txt
	Title string // the first comment line: the behaviour
	Skips []Mark // where the whole script doesn't apply

	steps []step
}

// SkippedBy returns the mark that excuses e from the script, if there is one.
func (s *Script) SkippedBy(e Env) (Mark, bool) {
	for _, m := range s.Skips {
		if m.Holds(e) {
			return m, true
		}
	}
	return Mark{}, false
}

// Failure says what a script found, and where.
type Failure struct {
	File string
	Line int
	Text string // the line itself
	Msg  string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s:%d: %s\n\t%s", f.File, f.Line, f.Text, strings.ReplaceAll(f.Msg, "\n", "\n\t"))
}

// line is one line of the text, with the deeper lines below it.
type line struct {
	no     int
	text   string
	indent int
	marks  []Mark
	words  []string
	want   string // what stands after ->
	block  []*line
}

func (l *line) errorf(format string, args ...any) error {
	return &lineError{l, fmt.Sprintf(format, args...)}
}

// lineError is an error at a line; Parse and Run turn it into a Failure.
type lineError struct {
	l   *line
	msg string
}

func (e *lineError) Error() string { return e.msg }

// ReadDir reads every script in dir, in the order of their names.
func ReadDir(dir string) ([]*Script, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no scripts in %s", dir)
	}
	slices.Sort(files)
	var scripts []*Script
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		s, err := Parse(filepath.ToSlash(f), string(text))
		if err != nil {
			return nil, err
		}
		scripts = append(scripts, s)
	}
	return scripts, nil
}

// Parse reads a script. Whatever is wrong with it that can be known without running it is an error here, on lines
// that don't apply to this system too.
func Parse(file, text string) (*Script, error) {
	s := &Script{File: file, Name: strings.TrimSuffix(filepath.Base(file), ".txt")}
	fail := func(no int, text string, err error) error {
		if le, ok := err.(*lineError); ok {
			no, text = le.l.no, le.l.text
		}
		return &Failure{file, no, strings.TrimSpace(text), err.Error()}
	}
	var lines []*line
	for i, raw := range strings.Split(text, "\n") {
		raw = strings.TrimRight(raw, " \t\r")
		trimmed := strings.TrimSpace(raw)
		if strings.HasPrefix(trimmed, "#") {
			if s.Title == "" && len(lines) == 0 {
				s.Title = strings.TrimSpace(trimmed[1:])
			}
			continue
		}
		if trimmed == "" {
			continue
		}
		l, err := parseLine(raw)
		if err != nil {
			return nil, fail(i+1, raw, err)
		}
		l.no = i + 1
		lines = append(lines, l)
	}
	if s.Title == "" {
		return nil, fail(1, "", fmt.Errorf("a script begins with a comment that says which behaviour it shows"))
	}
	top, err := nest(lines)
	if err != nil {
		return nil, fail(1, "", err)
	}
	for len(top) > 0 && top[0].words[0] == "skip" {
		l := top[0]
		if len(l.words) != 1 || len(l.marks) != 1 || l.want != "" || len(l.block) != 0 {
			return nil, fail(l.no, l.text, fmt.Errorf("usage: skip [condition: reason]"))
		}
		s.Skips = append(s.Skips, l.marks[0])
		top = top[1:]
	}
	if len(top) == 0 {
		return nil, fail(1, "", fmt.Errorf("the script does nothing"))
	}
	c := newCompiler()
	if s.steps, err = c.compile(top); err != nil {
		return nil, fail(1, "", err)
	}
	if !c.expects {
		return nil, fail(1, "", fmt.Errorf("the script expects nothing, so it can't fail"))
	}
	return s, nil
}

// parseLine splits a line into marks, words and the expected error.
func parseLine(raw string) (*line, error) {
	rest := strings.TrimLeft(raw, " \t")
	if strings.Contains(raw[:len(raw)-len(rest)], "\t") {
		return nil, fmt.Errorf("indent with spaces, not tabs")
	}
	l := &line{text: rest, indent: len(raw) - len(rest)}
	takeMark := func() (bool, error) {
		if !strings.HasPrefix(rest, "[") {
			return false, nil
		}
		end := strings.Index(rest, "]")
		if end < 0 {
			return false, fmt.Errorf("mark without ]")
		}
		m, err := parseMark(rest[1:end])
		if err != nil {
			return false, err
		}
		l.marks = append(l.marks, m)
		rest = strings.TrimLeft(rest[end+1:], " ")
		return true, nil
	}
	if after, ok := strings.CutPrefix(rest, "skip ["); ok {
		rest = "[" + after
		if _, err := takeMark(); err != nil {
			return nil, err
		}
		rest = "skip " + rest
	} else {
		for {
			ok, err := takeMark()
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
		}
	}
	if i := strings.Index(rest, " #"); i >= 0 {
		rest = rest[:i]
	}
	if before, after, ok := strings.Cut(rest, "->"); ok {
		rest, l.want = before, strings.TrimSpace(after)
		if l.want == "" || strings.ContainsAny(l.want, " \t") {
			return nil, fmt.Errorf("after -> stands one error, or several joined by |")
		}
		for _, w := range strings.Split(l.want, "|") {
			if errorNames[w] == nil {
				return nil, fmt.Errorf("unknown error %q: one of %s", w, strings.Join(sortedKeys(errorNames), " "))
			}
		}
	}
	l.words = strings.Fields(rest)
	if len(l.words) == 0 {
		return nil, fmt.Errorf("a mark with no command behind it; to leave out a whole script, write skip before it")
	}
	return l, nil
}

// nest puts deeper lines below the line they belong to, and writes out the for loops.
func nest(lines []*line) ([]*line, error) {
	var out []*line
	for i := 0; i < len(lines); {
		l := lines[i]
		j := i + 1
		for j < len(lines) && lines[j].indent > l.indent {
			j++
		}
		if l.indent != lines[0].indent {
			return nil, l.errorf("indented differently from the lines it stands with")
		}
		inner := lines[i+1 : j]
		i = j
		if l.words[0] == "for" {
			unrolled, err := unroll(l, inner)
			if err != nil {
				return nil, err
			}
			out = append(out, unrolled...)
			continue
		}
		if len(inner) > 0 {
			var err error
			if l.block, err = nest(inner); err != nil {
				return nil, err
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// unroll writes out "for i 1..40": its lines once for each number, with the number for $i.
func unroll(l *line, inner []*line) ([]*line, error) {
	usage := l.errorf("usage: for NAME FROM..TO, with indented lines that use $NAME")
	if len(l.words) != 3 || l.want != "" || len(l.marks) != 0 || len(inner) == 0 {
		return nil, usage
	}
	lo, hi, _ := strings.Cut(l.words[2], "..")
	from, err1 := strconv.Atoi(lo)
	to, err2 := strconv.Atoi(hi)
	if err1 != nil || err2 != nil || to < from || to-from > 10000 {
		return nil, usage
	}
	var out []*line
	for n := from; n <= to; n++ {
		var copies []*line
		for _, in := range inner {
			c := *in
			c.words = slices.Clone(in.words)
			for k := range c.words {
				c.words[k] = strings.ReplaceAll(c.words[k], "$"+l.words[1], strconv.Itoa(n))
			}
			copies = append(copies, &c)
		}
		nested, err := nest(copies)
		if err != nil {
			return nil, err
		}
		out = append(out, nested...)
	}
	return out, nil
}
