package stats

import (
	"math"
	"slices"
)

// Caps is a range to which heavy-tailed values are clamped.
//
// Caps must be fixed before the data: taken from a pre-period, or from all arms
// pooled when there is one look only. Caps that move between looks break every
// anytime-valid guarantee.
type Caps struct {
	Lower float64 `json:"lower"`
	Upper float64 `json:"upper"`
}

// PercentileCaps returns the type-7 quantiles of values at the levels lower and
// upper in [0, 1]. It refuses with InvalidArgument for levels out of order, with
// TooFewUnits for no values and with NonFinite.
func PercentileCaps(values []float64, lower, upper float64) (Caps, error) {
	if !(lower >= 0 && lower <= upper && upper <= 1) {
		return Caps{}, refuse(InvalidArgument, "Percentiles of caps must satisfy 0 <= lower <= upper <= 1; they are %v and %v.",
			lower, upper)
	}
	q, err := SampleQuantiles(values, []float64{lower, upper}, 7)
	if err != nil {
		return Caps{}, err
	}
	return Caps{Lower: q[0], Upper: q[1]}, nil
}

// Clamp returns v moved into the caps.
func (c Caps) Clamp(v float64) float64 { return math.Min(math.Max(v, c.Lower), c.Upper) }

// SampleQuantiles returns the quantiles of values at the levels in [0, 1] by
// the definition 1 to 9 of Hyndman and Fan 1996; 7 is what R, NumPy and
// spreadsheets call the quantile. It refuses with InvalidArgument for a level or
// definition out of range, TooFewUnits for no values, NonFinite.
func SampleQuantiles(values, levels []float64, definition int) ([]float64, error) {
	if definition < 1 || definition > 9 {
		return nil, refuse(InvalidArgument, "The quantile definitions are numbered 1 to 9, not %d.", definition)
	}
	if len(values) == 0 {
		return nil, refuse(TooFewUnits, "There is no quantile of no values.")
	}
	if !finite(values...) {
		return nil, refuse(NonFinite, "A value is not a finite number.")
	}
	sorted := slices.Sorted(slices.Values(values))
	out := make([]float64, len(levels))
	for i, p := range levels {
		if !(p >= 0 && p <= 1) {
			return nil, refuse(InvalidArgument, "A quantile level must lie between 0 and 1; one is %v.", p)
		}
		out[i] = sampleQuantile(sorted, p, definition)
	}
	return out, nil
}

// quantileFuzz is the slack, in units of rounding, with which R decides whether
// n p falls on an order statistic.
const quantileFuzz = 4 * 0x1p-52

// sampleQuantile returns x[j] + gamma (x[j+1]-x[j]) with j the whole part of
// n p + m and m and gamma of the definition.
func sampleQuantile(sorted []float64, p float64, definition int) float64 {
	n := float64(len(sorted))
	if definition <= 3 {
		return stepQuantile(sorted, p, definition)
	}
	// a and b of the plotting position (k-a)/(n+1-a-b).
	a, b := 0.0, 0.0
	switch definition {
	case 4:
		b = 1
	case 5:
		a, b = 0.5, 0.5
	case 7:
		a, b = 1, 1
	case 8:
		a, b = 1.0/3, 1.0/3
	case 9:
		a, b = 3.0/8, 3.0/8
	}
	position := a + p*(n+1-a-b)
	j := math.Floor(position + quantileFuzz)
	gamma := position - j
	if math.Abs(gamma) < quantileFuzz {
		gamma = 0
	}
	lower, upper := orderStatistic(sorted, j), orderStatistic(sorted, j+1)
	if gamma == 0 || lower == upper {
		return lower
	}
	return (1-gamma)*lower + gamma*upper
}

// stepQuantile is the discontinuous definitions 1 to 3. Like R it lets rounding
// lift n p to a whole number but not lower it to one.
func stepQuantile(sorted []float64, p float64, definition int) float64 {
	position := float64(len(sorted)) * p
	if definition == 3 {
		position -= 0.5
	}
	j := math.Floor(position + quantileFuzz)
	lower, upper := orderStatistic(sorted, j), orderStatistic(sorted, j+1)
	switch {
	case definition == 3 && !(position < j) && !(position > j) && math.Mod(j, 2) == 0: // the even one of two nearest
		return lower
	case definition == 3 || position > j:
		return upper
	case definition == 2:
		return lower/2 + upper/2 // without overflow
	}
	return lower
}

// orderStatistic returns the j-th smallest value, j from 1, held at the ends.
func orderStatistic(sorted []float64, j float64) float64 {
	return sorted[min(max(int(j)-1, 0), len(sorted)-1)]
}
