package stats

import "math"

// exactTest is a discrete unimodal distribution on the whole numbers low..high
// for tests that sum the probabilities of outcomes.
type exactTest struct {
	low, high, mode int64
	logPMF          func(k int64) float64
	odds            func(k int64) float64 // PMF(k+1)/PMF(k)
}

// tieSlack is how much likelier than the observed outcome another one may be
// and still count as "no more likely"; R's fisher.test and binom.test use it
// against rounding.
const tieSlack = 1e-7

// twoSided returns ln of the probability of all outcomes no more likely than x.
func (e exactTest) twoSided(x int64) float64 {
	logX := e.logPMF(x)
	limit := logX + math.Log1p(tieSlack)
	if e.logPMF(e.mode) <= limit {
		return 0
	}
	rising := x < e.mode // x lies on the lower side
	logP := e.tail(x, rising)
	if other, ok := e.opposite(rising, limit); ok {
		logP = logSum(logP, e.tail(other, !rising))
	}
	return min(0, logP)
}

// opposite returns the outcome nearest to the mode, on the other side of it,
// whose log-probability is at most limit. ok is false when there is none.
func (e exactTest) opposite(rising bool, limit float64) (k int64, ok bool) {
	near, far := e.mode, e.low
	if rising {
		far = e.high
	}
	if e.logPMF(far) > limit {
		return 0, false
	}
	for near-far > 1 || far-near > 1 { // PMF(near) > limit >= PMF(far)
		middle := near + (far-near)/2
		if e.logPMF(middle) > limit {
			near = middle
		} else {
			far = middle
		}
	}
	return far, true
}

// tail returns ln of the probability of x and of everything beyond it, down for
// the lower side and up for the upper.
func (e exactTest) tail(x int64, lower bool) float64 {
	sum, term := 1.0, 1.0
	for k := x; term > 1e-18*sum; {
		if lower {
			if k--; k < e.low {
				break
			}
			term /= e.odds(k)
		} else {
			if k >= e.high {
				break
			}
			term *= e.odds(k)
			k++
		}
		sum += term
	}
	return e.logPMF(x) + math.Log(sum)
}

// logBinomial returns ln of the binomial probability of k out of n at share p,
// q = 1-p, by the saddle-point form of Loader 2000.
func logBinomial(k, n, p, q float64) float64 {
	switch {
	case k == 0 && q >= 0.5:
		return n * math.Log1p(-p)
	case k == 0:
		return n * math.Log(q)
	case k == n:
		return logBinomial(0, n, q, p)
	}
	rest := n - k
	deviance := k*logRatioExcess(n*p, k, n*p-k) + rest*logRatioExcess(n*q, rest, k-n*p)
	return deviance + stirlingError(n) - stirlingError(k) - stirlingError(rest) -
		halfLog2Pi - (math.Log(k)+math.Log(rest)-math.Log(n))/2
}

// hypergeometric counts the marked items among those drawn without replacement.
type hypergeometric struct{ marked, unmarked, drawn int64 }

func (h hypergeometric) exact() exactTest {
	marked, unmarked, drawn := float64(h.marked), float64(h.unmarked), float64(h.drawn)
	all := marked + unmarked
	p, q := drawn/all, (all-drawn)/all
	low, high := max(0, h.drawn-h.unmarked), min(h.drawn, h.marked)
	mode := int64(math.Floor((drawn + 1) / (all + 2) * (marked + 1)))
	return exactTest{
		low: low, high: high, mode: min(max(mode, low), high),
		logPMF: func(k int64) float64 {
			if h.drawn == 0 || q == 0 {
				return 0
			}
			x := float64(k)
			return logBinomial(x, marked, p, q) + logBinomial(drawn-x, unmarked, p, q) - logBinomial(drawn, all, p, q)
		},
		odds: func(k int64) float64 {
			x := float64(k)
			return (marked - x) / (x + 1) * ((drawn - x) / (unmarked - drawn + x + 1))
		},
	}
}

// binomial counts successes of independent trials with share p, q = 1-p.
type binomial struct {
	trials int64
	p, q   float64
}

func (b binomial) exact() exactTest {
	n := float64(b.trials)
	return exactTest{
		low: 0, high: b.trials, mode: min(int64(math.Floor((n+1)*b.p)), b.trials),
		logPMF: func(k int64) float64 { return logBinomial(float64(k), n, b.p, b.q) },
		odds: func(k int64) float64 {
			x := float64(k)
			return (n - x) / (x + 1) * (b.p / b.q)
		},
	}
}
