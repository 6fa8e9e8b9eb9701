//go:build !windows

package exampletest

// UnderWine is for Windows.
func UnderWine() bool { return false }
