package stats

import "math"

// RateSequence is the anytime-valid comparison of two rates of rare events given
// their total (Lindon and Malek 2022): whatever the base rate does over time,
// each event belongs to treatment with the share that exposure and rate ratio
// give it. Exact at any number of events, for independent ones; a viewer who
// crashes ten times is not ten independent events.
type RateSequence struct {
	Alpha float64
	// Concentration tunes the beta prior on treatment's share; fix it before the
	// data. RateConcentration finds it for a rate ratio of interest.
	Concentration float64
	// NullRatio is the ratio of rates under the hypothesis, 0 for 1: 1.05 asks
	// whether treatment is worse by 5 % or more.
	NullRatio float64
}

// RateConcentration returns the concentration at which the prior's spread matches
// a rate ratio of interest: 1/(p(1-p) ln^2 ratio), p treatment's share of the
// exposure. Twenty per cent at equal exposures is about 120, two per cent 10,000.
// It refuses with InvalidArgument for a share out of (0, 1) and a ratio that is 1
// or not positive.
func RateConcentration(share, ratio float64) (float64, error) {
	if err := checkProbability("share of the exposure", share); err != nil {
		return 0, err
	}
	if err := checkPositive("rate ratio", ratio); err != nil {
		return 0, err
	}
	if ratio == 1 {
		return 0, refuse(InvalidArgument, "A rate ratio of interest differs from 1.")
	}
	shift := math.Log(ratio)
	return ranged("concentration", 1/(share*(1-share)*shift*shift))
}

// RateRatioSequence is the ratio of treatment's rate to control's. Ratio and Upper
// are infinite while control has no event.
type RateRatioSequence struct {
	Ratio float64
	Lower float64 // the interval covers the ratio at all looks with probability 1-alpha
	Upper float64
	LogE  float64 // against NullRatio
	P     float64 // min(1, 1/E)
}

// TwoSided returns the e-value against NullRatio and the ratios that its prior
// does not reject. It refuses with InvalidArgument, or TooFewUnits while there is
// no event.
func (r RateSequence) TwoSided(control, treatment Rate) (RateRatioSequence, error) {
	share, err := r.nullShare(control, treatment)
	if err != nil {
		return RateRatioSequence{}, err
	}
	split := Multinomial{Shares: []float64{1 - share, share}, Concentration: r.Concentration}
	counts := []int64{control.Events, treatment.Events}
	logE, err := split.LogE(counts)
	if err != nil {
		return RateRatioSequence{}, err
	}
	shares, err := split.Intervals(counts, r.Alpha)
	if err != nil {
		return RateRatioSequence{}, err
	}
	factor := control.Exposure / treatment.Exposure
	return RateRatioSequence{
		Ratio: float64(treatment.Events) / float64(control.Events) * factor,
		Lower: shares[1].Lower / shares[0].Upper * factor,
		Upper: shares[1].Upper / shares[0].Lower * factor,
		LogE:  logE, P: pFromE(logE),
	}, nil
}

// RateRatioBound is a one-sided answer. For Greater the ratio is at least Bound at
// all looks with probability 1-alpha, for Less at most; Bound is then infinite
// while too little is known.
type RateRatioBound struct {
	Bound float64
	LogE  float64 // against NullRatio or anything on its other side
	P     float64
}

// OneSided returns the e-value that the ratio is beyond NullRatio to the side: the
// beta prior is truncated there. The bound re-tunes the prior at every candidate.
// It refuses as TwoSided does, and with InvalidArgument for an unknown side.
func (r RateSequence) OneSided(control, treatment Rate, side Side) (RateRatioBound, error) {
	if err := side.check(); err != nil {
		return RateRatioBound{}, err
	}
	if _, err := r.nullShare(control, treatment); err != nil {
		return RateRatioBound{}, err
	}
	c, t := float64(control.Events), float64(treatment.Events)
	exposures := math.Log(treatment.Exposure) - math.Log(control.Exposure)
	if side == Less { // the same question of control's share, with the ratio inverted
		c, t, exposures = t, c, -exposures
	}
	logE := func(logRatio float64) float64 { return r.oneSidedLogE(c, t, logRatio+exposures) }
	atNull := logE(side.sign() * math.Log(r.nullRatio()))
	goal := -math.Log(r.Alpha)
	// The e-value falls as the candidate rises: the bound is where it drops below.
	// Shares of events below 1e-9 are not told from zero.
	const smallestLogit = -20
	lowest, highest := smallestLogit-exposures, math.Log((t+1)/(c+1))-exposures+1
	bound := math.Inf(-1)
	if highest > lowest && logE(lowest) >= goal {
		for logE(highest) >= goal {
			highest++
		}
		bound = bisect(func(l float64) bool { return logE(l) < goal }, lowest, highest)
	}
	return RateRatioBound{Bound: math.Exp(side.sign() * bound), LogE: atNull, P: pFromE(atNull)}, nil
}

// oneSidedLogE returns ln of the mixture over shares of t above the null one, whose
// logit is given.
func (r RateSequence) oneSidedLogE(c, t, logit float64) float64 {
	p, q := logistic(logit)
	k, units := r.Concentration, c+t
	up := dirichletTerm{share: p, count: t, excess: t - units*p}
	down := dirichletTerm{share: q, count: c, excess: units*p - t}
	return dirichletTotal(k, units) + up.logE(k, units) + down.logE(k, units) +
		Beta{A: k*p + t, B: k*q + c}.tails(p, q).LogSF - Beta{A: k * p, B: k * q}.tails(p, q).LogSF
}

// nullShare checks everything and returns treatment's share of events under the
// hypothesis.
func (r RateSequence) nullShare(control, treatment Rate) (float64, error) {
	if err := checkProbability("alpha", r.Alpha); err != nil {
		return 0, err
	}
	if err := checkConcentration(r.Concentration); err != nil {
		return 0, err
	}
	const leastRatio, mostRatio = 1e-9, 1e9
	if err := checkBetween("rate ratio of the hypothesis", r.nullRatio(), leastRatio, mostRatio); err != nil {
		return 0, err
	}
	if err := checkRates(control, treatment); err != nil {
		return 0, err
	}
	weighted := treatment.Exposure * r.nullRatio()
	return weighted / (weighted + control.Exposure), nil
}

func (r RateSequence) nullRatio() float64 {
	if r.NullRatio == 0 {
		return 1
	}
	return r.NullRatio
}
