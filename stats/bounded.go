package stats

import "math"

// BoundedSequence is the confidence sequence of the difference of two means of a
// metric that lies in a known range (a stall ratio, a success), exact from the
// first look on: it needs neither a central limit theorem nor a burn-in. It is
// wider than AsympCS, and worth that while counts are small or tails heavy.
//
// It works on what each look adds. With h = n_c n_t/(n_c+n_t) for the new units of
// a look and a bet phi, the empirical-Bernstein inequality of Howard, Ramdas,
// McAuliffe and Sekhon 2021 (theorem 4, for both arms at once) makes
//
//	exp(sum over looks of phi h (difference - delta) - psi(phi h/n_c) V_c - psi(phi h/n_t) V_t)
//
// a supermartingale when delta is the difference of the expectations, with psi(x)
// = -ln(1-x)-x on the unit range, and V the squared deviations from a prediction
// made before the look. The sequence mixes it over bets of both signs. The mean of
// a look may be anything: evenings and big matches leave it valid as long as the
// difference is constant. Units of a look must be new, and their number must not
// depend on their values.
type BoundedSequence struct {
	Alpha        float64
	Lower, Upper float64 // the range of the metric
	// Mean and SD are what the plan expects of the metric, and NOpt the planned
	// units of both arms. Only the width depends on them.
	Mean, SD float64
	NOpt     int64
}

// BoundedLook is the moments of the new units of each arm at a look.
type BoundedLook struct{ Control, Treatment Moments }

// TwoSided returns the estimate (the differences of the looks weighted by h), the
// interval, and the e-value against no difference. Looks that add to one arm only
// are passed over. It refuses with InvalidArgument for the settings and for
// moments that cannot come from values in the range, NonFinite, and TooFewUnits
// while no look has units of both arms.
func (b BoundedSequence) TwoSided(looks []BoundedLook) (Sequence, error) {
	bets, err := b.bets()
	if err != nil {
		return Sequence{}, err
	}
	var seen [2]boundedArm
	weight, weighted := 0.0, 0.0 // of all looks: h and h times the difference, on the unit range
	for _, look := range looks {
		c, err := b.unit(look.Control)
		if err != nil {
			return Sequence{}, err
		}
		t, err := b.unit(look.Treatment)
		if err != nil {
			return Sequence{}, err
		}
		if c.n > 0 && t.n > 0 {
			h := c.n * (t.n / (c.n + t.n))
			weight += h
			weighted += h * (t.mean - c.mean)
			vc, vt := c.deviation(seen[0].predict(b.unitMean())), t.deviation(seen[1].predict(b.unitMean()))
			for i := range bets {
				bets[i].spent += bernsteinCost(bets[i].phi*h/c.n)*vc + bernsteinCost(bets[i].phi*h/t.n)*vt
			}
		}
		seen[0].add(c)
		seen[1].add(t)
	}
	if weight == 0 {
		return Sequence{}, refuse(TooFewUnits, "No look has units of both arms yet.")
	}
	return b.sequence(bets, weight, weighted)
}

// boundedArm is the units of an arm on the unit range.
type boundedArm struct{ n, mean, m2 float64 }

// predict returns the mean that is expected of the next units: the running one,
// with the plan's as one unit.
func (a boundedArm) predict(mean float64) float64 { return (mean + a.n*a.mean) / (1 + a.n) }

// deviation returns the sum of (x - prediction)^2.
func (a boundedArm) deviation(prediction float64) float64 {
	d := a.mean - prediction
	return a.m2 + a.n*d*d
}

func (a *boundedArm) add(o boundedArm) {
	if o.n == 0 {
		return
	}
	a.mean += (o.mean - a.mean) * (o.n / (a.n + o.n))
	a.n += o.n
}

// boundedSlack allows for rounding in moments of values that lie on the ends.
const boundedSlack = 1e-9

