package stats

import "math"

// Sequence is an anytime-valid result: the interval covers the effect at all
// looks simultaneously with probability 1-alpha, and P is a p-value at every
// look. LogE is the natural logarithm of the e-value against no effect: reject
// when it reaches ln(1/alpha).
type Sequence struct {
	Interval
	Estimate float64 `json:"estimate"`
	LogE     float64 `json:"log_e"`
	P        float64 `json:"p"` // min(1, 1/E) at this look, without a running minimum
}

// AsympCS is the asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha,
// Kennedy and Ramdas 2024, theorem 2.2; also the normal mixture of Robbins,
// Johari et al. and Howard et al.).
//
// Validity: exact for independent normal units of known variance; otherwise
// asymptotic, by a central limit theorem that is uniform over time, hence the
// burn-in that Ready checks. NOpt is the number of units of both arms for which
// the interval is tightest, and must be fixed before the data: take it from the
// plan. At NOpt the interval is 1.55 times as wide as the fixed 95 % one, at a
// tenth or a hundredfold of it 1.97 and 1.82 times.
type AsympCS struct {
	Alpha float64 `json:"alpha"` // total error probability over all looks
	NOpt  int64   `json:"n_opt"`
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
	radius := math.Sqrt(e.Variance * 2 * (k + 1) / k * (math.Log1p(k)/2 - math.Log(a.Alpha)))
	logE := -math.Log1p(k)/2 + k/(2*(k+1))*(e.Estimate*e.Estimate/e.Variance)
	return newSequence(Interval{
		Lower: e.Estimate - radius, Upper: e.Estimate + radius, Scale: e.Scale,
	}, e.Estimate, logE)
}

// OneSided returns the e-value against "no effect or one to the other side" and
// the bound that follows from it: for Greater the effect is above Lower at all
// looks with probability 1-alpha, and Upper is infinite; for Less the mirror
// image. The mixture is normal truncated to the side (Howard, Ramdas, McAuliffe
// and Sekhon 2021, eq. 2.7 with the one-sided normal mixture), tuned with
// 2 alpha in place of alpha; the bound is its exact inversion. It refuses as
// TwoSided does, and with InvalidArgument for an unknown side.
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
	return newSequence(side.interval(e, radius), e.Estimate, logE)
}

// Rho2 returns the exact tuning (-W_{-1}(-alpha^2/e)-1)/NOpt, W_{-1} the lower
// branch of Lambert's function. It refuses as TwoSided does for the settings.
func (a AsympCS) Rho2() (float64, error) {
	if err := a.check(); err != nil {
		return 0, err
	}
	return lambertTuning(a.Alpha) / float64(a.NOpt), nil
}

// mixture returns k = N rho^2 with rho tuned at the level alpha.
func (a AsympCS) mixture(e Effect, alpha float64) (float64, error) {
	if err := a.check(); err != nil {
		return 0, err
	}
	if err := e.check(); err != nil {
		return 0, err
	}
	return float64(e.N) * (lambertTuning(min(alpha, maxTuningAlpha)) / float64(a.NOpt)), nil
}

// maxTuningAlpha keeps 2 alpha of a one-sided question below 1, where the
// tuning has no solution; at such levels no tuning matters.
const maxTuningAlpha = 0.99

func (a AsympCS) check() error {
	if err := checkProbability("alpha", a.Alpha); err != nil {
		return err
	}
	if a.NOpt < 1 {
		return refuse(InvalidArgument, "The planned number of units must be at least 1; it is %d.", a.NOpt)
	}
	return nil
}

func newSequence(i Interval, estimate, logE float64) (Sequence, error) {
	if math.IsNaN(i.Lower) || math.IsNaN(i.Upper) || !finite(logE) {
		return Sequence{}, refuse(NonFinite, "The confidence sequence left the range of floating-point numbers.")
	}
	return Sequence{Interval: i, Estimate: estimate, LogE: logE, P: pOfLogE(logE)}, nil
}

// pOfLogE returns min(1, 1/E).
func pOfLogE(logE float64) float64 { return math.Exp(-max(0, logE)) }

// lambertTuning returns u = -W_{-1}(-alpha^2/e) - 1, the solution of
// u - ln(1+u) = 2 ln(1/alpha), for alpha in (0, 1).
func lambertTuning(alpha float64) float64 {
	c := -2 * math.Log(alpha)
	u := c + math.Sqrt(2*c) // above the root: the function is convex, Newton falls to it
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

// halfNormalMixture is the one-sided normal mixture in units of the standard
// error: for z = estimate/se,
// E(z) = 2/sqrt(1+k) exp(k z^2/(2(k+1))) Phi(z sqrt(k/(k+1))).
type halfNormalMixture struct{ k float64 }

func (m halfNormalMixture) logE(z float64) float64 {
	w := z * math.Sqrt(m.k/(m.k+1))
	return math.Ln2 - math.Log1p(m.k)/2 + w*w/2 + Normal{}.Tails(w).LogCDF
}

// bound returns the z at which logE reaches target. E rises in z, and ln E is
// convex, so Newton from above falls to the root.
func (m halfNormalMixture) bound(target float64) float64 {
	shrink := math.Sqrt(m.k / (m.k + 1))
	goal := target - math.Ln2 + math.Log1p(m.k)/2
	// Phi(w) >= 1/2 for w >= 0 gives the upper start.
	w := math.Sqrt(2 * max(goal+math.Ln2, 0))
	for range newtonSteps {
		logCDF := Normal{}.Tails(w).LogCDF
		value := w*w/2 + logCDF - goal
		slope := w + math.Exp(Normal{}.LogDensity(w)-logCDF)
		w -= value / slope
		if math.Abs(value) <= 1e-14*math.Max(1, math.Abs(goal)) {
			break
		}
	}
	return w / shrink
}
