package stats

import (
	"encoding/json"
	"math"
)

// histogramJSON is the wire form: counts from bucket first on, in which a
// negative number -k stands for k empty buckets.
type histogramJSON struct {
	Zero   int64   `json:"zero,omitempty"`
	Over   int64   `json:"over,omitempty"`
	NaN    int64   `json:"nan,omitempty"`
	First  int     `json:"first,omitempty"`
	Counts []int64 `json:"counts,omitempty"`
}

// MarshalJSON writes the occupied buckets only. The same counts give the same
// bytes, whatever the order in which they came.
func (h Histogram) MarshalJSON() ([]byte, error) {
	wire := histogramJSON{Zero: h.zero, Over: h.over, NaN: h.nan}
	var gap int64
	for i, k := range h.counts {
		switch {
		case k == 0:
			gap++
		case len(wire.Counts) == 0:
			wire.First, gap = h.first+i, 0
			wire.Counts = append(wire.Counts, k)
		default:
			if gap > 0 {
				wire.Counts = append(wire.Counts, -gap)
				gap = 0
			}
			wire.Counts = append(wire.Counts, k)
		}
	}
	return json.Marshal(wire)
}

// UnmarshalJSON replaces h by what MarshalJSON wrote. It refuses buckets out of
// range and counts whose sum overflows, with InvalidArgument.
func (h *Histogram) UnmarshalJSON(data []byte) error {
	var wire histogramJSON
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	out := Histogram{zero: wire.Zero, over: wire.Over, nan: wire.NaN}
	if wire.Zero < 0 || wire.Over < 0 || wire.NaN < 0 || wire.First < 0 {
		return refuse(InvalidArgument, "A histogram cannot hold a negative count or bucket.")
	}
	buckets, err := wire.width()
	if err != nil {
		return err
	}
	out.first = wire.First
	if buckets > 0 {
		out.counts = make([]int64, 0, buckets)
	}
	sum := uint64(wire.Zero) + uint64(wire.Over)
	for _, k := range wire.Counts {
		if k < 0 {
			out.counts = out.counts[:len(out.counts)+int(-k)]
			continue
		}
		out.counts = append(out.counts, k)
		if sum > math.MaxInt64 {
			break
		}
		sum += uint64(k)
	}
	if sum > math.MaxInt64 {
		return refuse(InvalidArgument, "The counts of the histogram add up to more than can be counted.")
	}
	out.total = int64(sum)
	*h = out
	return nil
}

// width returns the number of buckets from First on that Counts spans.
func (w histogramJSON) width() (int, error) {
	room := int64(bucketCount - w.First)
	var width int64
	for _, k := range w.Counts {
		switch {
		case k == math.MinInt64:
			width = room + 1
		case k < 0:
			width += -k
		default:
			width++
		}
		if width > room || width < 0 {
			return 0, refuse(InvalidArgument, "The histogram has buckets beyond number %d.", bucketCount)
		}
	}
	return int(width), nil
}
