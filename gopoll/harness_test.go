package gopoll

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"gopoll.dev/gopoll/socket"
)

// patience bounds everything that a test waits for. It is no measure: what is
// right comes at once, and what is wrong never.
const patience = 20 * time.Second

// repeat is how often to do what is worth doing many times: less under the race
// detector and with -short, and more by the variable GOPOLL_TEST_SCALE.
func repeat(times int) int {
	if scale, err := strconv.Atoi(os.Getenv("GOPOLL_TEST_SCALE")); err == nil {
		times *= scale
	}
	if raceDetector || addressSanitizer || testing.Short() {
		times /= 4
	}
	if underWine() {
		times /= 4 // its calls take so long that the scheduler takes the processor away
	}
	return max(times, 1)
}

// stacks are those of all goroutines.
func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// hung ends the process: what has not come in patience will not come, and
// goroutines that hang can't be ended.
func hung(what string) { panic(fmt.Sprintf("hung: %s\n%s", what, stacks())) }

// watchdog ends the process if the returned function is not called in time.
func watchdog(what string) (stop func() bool) {
	return time.AfterFunc(patience, func() { hung(what) }).Stop
}

// join waits for a group.
func join(what string, group *sync.WaitGroup) {
	defer watchdog(what)()
	group.Wait()
}

// receive takes one value.
func receive[T any](what string, from <-chan T) T {
	defer watchdog(what)()
	return <-from
}

func eachBinding(t *testing.T, test func(t *testing.T, b Binding)) {
	for _, b := range Bindings() {
		t.Run(b.String(), func(t *testing.T) { test(t, b) })
	}
}

// newPoller is closed at the end of the test, if not before.
func newPoller(tb testing.TB, b Binding, opts ...Option) *Poller {
	tb.Helper()
	p, err := New(append([]Option{WithBinding(b)}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		defer watchdog("Close")()
		if err := p.Close(); err != nil && !errors.Is(err, ErrClosed) {
			tb.Error(err)
		}
	})
	return p
}

// newPair is a pair of connected sockets, closed at the end of the test.
func newPair(tb testing.TB) (a, b uintptr) {
	tb.Helper()
	a, b, err := socket.Pair()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		socket.Close(a)
		socket.Close(b)
	})
	return a, b
}

func mustAdd(tb testing.TB, p *Poller, fd uintptr, key uint64, interest Readiness, mode Mode) Source {
	tb.Helper()
	s, err := p.Add(fd, key, interest, mode)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// must fails the test at the first error.
func must(tb testing.TB, errs ...error) {
	tb.Helper()
	for _, err := range errs {
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// mustBe fails the test if err is not the wanted one.
func mustBe(tb testing.TB, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Fatalf("got error %v, want %v", err, want)
	}
}

// mustWait is a Wait that has to bring something.
func mustWait(tb testing.TB, p *Poller, events []Event) []Event {
	tb.Helper()
	n, err := p.Wait(events, patience)
	if err != nil {
		tb.Fatal(err)
	}
	if n == 0 {
		tb.Fatalf("no event in %v\n%s", patience, stacks())
	}
	return events[:n]
}

// mustRead reads at least one byte that must be there.
func mustRead(tb testing.TB, fd uintptr, buf []byte) []byte {
	tb.Helper()
	n, err := socket.Read(fd, buf)
	if err != nil {
		tb.Fatal(err)
	}
	return buf[:n]
}

func mustWrite(tb testing.TB, fd uintptr, buf []byte) {
	tb.Helper()
	if n, err := socket.Write(fd, buf); err != nil || n != len(buf) {
		tb.Fatalf("write: %d of %d, %v", n, len(buf), err)
	}
}

// silent checks that nothing is reported now.
func silent(tb testing.TB, p *Poller) {
	tb.Helper()
	var events [16]Event
	n, err := p.Wait(events[:], 0)
	if err != nil || n != 0 {
		tb.Fatalf("got %v, %v, want nothing", events[:n], err)
	}
}

// leakCheck compares what the process has at the end of the test with what it
// has now. It is called before anything with a Cleanup of its own.
func leakCheck(tb testing.TB) {
	tb.Helper()
	descriptors, counted := openDescriptors()
	goroutines, lenders := runtime.NumGoroutine(), countOwners()
	tb.Cleanup(func() {
		if tb.Failed() {
			return
		}
		if now, _ := openDescriptors(); counted && now > descriptors {
			tb.Errorf("%d descriptors before, %d after", descriptors, now)
		}
		if now := countOwners(); now > lenders {
			tb.Errorf("%d pollers held pins before, %d after", lenders, now)
		}
		// A goroutine that has done its work needs a moment to be gone.
		until("goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	})
}

// until lets others run until something is so that comes about without us.
func until(what string, so func() bool) {
	defer watchdog(what)()
	for !so() {
		runtime.Gosched()
	}
}

func countOwners() int {
	owners.mu.Lock()
	defer owners.mu.Unlock()
	return len(owners.set)
}

// nothingLent checks the book of a poller that has nothing lent any more.
func nothingLent(tb testing.TB, p *Poller) {
	tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.lender
	if b.count != 0 || b.bytes != 0 || b.ranges != nil || b.finished.head != nil {
		tb.Errorf("still lent: %d buffers, %d bytes, ranges %v, finished %v", b.count, b.bytes, b.ranges != nil, b.finished.head != nil)
	}
}

// childVariable tells a copy of the test binary which test it has to play the
// child of.
const childVariable = "GOPOLL_TEST_CHILD"

func isChild() bool { return os.Getenv(childVariable) != "" }

// childRole is the part that a child has to play.
func childRole() string { return os.Getenv(childVariable) }

// runChild runs the test that calls it once more in a process of its own, with
// a role, and returns what it printed.
func runChild(t *testing.T, role string, env ...string) (output string, err error) {
	t.Helper()
	name := strings.Split(t.Name(), "/")[0]
	c := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v", "-test.count=1", "-test.timeout=120s")
	c.Env = append(append(os.Environ(), childVariable+"="+role), env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// mustPlay runs a child that has to end well, and with childDone.
func mustPlay(t *testing.T, role string) {
	t.Helper()
	output, err := runChild(t, role)
	if err != nil || !strings.Contains(output, doneMark) {
		t.Fatalf("%v\n%s", err, output)
	}
}

const doneMark = "child: done"

// childDone says that a child has played its part to the end.
func childDone(t *testing.T) {
	if !t.Failed() {
		fmt.Println(doneMark)
	}
}

// unsafeBytes is the memory of n bytes at a pointer that a test got back from
// a weak one.
func unsafeBytes(at *byte, n int) []byte { return unsafe.Slice(at, n) }
