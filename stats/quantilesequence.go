package stats

import "math"

// QuantileSequence is the confidence sequence of the quantile of one arm, exact at
// any number of independent values: all x for which the beta-binomial mixture does
// not reject that x is the quantile (Howard and Ramdas 2022). TOpt is the number of
// values for which it is tightest.
type QuantileSequence struct {
	Nu    float64
	TOpt  float64
	Alpha float64
}

// Interval returns the sequence in edges of buckets, so that nothing is
// interpolated. An end is infinite where too few values lie beyond it, or where it
// falls below the range of the histogram or above. It refuses with InvalidArgument,
// TooFewUnits for an empty histogram and NonFinite when a NaN was counted.
func (q QuantileSequence) Interval(h *Histogram) (Interval, error) {
	if err := checkProbability("quantile level", q.Nu); err != nil {
		return Interval{}, err
	}
	if err := checkProbability("alpha", q.Alpha); err != nil {
		return Interval{}, err
	}
	if h.nan > 0 {
		return Interval{}, refuse(NonFinite, "%d values of the histogram are not numbers.", h.nan)
	}
	if h.total < 1 {
		return Interval{}, refuse(TooFewUnits, "There is no quantile of no values.")
	}
	mixture, err := BetaBinomialBoundary{
		VOpt: q.TOpt * q.Nu * (1 - q.Nu), G: q.Nu, H: 1 - q.Nu, AlphaOpt: q.Alpha,
	}.ready()
	if err != nil {
		return Interval{}, err
	}
	arm := newQuantileArm(mixture, q.Nu, h.total)
	goal := -math.Log(q.Alpha)
	tenable := func(count float64) bool { return arm.least(count, count) < goal }
	// Counts at or below the quantile that are tenable lie around the least mixture.
	low, high := 0.0, arm.n
	if !tenable(low) {
		low = bisect(tenable, low, arm.lowest)
	}
	if !tenable(high) {
		high = bisect(func(count float64) bool { return !tenable(count) }, arm.lowest, high)
	}
	return h.between(low, high), nil
}

// between returns the edges around all values whose count at or below may lie between
// low and high.
func (h *Histogram) between(low, high float64) Interval {
	i := Interval{Lower: math.Inf(-1), Upper: math.Inf(1), Scale: Absolute}
	below := float64(h.zero)
	if below > high {
		i.Upper = edge(0)
		return i
	}
	for k, count := range h.counts {
		if count == 0 {
			continue
		}
		upTo := below + float64(count)
		if below < low && upTo >= low {
			i.Lower = edge(h.first + k)
		}
		if upTo > high {
			i.Upper = edge(h.first + k + 1)
			break
		}
		below = upTo
	}
	return i
}
