package stats

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// SlopeRule is how the slope theta of a pre-period covariate is estimated.
type SlopeRule string

// The slope rules.
const (
	// SlopeWithin pools the covariance within arms: ancova, CUPED without bias.
	// The zero value means it too.
	SlopeWithin SlopeRule = "within"
	// SlopePerArm has a slope for each arm, evaluated at the pooled mean of the
	// covariate: asymptotically never worse than no adjustment, whatever the
	// effect does to the slope (Lin 2013).
	SlopePerArm SlopeRule = "per_arm"
	// SlopeGrowthBook pools all units of a mean as one sample, effect included,
	// which biases the slope by the order of its square, and adds the arms of a
	// ratio unweighted. For numbers that agree with GrowthBook and PostHog.
	SlopeGrowthBook SlopeRule = "growthbook"
)

// CupedMean compares means adjusted by a pre-period covariate (Deng, Xu, Kohavi
// and Walker 2013): y is the metric and x the covariate of PairMoments. A unit
// without history has x = 0; give the indicator of having one as a second
// covariate through CovariateIndex. The covariate must be fixed before exposure.
type CupedMean struct {
	Control, Treatment PairMoments
	Slope              SlopeRule
	// BinaryY and BinaryX ask for the variance p(1-p); see PairMoments.WithBinary.
	BinaryY, BinaryX bool
	// Floored asks for a variance that is at least the pooled one of adjusted units;
	// see FlooredDifference. Set it for arms of unequal size.
	Floored bool
}

// AdjustedEffect is an Effect after adjustment.
type AdjustedEffect struct {
	Effect
	Theta float64 `json:"theta"` // the slope, 0 when the covariate does not vary
	// Reduction is the share of the variance of the unadjusted effect that the
	// adjustment removed.
	Reduction float64 `json:"reduction"`
}

// Effect returns the comparison on a scale. On LogRatio each arm's mean is
// adjusted to the pooled mean of the covariate. On Fraction the difference is
// divided by the unadjusted control mean, with GrowthBook's variance. It refuses
// as Difference, LogLift or FractionLift do.
func (c CupedMean) Effect(scale Scale) (AdjustedEffect, error) {
	control, err := meanPair(c.Control.WithBinary(c.BinaryY, c.BinaryX))
	if err != nil {
		return AdjustedEffect{}, err
	}
	treatment, err := meanPair(c.Treatment.WithBinary(c.BinaryY, c.BinaryX))
	if err != nil {
		return AdjustedEffect{}, err
	}
	theta := slope(c.Slope, control, treatment)
	if c.Slope == SlopeGrowthBook {
		pooled := c.Control
		pooled.Merge(c.Treatment)
		pooled = pooled.WithBinary(c.BinaryY, c.BinaryX)
		theta = safeRatio(pooled.CXY, pooled.M2X)
	}
	return adjust{
		control: control, treatment: treatment, theta: theta, growth: treatment.y / control.y, floored: c.Floored,
	}.effect(scale)
}

// CupedRatio compares ratios adjusted by the same ratio of a pre-period. The four
// variables of JointMoments are numerator, denominator, and the two of the
// pre-period.
type CupedRatio struct {
	Control, Treatment JointMoments
	Slope              SlopeRule
	Floored            bool // as of CupedMean
}

// Effect returns the comparison on a scale, as CupedMean.Effect does, for the
// linearised ratios. It refuses as that does, with ZeroDenominator, and with
// InvalidArgument unless there are four variables.
func (c CupedRatio) Effect(scale Scale) (AdjustedEffect, error) {
	control, err := ratioPair(c.Control)
	if err != nil {
		return AdjustedEffect{}, err
	}
	treatment, err := ratioPair(c.Treatment)
	if err != nil {
		return AdjustedEffect{}, err
	}
	theta := slope(c.Slope, control, treatment)
	if c.Slope == SlopeGrowthBook {
		theta = safeRatio(control.cov+treatment.cov, control.vx+treatment.vx)
	}
	adjusted := (treatment.y - theta*treatment.x) - (control.y - theta*control.x)
	return adjust{
		control: control, treatment: treatment, theta: theta,
		growth: 1 + math.Copysign(1, control.y)*adjusted/math.Abs(control.y), floored: c.Floored,
	}.effect(scale)
}

