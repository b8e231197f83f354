package scorecard

import (
	"slices"

	"github.com/splitcast/splitcast/stats"
)

// MinStratumUnits is how many units each arm has of a stratum at least; smaller
// ones are merged, since their variances would be guesses.
const MinStratumUnits = 20

// adjusting compares two arms of a metric by a covariate, within strata, or both.
type adjusting struct {
	metric             Metric
	control, treatment []stats.JointMoments // by stratum
	merged             int
	stratified         bool
}

// newAdjusting pairs the strata of two arms and merges small ones into one, and
// that into the largest if it is small itself.
func newAdjusting(m Metric, stratified bool, control, treatment []stats.JointMoments) (adjusting, error) {
	a := adjusting{metric: m, stratified: stratified}
	var rest [2]stats.JointMoments
	for i := range max(len(control), len(treatment)) {
		c, t := at(control, i), at(treatment, i)
		if !stratified || min(c.N, t.N) >= MinStratumUnits {
			a.control, a.treatment = append(a.control, clone(c)), append(a.treatment, clone(t))
			continue
		}
		if c.N+t.N == 0 {
			continue // a value of another arm, or of units without the metric
		}
		a.merged++
		if err := merge(&rest[0], c, &rest[1], t); err != nil {
			return a, err
		}
	}
	if a.merged == 0 {
		return a, nil
	}
	if min(rest[0].N, rest[1].N) >= MinStratumUnits || len(a.control) == 0 {
		a.control, a.treatment = append(a.control, rest[0]), append(a.treatment, rest[1])
		return a, nil
	}
	largest := 0
	for i := range a.control {
		if a.control[i].N+a.treatment[i].N > a.control[largest].N+a.treatment[largest].N {
			largest = i
		}
	}
	return a, merge(&a.control[largest], rest[0], &a.treatment[largest], rest[1])
}

func at(strata []stats.JointMoments, i int) stats.JointMoments {
	if i < len(strata) {
		return strata[i]
	}
	return stats.JointMoments{}
}

func clone(j stats.JointMoments) stats.JointMoments {
	return stats.JointMoments{N: j.N, Mean: slices.Clone(j.Mean), Low: slices.Clone(j.Low), C: slices.Clone(j.C)}
}

func merge(a *stats.JointMoments, b stats.JointMoments, c *stats.JointMoments, d stats.JointMoments) error {
	if err := a.Merge(b); err != nil {
		return err
	}
	return c.Merge(d)
}

// whole returns the moments of each arm over all strata.
func (a adjusting) whole() (control, treatment stats.JointMoments, err error) {
	for i := range a.control {
		if err = merge(&control, a.control[i], &treatment, a.treatment[i]); err != nil {
			break
		}
	}
	return control, treatment, err
}

// effect returns the adjusted comparison on a scale, and the slope where there is
// one. It refuses as package stats does.
func (a adjusting) effect(scale stats.Scale) (e stats.Effect, theta *float64, err error) {
	control, treatment, err := a.whole()
	if err != nil {
		return e, nil, err
	}
	if min(control.N, treatment.N) < 2 {
		_, err := stats.Moments{N: min(control.N, treatment.N)}.Arm()
		return e, nil, err
	}
	switch {
	case a.metric.Kind == KindRatio && a.metric.Covariate != "":
		cuped, err := stats.CupedRatio{Control: control, Treatment: treatment}.Effect(scale)
		return cuped.Effect, &cuped.Theta, err
	case a.metric.Kind == KindRatio:
		strata, err := a.pairs([]float64{1, 0}, []float64{0, 1})
		if err != nil {
			return e, nil, err
		}
		e, err = stats.PostStratifiedRatios(strata, scale)
		return e, nil, err
	case a.metric.Covariate == "":
		e, err = a.stratifiedMeans(scale)
		return e, nil, err
	}
	weights, err := covariateWeights(control, treatment)
	if err != nil {
		return e, nil, err
	}
	value := []float64{1, 0, 0}
	if a.stratified {
		strata, err := a.pairs(value, weights)
		if err != nil {
			return e, nil, err
		}
		e, err = stats.PostStratifiedCuped(strata, scale)
		return e, nil, err
	}
	return cupedMean(control, treatment, value, weights, scale)
}

