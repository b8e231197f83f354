package stats

import "math"

// ProportionMethod is a way to make an interval for one proportion.
type ProportionMethod string

// The intervals of Proportion.Interval.
const (
	// Wilson inverts the score test. The default: never outside [0, 1], close to
	// its level at any share.
	Wilson ProportionMethod = "wilson"
	// ClopperPearson inverts the exact binomial test: never below its level, too
	// wide for small counts.
	ClopperPearson ProportionMethod = "clopper_pearson"
	// Jeffreys is the equal-tailed interval of Beta(x+1/2, n-x+1/2).
	Jeffreys ProportionMethod = "jeffreys"
	// AgrestiCoull is Wald's interval around Wilson's centre; it may pass 0 and 1.
	AgrestiCoull ProportionMethod = "agresti_coull"
)

// Interval returns the two-sided interval of the share at a confidence level in
// (0, 1), on the absolute scale. It refuses with InvalidArgument.
func (p Proportion) Interval(method ProportionMethod, level float64) (Interval, error) {
	if err := checkProbability("confidence level", level); err != nil {
		return Interval{}, err
	}
	if err := p.check(); err != nil {
		return Interval{}, err
	}
	tail := (1 - level) / 2
	x, n := float64(p.Successes), float64(p.Trials)
	i := Interval{Lower: 0, Upper: 1, Scale: Absolute}
	switch method {
	case Wilson:
		z := -Normal{}.Quantile(tail)
		centre := (x + z*z/2) / (n + z*z)
		radius := z / (n + z*z) * math.Sqrt(x*((n-x)/n)+z*z/4)
		i.Lower, i.Upper = max(0, centre-radius), min(1, centre+radius)
		if p.Successes == 0 { // the two terms are equal, but their rounding is not
			i.Lower = 0
		}
		if p.Successes == p.Trials {
			i.Upper = 1
		}
	case AgrestiCoull:
		z := -Normal{}.Quantile(tail)
		trials := n + z*z
		centre := (x + z*z/2) / trials
		radius := z * math.Sqrt(centre*(1-centre)/trials)
		i.Lower, i.Upper = centre-radius, centre+radius
	case Jeffreys:
		posterior := Beta{A: x + 0.5, B: n - x + 0.5}
		i.Lower, i.Upper = posterior.Quantile(tail), posterior.UpperQuantile(tail)
	case ClopperPearson:
		if p.Successes > 0 {
			i.Lower = Beta{A: x, B: n - x + 1}.Quantile(tail)
		}
		if p.Successes < p.Trials {
			i.Upper = Beta{A: x + 1, B: n - x}.UpperQuantile(tail)
		}
	default:
		return Interval{}, refuse(InvalidArgument, "There is no interval method %q for a proportion.", string(method))
	}
	return i, nil
}

// share returns the observed share.
func (p Proportion) share() float64 { return float64(p.Successes) / float64(p.Trials) }
