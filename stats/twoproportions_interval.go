package stats

import "math"

// TwoProportionMethod is a way to make an interval for the difference or the
// ratio of two proportions.
type TwoProportionMethod string

// The intervals of TwoProportions. Wald, AgrestiCaffo, Newcombe and
// ScoreStatsmodels are for differences, Katz and Walter for ratios, Score for
// both.
const (
	// Wald is the normal interval with the unpooled variance; for large counts.
	Wald TwoProportionMethod = "wald"
	// AgrestiCaffo is Wald's after one success and one failure more in each arm.
	AgrestiCaffo TwoProportionMethod = "agresti_caffo"
	// Newcombe combines the Wilson intervals of the two arms (Newcombe 1998, method 10).
	Newcombe TwoProportionMethod = "newcombe"
	// Score inverts the score test with restricted maximum-likelihood shares and
	// the variance factor N/(N-1) (Miettinen and Nurminen 1985). The most
	// reliable at small counts.
	Score TwoProportionMethod = "score"
	// ScoreStatsmodels is Score for a difference as statsmodels 0.13 computes it:
	// its cubic has the successes of control where Miettinen and Nurminen have
	// its trials, so the restricted shares are not the likeliest ones. For
	// checking numbers against it only.
	ScoreStatsmodels TwoProportionMethod = "score_statsmodels"
	// Katz is the normal interval of the logarithm of the ratio; it needs a
	// success in each arm.
	Katz TwoProportionMethod = "katz"
	// Walter is Katz's after half a success and half a trial more in each arm.
	Walter TwoProportionMethod = "walter"
)

// DifferenceInterval returns the interval of p_t - p_c at a confidence level. It
// refuses with InvalidArgument.
func (t TwoProportions) DifferenceInterval(method TwoProportionMethod, level float64) (Interval, error) {
	z, err := t.intervalZ(level)
	if err != nil {
		return Interval{}, err
	}
	switch method {
	case Wald:
		return around(t.difference(), z*t.waldError()), nil
	case AgrestiCaffo:
		pc, pt := (float64(t.Control.Successes)+1)/(t.nc()+2), (float64(t.Treatment.Successes)+1)/(t.nt()+2)
		se := math.Sqrt(pt*(1-pt)/(t.nt()+2) + pc*(1-pc)/(t.nc()+2))
		return around(pt-pc, z*se), nil
	case Newcombe:
		c, err := t.Control.Interval(Wilson, level)
		if err != nil {
			return Interval{}, err
		}
		w, err := t.Treatment.Interval(Wilson, level)
		if err != nil {
			return Interval{}, err
		}
		pc, pt := t.Control.share(), t.Treatment.share()
		return Interval{
			Lower: pt - pc - math.Hypot(pt-w.Lower, c.Upper-pc),
			Upper: pt - pc + math.Hypot(w.Upper-pt, pc-c.Lower),
			Scale: Absolute,
		}, nil
	case Score:
		return t.differenceScoreInterval(z, t.nc()), nil
	case ScoreStatsmodels:
		return t.differenceScoreInterval(z, float64(t.Control.Successes)), nil
	case Katz, Walter:
	}
	return Interval{}, refuse(InvalidArgument, "There is no interval method %q for a difference.", string(method))
}

// RatioInterval returns the interval of p_t/p_c at a confidence level; its Scale
// is empty, since it is a plain ratio. The upper end of Score is infinite when
// control has no success. It refuses with InvalidArgument, and Katz with
// ZeroDenominator when an arm has no success.
func (t TwoProportions) RatioInterval(method TwoProportionMethod, level float64) (Interval, error) {
	z, err := t.intervalZ(level)
	if err != nil {
		return Interval{}, err
	}
	switch method {
	case Katz:
		if t.Control.Successes == 0 || t.Treatment.Successes == 0 {
			return Interval{}, refuse(ZeroDenominator, "An arm has no success, so the logarithm of the ratio does not exist.")
		}
		return t.logInterval(z, 0), nil
	case Walter:
		return t.logInterval(z, 0.5), nil
	case Score:
		return t.ratioScoreInterval(z), nil
	case Wald, AgrestiCaffo, Newcombe, ScoreStatsmodels:
	}
	return Interval{}, refuse(InvalidArgument, "There is no interval method %q for a ratio.", string(method))
}

func (t TwoProportions) intervalZ(level float64) (float64, error) {
	if err := checkProbability("confidence level", level); err != nil {
		return 0, err
	}
	return -Normal{}.Quantile((1 - level) / 2), t.check()
}

func around(centre, radius float64) Interval {
	return Interval{Lower: centre - radius, Upper: centre + radius, Scale: Absolute}
}