func cupedMean(control, treatment stats.JointMoments, value, weights []float64, scale stats.Scale) (stats.Effect, *float64, error) {
	c, err := control.Combine(value, weights)
	if err != nil {
		return stats.Effect{}, nil, err
	}
	t, err := treatment.Combine(value, weights)
	if err != nil {
		return stats.Effect{}, nil, err
	}
	cuped, err := stats.CupedMean{Control: c, Treatment: t}.Effect(scale)
	return cuped.Effect, &cuped.Theta, err
}

// covariateWeights folds the covariate and whether the unit has one into a single
// covariate. Where all or none have one it is the covariate itself.
func covariateWeights(control, treatment stats.JointMoments) ([]float64, error) {
	const has = 2
	if control.Sum(has, has)+treatment.Sum(has, has) == 0 {
		return []float64{0, 1, 0}, nil
	}
	return stats.CovariateIndex(control, treatment)
}

// pairs returns the strata as moments of two combinations of the variables.
func (a adjusting) pairs(y, x []float64) ([]stats.Stratum[stats.PairMoments], error) {
	strata := make([]stats.Stratum[stats.PairMoments], len(a.control))
	for i := range strata {
		var err error
		if strata[i].Control, err = a.control[i].Combine(y, x); err != nil {
			return nil, err
		}
		if strata[i].Treatment, err = a.treatment[i].Combine(y, x); err != nil {
			return nil, err
		}
	}
	return strata, nil
}

func (a adjusting) stratifiedMeans(scale stats.Scale) (stats.Effect, error) {
	strata := make([]stats.Stratum[stats.Arm], len(a.control))
	for i := range strata {
		var err error
		if strata[i].Control, err = variable(a.control[i], 0).Arm(); err != nil {
			return stats.Effect{}, err
		}
		if strata[i].Treatment, err = variable(a.treatment[i], 0).Arm(); err != nil {
			return stats.Effect{}, err
		}
	}
	return stats.PostStratifiedMeans(strata, scale)
}

// variable returns the moments of one variable.
func variable(j stats.JointMoments, i int) stats.Moments {
	if j.N == 0 {
		return stats.Moments{}
	}
	return stats.Moments{N: j.N, Mean: j.Mean[i], Low: j.Low[i], M2: j.Sum(i, i)}
}

// describe says how the comparison was adjusted. plain is the unadjusted
// difference, if there is one.
func (a adjusting) describe(adjusted *stats.Effect, theta *float64, plain *stats.Effect) *Adjustment {
	d := &Adjustment{Covariate: a.metric.covariateName(), Merged: a.merged}
	if a.stratified {
		d.Strata = len(a.control)
	} else {
		d.Theta = theta
	}
	if adjusted != nil && plain != nil {
		d.Reduction = new(1 - adjusted.Variance/plain.Variance)
	}
	d.BalanceP = a.balance()
	return d
}

// balance returns the p-value of equal means of the covariate, of a ratio's
// covariate of equal ratios, and nil where it cannot be computed.
func (a adjusting) balance() *float64 {
	if a.metric.Covariate == "" {
		return nil
	}
	control, treatment, err := a.whole()
	if err != nil || min(control.N, treatment.N) < 2 {
		return nil
	}
	var e stats.Effect
	if a.metric.Kind == KindRatio {
		c, cErr := control.Combine([]float64{0, 0, 1, 0}, []float64{0, 0, 0, 1})
		t, tErr := treatment.Combine([]float64{0, 0, 1, 0}, []float64{0, 0, 0, 1})
		if cErr != nil || tErr != nil {
			return nil
		}
		e, err = stats.RatioDifference(c, t)
	} else {
		e, err = stats.MeanDifference(variable(control, 1), variable(treatment, 1))
	}
	if err != nil {
		return nil
	}
	test, err := stats.Welch(e, 1-QualityAlphaP)
	if err != nil {
		return nil
	}
	return &test.P
}
