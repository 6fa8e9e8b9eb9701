package conformance

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// stock is what a process has: counted before a script and after.
type stock struct {
	descriptors map[string]string
	goroutines  int
}

func takeStock() stock { return stock{openDescriptors(), runtime.NumGoroutine()} }

// compare returns an error when there is more now than in s. Goroutines that have done their work may need a
// moment to be gone.
func (s stock) compare() error {
	var extra []string
	now := openDescriptors()
	for _, n := range sortedKeys(now) {
		if _, had := s.descriptors[n]; !had {
			extra = append(extra, n+" -> "+now[n])
		}
	}
	if len(extra) > 0 {
		return fmt.Errorf("descriptors left open: %s", strings.Join(extra, ", "))
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > s.goroutines; pause() {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d goroutines before the script, %d after it\n%s", s.goroutines, runtime.NumGoroutine(), stacks())
		}
	}
	return nil
}

// pause lets others run between two looks at something that will come about without us.
func pause() { time.Sleep(100 * time.Microsecond) }
