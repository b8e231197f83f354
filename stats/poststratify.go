package stats

import "math"

// Stratum is both arms within one stratum: a country, a device class, a day.
type Stratum[M any] struct {
	Control, Treatment M
}

// PostStratifiedMeans compares means or proportions within strata that were known
// before exposure and combines them by the strata's share of all units, as
// GrowthBook does (Miratrix, Sekhon and Yu 2013). The random size of the strata
// enters the variance. It refuses as Difference or LogLift do, and with
// TooFewUnits when there is no stratum or an arm of one has fewer than 2 units:
// merge such a stratum into another first.
func PostStratifiedMeans(strata []Stratum[Arm], scale Scale) (Effect, error) {
	parts := make([]stratumPart, len(strata))
	for i, s := range strata {
		if err := checkArms(s.Control, s.Treatment); err != nil {
			return Effect{}, err
		}
		n := float64(s.Control.N + s.Treatment.N)
		vc, vt := n*s.Control.SquaredError(), n*s.Treatment.SquaredError()
		parts[i] = stratumPart{
			n:        n,
			value:    []float64{s.Control.Value, s.Treatment.Value - s.Control.Value},
			variance: [][]float64{{vc, -vc}, {-vc, vc + vt}},
		}
	}
	total, err := combineStrata(parts)
	if err != nil {
		return Effect{}, err
	}
	return total.meanEffect(scale)
}

// PostStratifiedCuped is PostStratifiedMeans with a covariate: y of PairMoments
// is adjusted by x within each stratum by one slope and one residual variance
// for both arms. It refuses as PostStratifiedMeans does.
func PostStratifiedCuped(strata []Stratum[PairMoments], scale Scale) (Effect, error) {
	parts := make([]stratumPart, len(strata))
	for i, s := range strata {
		part, err := cupedStratum(s.Control, s.Treatment)
		if err != nil {
			return Effect{}, err
		}
		parts[i] = part
	}
	total, err := combineStrata(parts)
	if err != nil {
		return Effect{}, err
	}
	return total.meanEffect(scale)
}

// PostStratifiedRatios is PostStratifiedMeans for ratios y/x: numerators and
// denominators are combined over strata before they are divided. It refuses as
// PostStratifiedMeans does, and with ZeroDenominator.
func PostStratifiedRatios(strata []Stratum[PairMoments], scale Scale) (Effect, error) {
	parts := make([]stratumPart, len(strata))
	for i, s := range strata {
		c, err := meanPair(s.Control)
		if err != nil {
			return Effect{}, err
		}
		t, err := meanPair(s.Treatment)
		if err != nil {
			return Effect{}, err
		}
		parts[i] = ratioStratum(c, t)
	}
	total, err := combineStrata(parts)
	if err != nil {
		return Effect{}, err
	}
	return total.ratioEffect(scale)
}

// stratumPart is one stratum's estimates, or their combination, and n times their
// covariance: (control, effect) for means, and the same for numerator and then
// denominator for ratios.
type stratumPart struct {
	n        float64
	value    []float64
	variance [][]float64
}

// cupedStratum solves y ~ 1 + w + x in closed form. With d and e the distances
// of x between the arms and of control from the pooled mean, the effect is
// y_t - y_c - b d, and control at the pooled mean y_c + b e.
func cupedStratum(control, treatment PairMoments) (stratumPart, error) {
	c, err := meanPair(control)
	if err != nil {
		return stratumPart{}, err
	}
	t, err := meanPair(treatment)
	if err != nil {
		return stratumPart{}, err
	}
	nc, nt := float64(c.n), float64(t.n)
	n := nc + nt
	if n <= 3 {
		return stratumPart{}, refuse(TooFewUnits, "A stratum of %v units is too small for a slope.", n)
	}
	within := control.M2X + treatment.M2X
	if within == 0 {
		return stratumPart{}, refuse(ZeroVariance, "The covariate does not vary in a stratum.")
	}
	b := (control.CXY + treatment.CXY) / within
	residual := math.Max(0, control.M2Y+treatment.M2Y-b*b*within) / (n - 3)
	pooled := control
	pooled.Merge(treatment)
	varX := pooled.M2X / (n - 1)
	d := t.x - c.x
	e := nt / n * d
	slopeVariance := residual / within
	v00 := n*(residual/nc+slopeVariance*e*e) + (slopeVariance+b*b)*varX
	v01 := -n * (residual/nc + slopeVariance*e*d)
	v11 := n * (residual/nc + residual/nt + slopeVariance*d*d)
	return stratumPart{
		n:        n,
		value:    []float64{c.y + b*e, t.y - c.y - b*d},
		variance: [][]float64{{v00, v01}, {v01, v11}},
	}, nil
}

