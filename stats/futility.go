package stats

import "math"

// Futility is when a group-sequential plan advises to give up: a second spending
// function, of the error to miss an effect that is there (Pampallona, Tsiatis and
// Kim 2001). The advice is not binding. Bounds are computed as if it was never
// followed, so that alpha holds whether one follows it or goes on.
type Futility struct {
	Kind  GSTKind `json:"kind"` // a spending function
	Beta  float64 `json:"beta"` // one minus the power
	Shape float64 `json:"shape,omitempty"`
}

// GSTFutility is a solved Futility.
type GSTFutility struct {
	// Z is where to give up at each look: a one-sided plan when z is at or below
	// it, a two-sided one when |z| is. It is -Inf, or 0 for two sides, where a look
	// cannot give up, and the efficacy bound at the last look.
	Z         []float64
	BetaSpent []float64 // cumulative, at Drift
	// Drift is the mean of z at full information with which the plan, when its
	// advice is followed, finds an effect with the power 1-Beta.
	Drift float64
}

// Futility solves for the futility bounds that belong to the efficacy bounds of
// the plan. It refuses as Bounds does, and with InvalidArgument for bounds of
// another plan, a kind that is no spending function or a beta out of (0, 1), and
// NoSolution when no effect has the power.
func (g GroupSequential) Futility(bounds GSTBounds, f Futility) (GSTFutility, error) {
	if err := g.checkBounds(bounds, 0); err != nil {
		return GSTFutility{}, err
	}
	if err := checkProbability("beta", f.Beta); err != nil {
		return GSTFutility{}, err
	}
	if !f.Kind.spends() {
		return GSTFutility{}, refuse(InvalidArgument, "Futility needs a spending function, not %q.", string(f.Kind))
	}
	if err := f.Kind.check(f.Shape); err != nil {
		return GSTFutility{}, err
	}
	// Without advice the power is reached at a smaller drift.
	low, err := g.DriftFor(bounds, 1-f.Beta)
	if err != nil {
		return GSTFutility{}, err
	}
	missed := func(drift float64) float64 {
		z, _ := g.giveUp(bounds, f, drift)
		return math.Log(1-g.operate(bounds, z, drift).Power()) - math.Log(f.Beta)
	}
	high := low
	for missed(high) > 0 {
		if high += 0.5; high > low+mostFutileDrift {
			return GSTFutility{}, refuse(NoSolution, "No effect reaches a power of %v when the advice to give up is followed.", 1-f.Beta)
		}
	}
	out := GSTFutility{Drift: low}
	if high > low {
		out.Drift = brent(missed, low, high)
	}
	out.Z, out.BetaSpent = g.giveUp(bounds, f, out.Drift)
	return out, nil
}

// mostFutileDrift bounds what giving up may cost: it adds some tenths to the
// drift in usual plans.
const mostFutileDrift = 20

// giveUp returns the futility bounds that spend f at a drift, and what they spend.
func (g GroupSequential) giveUp(bounds GSTBounds, f Futility, drift float64) (z, spent []float64) {
	walk := newGSTWalk(drift)
	total, last := 0.0, 0.0
	for k, t := range g.Information {
		if k > 0 && t <= last {
			z, spent = append(z, z[k-1]), append(spent, spent[k-1])
			continue
		}
		step := walk.to(t)
		wedge := g.noWedge()
		if k == len(g.Information)-1 {
			wedge = bounds.Z[k]
		} else if due := spend(f.Kind, f.Shape, f.Beta, t) - total; due > leastFutility {
			wedge = g.futileBound(step, due, bounds.Z[k])
		}
		total += g.futile(step, wedge)
		z, spent = append(z, wedge), append(spent, total)
		walk = step.stay(g.next(k), g.going(bounds.Z[k], wedge)...)
		last = t
	}
	return z, spent
}

// leastFutility is the smallest probability to give up that is worth a bound.
const leastFutility = 1e-12

// futileBound returns the bound, at most the efficacy bound, below which the walk
// is with the given probability.
func (g GroupSequential) futileBound(step gstStep, probability, efficacy float64) float64 {
	low := 0.0
	if !g.TwoSided {
		low = step.from.drift*math.Sqrt(step.time) - gstFarReach
	}
	high := math.Min(efficacy, step.from.drift*math.Sqrt(step.time)+gstFarReach)
	excess := func(z float64) float64 { return math.Log(g.futile(step, z)) - math.Log(probability) }
	if !(high > low) || excess(high) <= 0 {
		return high
	}
	// A logarithm of zero is no number to interpolate with: begin where there is
	// some probability.
	for middle := low + (high-low)/2; math.IsInf(excess(low), -1); middle = low + (high-low)/2 {
		if excess(middle) >= 0 {
			return bisect(func(z float64) bool { return excess(z) >= 0 }, low, middle)
		}
		low = middle
	}
	return brent(excess, low, high)
}

// futile returns the probability of the step to give up at the bound.
func (g GroupSequential) futile(step gstStep, z float64) float64 {
	if !g.TwoSided {
		return step.below(z)
	}
	if z <= 0 {
		return 0
	}
	return math.Max(0, step.below(z)-step.below(-z))
}

// noWedge is the futility bound of a look that cannot give up.
func (g GroupSequential) noWedge() float64 {
	if g.TwoSided {
		return 0
	}
	return math.Inf(-1)
}

// going returns where the trial goes on between the bounds of a look.
func (g GroupSequential) going(efficacy, futility float64) []gstRange {
	if !g.TwoSided {
		return []gstRange{{futility, efficacy}}
	}
	if futility <= 0 {
		return []gstRange{{-efficacy, efficacy}}
	}
	return []gstRange{{-efficacy, -futility}, {futility, efficacy}}
}

// OperateFutility follows the plan as Operate does and gives up where advised. At
// drift 0 the sum of Upper and Lower is then below alpha: what is not spent is the
// price of an advice that may be ignored. It refuses as Operate does.
func (g GroupSequential) OperateFutility(bounds GSTBounds, futility GSTFutility, drift float64) (GSTOperation, error) {
	if err := g.checkBounds(bounds, drift); err != nil {
		return GSTOperation{}, err
	}
	if len(futility.Z) != len(g.Information) {
		return GSTOperation{}, refuse(InvalidArgument, "There are %d futility bounds for %d looks.", len(futility.Z), len(g.Information))
	}
	return g.operate(bounds, futility.Z, drift), nil
}
