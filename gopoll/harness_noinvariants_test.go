//go:build !gopoll_invariants

package gopoll

const invariants = false