// logInterval is the normal interval of ln(p_t/p_c) after adding the same
// number to successes and trials.
func (t TwoProportions) logInterval(z, add float64) Interval {
	xc, xt := float64(t.Control.Successes)+add, float64(t.Treatment.Successes)+add
	nc, nt := t.nc()+add, t.nt()+add
	ratio := xt / nt / (xc / nc)
	reach := math.Exp(z * math.Sqrt(max(0, 1/xt-1/nt+1/xc-1/nc)))
	return Interval{Lower: ratio / reach, Upper: ratio * reach}
}

// differenceScoreInterval inverts the score test of p_t - p_c = d; see
// restrictedShare for trials.
func (t TwoProportions) differenceScoreInterval(z, trials float64) Interval {
	shares := restrictedShares{
		xc: float64(t.Control.Successes), nc: t.nc(), xt: float64(t.Treatment.Successes), nt: t.nt(), trials: trials,
	}
	// The statistic falls in d. Where it does not exist, far from the estimate,
	// it counts as beyond z.
	score := func(d float64) float64 {
		pc := shares.control(d)
		pt := pc + d
		return t.scoreStatistic(t.difference()-d, pt*(1-pt)/t.nt()+pc*(1-pc)/t.nc())
	}
	return Interval{
		Lower: bisect(func(d float64) bool { return score(d) < z }, -1, t.difference()),
		Upper: bisect(func(d float64) bool { return !(score(d) > -z) }, t.difference(), 1),
		Scale: Absolute,
	}
}

// scoreStatistic applies the factor N/(N-1); at a degenerate variance it keeps
// the sign.
func (t TwoProportions) scoreStatistic(gap, variance float64) float64 {
	n := t.nc() + t.nt()
	if variance *= n / (n - 1); variance <= 0 {
		if gap == 0 {
			return 0
		}
		return math.Copysign(math.Inf(1), gap)
	}
	return gap / math.Sqrt(variance)
}

// restrictedShares finds the likeliest shares of two arms whose difference is
// given, from successes and trials that need not be whole.
type restrictedShares struct {
	xc, nc, xt, nt float64
	trials         float64 // nc, but for ScoreStatsmodels
}

// control returns the share of control when treatment's is d larger: the root
// of the cubic of Miettinen and Nurminen 1985 in trigonometric form.
func (r restrictedShares) control(d float64) float64 {
	n, x := r.nc+r.nt, r.xc+r.xt
	l2 := ((r.nt+2*r.nc)*d - n - x) / n
	l1 := ((r.trials*d-n-2*r.xc)*d + x) / n
	l0 := r.xc * d * (1 - d) / n
	q := l2*l2*l2/27 - l1*l2/6 + l0/2
	p := math.Copysign(math.Sqrt(max(0, l2*l2/9-l1/3)), q)
	cosine := 0.0
	if p != 0 {
		cosine = min(max(q/(p*p*p), -1), 1)
	}
	share := 2*p*math.Cos((math.Pi+math.Acos(cosine))/3) - l2/3
	return min(max(share, max(0, -d)), min(1, 1-d))
}

// ratioScoreInterval inverts the score test of p_t = r p_c.
func (t TwoProportions) ratioScoreInterval(z float64) Interval {
	score := func(logRatio float64) float64 { return t.ratioScore(math.Exp(logRatio)) }
	interval := Interval{Lower: 0, Upper: math.Inf(1)}
	centre := math.Log((float64(t.Treatment.Successes)+0.5)/(t.nt()+0.5)) -
		math.Log((float64(t.Control.Successes)+0.5)/(t.nc()+0.5))
	const farLog = 700 // exp(700) is near the end of float64
	if t.Treatment.Successes > 0 {
		interval.Lower = math.Exp(bisect(func(l float64) bool { return score(l) < z }, centre-farLog, centre+farLog))
	}
	if t.Control.Successes > 0 {
		interval.Upper = math.Exp(bisect(func(l float64) bool { return score(l) <= -z }, centre-farLog, centre+farLog))
	}
	return interval
}

// farRatio is a ratio whose square is still a float64. Beyond it the score statistic
// is at its limit.
const farRatio = 1e150

// ratioScore returns the score statistic of p_t = ratio * p_c; it falls in ratio, to
// minus infinity, or to zero when control has no success.
func (t TwoProportions) ratioScore(ratio float64) float64 {
	xc, xt := float64(t.Control.Successes), float64(t.Treatment.Successes)
	if ratio > farRatio {
		if xc == 0 {
			return 0
		}
		return math.Inf(-1)
	}
	// The restricted share of control solves a p^2 + b p + c = 0; this form of
	// the smaller root does not cancel.
	a := (t.nc() + t.nt()) * ratio
	b := -(t.nt()*ratio + xt + t.nc() + xc*ratio)
	c := xc + xt
	pc := 2 * c / (-b + math.Sqrt(max(0, b*b-4*a*c)))
	pt := min(ratio*pc, 1)
	return t.scoreStatistic(t.Treatment.share()-ratio*t.Control.share(),
		pt*(1-pt)/t.nt()+ratio*ratio*pc*(1-pc)/t.nc())
}
