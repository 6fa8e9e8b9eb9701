//go:build asan

package socket_test

// The address sanitizer moves variables to the heap to watch them.
func init() { allocatesAddresses = true }
