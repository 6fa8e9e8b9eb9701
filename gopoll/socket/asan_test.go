//go:build asan

package socket_test

func init() { sanitized = true }
