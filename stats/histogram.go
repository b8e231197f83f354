package stats

import (
	"math"
	"slices"
)

// The shape of every Histogram. It is fixed so that any two merge.
//
// Each octave is cut into 128 equal buckets, so that a bucket is at most 0.79 %
// wide and an edge is a float64 with 7 fraction bits: edges are exact, and the
// bucket of a value is a shift of its bits. Quantiles are interpolated in the
// bucket; for a density that is smooth at that width the error of value is of
// the order of width^2, 1e-5 relative, far below the standard error of a
// quantile of even 1e8 values.
const (
	subBucketBits = 7
	bucketShift   = 52 - subBucketBits // float64 has 52 fraction bits
	minExponent   = -20                // 2^-20: a microsecond counted in seconds
	maxExponent   = 44                 // 2^44: 16 TiB counted in bytes
	bucketCount   = (maxExponent - minExponent) << subBucketBits
	bucketOrigin  = uint64(1023+minExponent) << subBucketBits // 1023 is the exponent bias
)

// Histogram counts non-negative values (times, sizes, rates) in fixed buckets
// of constant relative width, for quantiles that merge over arms and days. The
// zero value is empty and ready to use. Copying shares the counts; use Clone.
//
// Values at or below 2^-20, and with them all negative ones, are kept as one
// count at zero; values above 2^44 as one count of overflow; NaN is counted
// apart, and its presence makes Quantile refuse.
type Histogram struct {
	counts []int64 // counts[i] belongs to bucket first+i
	first  int
	zero   int64
	over   int64
	nan    int64
	total  int64 // all but nan
}

// Add counts one value.
func (h *Histogram) Add(v float64) { h.AddN(v, 1) }

// AddN counts the same value k times; k below 1 changes nothing.
func (h *Histogram) AddN(v float64, k int64) {
	if k < 1 {
		return
	}
	if math.IsNaN(v) {
		h.nan += k
		return
	}
	h.total += k
	bucket := bucketOf(v)
	switch {
	case bucket < 0:
		h.zero += k
	case bucket >= bucketCount:
		h.over += k
	default:
		h.reserve(bucket, bucket)
		h.counts[bucket-h.first] += k
	}
}

// Merge adds the counts of o. Merging an empty histogram changes nothing.
func (h *Histogram) Merge(o *Histogram) {
	h.zero += o.zero
	h.over += o.over
	h.nan += o.nan
	h.total += o.total
	if len(o.counts) == 0 {
		return
	}
	h.reserve(o.first, o.first+len(o.counts)-1)
	into := h.counts[o.first-h.first:]
	for i, k := range o.counts {
		into[i] += k
	}
}

// Clone returns a histogram that shares nothing with h.
func (h *Histogram) Clone() *Histogram {
	c := *h
	c.counts = slices.Clone(h.counts)
	return &c
}

// Count returns the number of values, without NaN.
func (h *Histogram) Count() int64 { return h.total }

// CountAtOrBelow returns how many values are at most v. It is exact where v is
// an edge of a bucket (see Edges) and interpolated within a bucket; a value in
// the overflow is never counted.
func (h *Histogram) CountAtOrBelow(v float64) float64 {
	if math.IsNaN(v) || v < 0 {
		return 0
	}
	bucket := bucketOf(v)
	below := h.zero
	for i, k := range h.counts {
		if h.first+i >= bucket {
			break
		}
		below += k
	}
	at := bucket - h.first
	if bucket < 0 || at < 0 || at >= len(h.counts) {
		return float64(below)
	}
	lower, upper := edge(bucket), edge(bucket+1)
	return float64(below) + float64(h.counts[at])*((v-lower)/(upper-lower))
}

// Edges calls yield with the upper edge of every occupied bucket, in rising
// order, and the exact count of values at or below it; the first call may be
// for the zero bucket, whose edge is 2^-20.
func (h *Histogram) Edges(yield func(upper float64, atOrBelow int64) bool) {
	below := h.zero
	if h.zero > 0 && !yield(edge(0), below) {
		return
	}
	for i, k := range h.counts {
		if k == 0 {
			continue
		}
		below += k
		if !yield(edge(h.first+i+1), below) {
			return
		}
	}
}

// at returns, for rising ranks, the values below which so many values lie,
// interpolated in their buckets. ok is false when one lies in the overflow.
func (h *Histogram) at(ranks [3]float64) (values [3]float64, ok bool) {
	found := 0
	for found < len(ranks) && ranks[found] <= float64(h.zero) {
		found++
	}
	if found == len(ranks) {
		return values, true
	}
	below := h.zero
	next := int64(math.Ceil(ranks[found])) // the first count that reaches the rank
	for i, k := range h.counts {
		upTo := below + k
		for upTo >= next {
			lower, upper := edge(h.first+i), edge(h.first+i+1)
			values[found] = lower + (upper-lower)*((ranks[found]-float64(below))/float64(k))
			if found++; found == len(ranks) {
				return values, true
			}
			next = int64(math.Ceil(ranks[found]))
		}
		below = upTo
	}
	return values, false
}

// reserve makes room for the buckets low to high.
func (h *Histogram) reserve(low, high int) {
	if len(h.counts) == 0 {
		h.first = low
		h.counts = make([]int64, high-low+1)
		return
	}
	if low < h.first {
		// Growing by as much as is held keeps the total cost of a falling
		// series linear.
		grown := max(0, min(low, h.first-len(h.counts)))
		h.counts = append(make([]int64, h.first-grown), h.counts...)
		h.first = grown
	}
	if missing := high - h.first - len(h.counts) + 1; missing > 0 {
		h.counts = append(h.counts, make([]int64, missing)...)
	}
}

// bucketOf returns the bucket (lower, upper] of v: negative at or below the
// smallest edge, bucketCount or more above the largest.
func bucketOf(v float64) int {
	if v <= 0 {
		return -1
	}
	// One less, so that a value on an edge falls in the bucket that ends there.
	return int((math.Float64bits(v)-1)>>bucketShift) - int(bucketOrigin)
}

// edge returns the lower edge of bucket i, the upper one of i-1.
func edge(i int) float64 {
	return math.Float64frombits((bucketOrigin + uint64(i)) << bucketShift)
}

// bucket returns the count of bucket i, which may lie outside what is held.
func (h *Histogram) bucket(i int) int64 {
	if at := i - h.first; at >= 0 && at < len(h.counts) {
		return h.counts[at]
	}
	return 0
}
