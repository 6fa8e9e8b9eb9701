package abi

import (
	"math"
	"testing"
	"time"
)

func TestMilliseconds(t *testing.T) {
	for timeout, want := range map[time.Duration]int32{
		-1: -1, math.MinInt64: -1, 0: 0, 1: 1, 999_999: 1, time.Millisecond: 1, time.Millisecond + 1: 2, 1500 * time.Microsecond: 2,
		time.Second: 1000, math.MaxInt32 * time.Millisecond: math.MaxInt32, math.MaxInt32*time.Millisecond - 1: math.MaxInt32,
		math.MaxInt32*time.Millisecond + 1: math.MaxInt32, math.MaxInt64: math.MaxInt32,
	} {
		if got := Milliseconds(timeout); got != want {
			t.Errorf("%v is %d ms, want %d", timeout, got, want)
		}
	}
}
