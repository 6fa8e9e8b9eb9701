//go:build !gopoll_invariants

package conformance

const invariants = false
