//go:build gopoll_invariants

package gopoll

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"gopoll.dev/gopoll/socket"
)

// misuses are what the invariants build promises to find. Each ends the
// process, and its output has all of the words in finds.
var misuses = map[string]struct {
	commit func(t *testing.T, b Binding)
	finds  []string
}{
	"read buffer written to": {func(t *testing.T, b Binding) {
		p, s, peer := misusePoller(t, b)
		buf := make([]byte, 64)
		must(t, s.LendRead(buf))
		buf[5] = 1
		mustWrite(t, peer, []byte("x"))
		mustWait(t, p, make([]Event, 4))
	}, []string{"a buffer was written to while it was lent", "invariants_test.go"}},

	"read buffer written to behind the bytes that came": {func(t *testing.T, b Binding) {
		p, s, _ := misusePoller(t, b)
		buf := make([]byte, 64)
		must(t, s.LendRead(buf))
		buf[63] = 1
		must(t, s.Reclaim())
		mustWait(t, p, make([]Event, 4))
	}, []string{"a buffer was written to while it was lent", "invariants_test.go"}},

	"write buffer written to": {func(t *testing.T, b Binding) {
		p, s, peer := misusePoller(t, b)
		buf := make([]byte, 64<<20) // more than any socket takes
		must(t, s.LendWrite(buf))
		for into := make([]byte, 4096); ; {
			n, err := p.Wait(make([]Event, 4), 0)
			if n != 0 || err != nil {
				t.Fatalf("%d events, %v: all of it was written", n, err)
			}
			if _, err := socket.Read(peer, into); err == nil {
				break // some of it is on its way
			}
		}
		buf[len(buf)-1] = 1
		must(t, s.Reclaim())
		mustWait(t, p, make([]Event, 4))
	}, []string{"a buffer was written to while it was lent", "invariants_test.go"}},

	"write buffer written to before the write": {func(t *testing.T, b Binding) {
		p, s, _ := misusePoller(t, b)
		buf := make([]byte, 64)
		must(t, s.LendWrite(buf))
		buf[0] = 1
		mustWait(t, p, make([]Event, 4))
	}, []string{"a buffer was written to while it was lent", "invariants_test.go"}},

	"overlapping lends": {func(t *testing.T, b Binding) {
		_, s, _ := misusePoller(t, b)
		buf := make([]byte, 64)
		must(t, s.LendRead(buf[:40]))
		s.LendRead(buf[39:])
	}, []string{"already in use", "invariants_test.go"}},

	"overlapping lends of an arena": {func(t *testing.T, b Binding) {
		_, s, _ := misusePoller(t, b)
		arena, err := NewArena(2, 64)
		must(t, err)
		buf := arena.Get()
		must(t, s.LendRead(buf[:40]))
		s.LendRead(buf[39:])
	}, []string{"already in use", "invariants_test.go"}},

	"poller dropped without Close": {func(t *testing.T, b Binding) {
		dropPoller(t, b, func(s Source) {
			// In an order of addresses that no search tree keeps in a line.
			must(t, s.LendRead(make([]byte, 4096)), s.LendRead(make([]byte, 512)), s.LendRead(make([]byte, 32<<10)),
				s.LendRead(make([]byte, 8)), s.LendRead(make([]byte, 1024)))
			lendFromElsewhere(t, s)
		})
	}, []string{"a poller was dropped without Close", "lendFromElsewhere(", "lendOneMore("}},

	"poller dropped without Close, an arena lent": {func(t *testing.T, b Binding) {
		arena, err := NewArena(2, 64)
		must(t, err)
		dropPoller(t, b, func(s Source) { lendArena(t, s, arena) })
	}, []string{"a poller was dropped without Close", "lendArena"}},
}

// misusePoller is a poller with one source, paused, and the other end of it.
func misusePoller(t *testing.T, b Binding) (*Poller, Source, uintptr) {
	p, err := New(WithBinding(b))
	must(t, err)
	a, peer := newPair(t)
	return p, mustAdd(t, p, a, 1, 0, Level), peer
}

//go:noinline
func lendArena(t *testing.T, s Source, arena *Arena) { must(t, s.LendRead(arena.Get())) }

//go:noinline
func lendFromElsewhere(t *testing.T, s Source) {
	must(t, s.LendRead(make([]byte, 2048)))
	lendOneMore(t, s)
}

//go:noinline
func lendOneMore(t *testing.T, s Source) { must(t, s.LendRead(make([]byte, 16<<10))) }

// dropPoller forgets a poller with what it has lent, and waits for the report
// that ends the process.
func dropPoller(t *testing.T, b Binding, lend func(Source)) {
	func() {
		_, s, _ := misusePoller(t, b)
		lend(s)
	}()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		runtime.GC()
	}
}

func TestInvariants(t *testing.T) {
	if isChild() {
		role := childRole()
		for _, b := range Bindings() {
			if name, found := strings.CutSuffix(role, " "+b.String()); found {
				misuses[name].commit(t, b)
				fmt.Println("not found out")
				os.Exit(0)
			}
		}
		t.Fatal("no such role:", role)
	}
	eachBinding(t, func(t *testing.T, b Binding) {
		for name, m := range misuses {
			t.Run(name, func(t *testing.T) {
				output, err := runChild(t, name+" "+b.String())
				if err == nil || strings.Contains(output, "not found out") {
					t.Fatalf("not found out: %v\n%s", err, output)
				}
				for _, words := range m.finds {
					if !strings.Contains(output, words) {
						t.Errorf("not in the report: %q\n%s", words, output)
					}
				}
			})
		}
	})
}

// TestPoison shows that a caller who reads what it lent sees nothing of use.
func TestPoison(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		p, s, peer := misusePoller(t, b)
		defer p.Close()
		buf := []byte("caller's")
		must(t, s.LendRead(buf))
		for _, c := range buf {
			if c != poison {
				t.Fatalf("lent bytes read as %q", buf)
			}
		}
		mustWrite(t, peer, []byte("abc"))
		if e := mustWait(t, p, make([]Event, 1))[0]; e.N != 3 || string(buf[:3]) != "abc" {
			t.Fatalf("got %v, %q", e, buf)
		}
	})
}

// TestNoFalseReport drops pollers that did nothing wrong.
func TestNoFalseReport(t *testing.T) {
	reports := make(chan string, 16)
	usual := fatal
	fatal = func(report string) { reports <- report }
	defer func() { fatal = usual }()
	eachBinding(t, func(t *testing.T, b Binding) {
		for _, what := range []string{"closed", "never lent", "all returned"} {
			t.Run(what, func(t *testing.T) {
				gone := make(chan struct{})
				func() {
					p, s, _ := misusePoller(t, b)
					runtime.AddCleanup(p, func(c chan struct{}) { close(c) }, gone)
					if what != "never lent" {
						must(t, s.LendRead(make([]byte, 64)))
					}
					switch what {
					case "closed":
						must(t, p.Close())
					case "all returned":
						must(t, s.Reclaim())
						mustWait(t, p, make([]Event, 4))
						p.native.close(p)
					case "never lent":
						p.native.close(p)
					}
				}()
				collectUntil(gone)
				select {
				case report := <-reports:
					t.Error(report)
				default:
				}
			})
		}
	})
}

// collectUntil runs the collector until done is closed.
func collectUntil(done <-chan struct{}) {
	defer watchdog("the collector")()
	for {
		runtime.GC()
		select {
		case <-done:
			return
		default:
		}
	}
}
