//go:build !gopoll_invariants

package gopoll

// trace is what the invariants build keeps of each lend.
type trace struct{}

func (*trace) begin(*lender, []byte, Readiness) {}
func (*trace) check([]byte)                     {}
func (*trace) end([]byte, int)                  {}

// misuse is a caller's mistake that the invariants build does not forgive.
func misuse(err error) error { return err }

func watch(*Poller) {}
