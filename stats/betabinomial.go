package stats

import "math"

// BetaPrior is a beta belief about a share, the same for both arms: 1 and 1 for
// none, 1/2 and 1/2 for Jeffreys'.
type BetaPrior struct{ Alpha, Beta float64 }

// A prior counts as so many observations: not less than a tenth of one, below which
// all shares are almost 0 or almost 1, and no more than anybody has.
const (
	leastPrior = 0.1
	mostPrior  = 1e12
)

// ProportionPosterior is what is believed about two shares after the data.
type ProportionPosterior struct {
	MeanControl, MeanTreatment float64
	ChanceToWin                float64 // that treatment's share is larger
	// The expected share lost by choosing an arm that is the worse one.
	LossChoosingControl, LossChoosingTreatment float64
}

// Posterior returns the exact beta-binomial read-out, by adaptive quadrature to
// 1e-10. It refuses with InvalidArgument.
func (t TwoProportions) Posterior(prior BetaPrior) (ProportionPosterior, error) {
	if err := t.check(); err != nil {
		return ProportionPosterior{}, err
	}
	if err := checkBetween("prior alpha", prior.Alpha, leastPrior, mostPrior); err != nil {
		return ProportionPosterior{}, err
	}
	if err := checkBetween("prior beta", prior.Beta, leastPrior, mostPrior); err != nil {
		return ProportionPosterior{}, err
	}
	c, w := prior.after(t.Control), prior.after(t.Treatment)
	p := ProportionPosterior{MeanControl: c.A / (c.A + c.B), MeanTreatment: w.A / (w.A + w.B)}
	low, high := logitRange(c, w)
	over := func(f func(x, y float64) float64) float64 {
		return adaptive(func(logit float64) float64 { return f(logistic(logit)) }, low, high)
	}
	// P(T > C) = E[P(T > C | C)]. E[(T-C)+] is the integral of P(C < x < T) over x,
	// which on the logit scale has the derivative x(1-x).
	p.ChanceToWin = min(1, over(func(x, y float64) float64 {
		return math.Exp(c.logPrefix(x, y) + w.tails(x, y).LogSF)
	}))
	p.LossChoosingControl = over(func(x, y float64) float64 {
		return x * y * math.Exp(c.tails(x, y).LogCDF+w.tails(x, y).LogSF)
	})
	p.LossChoosingTreatment = over(func(x, y float64) float64 {
		return x * y * math.Exp(w.tails(x, y).LogCDF+c.tails(x, y).LogSF)
	})
	return p, nil
}

func (b BetaPrior) after(p Proportion) Beta {
	return Beta{A: b.Alpha + float64(p.Successes), B: b.Beta + float64(p.Trials-p.Successes)}
}

// logitRange returns logits between which both distributions have all but 1e-16
// of their mass.
func logitRange(a, b Beta) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, d := range []Beta{a, b} {
		mode := math.Log(d.A) - math.Log(d.B)
		density := func(logit float64) float64 { return d.logPrefix(logistic(logit)) }
		top := density(mode)
		width := 1 / math.Sqrt(min(d.A, d.B))
		below := dropPoint(func(v float64) float64 { return density(mode-v) - top }, math.Inf(1), width)
		above := dropPoint(func(v float64) float64 { return density(mode+v) - top }, math.Inf(1), width)
		low, high = min(low, mode-below), max(high, mode+above)
	}
	return low, high
}

// adaptive integrates f over [low, high], halving panels until a panel and its
// halves agree to 1e-11 of the whole.
func adaptive(f func(x float64) float64, low, high float64) float64 {
	const tolerance, deepest = 1e-11, 30
	total := 0.0
	for panel := range 4 { // so that a narrow peak is not missed between the first nodes
		step := (high - low) / 4
		total += integrate(f, low+step*float64(panel), low+step*float64(panel+1))
	}
	var refine func(low, high, whole float64, depth int) float64
	refine = func(low, high, whole float64, depth int) float64 {
		middle := (low + high) / 2
		left, right := integrate(f, low, middle), integrate(f, middle, high)
		if depth == 0 || math.Abs(left+right-whole) <= tolerance*max(math.Abs(total), math.SmallestNonzeroFloat64) {
			return left + right
		}
		total = max(total, left+right) // in case the first look missed the peak
		return refine(low, middle, left, depth-1) + refine(middle, high, right, depth-1)
	}
	return refine(low, high, integrate(f, low, high), deepest)
}
