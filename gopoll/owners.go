package gopoll

import "sync"

// owners are the lenders that may have something pinned, from their first
// lend to Close. The table keeps the pins of a poller that was dropped without
// Close: the kernel may still have that memory, and a Pinner that is collected
// ends the program.
var owners = struct {
	mu  sync.Mutex
	set map[*lender]struct{}
}{set: make(map[*lender]struct{})}

func (b *lender) register() {
	if b.registered {
		return
	}
	b.registered = true
	owners.mu.Lock()
	defer owners.mu.Unlock()
	owners.set[b] = struct{}{}
}

func (b *lender) unregister() {
	b.registered = false
	owners.mu.Lock()
	defer owners.mu.Unlock()
	delete(owners.set, b)
}
