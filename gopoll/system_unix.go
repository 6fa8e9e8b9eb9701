//go:build unix

package gopoll

import "syscall"

// fdStep is the distance between neighbouring descriptors.
const fdStep = 1

// errnoErr is nil for 0, which as an error would not be.
func errnoErr(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}
