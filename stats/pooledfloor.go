package stats

import "math"

// FlooredDifference compares two arms as Difference does, with a variance that is
// at least the pooled one, v (1/n_c+1/n_t) with v the variance of a unit in both
// arms together.
//
// In arms of equal size the two are the same. When one arm is small and values are
// skew (minutes, money), its own variance is too small exactly when its mean is too
// small, because both wait for the same rare large values: at nine to one and a
// lognormal of sigma 2, a nominal 5 % was measured at 20 %, and 13 % at a single
// look. The larger arm knows the variance, unless treatment changed it; where the
// small arm's is truly lower the interval is merely wider than it need be. Use it
// for arms of unequal size. It refuses as Difference does.
func FlooredDifference(control, treatment Arm) (Effect, error) {
	e, err := Difference(control, treatment)
	if err != nil {
		return Effect{}, err
	}
	e.Variance = max(e.Variance, pooledError(control, treatment, control.Variance, treatment.Variance))
	return e, e.check()
}

// FlooredLogLift compares two arms as LogLift does, with a variance that is at least
// the pooled one of values relative to the mean of their arm; see
// FlooredDifference. It refuses as LogLift does.
func FlooredLogLift(control, treatment Arm) (Effect, error) {
	e, err := LogLift(control, treatment)
	if err != nil {
		return Effect{}, err
	}
	relative := func(a Arm) float64 { return a.Variance / (a.Value * a.Value) }
	e.Variance = max(e.Variance, pooledError(control, treatment, relative(control), relative(treatment)))
	return e, e.check()
}

// pooledError returns the squared standard error of a difference whose units have
// the same variance in both arms.
func pooledError(control, treatment Arm, vc, vt float64) float64 {
	nc, nt := float64(control.N), float64(treatment.N)
	weight := (nc - 1) / (nc + nt - 2)
	pooled := weight*vc + (1-weight)*vt
	if math.IsInf(pooled, 0) {
		return 0 // Welch's is larger than any floor, or refused
	}
	return pooled * (1/nc + 1/nt)
}