// CovariateIndex returns weights that fold covariates into one: the least-squares
// coefficients, within arms, of variable 0 on the others, with 0 for variable 0
// itself. Give JointMoments.Combine of (1, 0, ...) and these weights to CupedMean.
// It refuses with InvalidArgument for less than two variables, and with
// ZeroVariance when a covariate is constant or follows from the others, and
// NonFinite.
func CovariateIndex(control, treatment JointMoments) ([]float64, error) {
	if err := control.check(); err != nil {
		return nil, err
	}
	if err := treatment.check(); err != nil {
		return nil, err
	}
	k := control.Variables() - 1
	if k < 1 || treatment.Variables() != k+1 {
		return nil, refuse(InvalidArgument, "An index needs a metric and covariates, the same in both arms.")
	}
	// Correlations instead of covariances: milliseconds beside a yes or no are no
	// sign that one follows from the other.
	spread := make([]float64, k)
	within := mat.NewSymDense(k, nil)
	with := mat.NewVecDense(k, nil)
	for a := range k {
		spread[a] = math.Sqrt(control.Sum(a+1, a+1) + treatment.Sum(a+1, a+1))
		if spread[a] == 0 {
			return nil, refuse(ZeroVariance, "A covariate is constant, or follows from the others.")
		}
		with.SetVec(a, (control.Sum(a+1, 0)+treatment.Sum(a+1, 0))/spread[a])
		for b := range a + 1 {
			within.SetSym(a, b, (control.Sum(a+1, b+1)+treatment.Sum(a+1, b+1))/spread[a]/spread[b])
		}
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(within) || cholesky.Cond() > worstCondition {
		return nil, refuse(ZeroVariance, "A covariate is constant, or follows from the others.")
	}
	var solution mat.VecDense
	if err := cholesky.SolveVecTo(&solution, with); err != nil {
		return nil, refuse(ZeroVariance, "The covariates have no unique slopes (%v).", err)
	}
	weights := append([]float64{0}, solution.RawVector().Data...)
	for a := range k {
		weights[a+1] /= spread[a]
	}
	if !finite(weights...) {
		return nil, refuse(NonFinite, "The slopes of the covariates left the range of floating-point numbers.")
	}
	return weights, nil
}

// adjustable is one arm's metric y and covariate x, whatever they are means of,
// with the variances that one unit contributes.
type adjustable struct {
	n           int64
	y, x        float64
	vy, vx, cov float64
}

func meanPair(p PairMoments) (adjustable, error) {
	if p.N < 2 {
		return adjustable{}, refuse(TooFewUnits, "A mean needs at least 2 units; there are %d.", p.N)
	}
	if err := p.check(); err != nil {
		return adjustable{}, err
	}
	n := float64(p.N - 1)
	return adjustable{
		n: p.N, y: p.MeanY + p.LowY, x: p.MeanX + p.LowX, vy: p.M2Y / n, vx: p.M2X / n, cov: p.CXY / n,
	}, nil
}

// ratioPair linearises both ratios of an arm.
func ratioPair(j JointMoments) (adjustable, error) {
	if j.N < 2 {
		return adjustable{}, refuse(TooFewUnits, "A ratio needs at least 2 units; there are %d.", j.N)
	}
	if err := j.check(); err != nil {
		return adjustable{}, err
	}
	if j.Variables() != 4 {
		return adjustable{}, refuse(InvalidArgument, "An adjusted ratio has 4 variables, not %d.", j.Variables())
	}
	if err := j.checkPairs(); err != nil {
		return adjustable{}, err
	}
	d, dPre := j.Mean[1]+j.Low[1], j.Mean[3]+j.Low[3]
	if d == 0 || dPre == 0 {
		return adjustable{}, refuse(ZeroDenominator, "A denominator of the ratio, or of its pre-period, is zero.")
	}
	r, rPre := (j.Mean[0]+j.Low[0])/d, (j.Mean[2]+j.Low[2])/dPre
	residuals, err := j.Combine([]float64{1 / d, -r / d, 0, 0}, []float64{0, 0, 1 / dPre, -rPre / dPre})
	if err != nil {
		return adjustable{}, err
	}
	n := float64(j.N - 1)
	return adjustable{
		n: j.N, y: r, x: rPre, vy: residuals.M2Y / n, vx: residuals.M2X / n, cov: residuals.CXY / n,
	}, nil
}

// slope returns theta by the rules that need no more than the arms.
func slope(rule SlopeRule, control, treatment adjustable) float64 {
	nc, nt := float64(control.n), float64(treatment.n)
	if rule == SlopePerArm {
		// Adjusting each arm with its own slope to the pooled covariate mean is
		// adjusting both with this one.
		return (nc*safeRatio(treatment.cov, treatment.vx) + nt*safeRatio(control.cov, control.vx)) / (nc + nt)
	}
	nc, nt = nc-1, nt-1
	return safeRatio(nc*control.cov+nt*treatment.cov, nc*control.vx+nt*treatment.vx)
}

// safeRatio returns a/b, and 0 for a covariate that does not vary.
func safeRatio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// adjust is an adjusted comparison. growth is the treatment value over control's
// in the variance on the fraction scale: GrowthBook takes the unadjusted one for
// means and the adjusted one for ratios.
type adjust struct {
	control, treatment adjustable
	theta              float64
	growth             float64
	floored            bool
}

// variance returns the variance per unit of a*y - b*x.
func (a adjustable) variance(wy, wx float64) float64 {
	return math.Max(0, wy*wy*a.vy-2*wy*wx*a.cov+wx*wx*a.vx)
}

func (a adjustable) arm(value, variance float64) Arm {
	return Arm{N: a.n, Value: value, Variance: variance}
}

func (a adjust) effect(scale Scale) (AdjustedEffect, error) {
	c, t := a.control, a.treatment
	plainC, plainT := c.arm(c.y, c.vy), t.arm(t.y, t.vy)
	adjustedC := c.arm(c.y-a.theta*c.x, c.variance(1, a.theta))
	adjustedT := t.arm(t.y-a.theta*t.x, t.variance(1, a.theta))
	var plain, e Effect
	var err error
	switch scale {
	case Absolute:
		if plain, err = Difference(plainC, plainT); err == nil {
			e, err = Difference(adjustedC, adjustedT)
		}
	case Fraction:
		if plain, err = FractionLift(plainC, plainT); err == nil {
			e, err = a.fraction(adjustedC, adjustedT, plain.FiellerG)
		}
	case LogRatio:
		if plain, err = LogLift(plainC, plainT); err == nil {
			e, err = a.logRatio(plain.FiellerG)
		}
	default:
		err = refuse(InvalidArgument, "There is no scale %q.", string(scale))
	}
	if err == nil && a.floored {
		plain, e = a.floor(plain, 0), a.floor(e, a.theta)
		err = e.check()
	}
	if err != nil {
		return AdjustedEffect{}, err
	}
	out := AdjustedEffect{Effect: e, Theta: a.theta, Reduction: 1 - e.Variance/plain.Variance}
	if !finite(out.Theta, out.Reduction, out.FiellerG) {
		return AdjustedEffect{}, refuse(NonFinite, "The adjustment left the range of floating-point numbers.")
	}
	return out, nil
}

// floor returns the effect with a variance of at least that of both arms pooled,
// when units are adjusted by theta: relative to the mean of their arm on the
// log-ratio scale, as FlooredLogLift does, and to control's on the fraction scale.
func (a adjust) floor(e Effect, theta float64) Effect {
	c, t := a.control, a.treatment
	unit := func(arm adjustable) float64 {
		switch e.Scale {
		case LogRatio:
			return arm.variance(1/arm.y, theta/arm.y)
		case Fraction:
			return arm.variance(1/c.y, theta/c.y)
		case Absolute:
		}
		return arm.variance(1, theta)
	}
	e.Variance = max(e.Variance, pooledError(Arm{N: c.n}, Arm{N: t.n}, unit(c), unit(t)))
	return e
}

// fraction divides the adjusted difference by the unadjusted control value u,
// whose covariance with the adjusted one enters the control's variance.
func (a adjust) fraction(adjustedC, adjustedT Arm, g float64) (Effect, error) {
	if err := checkArms(adjustedC, adjustedT); err != nil {
		return Effect{}, err
	}
	base := math.Abs(a.control.y)
	control := a.control.variance(a.growth, a.theta) / float64(a.control.n)
	e := Effect{
		Estimate: (adjustedT.Value - adjustedC.Value) / base,
		Variance: (adjustedT.SquaredError() + control) / base / base,
		DF:       welchDF(adjustedC.SquaredError(), adjustedC.N, adjustedT.SquaredError(), adjustedT.N),
		N:        adjustedC.N + adjustedT.N,
		Scale:    Fraction,
		FiellerG: g,
	}
	return e, e.check()
}

// logRatio is ln A_t - ln A_c with A = y - theta (x - X) and X the mean of x over
// both arms, whose own uncertainty is carried along.
func (a adjust) logRatio(g float64) (Effect, error) {
	c, t := a.control, a.treatment
	nc, nt := float64(c.n), float64(t.n)
	wc, wt := nc/(nc+nt), nt/(nc+nt)
	pooled := wc*c.x + wt*t.x
	ac, at := c.y-a.theta*(c.x-pooled), t.y-a.theta*(t.x-pooled)
	if ac <= 0 || at <= 0 {
		return Effect{}, refuse(NonPositiveBaseline,
			"A relative effect needs positive values; adjusted, control is %v and treatment %v.", ac, at)
	}
	// Derivatives by each arm's x: of ln A_c, -theta (1-wc)/A_c and theta wt/A_c,
	// and likewise for A_t.
	va := c.variance(1/ac, a.theta*(wt/ac+wc/at)) / nc
	vb := t.variance(1/at, a.theta*(wc/at+wt/ac)) / nt
	if va == 0 && vb == 0 {
		return Effect{}, refuse(ZeroVariance, "Nothing varies after adjustment, so the uncertainty of the effect is unknown.")
	}
	e := Effect{
		Estimate: logRatio(at, ac), Variance: va + vb, DF: welchDF(va, c.n, vb, t.n), N: c.n + t.n,
		Scale: LogRatio, FiellerG: g,
	}
	return e, e.check()
}
