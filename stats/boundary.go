package stats

import "math"

// The boundaries of this file are those of Howard, Ramdas, McAuliffe and Sekhon
// 2021 (Time-uniform, nonparametric, nonasymptotic confidence sequences). Each
// is for a process S with intrinsic time V (its accumulated variance): with
// probability 1-alpha, S stays below Bound at all times. VOpt and AlphaOpt tune
// where the boundary is tightest and must be fixed before the data. LogMixture
// is ln of the e-value at (s, v).

// mixtureTuning returns the rho with which a mixture is tightest at vOpt.
func mixtureTuning(vOpt, alphaOpt float64, oneSided bool) (float64, error) {
	if err := checkBetween("intrinsic time of the tuning", vOpt, leastTime, mostTime); err != nil {
		return 0, err
	}
	if err := checkProbability("alpha of the tuning", alphaOpt); err != nil {
		return 0, err
	}
	if oneSided {
		alphaOpt = min(2*alphaOpt, maxTuningAlpha)
	}
	doubled := -2 * math.Log(alphaOpt)
	return vOpt / (doubled + math.Log1p(doubled)), nil
}

// Ranges of the numbers of a process. Beyond them the special functions of the
// mixtures take forever or lose their digits, and nobody counts as much.
const (
	leastTime  = 1e-15
	mostTime   = 1e18
	leastScale = 1e-15
	mostScale  = 1e15
)

// checkPoint refuses a process value or an intrinsic time out of domain.
func checkPoint(s, v float64) error {
	if !(math.Abs(s) <= mostTime) {
		return refuse(InvalidArgument, "The value of a process lies within %g; it is %v.", mostTime, s)
	}
	return checkBetween("variance of a process", v, 0, mostTime)
}

// checkBound refuses an intrinsic time or a crossing probability out of domain.
func checkBound(v, alpha float64) error {
	if err := checkPoint(0, v); err != nil {
		return err
	}
	return checkProbability("alpha", alpha)
}

// NormalBoundary is the normal mixture for sub-Gaussian processes, two-sided or
// one-sided.
type NormalBoundary struct {
	VOpt, AlphaOpt float64
	OneSided       bool
}

// LogMixture returns ln(rho/(v+rho))/2 + s^2/(2(v+rho)), and for one side
// ln(4 rho/(v+rho))/2 + s^2/(2(v+rho)) + ln Phi(s/sqrt(v+rho)). It refuses with
// InvalidArgument.
func (b NormalBoundary) LogMixture(s, v float64) (float64, error) {
	rho, err := mixtureTuning(b.VOpt, b.AlphaOpt, b.OneSided)
	if err != nil {
		return 0, err
	}
	if err := checkPoint(s, v); err != nil {
		return 0, err
	}
	w := s / math.Sqrt(v+rho)
	value := w*w/2 - math.Log1p(v/rho)/2
	if b.OneSided {
		value += math.Ln2 + Normal{}.Tails(w).LogCDF
	}
	return ranged("mixture", value)
}

// Bound returns the s > 0 at which LogMixture reaches ln(1/alpha). It refuses
// with InvalidArgument.
func (b NormalBoundary) Bound(v, alpha float64) (float64, error) {
	rho, err := mixtureTuning(b.VOpt, b.AlphaOpt, b.OneSided)
	if err != nil {
		return 0, err
	}
	if err := checkBound(v, alpha); err != nil {
		return 0, err
	}
	goal := math.Log1p(v/rho)/2 - math.Log(alpha)
	if b.OneSided {
		return ranged("bound", math.Sqrt(v+rho)*invertHalfNormal(goal-math.Ln2))
	}
	return ranged("bound", math.Sqrt(v+rho)*math.Sqrt(2*goal))
}

// GammaExponentialBoundary is the gamma mixture for sub-exponential processes
// with scale C: sums of bounded variables with an empirical-Bernstein variance.
type GammaExponentialBoundary struct{ VOpt, C, AlphaOpt float64 }

