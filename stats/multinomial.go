package stats

import "math"

// Intervals returns, for each arm, the confidence sequence of its share: all
// shares that the e-value of LogE's prior does not reject at alpha, whatever the
// other shares are (Lindon and Malek 2022). Simultaneous over arms and valid at
// every look. It refuses as LogE does, with InvalidArgument for alpha, and with
// TooFewUnits when nothing was counted.
func (m Multinomial) Intervals(counts []int64, alpha float64) ([]Interval, error) {
	if err := checkProbability("alpha", alpha); err != nil {
		return nil, err
	}
	logE, err := m.LogE(counts)
	if err != nil {
		return nil, err
	}
	units := 0.0
	for _, c := range counts {
		units += float64(c)
	}
	if units == 0 {
		return nil, refuse(TooFewUnits, "Nothing has been counted yet.")
	}
	// The likelihood ratio of the observed to the planned shares, of which the
	// e-value leaves the rest to spend on moving one share.
	deviance := 0.0
	for i, c := range counts {
		expected := units * m.Shares[i]
		deviance += expected * poissonExcess(math.FMA(-units, m.Shares[i], float64(c))/expected)
	}
	budget := (deviance - logE - math.Log(alpha)) / units
	out := make([]Interval, len(counts))
	for i, c := range counts {
		out[i] = shareInterval(float64(c)/units, budget)
	}
	return out, nil
}

// shareInterval returns the shares q whose Kullback-Leibler divergence from the
// observed share, p ln(p/q) + (1-p) ln((1-p)/(1-q)), is at most budget.
func shareInterval(p, budget float64) Interval {
	within := func(q float64) bool { return shareDivergence(p, q) <= budget }
	i := Interval{Lower: 0, Upper: 1, Scale: Absolute}
	if p > 0 {
		i.Lower = bisect(within, 0, p)
	}
	if p < 1 {
		i.Upper = bisect(func(q float64) bool { return !within(q) }, p, 1)
	}
	return i
}

func shareDivergence(p, q float64) float64 {
	divergence := 0.0
	if p > 0 {
		divergence -= p * logRatioExcess(q, p, q-p)
	}
	if p < 1 {
		divergence -= (1 - p) * logRatioExcess(1-q, 1-p, p-q)
	}
	if p == 0 || p == 1 { // the linear term of the missing half
		divergence = -math.Log1p(-math.Abs(q - p))
	}
	return divergence
}
