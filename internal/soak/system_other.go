//go:build !linux

package main

// openDescriptors can't be counted in a portable way.
func openDescriptors() int { return 0 }

// interrupt does nothing where threads can't be signalled one by one.
func interrupt() {}
