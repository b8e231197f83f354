package stats

import "math"

// Arm is what one arm says about a metric: a point value made of N independent
// units, and the variance that one unit contributes, so that the squared
// standard error of Value is Variance/N. Means, proportions, ratios, adjusted
// means and quantiles all become an Arm; what follows no longer needs to know
// which it was.
type Arm struct {
	N        int64   `json:"n"`
	Value    float64 `json:"value"`
	Variance float64 `json:"variance"` // per unit
}

// SquaredError returns the squared standard error of Value.
func (a Arm) SquaredError() float64 { return a.Variance / float64(a.N) }

// check refuses an arm without a usable value: TooFewUnits, NonFinite, or
// InvalidArgument for a negative variance.
func (a Arm) check() error {
	switch {
	case a.N < 2:
		return refuse(TooFewUnits, "An arm needs at least 2 units; it has %d.", a.N)
	case !finite(a.Value, a.Variance):
		return refuse(NonFinite, "The value of an arm, or its variance, is not a finite number.")
	case a.Variance < 0:
		return refuse(InvalidArgument, "The variance of an arm is negative (%v).", a.Variance)
	}
	return nil
}

// Arm returns the mean with the sample variance M2/(n-1). It refuses with
// TooFewUnits or NonFinite.
func (m Moments) Arm() (Arm, error) {
	variance, ok := m.Variance()
	if !ok {
		return Arm{}, refuse(TooFewUnits, "A mean needs at least 2 units; there are %d.", m.N)
	}
	a := Arm{N: m.N, Value: m.Mean + m.Low, Variance: variance}
	return a, a.check()
}

// Proportion is successes out of trials.
type Proportion struct {
	Successes int64 `json:"successes"`
	Trials    int64 `json:"trials"`
}

// Arm returns the share p with variance p(1-p), the maximum-likelihood one, as
// every experimentation platform shows it. Moments of zeros and ones give
// n/(n-1) times that. It refuses with InvalidArgument or TooFewUnits.
func (p Proportion) Arm() (Arm, error) {
	if err := p.check(); err != nil {
		return Arm{}, err
	}
	share := float64(p.Successes) / float64(p.Trials)
	a := Arm{N: p.Trials, Value: share, Variance: share * (1 - share)}
	return a, a.check()
}

// check refuses counts that are not successes out of at least one trial.
func (p Proportion) check() error {
	if p.Trials < 1 || p.Successes < 0 || p.Successes > p.Trials {
		return refuse(InvalidArgument, "%d successes out of %d trials do not make a proportion.",
			p.Successes, p.Trials)
	}
	return nil
}

// RatioArm returns the ratio of means y/x with the variance of its linearised
// residual, Var(y - R x)/mean_x^2 (the delta method: Deng, Knoblich and Lu
// 2018). The residual form cannot go negative, where the usual sum of three
// terms can. Use it whenever the analysis unit, a session or a minute, is finer
// than the unit that was randomised. It refuses with TooFewUnits,
// ZeroDenominator, NonFinite, or InvalidArgument for moments that contradict one
// another.
func (p PairMoments) RatioArm() (Arm, error) {
	if p.N < 2 {
		return Arm{}, refuse(TooFewUnits, "A ratio needs at least 2 units; there are %d.", p.N)
	}
	if err := p.check(); err != nil {
		return Arm{}, err
	}
	x := p.MeanX + p.LowX
	if x == 0 {
		return Arm{}, refuse(ZeroDenominator, "The denominator of the ratio is zero in every unit, or sums to zero.")
	}
	ratio := (p.MeanY + p.LowY) / x
	residual := p.M2Y - 2*ratio*p.CXY + ratio*ratio*p.M2X
	// Rounding may leave a residual just below zero where y is a multiple of x.
	residual = math.Max(residual, 0)
	a := Arm{N: p.N, Value: ratio, Variance: residual / float64(p.N-1) / (x * x)}
	return a, a.check()
}
