package stats

import "math"

// TMixture is the anytime-valid t-test of Lindon, Ham, Tingley and Bojinov 2024:
// a mixture of t statistics that is exact for normal linear models of unknown
// variance at any number of units, invariant to their scale, and equal to
// AsympCS at scale. G is its tuning: the interval is tightest near n = 8 G for
// alpha = 5 %; OptimalG finds it. It must be fixed before the data.
type TMixture struct {
	Alpha float64 `json:"alpha"`
	G     float64 `json:"g"`
}

// TwoSided returns the interval est -/+ Radius se and the e-value of LogE at the
// observed t. Below the number of units from which the radius is finite it
// refuses with TooFewUnits; else as Welch does, and with InvalidArgument for the
// settings.
func (m TMixture) TwoSided(e Effect) (Sequence, error) {
	if err := e.check(); err != nil {
		return Sequence{}, err
	}
	n := float64(e.N)
	radius, bounded, err := m.Radius(n, e.DF)
	if err != nil {
		return Sequence{}, err
	}
	if !bounded {
		return Sequence{}, refuse(TooFewUnits,
			"%d units are too few for this confidence sequence to have an end.", e.N)
	}
	se := e.SE()
	t := e.Estimate / se
	logE := TMixtureStatistic{F: t * t, DF1: 1, DF2: e.DF, N: n, G: m.G}.logE()
	i := e.around(radius * se)
	return newSequence(i, e.Estimate, logE, i.Lower, i.Upper)
}

// TMixtureStatistic is an F statistic with its degrees of freedom, the units
// behind it and the tuning of the mixture. F = t^2 with DF1 = 1 for a single
// coefficient.
type TMixtureStatistic struct {
	F, DF1, DF2, N, G float64
}

// LogE returns ln of the e-value of d coefficients being zero,
// (d/2) ln r + (v+d)/2 (ln(1+d f/v) - ln(1+r d f/v)), r = g/(g+n), for d = DF1 and
// v = DF2, which may be infinite. It refuses with InvalidArgument for an F below
// zero, and degrees of freedom, units or a tuning that are not positive, and with
// NonFinite.
func (s TMixtureStatistic) LogE() (float64, error) {
	if err := checkPositive("number of coefficients", s.DF1); err != nil {
		return 0, err
	}
	if err := checkPositive("number of units", s.N); err != nil {
		return 0, err
	}
	if err := checkBetween("tuning g", s.G, leastG, mostUnits); err != nil {
		return 0, err
	}
	if !(s.F >= 0) || !(s.DF2 > 0) {
		return 0, refuse(InvalidArgument, "An F statistic and its degrees of freedom are not negative; they are %v and %v.", s.F, s.DF2)
	}
	return ranged("e-value", s.logE())
}

// logE is LogE of a statistic within its domain.
func (s TMixtureStatistic) logE() float64 {
	r := s.G / (s.G + s.N)
	if math.IsInf(s.DF2, 1) {
		return s.DF1/2*math.Log(r) + s.DF1*s.F*(1-r)/2
	}
	x := s.DF1 * s.F / s.DF2
	// ln(1+x) - ln(1+r x) without cancellation for small x.
	return s.DF1/2*math.Log(r) + (s.DF2+s.DF1)/2*math.Log1p((1-r)*x/(1+r*x))
}

// Radius returns the half-width of the interval in standard errors,
// sqrt(v (1-q)/(q-r)) with q = (r alpha^2)^(1/(v+1)) and v = df. bounded is false
// while the interval is still the whole line. It refuses with InvalidArgument.
func (m TMixture) Radius(n, df float64) (radius float64, bounded bool, err error) {
	if err := m.check(); err != nil {
		return 0, false, err
	}
	if err := checkPositive("number of units", n); err != nil {
		return 0, false, err
	}
	if !(df > 0) {
		return 0, false, refuse(InvalidArgument, "The degrees of freedom must be positive; they are %v.", df)
	}
	radius = m.radius(n, df)
	return radius, !math.IsInf(radius, 1), nil
}

func (m TMixture) radius(n, df float64) float64 {
	r := m.G / (m.G + n)
	if math.IsInf(df, 1) {
		return m.normalRadius(n)
	}
	logQ := (math.Log(r) + 2*math.Log(m.Alpha)) / (df + 1)
	gap := math.Exp(logQ) - r
	if gap <= 0 {
		return math.Inf(1)
	}
	return math.Sqrt(df * -math.Expm1(logQ) / gap)
}

// NormalRadius returns the limit of Radius for infinite degrees of freedom,
// sqrt((g+n)/n ln((g+n)/(g alpha^2))). It refuses with InvalidArgument.
func (m TMixture) NormalRadius(n float64) (float64, error) {
	if err := m.check(); err != nil {
		return 0, err
	}
	if err := checkPositive("number of units", n); err != nil {
		return 0, err
	}
	return ranged("radius", m.normalRadius(n))
}

func (m TMixture) normalRadius(n float64) float64 {
	return math.Sqrt((m.G + n) / n * (math.Log1p(n/m.G) - 2*math.Log(m.Alpha)))
}

// leastG is far below any tuning that OptimalG finds; it finds 1 or more.
const leastG = 1e-6

func (m TMixture) check() error {
	if err := checkProbability("alpha", m.Alpha); err != nil {
		return err
	}
	return checkBetween("tuning g", m.G, leastG, mostUnits)
}

// OptimalG returns the tuning G >= 1 with the tightest interval at the planned
// number of units, for a model with the given number of coefficients (2 for a
// plain comparison). It refuses with InvalidArgument, or TooFewUnits when units
// do not exceed coefficients.
func OptimalG(units int64, coefficients int, alpha float64) (TMixture, error) {
	if err := checkProbability("alpha", alpha); err != nil {
		return TMixture{}, err
	}
	df := float64(units) - float64(coefficients)
	if coefficients < 1 || df < 1 {
		return TMixture{}, refuse(TooFewUnits, "%d units are too few for %d coefficients.", units, coefficients)
	}
	n := float64(units)
	at := func(logG float64) float64 {
		return -TMixture{Alpha: alpha, G: math.Exp(logG)}.radius(n, df)
	}
	best := TMixture{Alpha: alpha, G: math.Exp(maximum(at, math.Log(max(1, n/8)), 1))}
	if best.G < 1 || -at(0) < best.radius(n, df) {
		best.G = 1
	}
	return best, nil
}
