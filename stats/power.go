package stats

import "math"

// TTestDesign is a planned two-sample t-test at one look. Sizes are real numbers
// of units in control; treatment has Ratio times as many.
type TTestDesign struct {
	SD    float64 // of a unit, in both arms
	Alpha float64
	Ratio float64 // treatment units per control unit; 0 means 1
	// OneSided puts all of alpha on the side of Delta.
	OneSided bool
	// BothTails adds, for a two-sided test, the chance of a significant result in
	// the wrong direction, which R leaves out and statsmodels does not.
	BothTails bool
}

// Power returns the probability to reject at a true difference delta, from the
// noncentral t distribution. It refuses with InvalidArgument.
func (d TTestDesign) Power(units, delta float64) (float64, error) {
	ratio, err := d.check()
	if err != nil {
		return 0, err
	}
	if !finite(units, delta) || units*(1+ratio) <= 2 || units <= 0 || units > mostUnits {
		return 0, refuse(InvalidArgument, "A t-test needs more than 2 units and a finite difference; there are %v and %v.",
			units*(1+ratio), delta)
	}
	return ranged("power", d.power(units, math.Abs(delta), ratio))
}

func (d TTestDesign) power(units, delta, ratio float64) float64 {
	df := units*(1+ratio) - 2
	shift := delta / d.SD * math.Sqrt(units*ratio/(1+ratio))
	tail := d.Alpha
	if !d.OneSided {
		tail /= 2
	}
	critical := -StudentT{DF: df}.LogQuantile(math.Log(tail))
	power := math.Exp(NoncentralT{DF: df, Shift: shift}.logUpper(critical))
	if d.BothTails && !d.OneSided {
		power += math.Exp(NoncentralT{DF: df, Shift: -shift}.logUpper(critical))
	}
	return power
}

// Units returns the units of control with which a true difference delta is found
// with the given power. It refuses with InvalidArgument, or NoSolution when
// fewer than the smallest testable number would do or none does.
func (d TTestDesign) Units(delta, power float64) (float64, error) {
	ratio, err := d.check()
	if err != nil {
		return 0, err
	}
	if err := checkProbability("power", power); err != nil {
		return 0, err
	}
	if delta == 0 || !finite(delta) {
		return 0, refuse(InvalidArgument, "A sample size needs a difference that is not zero; it is %v.", delta)
	}
	const leastTotal = 2.1 // a tenth of a degree of freedom
	enough := func(logUnits float64) bool { return d.power(math.Exp(logUnits), math.Abs(delta), ratio) >= power }
	return solveUnits(enough, leastTotal/(1+ratio))
}

// MinimumDetectable returns the difference, above zero, that units in control find
// with the given power. It refuses with InvalidArgument, or NoSolution.
func (d TTestDesign) MinimumDetectable(units, power float64) (float64, error) {
	ratio, err := d.check()
	if err != nil {
		return 0, err
	}
	if err := checkProbability("power", power); err != nil {
		return 0, err
	}
	if _, err := d.Power(units, 0); err != nil {
		return 0, err
	}
	enough := func(delta float64) bool { return d.power(units, delta, ratio) >= power }
	if enough(0) {
		return 0, refuse(NoSolution, "A power of %v is reached without any difference.", power)
	}
	high := d.SD
	for !enough(high) {
		if high *= 2; math.IsInf(high, 1) {
			return 0, refuse(NoSolution, "No difference is found with a power of %v.", power)
		}
	}
	return bisect(enough, 0, high), nil
}

func (d TTestDesign) check() (ratio float64, err error) {
	if err := checkPositive("standard deviation", d.SD); err != nil {
		return 0, err
	}
	if err := checkProbability("alpha", d.Alpha); err != nil {
		return 0, err
	}
	return checkRatio(d.Ratio)
}

// checkRatio returns the ratio, 1 when it was not given.
func checkRatio(ratio float64) (float64, error) {
	if ratio == 0 {
		return 1, nil
	}
	const least, most = 1e-6, 1e6
	return ratio, checkBetween("ratio of arms", ratio, least, most)
}

// mostUnits bounds sample sizes: no experiment has more units than this.
const mostUnits = 1e15

// checkUnits refuses a sample size beyond mostUnits.
func checkUnits(units float64) error {
	if units <= mostUnits {
		return nil
	}
	return refuse(NoSolution, "No number of units up to %g reaches the power.", float64(mostUnits))
}

// solveUnits returns the number of units from which enough holds of their
// logarithm.
func solveUnits(enough func(logUnits float64) bool, least float64) (float64, error) {
	low, high := math.Log(least), math.Log(mostUnits)
	if enough(low) {
		return 0, refuse(NoSolution, "The power is reached with the fewest units that can be tested at all.")
	}
	if !enough(high) {
		return 0, checkUnits(math.Inf(1))
	}
	return math.Exp(bisect(enough, low, high)), nil
}

