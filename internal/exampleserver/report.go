package exampleserver

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Table is what a program has to say at its end.
type Table struct{ rows [][2]string }

// Row adds a line.
func (t *Table) Row(name, format string, args ...any) {
	t.rows = append(t.rows, [2]string{name, fmt.Sprintf(format, args...)})
}

// Print writes the table.
func (t *Table) Print(w io.Writer) {
	width := 0
	for _, r := range t.rows {
		width = max(width, len(r[0]))
	}
	for _, r := range t.rows {
		fmt.Fprintf(w, "%-*s  %s\n", width, r[0], r[1])
	}
}

// Number writes n with commas.
func Number[T int | int64 | uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Progress keeps one line of w up to date until the function it returns is
// called, which removes the line. It does nothing where w is no terminal.
func Progress(w io.Writer, line func() string) (stop func()) {
	if !terminal(w) {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		shown := 0
		show := func(text string) {
			fmt.Fprint(w, "\r", text, strings.Repeat(" ", max(shown-len(text), 0)))
			shown = len(text)
		}
		for {
			select {
			case <-tick.C:
				show(line())
			case <-quit:
				show("")
				fmt.Fprint(w, "\r")
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
