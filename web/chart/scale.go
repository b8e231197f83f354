package chart

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// Rules of an axis.
const (
	// rowClip is how much wider than the median row a forest's axis may grow for
	// an interval. Beyond it one row without data would squash all others, so
	// that row is drawn open.
	rowClip = 2.5
	// provenClip is the same for the estimate of a row that has proven a
	// difference: the largest effects are what the reader came for.
	provenClip = 10
	// lookClip is the same for the looks of a funnel, whose width falls as the
	// root of the number of units: the last look fills half of the height.
	lookClip = 1.5
	// padShare is the empty share kept at either end.
	padShare = 0.08
	// emptyReach is half the axis when no row has a number: one per cent.
	emptyReach = 0.01
	// minReach keeps the axis from collapsing: lifts below a billionth cannot be
	// told apart in float64 arithmetic on rates.
	minReach = 1e-9
	// maxReach is the farthest an axis reaches: a lift of a billion is an
	// interval that the data do not bound.
	maxReach = 1e9
)

// scale maps values to per cent of the width or height.
type scale struct {
	lo, hi float64
}

// at returns the position of v in per cent, beyond 0 and 100 when v is off the
// axis.
func (s scale) at(v float64) float64 {
	return 100 * (v - s.lo) / (s.hi - s.lo)
}

// clip returns the position of v, held within the axis.
func (s scale) clip(v float64) float64 {
	return min(100, max(0, s.at(v)))
}

// extent gathers what an axis should show.
type extent struct {
	values  []float64
	reaches []float64 // the largest distance from zero of each row or look
	proven  float64   // the largest distance from zero of a proven estimate
}

// add takes the finite values of one row or look.
func (e *extent) add(values ...float64) {
	var reach float64
	for _, v := range values {
		if !math.IsInf(v, 0) {
			e.values = append(e.values, v)
			reach = max(reach, math.Abs(v))
		}
	}
	if reach > 0 {
		e.reaches = append(e.reaches, reach)
	}
}

// fit returns a scale that shows zero and those values that are not farther from
// it than factor times the median reach.
func (e *extent) fit(factor float64) scale {
	limit := float64(maxReach)
	if len(e.reaches) > 0 {
		sorted := slices.Sorted(slices.Values(e.reaches))
		// The lower median: of two rows, the better known one sets the axis.
		median := sorted[(len(sorted)-1)/2]
		limit = min(limit, max(factor*median, min(provenClip*median, 1.1*e.proven)))
	}
	limit = max(limit, minReach)
	lo, hi := 0.0, 0.0
	for _, v := range e.values {
		lo, hi = min(lo, v), max(hi, v)
	}
	lo, hi = max(lo, -limit), min(hi, limit)
	if hi-lo < minReach {
		lo, hi = -emptyReach, emptyReach
	}
	// Zero never touches the frame: "no difference" must be visible as a place.
	pad := padShare * (hi - lo)
	return scale{lo: lo - pad, hi: hi + pad}
}

// ticks returns at most n + 1 round values on the scale, zero among them.
func (s scale) ticks(n int) []float64 {
	step := roundUp((s.hi - s.lo) / float64(n))
	var out []float64
	for i := math.Ceil(s.lo / step); i*step <= s.hi; i++ {
		out = append(out, i*step)
	}
	return out
}

// roundUp returns the smallest of 1, 2, 5 times a power of ten not below v.
func roundUp(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// unit follows every number; the space does not break.
const unit = "\u00a0%"

// percent formats a fraction as per cent with the decimals that tell it from its
// neighbours step away.
func percent(v, step float64, signed bool) string {
	decimals := int(max(0, -math.Floor(math.Log10(100*step)+1e-9)))
	s := strconv.FormatFloat(100*math.Abs(v), 'f', decimals, 64)
	if strings.Trim(s, "0.") == "" {
		return "0"
	}
	if signed && v < 0 {
		return "−" + s + unit
	}
	if signed {
		return "+" + s + unit
	}
	return s + unit
}

// short formats a fraction as per cent with a sign and at most three significant
// digits: the value of a line that a person chose.
func short(v float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(100*math.Abs(v), 'e', 2, 64), 64)
	if err != nil || rounded == 0 {
		return "0"
	}
	s := strconv.FormatFloat(rounded, 'f', -1, 64) + unit
	if v < 0 {
		return "−" + s
	}
	return "+" + s
}
