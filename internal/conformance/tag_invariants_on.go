//go:build gopoll_invariants

package conformance

const invariants = true
