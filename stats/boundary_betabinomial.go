package stats

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// BetaBinomialBoundary is the beta mixture for sub-Bernoulli processes whose
// steps lie in [-G, H]: for centred Bernoulli(p) variables G = p and H = 1-p,
// when it is exact at any number of them.
type BetaBinomialBoundary struct {
	VOpt, G, H, AlphaOpt float64
	OneSided             bool
}

// betaBinomial is a BetaBinomialBoundary made ready: in terms of the counts
// (v - g s)/(g(g+h)) down and (v + h s)/(h(g+h)) up with shares h/(g+h) and
// g/(g+h), it is a Dirichlet-multinomial with concentration r/(g h).
type betaBinomial struct {
	g, h, r  float64
	oneSided bool
}

// smallestTuning is the least tuning in units of g h, as in confseq.
const smallestTuning = 0.001

func (b BetaBinomialBoundary) ready() (betaBinomial, error) {
	if err := checkBetween("lower range of the process", b.G, leastScale, mostScale); err != nil {
		return betaBinomial{}, err
	}
	if err := checkBetween("upper range of the process", b.H, leastScale, mostScale); err != nil {
		return betaBinomial{}, err
	}
	rho, err := mixtureTuning(b.VOpt, b.AlphaOpt, b.OneSided)
	if err != nil {
		return betaBinomial{}, err
	}
	product := b.G * b.H
	return betaBinomial{g: b.G, h: b.H, r: max(rho-product, smallestTuning*product), oneSided: b.OneSided}, nil
}

// LogMixture returns ln of the beta mixture at (s, v), for s between -v/H and
// v/G, the range of the process. It refuses with InvalidArgument.
func (b BetaBinomialBoundary) LogMixture(s, v float64) (float64, error) {
	m, err := b.ready()
	if err != nil {
		return 0, err
	}
	if err := checkPoint(s, v); err != nil {
		return 0, err
	}
	if down, up := m.posterior(s, v); down <= 0 || up <= 0 {
		return 0, refuse(InvalidArgument, "The process value %v is outside the domain of the mixture.", s)
	}
	return ranged("mixture", m.logMixture(s, v))
}

// Bound returns the s at which LogMixture reaches ln(1/alpha), or v/G, the
// largest s there is, when it never does. It refuses with InvalidArgument.
func (b BetaBinomialBoundary) Bound(v, alpha float64) (float64, error) {
	m, err := b.ready()
	if err != nil {
		return 0, err
	}
	if err := checkBound(v, alpha); err != nil {
		return 0, err
	}
	goal := -math.Log(alpha)
	reached := func(s float64) bool { return m.logMixture(s, v) >= goal }
	top := v / m.g
	if !reached(top) {
		return ranged("bound", top)
	}
	return ranged("bound", bisect(reached, 0, top))
}

// posterior returns the parameters of the beta distribution after (s, v).
func (m betaBinomial) posterior(s, v float64) (down, up float64) {
	width := m.g + m.h
	return (m.r + v - m.g*s) / (m.g * width), (m.r + v + m.h*s) / (m.h * width)
}

func (m betaBinomial) logMixture(s, v float64) float64 {
	width := m.g + m.h
	concentration := m.r / (m.g * m.h)
	units := v / (m.g * m.h)
	down := dirichletTerm{share: m.h / width, count: (v - m.g*s) / (m.g * width), excess: -s / width}
	up := dirichletTerm{share: m.g / width, count: (v + m.h*s) / (m.h * width), excess: s / width}
	value := dirichletTotal(concentration, units) + down.logE(concentration, units) + up.logE(concentration, units)
	if !m.oneSided {
		return value
	}
	posteriorDown, posteriorUp := m.posterior(s, v)
	return value +
		Beta{A: posteriorDown, B: posteriorUp}.tails(down.share, up.share).LogCDF -
		Beta{A: concentration * down.share, B: concentration * up.share}.tails(down.share, up.share).LogCDF
}

// minimiser returns the s at which the two-sided mixture is smallest, where
// psi(down) - ln(share) is equal for both counts, psi the digamma function.
func (m betaBinomial) minimiser(v float64) float64 {
	width := m.g + m.h
	past := func(s float64) bool {
		down, up := m.posterior(s, v)
		return mathext.Digamma(up)-math.Log(m.g/width) >= mathext.Digamma(down)-math.Log(m.h/width)
	}
	return bisect(past, -v/m.h, v/m.g)
}
