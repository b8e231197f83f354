package stats

import (
	"math"
	"slices"
)

// GSTOperation is how a group-sequential plan behaves at a given truth.
type GSTOperation struct {
	Upper []float64 // probability to stop at each look by crossing the upper bound
	Lower []float64 // and the lower one; zeros for a one-sided plan
	// Futile is the probability to give up at each look before the last; zeros
	// without futility bounds.
	Futile []float64
	// ExpectedInformation is the mean information at the stop, that of the last
	// look when nothing was crossed.
	ExpectedInformation float64
}

// Power returns the probability to cross the upper bound: to find an effect in
// the direction that it has. Rejecting in the other one is no success.
func (o GSTOperation) Power() float64 {
	sum := 0.0
	for _, p := range o.Upper {
		sum += p
	}
	return sum
}

// Operate follows the plan when z_k has the mean drift*sqrt(t_k). It refuses with
// InvalidArgument for bounds of another plan or a drift that is not finite.
func (g GroupSequential) Operate(bounds GSTBounds, drift float64) (GSTOperation, error) {
	if err := g.checkBounds(bounds, drift); err != nil {
		return GSTOperation{}, err
	}
	return g.operate(bounds, nil, drift), nil
}

// checkBounds refuses bounds that are not those of the plan, and a drift that is
// not finite.
func (g GroupSequential) checkBounds(bounds GSTBounds, drift float64) error {
	if err := g.check(); err != nil {
		return err
	}
	if len(bounds.Z) != len(g.Information) || !finite(drift) {
		return refuse(InvalidArgument, "Operation needs a bound for each look and a finite drift; there are %d for %d, and %v.",
			len(bounds.Z), len(g.Information), drift)
	}
	if slices.ContainsFunc(bounds.Z, math.IsNaN) {
		return refuse(NonFinite, "A bound is not a number.")
	}
	return nil
}

// operate follows the plan, and gives up at futility bounds unless they are nil.
func (g GroupSequential) operate(bounds GSTBounds, futility []float64, drift float64) GSTOperation {
	looks := len(g.Information)
	o := GSTOperation{Upper: make([]float64, looks), Lower: make([]float64, looks), Futile: make([]float64, looks)}
	walk := newGSTWalk(drift)
	going := 1.0
	last := 0.0
	for k, t := range g.Information {
		if t <= last {
			continue
		}
		step := walk.to(t)
		o.Upper[k], _ = step.above(bounds.Z[k])
		if g.TwoSided {
			o.Lower[k] = step.below(-bounds.Z[k])
		}
		wedge := g.noWedge()
		if futility != nil && k < looks-1 {
			wedge = math.Min(futility[k], bounds.Z[k])
			o.Futile[k] = g.futile(step, wedge)
		}
		o.ExpectedInformation += going * (t - last)
		going = math.Max(0, going-o.Upper[k]-o.Lower[k]-o.Futile[k])
		walk = step.stay(g.next(k), g.going(bounds.Z[k], wedge)...)
		last = t
	}
	return o
}

// DriftFor returns the drift at which the plan has the given power. It refuses as
// Operate does, and with NoSolution for a power that alpha alone reaches.
func (g GroupSequential) DriftFor(bounds GSTBounds, power float64) (float64, error) {
	if err := checkProbability("power", power); err != nil {
		return 0, err
	}
	if _, err := g.Operate(bounds, 0); err != nil {
		return 0, err
	}
	// The probability to miss is well conditioned in logarithm at high power, and
	// that to find at low power.
	excess := func(drift float64) float64 {
		found := g.operate(bounds, nil, drift).Power()
		return math.Log(found/power) - math.Log(math.Max(1-found, math.SmallestNonzeroFloat64)/(1-power))
	}
	if excess(0) >= 0 {
		return 0, refuse(NoSolution, "A power of %v is reached without any effect.", power)
	}
	high := 1.0
	for excess(high) < 0 {
		if high *= 2; high > 1e4 {
			return 0, refuse(NoSolution, "No effect reaches a power of %v.", power)
		}
	}
	return brent(excess, 0, high), nil
}

// GSTCharacteristics compares a plan with a single test of the same power.
type GSTCharacteristics struct {
	// Shift is the squared drift at full information that has the power, and
	// Inflation its ratio to the shift of a single test: the factor on the
	// largest sample size.
	Shift     float64
	Inflation float64
	// Mean sample sizes, over that of the single test, at the effect, at half of
	// it, and at none.
	ExpectedH1, ExpectedH01, ExpectedH0 float64
	PowerByLook                         []float64 // cumulative, at the effect
}

// Characteristics solves the plan for a power. It refuses as Bounds and DriftFor
// do.
func (g GroupSequential) Characteristics(power float64) (GSTCharacteristics, error) {
	bounds, err := g.Bounds()
	if err != nil {
		return GSTCharacteristics{}, err
	}
	drift, err := g.DriftFor(bounds, power)
	if err != nil {
		return GSTCharacteristics{}, err
	}
	z := Normal{}.Quantile(power) - Normal{}.Quantile(g.sideAlpha())
	single := z * z
	c := GSTCharacteristics{Shift: drift * drift, Inflation: drift * drift / single}
	h1 := g.operate(bounds, nil, drift)
	c.ExpectedH1 = c.Inflation * h1.ExpectedInformation
	c.ExpectedH01 = c.Inflation * g.operate(bounds, nil, drift/2).ExpectedInformation
	c.ExpectedH0 = c.Inflation * g.operate(bounds, nil, 0).ExpectedInformation
	sum := 0.0
	for k := range h1.Upper {
		sum += h1.Upper[k]
		c.PowerByLook = append(c.PowerByLook, sum)
	}
	return c, nil
}

// MeansDrift is a comparison of two means with a known standard deviation, and
// Ratio treatment units per control unit, 0 for 1.
type MeansDrift struct {
	Delta, SD, Ratio float64
}

// At returns the drift of a plan whose last look has so many units in both arms:
// delta/sd sqrt(N r)/(1+r). It refuses with InvalidArgument.
func (m MeansDrift) At(units float64) (float64, error) {
	unit, err := m.perRootUnit()
	if err != nil {
		return 0, err
	}
	if err := checkPositive("number of units", units); err != nil {
		return 0, err
	}
	return ranged("drift", unit*math.Sqrt(units))
}

// Units returns the units of both arms that give a drift. It refuses with
// InvalidArgument, also for a delta of zero.
func (m MeansDrift) Units(drift float64) (float64, error) {
	unit, err := m.perRootUnit()
	if err != nil {
		return 0, err
	}
	if unit == 0 {
		return 0, refuse(InvalidArgument, "A sample size needs a difference that is not zero.")
	}
	if !finite(drift) {
		return 0, refuse(NonFinite, "The drift is not a finite number.")
	}
	root := drift / unit
	return root * root, checkUnits(root * root)
}

func (m MeansDrift) perRootUnit() (float64, error) {
	ratio, err := checkRatio(m.Ratio)
	if err != nil {
		return 0, err
	}
	if !finite(m.Delta) {
		return 0, refuse(NonFinite, "The difference is not a finite number.")
	}
	return m.Delta / m.SD * math.Sqrt(ratio) / (1 + ratio), checkPositive("standard deviation", m.SD)
}
