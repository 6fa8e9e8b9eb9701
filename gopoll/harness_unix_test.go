//go:build unix

package gopoll

// underWine is for Windows.
func underWine() bool { return false }
