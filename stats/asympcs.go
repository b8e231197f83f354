package stats

import "math"

// AsympCS is the asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha,
// Kennedy and Ramdas 2024, theorem 2.2), the same normal mixture as that of
// Robbins, of Johari et al. and of Howard et al. with the tuning that needs no
// knowledge of the variance.
//
// Validity: exact for independent normal units of known variance; otherwise
// asymptotic, by a central limit theorem that is uniform over time, hence the
// burn-in that Ready checks. NOpt is the number of units of both arms for which
// the interval is tightest, and must be fixed before the data: take it from the
// plan. At NOpt the interval is 1.55 times as wide as the fixed 95 % one, at a
// tenth or a hundredfold of it 1.95 and 1.82 times.
type AsympCS struct {
	Alpha float64 `json:"alpha"` // total error probability over all looks
	NOpt  int64   `json:"n_opt"`
	// Approximate tunes by -2 ln alpha + ln(1 - 2 ln alpha), the leading terms of
	// Lambert's function, as GrowthBook and Eppo do. The width is practically equal.
	Approximate bool `json:"approximate,omitempty"`
}

// TwoSided returns the interval estimate -/+ sqrt(V 2(k+1)/k ln(sqrt(k+1)/alpha))
// with k = N rho^2, and the e-value
// ln E = -ln(k+1)/2 + k/(2(k+1)) est^2/V. It refuses with InvalidArgument for
// Alpha outside (0, 1) or NOpt below 1, and as Welch does for the effect.
func (a AsympCS) TwoSided(e Effect) (Sequence, error) {
	k, err := a.mixture(e, a.Alpha)
	if err != nil {
		return Sequence{}, err
	}
	return normalMixture{k: k}.twoSided(e, a.Alpha)
}

// OneSided returns the e-value against "no effect, or one to the other side" and
// the bound that follows from it: for Greater the effect is above Lower at all
// looks with probability 1-alpha, and Upper is infinite; for Less the mirror
// image. The mixture is normal truncated to the side (Howard, Ramdas, McAuliffe
// and Sekhon 2021, one-sided normal mixture), tuned with 2 alpha in place of
// alpha; the bound is its exact inversion. It refuses as TwoSided does, and with
// InvalidArgument for an unknown side.
func (a AsympCS) OneSided(e Effect, side Side) (Sequence, error) {
	if err := side.check(); err != nil {
		return Sequence{}, err
	}
	k, err := a.mixture(e, 2*a.Alpha)
	if err != nil {
		return Sequence{}, err
	}
	mixture := halfNormalMixture{k: k}
	se := e.SE()
	logE := mixture.logE(side.sign() * e.Estimate / se)
	radius := se * mixture.bound(-math.Log(a.Alpha))
	return newSequence(side.interval(e, radius), e.Estimate, logE, e.Estimate-radius, e.Estimate+radius)
}

// OneSidedClosed returns the bound of OneSided in the closed form
// sqrt(V 2(k+1)/k ln(1 + sqrt(k+1)/(2 alpha))), a little wider, that GrowthBook
// uses (equation 134 of the paper). It refuses as OneSided does.
func (a AsympCS) OneSidedClosed(e Effect, side Side) (Interval, error) {
	if err := side.check(); err != nil {
		return Interval{}, err
	}
	k, err := a.mixture(e, 2*a.Alpha)
	if err != nil {
		return Interval{}, err
	}
	radius := math.Sqrt(e.Variance * 2 * (k + 1) / k * math.Log1p(math.Sqrt(k+1)/(2*a.Alpha)))
	if !finite(e.Estimate-radius, e.Estimate+radius) {
		return Interval{}, refuse(NonFinite, "The confidence sequence left the range of floating-point numbers.")
	}
	return side.interval(e, radius), nil
}

// Rho2 returns the tuning of the two-sided sequence: (-W_{-1}(-alpha^2/e)-1)/NOpt
// with the lower branch of Lambert's function, or its approximation. It refuses
// as TwoSided does for the settings.
func (a AsympCS) Rho2() (float64, error) {
	if err := a.check(); err != nil {
		return 0, err
	}
	return a.tuning(a.Alpha) / float64(a.NOpt), nil
}

