package stats

import "math"

// Rate is a count of events over an exposure: crashes over hours, errors over
// requests. Exposure is a positive number in any unit that both arms share.
type Rate struct {
	Events   int64   `json:"events"`
	Exposure float64 `json:"exposure"`
}

func (r Rate) check() error {
	if r.Events < 0 {
		return refuse(InvalidArgument, "A count of events cannot be negative; it is %d.", r.Events)
	}
	const least, most = 1e-100, 1e100 // whatever the unit
	return checkBetween("exposure", r.Exposure, least, most)
}

// checkRates refuses unusable rates, and two arms without any event.
func checkRates(control, treatment Rate) error {
	if err := control.check(); err != nil {
		return err
	}
	if err := treatment.check(); err != nil {
		return err
	}
	if control.Events+treatment.Events == 0 {
		return refuse(TooFewUnits, "No event has occurred in either arm, so there is no ratio of rates.")
	}
	return nil
}

// RateRatio is the ratio of two rates, treatment over control, with the exact
// conditional test at one look. Ratio and Upper are infinite when control has
// no event.
type RateRatio struct {
	Ratio float64
	Lower float64
	Upper float64
	P     float64
	LogP  float64
}

// RateRatioExact compares two Poisson rates given their total: events of
// treatment are then binomial with share exposure_t/(exposure_t+exposure_c). P
// sums the outcomes no more likely than this one; the interval transforms that
// of Clopper and Pearson. It refuses with InvalidArgument, or TooFewUnits when
// there are no events at all.
func RateRatioExact(control, treatment Rate, level float64) (RateRatio, error) {
	if err := checkRates(control, treatment); err != nil {
		return RateRatio{}, err
	}
	total := control.Events + treatment.Events
	shares, err := Proportion{Successes: treatment.Events, Trials: total}.Interval(ClopperPearson, level)
	if err != nil {
		return RateRatio{}, err
	}
	others, err := Proportion{Successes: control.Events, Trials: total}.Interval(ClopperPearson, level)
	if err != nil {
		return RateRatio{}, err
	}
	exposures := control.Exposure + treatment.Exposure
	logP := binomial{
		trials: total, p: treatment.Exposure / exposures, q: control.Exposure / exposures,
	}.exact().twoSided(treatment.Events)
	factor := control.Exposure / treatment.Exposure
	return RateRatio{
		Ratio: float64(treatment.Events) / float64(control.Events) * factor,
		Lower: shares.Lower / others.Upper * factor, // 1 - share, exact near its ends
		Upper: shares.Upper / others.Lower * factor,
		P:     math.Exp(logP), LogP: logP,
	}, nil
}
