package main

import (
	"math"
	"slices"
)

// figure is what came of one row for one contender.
type figure struct {
	Median  float64
	Low     float64 // first quartile
	High    float64 // third quartile
	Samples []float64
	paired  bool // the samples were taken in turn with those of the others
}

func newFigure(samples []float64) *figure {
	sorted := slices.Sorted(slices.Values(samples))
	return &figure{quantile(sorted, 0.5), quantile(sorted, 0.25), quantile(sorted, 0.75), samples, false}
}

// percentile is the figure of one percentile: of all samples, with the lowest
// and highest that a quarter of them gives as its spread.
func percentile(samples []float64, q float64) *figure {
	f := &figure{Median: quantile(slices.Sorted(slices.Values(samples)), q), Samples: samples}
	f.Low, f.High = f.Median, f.Median
	for part := range slices.Chunk(samples, (len(samples)+3)/4) {
		at := quantile(slices.Sorted(slices.Values(part)), q)
		f.Low, f.High = min(f.Low, at), max(f.High, at)
	}
	return f
}

// quantile interpolates between the two samples beside q.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	part := at - float64(below)
	return sorted[below]*(1-part) + sorted[below+1]*part
}

// spread is half the range between the quartiles, as a share of the median.
func (f *figure) spread() float64 {
	if f.Median == 0 {
		return 0
	}
	return (f.High - f.Low) / 2 / f.Median
}

// difference is how much a is above b, or 0 where they can't be told apart: it
// is within its notch (McGill, Tukey and Larsen, 1978: about a 95 % interval) or
// below 2 %, which layout in memory alone can bring about.
func difference(a, b *figure) float64 {
	d, notch := a.Median-b.Median, a.notch()+b.notch()
	if a.paired && b.paired && len(a.Samples) == len(b.Samples) {
		// Samples of one round share what else the machine was doing.
		each := make([]float64, len(a.Samples))
		for i := range each {
			each[i] = a.Samples[i] - b.Samples[i]
		}
		f := newFigure(each)
		d, notch = f.Median, f.notch()
	}
	if math.Abs(d) <= notch || math.Abs(d) <= 0.02*max(a.Median, b.Median) {
		return 0
	}
	return d
}

func (f *figure) notch() float64 {
	if len(f.Samples) < 2 {
		return 0
	}
	return 1.57 * (f.High - f.Low) / math.Sqrt(float64(len(f.Samples)))
}
