//go:build unix

package main

import "syscall"

// descriptorLimit is how many descriptors this process may have. Package os has
// raised the limit as far as it goes.
func descriptorLimit() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 1 << 30
	}
	return int(min(uint64(l.Cur), 1<<30))
}
