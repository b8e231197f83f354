package stats

import "math"

// BernoulliSequence is the exact confidence sequence for a proportion by the
// beta-binomial mixture, re-tuned at every candidate share p to the intrinsic
// time p(1-p) TOpt (Howard et al. 2021). TOpt is the number of trials for which
// it is tightest.
type BernoulliSequence struct {
	Alpha    float64
	TOpt     float64
	AlphaOpt float64
}

// Interval returns the shares that are not rejected after successes out of
// trials, which need not be whole. It refuses with InvalidArgument.
func (b BernoulliSequence) Interval(successes, trials float64) (Interval, error) {
	if err := checkProbability("alpha", b.Alpha); err != nil {
		return Interval{}, err
	}
	if !(trials > 0 && trials <= mostUnits && successes >= 0 && successes <= trials) {
		return Interval{}, refuse(InvalidArgument, "%v successes out of %v trials do not make a proportion.", successes, trials)
	}
	if _, err := (BetaBinomialBoundary{VOpt: b.TOpt / 4, G: 0.5, H: 0.5, AlphaOpt: b.AlphaOpt}).ready(); err != nil {
		return Interval{}, err
	}
	goal := -math.Log(b.Alpha)
	rejected := func(p float64) bool {
		m, err := BetaBinomialBoundary{VOpt: p * (1 - p) * b.TOpt, G: p, H: 1 - p, AlphaOpt: b.AlphaOpt}.ready()
		if err != nil { // p has rounded to 0 or 1
			return true
		}
		return m.logMixture(successes-p*trials, p*(1-p)*trials) >= goal
	}
	share := successes / trials
	i := Interval{Lower: 0, Upper: 1, Scale: Absolute}
	if successes > 0 {
		i.Lower = bisect(func(p float64) bool { return !rejected(p) }, 0, share)
	}
	if successes < trials {
		i.Upper = bisect(rejected, share, 1)
	}
	return i, nil
}
