package stats

import "math"

// Studentised returns the effect for a method that takes its variance for known and
// has a bound of z standard errors, such as AsympCS and GSTBounds: its variance is
// multiplied by (t/z)^2, t the bound that Student's t with DF passes as rarely as a normal number passes z.
// With hundreds of degrees of freedom nothing changes; with few clusters
// the interval becomes as wide as they deserve. It refuses with InvalidArgument for z that is not above zero and finite,
// with TooFewUnits for an effect without degrees of freedom and with NonFinite where t leaves the range of numbers.
func (e Effect) Studentised(z float64) (Effect, error) {
	if err := checkPositive("bound", z); err != nil {
		return Effect{}, err
	}
	if err := e.check(); err != nil {
		return Effect{}, err
	}
	t := -StudentT{DF: e.DF}.LogQuantile(Normal{}.logUpper(z))
	e.Variance *= t / z * (t / z)
	return e, e.check()
}

// NormalScore returns the normal number that is as unlikely as the effect's t with DF
// degrees of freedom: what a bound of GSTBounds is compared with. It refuses as Welch
// does for the effect.
func (e Effect) NormalScore() (float64, error) {
	if err := e.check(); err != nil {
		return 0, err
	}
	t := e.Estimate / e.SE()
	z := -Normal{}.LogQuantile(StudentT{DF: e.DF}.logUpper(math.Abs(t)))
	return ranged("normal score", math.Copysign(z, t))
}
