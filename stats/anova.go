package stats

import "math"

// ANOVA is the one-way analysis of variance: whether several groups have the
// same mean.
type ANOVA struct {
	F          float64
	DFBetween  float64
	DFWithin   float64
	P, LogP    float64
	RSquared   float64 // share of the variance that lies between groups
	ResidualSD float64
}

// OneWayANOVA compares the means of groups, at one look. It refuses with
// TooFewUnits unless there are two groups with units and more units than groups,
// InvalidArgument for moments that are not those of any values, ZeroVariance when
// nothing varies within groups, and NonFinite.
func OneWayANOVA(groups []Moments) (ANOVA, error) {
	var total Moments
	var within float64
	occupied := 0
	for _, g := range groups {
		if g.N == 0 {
			continue
		}
		if g.N < 0 || g.M2 < 0 {
			return ANOVA{}, refuse(InvalidArgument, "A group has %d units and a sum of squares of %v.", g.N, g.M2)
		}
		occupied++
		total.Merge(g)
		within += g.M2
	}
	a := ANOVA{DFBetween: float64(occupied - 1), DFWithin: float64(total.N) - float64(occupied)}
	if occupied < 2 || a.DFWithin < 1 {
		return ANOVA{}, refuse(TooFewUnits, "%d units in %d groups are too few.", total.N, occupied)
	}
	// Sum the distances of group means from the common mean directly: subtracting
	// the sum within from the total would cancel.
	between := 0.0
	for _, g := range groups {
		d := g.Mean - total.Mean + (g.Low - total.Low)
		between += float64(g.N) * d * d
	}
	if !finite(between, within) {
		return ANOVA{}, refuse(NonFinite, "A value is not a finite number.")
	}
	if within == 0 {
		return ANOVA{}, refuse(ZeroVariance, "Nothing varies within groups.")
	}
	a.F = between / a.DFBetween / (within / a.DFWithin)
	if !finite(a.F*a.DFBetween, between+within) {
		return ANOVA{}, refuse(NonFinite, "The statistic left the range of floating-point numbers.")
	}
	a.LogP = F{DF1: a.DFBetween, DF2: a.DFWithin}.Tails(a.F).LogSF
	a.P = math.Exp(a.LogP)
	a.RSquared = between / (between + within)
	a.ResidualSD = math.Sqrt(within / a.DFWithin)
	return a, nil
}

// Autocorrelation returns the correlation of a series with itself lag steps
// earlier, sum (x_i-m)(x_{i-lag}-m) / sum (x_i-m)^2: a check for designs whose
// units are times. It refuses with InvalidArgument for a lag out of range,
// ZeroVariance and NonFinite.
func Autocorrelation(series []float64, lag int) (float64, error) {
	if lag < 0 || lag >= len(series) {
		return 0, refuse(InvalidArgument, "A lag lies between 0 and the length of the series; it is %d.", lag)
	}
	m := MomentsOf(series)
	if !finite(m.Mean, m.M2) {
		return 0, refuse(NonFinite, "A value is not a finite number.")
	}
	if m.M2 == 0 {
		return 0, refuse(ZeroVariance, "The series does not vary.")
	}
	sum := 0.0
	for i := lag; i < len(series); i++ {
		sum += (series[i] - m.Mean - m.Low) * (series[i-lag] - m.Mean - m.Low)
	}
	return sum / m.M2, nil
}