// ZTestDesign is a planned comparison with a known standard deviation, or with so
// many units that it does not matter.
type ZTestDesign struct {
	Alpha    float64
	Ratio    float64 // treatment units per control unit; 0 means 1
	OneSided bool
}

// Power returns the probability to reject at a true difference of effect standard
// deviations; two-sided, in either direction. It refuses with InvalidArgument.
func (d ZTestDesign) Power(units, effect float64) (float64, error) {
	ratio, err := d.check()
	if err != nil {
		return 0, err
	}
	if err := checkPositive("number of units", units); err != nil {
		return 0, err
	}
	if !finite(effect) {
		return 0, refuse(NonFinite, "The effect is not a finite number.")
	}
	if units > mostUnits {
		return 0, checkUnits(units)
	}
	return d.power(math.Abs(effect) * math.Sqrt(units*ratio/(1+ratio))), nil
}

func (d ZTestDesign) power(shift float64) float64 {
	if d.OneSided {
		return math.Exp(Normal{}.Tails(shift + Normal{}.Quantile(d.Alpha)).LogCDF)
	}
	z := Normal{}.Quantile(d.Alpha / 2)
	return math.Exp(Normal{}.Tails(z+shift).LogCDF) + math.Exp(Normal{}.Tails(z-shift).LogCDF)
}

// Units returns the units of control with which a true difference of effect
// standard deviations is found with the given power. It refuses with
// InvalidArgument, or NoSolution when the power does not exceed alpha.
func (d ZTestDesign) Units(effect, power float64) (float64, error) {
	ratio, err := d.check()
	if err != nil {
		return 0, err
	}
	if err := checkProbability("power", power); err != nil {
		return 0, err
	}
	if effect == 0 || !finite(effect) {
		return 0, refuse(InvalidArgument, "A sample size needs an effect that is not zero; it is %v.", effect)
	}
	if power <= d.Alpha {
		return 0, refuse(NoSolution, "A power of %v is reached without any effect.", power)
	}
	high := 1.0
	for d.power(high) < power {
		high *= 2
	}
	shift := bisect(func(shift float64) bool { return d.power(shift) >= power }, 0, high)
	units := shift * shift / (effect * effect) * (1 + ratio) / ratio
	return units, checkUnits(units)
}

func (d ZTestDesign) check() (ratio float64, err error) {
	if err := checkProbability("alpha", d.Alpha); err != nil {
		return 0, err
	}
	return checkRatio(d.Ratio)
}

// ProportionDesign is a planned comparison of two shares at one look, with the
// pooled variance under equality and the unpooled under the alternative, as R's
// power.prop.test: a wrong-direction rejection is not counted.
type ProportionDesign struct {
	Alpha    float64
	OneSided bool
}

// Power returns the probability to reject with units in each arm. It refuses with
// InvalidArgument.
func (d ProportionDesign) Power(units, p1, p2 float64) (float64, error) {
	if err := d.check(p1, p2); err != nil {
		return 0, err
	}
	if err := checkPositive("number of units", units); err != nil {
		return 0, err
	}
	null, alternative := proportionSDs(p1, p2)
	z := (math.Sqrt(units)*math.Abs(p1-p2) + d.z()*null) / alternative
	return math.Exp(Normal{}.Tails(z).LogCDF), nil
}

// Units returns the units in each arm for a power. It refuses with
// InvalidArgument for shares that are equal or out of (0, 1).
func (d ProportionDesign) Units(p1, p2, power float64) (float64, error) {
	if err := d.check(p1, p2); err != nil {
		return 0, err
	}
	if err := checkProbability("power", power); err != nil {
		return 0, err
	}
	null, alternative := proportionSDs(p1, p2)
	root := (Normal{}.Quantile(power)*alternative - d.z()*null) / math.Abs(p1-p2)
	if root <= 0 {
		return 0, refuse(NoSolution, "A power of %v is reached without any unit.", power)
	}
	return root * root, checkUnits(root * root)
}

// z is the lower quantile of the tail.
func (d ProportionDesign) z() float64 {
	if d.OneSided {
		return Normal{}.Quantile(d.Alpha)
	}
	return Normal{}.Quantile(d.Alpha / 2)
}

// proportionSDs are the standard deviations, times the root of the units in an
// arm, of the difference under equal shares and under these.
func proportionSDs(p1, p2 float64) (null, alternative float64) {
	return math.Sqrt((p1 + p2) * (1 - (p1+p2)/2)), math.Sqrt(p1*(1-p1) + p2*(1-p2))
}

func (d ProportionDesign) check(p1, p2 float64) error {
	if err := checkProbability("alpha", d.Alpha); err != nil {
		return err
	}
	if err := checkProbability("first share", p1); err != nil {
		return err
	}
	if err := checkProbability("second share", p2); err != nil {
		return err
	}
	if p1 == p2 {
		return refuse(InvalidArgument, "The shares are equal, so there is nothing to find.")
	}
	return nil
}
