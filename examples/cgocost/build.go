package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"gopoll.dev/gopoll"
)

// smallest is a program that only opens a poller.
const smallest = `package main

import "gopoll.dev/gopoll"

func main() {
	if p, err := gopoll.New(); err == nil {
		p.Close()
	}
}
`

// builds measures what each binding costs in the build, where there is a go
// tool and the source of gopoll.
func builds(l *lab) (*section, error) {
	s := &section{Title: "The build", Unit: seconds, Columns: []string{"cgo", "pure"},
		Note: "A program that opens a poller and closes it, built once with an empty cache."}
	switch out, err := exec.Command("go", "list", "gopoll.dev/gopoll").CombinedOutput(); {
	case errors.Is(err, exec.ErrNotFound):
		s.Missing = "there is no go tool on the PATH"
		return s, nil
	case err != nil:
		s.Missing = "the go tool finds no gopoll here (" + firstLine(string(out)) + ")"
		return s, nil
	}
	if !slices.Contains(gopoll.Bindings(), gopoll.Cgo) {
		s.Columns = s.Columns[1:]
	}
	dir, err := os.MkdirTemp("", "cgocost")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(smallest), 0o600); err != nil {
		return nil, err
	}
	took := s.add("time", "")
	var sizes []string
	for i, column := range s.Columns {
		l.progress.step(i, len(s.Columns))
		duration, size, err := coldBuild(dir, column)
		if err != nil {
			return nil, err
		}
		took.Figures[column] = newFigure([]float64{duration.Seconds()})
		sizes = append(sizes, fmt.Sprintf("%s %s", column, bytes.format(float64(size))))
	}
	s.Verdict = "Size of the program: " + strings.Join(sizes, ", ") + "."
	return s, nil
}

func coldBuild(dir, column string) (time.Duration, int64, error) {
	program := filepath.Join(dir, column)
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, filepath.Join(dir, "main.go"))
	enabled := "0"
	if column == "cgo" {
		enabled = "1"
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+enabled, "GOFLAGS=", "GOCACHE="+filepath.Join(dir, "cache-"+column))
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("build with %s: %w: %s", column, err, firstLine(string(out)))
	}
	took := time.Since(start)
	info, err := os.Stat(program)
	if err != nil {
		return 0, 0, err
	}
	return took, info.Size(), nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