// mixture returns k = N rho^2 with rho tuned at the level alpha.
func (a AsympCS) mixture(e Effect, alpha float64) (float64, error) {
	if err := a.check(); err != nil {
		return 0, err
	}
	if err := e.check(); err != nil {
		return 0, err
	}
	return float64(e.N) * (a.tuning(alpha) / float64(a.NOpt)), nil
}

// maxTuningAlpha keeps 2 alpha of a one-sided question below 1, where the
// tuning has no solution; at such levels no tuning matters.
const maxTuningAlpha = 0.99

// tuning returns rho^2 NOpt.
func (a AsympCS) tuning(alpha float64) float64 {
	alpha = min(alpha, maxTuningAlpha)
	if a.Approximate {
		doubled := -2 * math.Log(alpha)
		return doubled + math.Log1p(doubled)
	}
	return lambertTuning(alpha)
}

func (a AsympCS) check() error {
	if err := checkProbability("alpha", a.Alpha); err != nil {
		return err
	}
	if a.NOpt < 1 {
		return refuse(InvalidArgument, "The planned number of units must be at least 1; it is %d.", a.NOpt)
	}
	return nil
}

// lambertTuning returns u = -W_{-1}(-alpha^2/e) - 1, the solution of
// u - ln(1+u) = 2 ln(1/alpha), for alpha in (0, 1).
func lambertTuning(alpha float64) float64 {
	c := -2 * math.Log(alpha)
	u := c + math.Log1p(c+math.Log1p(c+math.Sqrt(2*c))) // two steps of the fixed point from above the root
	for range newtonSteps {
		step := (-log1pmx(u) - c) * (1 + u) / u
		u -= step
		if math.Abs(step) <= newtonSettled*u {
			break
		}
	}
	return u
}

// newtonSteps bounds the Newton iterations of this package. All start where
// convergence is monotone and quadratic; none is known to need 20.
const newtonSteps = 60

// LyapunovCS is the asymptotic confidence sequence whose tuning Rho2 is in units
// of the metric, so that it stays valid when the variance of units drifts over
// time (Waudby-Smith et al. 2024, Lyapunov version).
type LyapunovCS struct {
	Alpha float64
	Rho2  float64
}

// TwoSided returns estimate -/+ sqrt(2(N s2 r+1)/(N^2 r) ln(sqrt(N s2 r+1)/alpha))
// with s2 = N V the variance of a unit and r = Rho2. It refuses as
// AsympCS.TwoSided does.
func (l LyapunovCS) TwoSided(e Effect) (Sequence, error) {
	if err := checkProbability("alpha", l.Alpha); err != nil {
		return Sequence{}, err
	}
	if err := checkPositive("tuning", l.Rho2); err != nil {
		return Sequence{}, err
	}
	if err := e.check(); err != nil {
		return Sequence{}, err
	}
	n := float64(e.N)
	return normalMixture{k: n * n * e.Variance * l.Rho2}.twoSided(e, l.Alpha)
}

// IteratedLogarithmCS returns the asymptotic confidence sequence that shrinks at
// the rate of the law of the iterated logarithm,
// estimate -/+ sqrt(N V) 1.7 sqrt((ln ln(2N) + 0.72 ln(10.4/alpha))/N), tuned to
// no sample size. It refuses as AsympCS.TwoSided does.
func IteratedLogarithmCS(e Effect, alpha float64) (Interval, error) {
	if err := checkProbability("alpha", alpha); err != nil {
		return Interval{}, err
	}
	if err := e.check(); err != nil {
		return Interval{}, err
	}
	radius := e.SE() * 1.7 * math.Sqrt(math.Log(math.Log(2*float64(e.N)))+0.72*(math.Log(10.4)-math.Log(alpha)))
	i := e.around(radius)
	if !finite(i.Lower, i.Upper) {
		return Interval{}, refuse(NonFinite, "The confidence sequence left the range of floating-point numbers.")
	}
	return i, nil
}
