package abi

import (
	"math"
	"time"
)

// Milliseconds is timeout for a call that counts in milliseconds: rounded up,
// so that it is never early, and -1 for ever. A timeout longer than the call
// can express becomes the longest it can.
func Milliseconds(timeout time.Duration) int32 {
	if timeout < 0 {
		return -1
	}
	ms := timeout / time.Millisecond
	if timeout%time.Millisecond != 0 {
		ms++
	}
	return int32(min(ms, math.MaxInt32))
}
