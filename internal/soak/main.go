// Soak puts pollers under a mixed load for a time: connections of every kind,
// mode and binding, watched and lent, that are closed, half-closed and reset,
// while buffers are reclaimed, waiters woken and canceled, the collector runs
// and signals arrive. Every byte is checked. It ends with what it did, and
// with exit status 1 if anything was wrong.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"gopoll.dev/gopoll"
)

// patience is how long nothing may move before soak gives up.
const patience = 20 * time.Second

func main() {
	duration := flag.Duration("duration", time.Minute, "how long")
	connections := flag.Int("conns", 32, "connections for each binding")
	flag.Parse()
	debug.SetGCPercent(10)

	// The runtime opens descriptors of its own when it first needs them.
	newWorld(gopoll.Bindings()[0], 2, 99).close()
	began, goroutines, descriptors := time.Now(), runtime.NumGoroutine(), openDescriptors()
	var worlds []*world
	for i, b := range gopoll.Bindings() {
		worlds = append(worlds, newWorld(b, *connections, uint64(i)))
	}
	status := newStatus(worlds)
	for time.Since(began) < *duration && !failed.Load() {
		time.Sleep(100 * time.Millisecond)
		status.show(time.Since(began))
	}
	for _, w := range worlds {
		w.close()
	}
	status.end(time.Since(began))
	if now := openDescriptors(); now > descriptors {
		complain("%d descriptors at the beginning, %d at the end", descriptors, now)
	}
	for until := time.Now().Add(patience); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(until) {
			complain("%d goroutines at the beginning, %d at the end\n%s", goroutines, runtime.NumGoroutine(), stacks())
			break
		}
	}
	if failed.Load() {
		os.Exit(1)
	}
	fmt.Println("no byte wrong, nothing lost, nothing left")
}

var failed atomic.Bool

// complain says what is wrong; the first few are enough.
func complain(format string, args ...any) {
	if complaints.Add(1) <= 10 {
		fmt.Fprintf(os.Stderr, "\nWRONG: "+format+"\n", args...)
	}
	failed.Store(true)
}

var complaints atomic.Int64

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// count is one figure.
type count int

const (
	bytesChecked count = iota
	events
	returns
	cancels
	connectionsMade
	resets
	wakes
	iterators
	polls
	counts
)

var countNames = [counts]string{"bytes", "events", "returns", "cancels", "connections", "resets", "wakes", "iterators", "pollers"}

// figures of one binding.
type figures [counts]atomic.Int64

func (f *figures) add(c count, n int) { f[c].Add(int64(n)) }

// status shows the figures: in one line that changes, on a terminal, and
// otherwise every five seconds.
type status struct {
	worlds   []*world
	terminal bool
	shown    time.Duration
	moved    int64
	movedAt  time.Duration
}

func newStatus(worlds []*world) *status {
	info, err := os.Stdout.Stat()
	return &status{worlds: worlds, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

func (s *status) show(at time.Duration) {
	var moved int64
	for _, w := range s.worlds {
		moved += w.figures[bytesChecked].Load()
	}
	if moved != s.moved {
		s.moved, s.movedAt = moved, at
	} else if at-s.movedAt > patience {
		complain("no byte has moved for %v\n%s", patience, stacks())
	}
	if !s.terminal && at-s.shown < 5*time.Second {
		return
	}
	s.shown = at
	line := s.line(at)
	if s.terminal {
		fmt.Printf("\r\x1b[K%s", line)
		return
	}
	fmt.Println(line)
}

func (s *status) line(at time.Duration) string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	parts := []string{fmt.Sprintf("%3.0fs", at.Seconds())}
	for c := range counts {
		var n int64
		for _, w := range s.worlds {
			n += w.figures[c].Load()
		}
		parts = append(parts, fmt.Sprintf("%s %s", short(n), countNames[c]))
	}
	return strings.Join(append(parts, fmt.Sprintf("%s heap, %d collections", short(int64(m.HeapAlloc)), m.NumGC)), ", ")
}

func (s *status) end(at time.Duration) {
	if s.terminal {
		fmt.Println()
	}
	fmt.Println(s.line(at))
	for _, w := range s.worlds {
		fmt.Printf("%s/%v:", w.p.Backend(), w.p.Binding())
		for c := range counts {
			fmt.Printf(" %d %s", w.figures[c].Load(), countNames[c])
		}
		fmt.Println()
	}
}

func short(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1fG", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.0fk", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}