func ratioStratum(c, t adjustable) stratumPart {
	nc, nt := float64(c.n), float64(t.n)
	n := nc + nt
	// Covariances of (y, x) in control and in the sum of both arms.
	yc, xc, cc := n*c.vy/nc, n*c.vx/nc, n*c.cov/nc
	ys, xs, cs := yc+n*t.vy/nt, xc+n*t.vx/nt, cc+n*t.cov/nt
	return stratumPart{
		n:     n,
		value: []float64{c.y, t.y - c.y, c.x, t.x - c.x},
		variance: [][]float64{
			{yc, -yc, cc, -cc},
			{-yc, ys, -cc, cs},
			{cc, -cc, xc, -xc},
			{-cc, cs, -xc, xs},
		},
	}
}

// combineStrata weights by units and divides the covariance by all units:
// [sum w V + sum w a a' - (sum w a)(sum w a)']/N, the middle written as the
// covariance of a over strata so that it does not cancel.
func combineStrata(parts []stratumPart) (stratumPart, error) {
	if len(parts) == 0 {
		return stratumPart{}, refuse(TooFewUnits, "There is no stratum.")
	}
	k := len(parts[0].value)
	total := stratumPart{value: make([]float64, k), variance: make([][]float64, k)}
	for _, p := range parts {
		total.n += p.n
	}
	for i := range k {
		total.variance[i] = make([]float64, k)
		for _, p := range parts {
			total.value[i] += p.n / total.n * p.value[i]
		}
	}
	for i := range k {
		for j := range k {
			for _, p := range parts {
				between := (p.value[i] - total.value[i]) * (p.value[j] - total.value[j])
				total.variance[i][j] += p.n / total.n * (p.variance[i][j] + between) / total.n
			}
		}
	}
	return total, nil
}

func (p stratumPart) meanEffect(scale Scale) (Effect, error) {
	c, e := p.value[0], p.value[1]
	switch scale {
	case Absolute:
		return p.effect(e, []float64{0, 1}, scale)
	case Fraction:
		if c == 0 {
			return Effect{}, refuse(NonPositiveBaseline, "The control value is zero, so nothing can be relative to it.")
		}
		base := math.Abs(c)
		return p.effect(e/base, []float64{-e / (c * base), 1 / base}, scale)
	case LogRatio:
		if c <= 0 || c+e <= 0 {
			return Effect{}, refuse(NonPositiveBaseline,
				"A relative effect needs positive values; control is %v and treatment %v.", c, c+e)
		}
		return p.effect(logRatio(c+e, c), []float64{1/(c+e) - 1/c, 1 / (c + e)}, scale)
	}
	return Effect{}, refuse(InvalidArgument, "There is no scale %q.", string(scale))
}

func (p stratumPart) ratioEffect(scale Scale) (Effect, error) {
	yc, xc := p.value[0], p.value[2]
	yt, xt := yc+p.value[1], xc+p.value[3]
	if xc == 0 || xt == 0 {
		return Effect{}, refuse(ZeroDenominator, "The denominator of the ratio is zero.")
	}
	rc, rt := yc/xc, yt/xt
	// Derivatives of R_c by (y_c, x_c) and of R_t by (y_t, x_t).
	c, t := [2]float64{1 / xc, -rc / xc}, [2]float64{1 / xt, -rt / xt}
	gradient := func(wc, wt float64) []float64 {
		return []float64{wc*c[0] + wt*t[0], wt * t[0], wc*c[1] + wt*t[1], wt * t[1]}
	}
	switch scale {
	case Absolute:
		return p.effect(rt-rc, gradient(-1, 1), scale)
	case Fraction:
		if rc == 0 {
			return Effect{}, refuse(NonPositiveBaseline, "The control value is zero, so nothing can be relative to it.")
		}
		return p.effect((rt-rc)/math.Abs(rc), gradient(-rt/(rc*math.Abs(rc)), 1/math.Abs(rc)), scale)
	case LogRatio:
		if rc <= 0 || rt <= 0 {
			return Effect{}, refuse(NonPositiveBaseline,
				"A relative effect needs positive values; control is %v and treatment %v.", rc, rt)
		}
		return p.effect(logRatio(rt, rc), gradient(-1/rc, 1/rt), scale)
	}
	return Effect{}, refuse(InvalidArgument, "There is no scale %q.", string(scale))
}

// effect applies the delta method; FiellerG is that of control's mean or numerator.
func (p stratumPart) effect(estimate float64, gradient []float64, scale Scale) (Effect, error) {
	variance := 0.0
	for i := range gradient {
		for j := range gradient {
			variance += gradient[i] * p.variance[i][j] * gradient[j]
		}
	}
	e := Effect{Estimate: estimate, Variance: variance, DF: p.n - 2, N: int64(p.n), Scale: scale}
	if scale != Absolute {
		e.FiellerG = fiellerZ * fiellerZ * p.variance[0][0] / (p.value[0] * p.value[0])
	}
	return e, e.check()
}
