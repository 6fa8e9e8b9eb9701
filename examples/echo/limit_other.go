//go:build !unix

package main

// descriptorLimit is how many descriptors this process may have.
func descriptorLimit() int { return 1 << 30 }
