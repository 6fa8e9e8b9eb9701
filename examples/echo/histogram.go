package main

import (
	"math/bits"
	"time"
)

// A histogram counts durations in buckets that are 3 % wide or less.
type histogram struct {
	counts [60 * histogramSteps]int64
	total  int64
}

const (
	histogramBits  = 5
	histogramSteps = 1 << histogramBits // for each doubling
)

func (h *histogram) add(d time.Duration) {
	v := uint64(max(d, 0))
	shift := max(bits.Len64(v)-histogramBits-1, 0)
	h.counts[shift*histogramSteps+int(v>>shift)]++
	h.total++
}

// quantile is the upper end of the bucket that holds a fraction q of all.
func (h *histogram) quantile(q float64) time.Duration {
	left := int64(q * float64(h.total))
	for i, n := range h.counts {
		if left -= n; left < 0 {
			// Undo add: above the first two runs of buckets, i is a shift
			// and a number of histogramBits+1 bits.
			shift := max(i/histogramSteps-1, 0)
			return time.Duration(i-shift*histogramSteps+1)<<shift - 1
		}
	}
	return 0
}
