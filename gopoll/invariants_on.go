//go:build gopoll_invariants

package gopoll

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
)

// poison fills what is lent for a read.
const poison = 0xdb

var seed = maphash.MakeSeed()

// trace tells whether the caller touched what it lent: bytes lent for a read
// are poisoned, and bytes lent for a write are summed up.
type trace struct {
	direction Readiness
	sum       uint64
	stack     []byte
}

// outstanding are the traces of all that is lent, and by which lender.
var outstanding = struct {
	mu sync.Mutex
	of map[*trace]*lender
}{of: make(map[*trace]*lender)}

func (t *trace) begin(b *lender, buf []byte, direction Readiness) {
	t.direction, t.stack = direction, debug.Stack()
	outstanding.mu.Lock()
	outstanding.of[t] = b
	outstanding.mu.Unlock()
	if direction == Writable {
		t.sum = maphash.Bytes(seed, buf)
		return
	}
	for i := range buf {
		buf[i] = poison
	}
}

// check is called before the kernel gets the buffer.
func (t *trace) check(buf []byte) { t.verify(buf, 0) }

// end is called when the kernel has given the buffer back, after moved bytes.
func (t *trace) end(buf []byte, moved int) {
	outstanding.mu.Lock()
	delete(outstanding.of, t)
	outstanding.mu.Unlock()
	t.verify(buf, moved)
}

func (t *trace) verify(buf []byte, moved int) {
	touched := false
	if t.direction == Writable {
		touched = maphash.Bytes(seed, buf) != t.sum
	} else {
		rest := buf[moved:]
		touched = bytes.Count(rest, []byte{poison}) != len(rest)
	}
	if touched {
		fatal(fmt.Sprintf("gopoll: a buffer was written to while it was lent at\n%s\nfound at\n%s", t.stack, debug.Stack()))
	}
}

// misuse is a caller's mistake that this build does not forgive.
func misuse(err error) error { panic(err) }

// watch finds pollers that were dropped without Close while buffers were lent.
func watch(p *Poller) { runtime.AddCleanup(p, reportAbandoned, p.lender) }

// fatal ends the program. A panic could be recovered, and misuse is found with
// locks held. A test replaces it to see that nothing is reported.
var fatal = func(report string) {
	fmt.Fprintln(os.Stderr, report)
	os.Exit(2)
}

func reportAbandoned(b *lender) {
	owners.mu.Lock()
	_, found := owners.set[b]
	owners.mu.Unlock()
	if !found || b.count == 0 {
		return
	}
	report := "gopoll: a poller was dropped without Close while buffers were lent\n"
	outstanding.mu.Lock()
	for t, lentBy := range outstanding.of {
		if lentBy == b {
			report += string(t.stack) + "\n"
		}
	}
	outstanding.mu.Unlock()
	fatal(report)
}