// LogMixture returns, with a = rho/c^2, b = (v+rho)/c^2 and x = b + s/c,
// ln(a/b)/2 + e(b) - e(a) - b (ln(x/b) - (x-b)/b) + ln P(b,x) - ln P(a,a), where
// e is Stirling's error and P the regularised incomplete gamma function: the
// published form without its cancellations. It refuses with InvalidArgument,
// also for s at or below -(v+rho)/c.
func (g GammaExponentialBoundary) LogMixture(s, v float64) (float64, error) {
	rho, err := scaledTuning(g.VOpt, g.C, g.AlphaOpt)
	if err != nil {
		return 0, err
	}
	if err := checkPoint(s, v); err != nil {
		return 0, err
	}
	a, b := rho/(g.C*g.C), (v+rho)/(g.C*g.C)
	x := b + s/g.C
	if x <= 0 {
		return 0, refuse(InvalidArgument, "The process value %v is below the domain of the mixture.", s)
	}
	return ranged("mixture", math.Log(a/b)/2+stirlingError(b)-stirlingError(a)-b*logRatioExcess(x, b, s/g.C)+
		Gamma{Shape: b}.Tails(x).LogCDF-Gamma{Shape: a}.Tails(a).LogCDF)
}

// Bound returns the s at which LogMixture reaches ln(1/alpha). It refuses with
// InvalidArgument.
func (g GammaExponentialBoundary) Bound(v, alpha float64) (float64, error) {
	return mixtureBound(g.LogMixture, v, alpha)
}

// GammaPoissonBoundary is the gamma mixture for sub-Poisson processes with jumps
// of size C: counts of rare events against their expectation.
type GammaPoissonBoundary struct{ VOpt, C, AlphaOpt float64 }

// LogMixture returns, with a = rho/c^2, b = (v+rho)/c^2 and y = b + s/c,
// ln(a/y)/2 + e(y) - e(a) + b h((y-b)/b) + ln Q(y,b) - ln Q(a,a), where
// h(r) = (1+r) ln(1+r) - r, e is Stirling's error and Q the upper regularised
// incomplete gamma function. It refuses with InvalidArgument, also for s at or
// below -(v+rho)/c.
func (g GammaPoissonBoundary) LogMixture(s, v float64) (float64, error) {
	rho, err := scaledTuning(g.VOpt, g.C, g.AlphaOpt)
	if err != nil {
		return 0, err
	}
	if err := checkPoint(s, v); err != nil {
		return 0, err
	}
	a, b := rho/(g.C*g.C), (v+rho)/(g.C*g.C)
	y := b + s/g.C
	if y <= 0 {
		return 0, refuse(InvalidArgument, "The process value %v is below the domain of the mixture.", s)
	}
	return ranged("mixture", math.Log(a/y)/2+stirlingError(y)-stirlingError(a)+b*poissonExcess(s/g.C/b)+
		Gamma{Shape: y}.Tails(b).LogSF-Gamma{Shape: a}.Tails(a).LogSF)
}

// Bound returns the s at which LogMixture reaches ln(1/alpha). It refuses with
// InvalidArgument.
func (g GammaPoissonBoundary) Bound(v, alpha float64) (float64, error) {
	return mixtureBound(g.LogMixture, v, alpha)
}

// scaledTuning is the one-sided tuning of a mixture with a scale.
func scaledTuning(vOpt, c, alphaOpt float64) (float64, error) {
	if err := checkBetween("scale of the process", c, leastScale, mostScale); err != nil {
		return 0, err
	}
	return mixtureTuning(vOpt, alphaOpt, true)
}

// poissonExcess returns h(r) = (1+r) ln(1+r) - r for r >= -1.
func poissonExcess(r float64) float64 {
	if r <= -1 {
		return 1
	}
	if r < -0.4 || r > 0.6 {
		return (1+r)*math.Log1p(r) - r
	}
	return (1+r)*log1pmx(r) + r*r
}

// mixtureBound solves logMixture(s, v) = ln(1/alpha) for s > 0, where it rises.
func mixtureBound(logMixture func(s, v float64) (float64, error), v, alpha float64) (float64, error) {
	if err := checkBound(v, alpha); err != nil {
		return 0, err
	}
	if _, err := logMixture(0, v); err != nil {
		return 0, err
	}
	goal := -math.Log(alpha)
	reached := func(s float64) bool {
		value, err := logMixture(s, v)
		return err != nil || value >= goal // from 0 on only an overflow refuses
	}
	high := math.Sqrt(v+1) + 1
	for !reached(high) && !math.IsInf(high, 1) {
		high *= 2
	}
	return ranged("bound", bisect(reached, 0, high))
}
