package gopoll

import (
	"syscall"

	"gopoll.dev/internal/abi"
)

// fdStep is the distance between neighbouring handles: the system ignores
// their two low bits.
const fdStep = 4

// errnoErr is a Windows code as an error that the portable names know too;
// nil for 0.
func errnoErr(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return abi.Errno{Errno: errno}
}
