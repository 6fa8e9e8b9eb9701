package gopoll

import (
	"testing"

	"gopoll.dev/gopoll/socket"
)

// TestApplyDoesNotReachSuccessors: changes of a source that an earlier change
// of the same Apply ends leave alone who has its descriptor by then.
func TestApplyDoesNotReachSuccessors(t *testing.T) {
	eachBinding(t, func(t *testing.T, b Binding) {
		for name, last := range map[string]Change{
			"delete": {Op: OpDelete},
			"modify": {Op: OpModify, Key: 3, Interest: Writable, Mode: Level},
		} {
			t.Run("deleted, added and "+name, func(t *testing.T) {
				p := newPoller(t, b)
				a, peer := newPair(t)
				old := mustAdd(t, p, a, 1, 0, Level)
				last.Source = old
				changes := []Change{{Op: OpDelete, Source: old}, {Op: OpAdd, Fd: a, Key: 2, Interest: Readable, Mode: Level}, last}
				mustBe(t, p.Apply(changes), ErrNotExist)
				must(t, changes[0].Err, changes[1].Err)
				mustWrite(t, peer, []byte{1})
				if e := mustWait(t, p, make([]Event, 4))[0]; e != (Event{Key: 2, Ready: Readable}) {
					t.Errorf("got %v", e)
				}
				must(t, changes[1].Source.Delete())
			})
			t.Run("closed, added and "+name, func(t *testing.T) {
				p := newPoller(t, b)
				a, peer, err := socket.Pair()
				must(t, err)
				old := mustAdd(t, p, a, 1, 0, Level)
				must(t, socket.Close(a), socket.Close(peer))
				again, peer := newPair(t)
				if again != a {
					t.Skipf("the system gives the number %d and not %d again: nothing to mistake", again, a)
				}
				last.Source = old
				changes := []Change{{Op: OpAdd, Fd: a, Key: 2, Interest: Readable, Mode: Level}, last}
				mustBe(t, p.Apply(changes), ErrNotExist)
				must(t, changes[0].Err)
				mustWrite(t, peer, []byte{1})
				if e := mustWait(t, p, make([]Event, 4))[0]; e != (Event{Key: 2, Ready: Readable}) {
					t.Errorf("got %v", e)
				}
			})
		}
		t.Run("an Add that fails ends nothing", func(t *testing.T) {
			p := newPoller(t, b)
			a, peer := newPair(t)
			s := mustAdd(t, p, a, 1, 0, Level)
			changes := []Change{{Op: OpAdd, Fd: a, Key: 2, Interest: Readable}, {Op: OpModify, Source: s, Key: 3, Interest: Readable}}
			mustBe(t, p.Apply(changes), ErrExist)
			must(t, changes[1].Err)
			mustWrite(t, peer, []byte{1})
			if e := mustWait(t, p, make([]Event, 4))[0]; e != (Event{Key: 3, Ready: Readable}) {
				t.Errorf("got %v", e)
			}
		})
	})
}
