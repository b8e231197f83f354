package stats

import "math"

// minPast is the fewest past effects from which a prior is made: the spread of
// fewer is hardly known.
const minPast = 10

// PastEffect is the estimate of an experiment that is over, with its variance.
type PastEffect struct {
	Estimate float64 `json:"estimate"`
	Variance float64 `json:"variance"`
}

// PriorOfPast returns the normal prior that past effects on one metric speak for:
// their mean, weighted by precision, and the variance between them by the method
// of moments (DerSimonian and Laird 1986, equations 8 and 9), which is 0 when
// they differ no more than their errors explain. All experiments of the past must
// be in it, not only those that went well.
//
// It refuses with TooFewUnits for fewer than 10 effects, and with
// InvalidArgument for an estimate that is not finite or a variance that is not
// positive.
func PriorOfPast(past []PastEffect) (Prior, error) {
	if len(past) < minPast {
		return Prior{}, refuse(TooFewUnits, "A prior needs %d past effects on the metric; there are %d.", minPast, len(past))
	}
	var sum, sumSquares, weighted float64
	for _, p := range past {
		if !finite(p.Estimate, p.Variance) || p.Variance <= 0 {
			return Prior{}, refuse(InvalidArgument, "A past effect needs a finite estimate and a positive variance, not %v and %v.", p.Estimate, p.Variance)
		}
		w := 1 / p.Variance
		sum, sumSquares, weighted = sum+w, sumSquares+w*w, weighted+w*p.Estimate
	}
	mean, q := weighted/sum, 0.0
	for _, p := range past {
		q += (p.Estimate - mean) * (p.Estimate - mean) / p.Variance
	}
	between := math.Max(0, (q-float64(len(past)-1))/(sum-sumSquares/sum))
	sum, weighted = 0, 0
	for _, p := range past {
		w := 1 / (p.Variance + between)
		sum, weighted = sum+w, weighted+w*p.Estimate
	}
	prior := Prior{Proper: true, Mean: weighted / sum, Variance: between}
	if !finite(prior.Mean, prior.Variance) {
		return Prior{}, refuse(NonFinite, "The past effects leave the range of floating-point numbers.")
	}
	return prior, nil
}
