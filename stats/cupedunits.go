package stats

import "math"

// MinCovariateUnits is how many units a covariate must rest on in each arm,
// (sum x)^2 / sum x^2 after Kish, before a slope is estimated for it: a slope that
// a handful of units decide follows their noise. A covariate that rests on fewer
// is left out. That depends on what was before the exposure alone, so it favours
// no arm.
const MinCovariateUnits = BurnInEvents

// leastTolerance is the share of a covariate's variance that the ones before it
// must leave unexplained. Below, it follows from them.
const leastTolerance = 1e-6

// CupedUnits compares means or ratios of units adjusted by several covariates from
// before the exposure, with slopes pooled within arms (analysis of covariance).
// With equal arms that is asymptotically never worse than no adjustment, whatever
// the effect does to the slopes (Freedman 2008; Lin 2013).
//
// The variables of JointMoments are numerator, denominator, and the covariates in
// the order of preference: one that does not vary, that rests on fewer than
// MinCovariateUnits, or that follows from those before it is left out. A ratio
// is adjusted in its linear form y - R x (Deng, Knoblich and Lu 2018), which with
// numerator and denominator of the pre-period among the covariates does what
// adjusting by their ratio does, and needs no unit to have a history.
type CupedUnits struct {
	Control, Treatment JointMoments
	// Ratio compares sums of numerators over sums of denominators; otherwise the
	// mean of the numerator is compared.
	Ratio bool
	// Floored asks for a variance that is at least the pooled one of adjusted units,
	// as CupedMean does. Set it for arms of unequal size.
	Floored bool
}

// Effect returns the comparison on a scale, as CupedMean.Effect does. Its variance
// has the degrees of freedom that the slopes cost taken off. Theta is the slope on
// the index of the covariates: 1, and 0 when none could be used, where the effect
// is the unadjusted one. It refuses as CupedMean does, with ZeroDenominator, and
// with InvalidArgument for less than two variables.
func (c CupedUnits) Effect(scale Scale) (AdjustedEffect, error) {
	control, err := c.linear(c.Control)
	if err != nil {
		return AdjustedEffect{}, err
	}
	treatment, err := c.linear(c.Treatment)
	if err != nil {
		return AdjustedEffect{}, err
	}
	if control.Variables() != treatment.Variables() {
		return AdjustedEffect{}, refuse(InvalidArgument, "The arms have %d and %d variables.",
			c.Control.Variables(), c.Treatment.Variables())
	}
	used := usable(control, treatment)
	index := make([]float64, control.Variables())
	if len(used) > 0 {
		weights, err := CovariateIndex(control.keep(used), treatment.keep(used))
		if err != nil {
			return AdjustedEffect{}, err
		}
		for i, variable := range used {
			index[variable] = weights[i+1]
		}
	}
	metric := make([]float64, len(index))
	metric[0] = 1
	pairs := [2]PairMoments{}
	for i, arm := range [2]JointMoments{control, treatment} {
		if pairs[i], err = arm.Combine(metric, index); err != nil {
			return AdjustedEffect{}, err
		}
	}
	e, err := CupedMean{Control: pairs[0], Treatment: pairs[1], Floored: c.Floored}.Effect(scale)
	if err != nil {
		return AdjustedEffect{}, err
	}
	if len(used) == 0 {
		e.Theta, e.Reduction = 0, 0
		return e, nil
	}
	free := float64(e.N - 2)
	if slopes := float64(len(used)); free > slopes {
		cost := free / (free - slopes)
		e.Variance *= cost
		e.Reduction = 1 - (1-e.Reduction)*cost
	}
	return e, nil
}

// linear returns the moments of the value per unit, whose mean is the arm's value,
// and of the covariates.
func (c CupedUnits) linear(j JointMoments) (JointMoments, error) {
	if j.N < 2 {
		return JointMoments{}, refuse(TooFewUnits, "An adjusted effect needs at least 2 units an arm; there are %d.", j.N)
	}
	if err := j.check(); err != nil {
		return JointMoments{}, err
	}
	k := j.Variables() - 2
	if k < 0 {
		return JointMoments{}, refuse(InvalidArgument, "An adjusted effect needs numerator and denominator.")
	}
	if err := j.checkPairs(); err != nil {
		return JointMoments{}, err
	}
	value, scale, ratio := j.Mean[0]+j.Low[0], 1.0, 0.0
	if c.Ratio {
		denominator := j.Mean[1] + j.Low[1]
		if denominator == 0 {
			return JointMoments{}, refuse(ZeroDenominator, "The denominator of the ratio is zero in every unit, or sums to zero.")
		}
		ratio, scale = value/denominator, 1/denominator
		value = ratio
	}
	out := JointMoments{N: j.N, Mean: []float64{value}, Low: []float64{0}}
	residual := j.Sum(0, 0) - 2*ratio*j.Sum(0, 1) + ratio*ratio*j.Sum(1, 1)
	// Rounding may leave a residual just below zero where y is a multiple of x.
	out.C = append(out.C, math.Max(0, residual)*scale*scale)
	for a := 2; a < k+2; a++ {
		out.Mean, out.Low = append(out.Mean, j.Mean[a]), append(out.Low, j.Low[a])
		out.C = append(out.C, (j.Sum(a, 0)-ratio*j.Sum(a, 1))*scale)
		for b := 2; b <= a; b++ {
			out.C = append(out.C, j.Sum(a, b))
		}
	}
	return out, nil
}

// keep returns the moments of variable 0 and the ones named.
func (j JointMoments) keep(variables []int) JointMoments {
	all := append([]int{0}, variables...)
	out := JointMoments{N: j.N}
	for a, variable := range all {
		out.Mean, out.Low = append(out.Mean, j.Mean[variable]), append(out.Low, j.Low[variable])
		for _, other := range all[:a+1] {
			out.C = append(out.C, j.Sum(variable, other))
		}
	}
	return out
}

// usable returns the variables from 1 on that can take part in an adjustment: a
// Cholesky decomposition of the covariance within arms that leaves out a variable
// whose pivot is next to nothing.
func usable(control, treatment JointMoments) []int {
	var used []int
	var rows [][]float64 // of the decomposition, one a used variable
	for a := 1; a < control.Variables(); a++ {
		if !carried(control, a) || !carried(treatment, a) {
			continue
		}
		within := func(b int) float64 { return control.Sum(a, b) + treatment.Sum(a, b) }
		row := make([]float64, len(used)+1)
		pivot := within(a)
		for i, b := range used {
			row[i] = within(b)
			for l := range i {
				row[i] -= row[l] * rows[i][l]
			}
			row[i] /= rows[i][i]
			pivot -= row[i] * row[i]
		}
		if !(pivot > leastTolerance*within(a)) {
			continue
		}
		row[len(used)] = math.Sqrt(pivot)
		used, rows = append(used, a), append(rows, row)
	}
	return used
}

// carried reports whether enough units of an arm decide a covariate. Of an
// indicator those that lack it count too: few of them are as bad as few who have
// it. The same bound leaves out what hardly varies for its size.
func carried(j JointMoments, a int) bool {
	n, mean := float64(j.N), j.Mean[a]+j.Low[a]
	squares := j.Sum(a, a) + n*mean*mean
	// (sum x)^2 / sum x^2, and n (1-p)/p of an indicator with share p.
	return squares > 0 && n*mean*(n*mean) >= MinCovariateUnits*squares && j.Sum(a, a) >= MinCovariateUnits*mean*mean
}