// unit moves the moments of a look to the unit range.
func (b BoundedSequence) unit(m Moments) (boundedArm, error) {
	if m.N == 0 {
		return boundedArm{}, nil
	}
	width := b.Upper - b.Lower
	a := boundedArm{n: float64(m.N), mean: (m.Mean - b.Lower + m.Low) / width, m2: m.M2 / (width * width)}
	if !finite(a.mean, a.m2) {
		return boundedArm{}, refuse(NonFinite, "The moments of a look are not finite.")
	}
	// Values in the range have a mean in it and a variance of at most p(1-p).
	if m.N < 0 || a.mean < -boundedSlack || a.mean > 1+boundedSlack ||
		a.m2 < 0 || a.m2 > a.n*(a.mean*(1-a.mean)+boundedSlack) {
		return boundedArm{}, refuse(InvalidArgument, "The moments of a look are not those of values from %v to %v.", b.Lower, b.Upper)
	}
	return a, nil
}

func (b BoundedSequence) unitMean() float64 { return (b.Mean - b.Lower) / (b.Upper - b.Lower) }

// bernsteinCost is psi(|x|) = -ln(1-|x|) - |x|.
func bernsteinCost(x float64) float64 {
	x = math.Abs(x)
	return -log1pmx(-x)
}

// boundedBet is one bet with ln of its prior weight and what it has spent.
type boundedBet struct{ phi, logWeight, spent float64 }

// The prior over bets is normal, as that of AsympCS would be for the plan's
// standard deviation, cut where a bet could lose everything.
const (
	boundedReach  = 3.5
	boundedStep   = 0.25
	boundedMostly = 0.9
)

func (b BoundedSequence) bets() ([]boundedBet, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	sd := b.SD / (b.Upper - b.Lower)
	const evenSplit = 0.25 // h of one unit in all
	spread := math.Sqrt(lambertTuning(b.Alpha)/(float64(b.NOpt)*evenSplit)) / sd
	if limit := boundedMostly / boundedReach; !(spread < limit) {
		spread = limit
	}
	var out []boundedBet
	total := 0.0
	for x := -boundedReach; x <= boundedReach; x += boundedStep {
		out = append(out, boundedBet{phi: x * spread, logWeight: -x * x / 2})
		total += math.Exp(-x * x / 2)
	}
	for i := range out {
		out[i].logWeight -= math.Log(total)
	}
	return out, nil
}

func (b BoundedSequence) check() error {
	if err := checkProbability("alpha", b.Alpha); err != nil {
		return err
	}
	if !finite(b.Lower, b.Upper, b.Upper-b.Lower) || !(b.Lower < b.Upper) || !(b.Mean >= b.Lower && b.Mean <= b.Upper) {
		return refuse(InvalidArgument, "A bounded metric has a range around its mean; they are %v, %v and %v.", b.Lower, b.Mean, b.Upper)
	}
	if b.NOpt < 1 {
		return refuse(InvalidArgument, "The planned number of units must be at least 1; it is %d.", b.NOpt)
	}
	return checkPositive("standard deviation", b.SD)
}

// sequence inverts the mixture, which is convex in delta and least near the
// estimate.
func (b BoundedSequence) sequence(bets []boundedBet, weight, weighted float64) (Sequence, error) {
	logE := func(delta float64) float64 {
		most := math.Inf(-1)
		for _, bet := range bets {
			most = max(most, bet.logWeight+bet.phi*(weighted-weight*delta)-bet.spent)
		}
		sum := 0.0
		for _, bet := range bets {
			sum += math.Exp(bet.logWeight + bet.phi*(weighted-weight*delta) - bet.spent - most)
		}
		return most + math.Log(sum)
	}
	goal := -math.Log(b.Alpha)
	rejected := func(delta float64) bool { return logE(delta) >= goal }
	estimate := weighted / weight
	lower, upper := -1.0, 1.0 // no difference on the unit range is larger
	if rejected(lower) {
		lower = -bisect(func(d float64) bool { return rejected(-d) }, -estimate, -lower)
	}
	if rejected(upper) {
		upper = bisect(rejected, estimate, upper)
	}
	width := b.Upper - b.Lower
	i := Interval{Lower: lower * width, Upper: upper * width, Scale: Absolute}
	return newSequence(i, estimate*width, logE(0), i.Lower, i.Upper, estimate*width)
}
