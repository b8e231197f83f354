package stats

import (
	"math"
	"slices"
)

// An e-value is a non-negative statistic whose mean is at most 1 under the
// hypothesis, at any stopping time. This package keeps its natural logarithm:
// e-values overflow long before evidence ends.

// PFromE returns the p-value min(1, 1/E) of an e-value, 0 and 1 included, from its
// logarithm. It refuses NaN with NonFinite.
func PFromE(logE float64) (float64, error) {
	if math.IsNaN(logE) {
		return 0, refuse(NonFinite, "An e-value is not a number.")
	}
	return pFromE(logE), nil
}

// pFromE is PFromE of an e-value that is a number.
func pFromE(logE float64) float64 { return math.Exp(-max(0, logE)) }

// LogEFromP returns ln of the e-value 1/(2 sqrt(p)), the calibrator of
// Vovk and Wang 2021 with kappa = 1/2. It refuses p outside (0, 1] with
// InvalidArgument.
func LogEFromP(p float64) (float64, error) {
	if err := checkPValue(p); err != nil {
		return 0, err
	}
	return -math.Ln2 - math.Log(p)/2, nil
}

// LogEFromPMixed returns ln of the e-value (1-p+p ln p)/(p ln^2 p), the mixture
// of all those calibrators, 1/2 at p = 1. It refuses p outside (0, 1] with
// InvalidArgument.
func LogEFromPMixed(p float64) (float64, error) {
	if err := checkPValue(p); err != nil {
		return 0, err
	}
	l := -math.Log(p) // p = exp(-l): the e-value is (exp(l) - 1 - l)/l^2
	if l < 1e-2 {
		// Four terms of the series are exact to 1e-10 of 1e-2 to the fourth.
		return math.Log(0.5 + l*(1.0/6+l*(1.0/24+l*(1.0/120+l*(1.0/720+l/5040))))), nil
	}
	return l + math.Log1p(-(1+l)*p) - 2*math.Log(l), nil
}

func checkPValue(p float64) error {
	if p > 0 && p <= 1 {
		return nil
	}
	return refuse(InvalidArgument, "A p-value lies above 0 and at most at 1; it is %v.", p)
}

// RunningP returns the running minimum of min(1, 1/E) over looks: p-values that
// never rise again, valid because an e-process rejects once and for all. It takes
// logarithms and refuses as PFromE does.
func RunningP(logE []float64) ([]float64, error) {
	out := make([]float64, len(logE))
	lowest := 1.0
	for i, l := range logE {
		p, err := PFromE(l)
		if err != nil {
			return nil, err
		}
		lowest = min(lowest, p)
		out[i] = lowest
	}
	return out, nil
}

// EBH returns the indices, rising, of the hypotheses that the e-BH procedure
// rejects at false discovery rate alpha under any dependence between them and
// any common stopping time (Wang and Ramdas 2022): those of the k largest
// e-values, for the largest k with k e_(k) >= K/alpha. It takes logarithms,
// -Inf for an e-value of zero, and refuses alpha outside (0, 1) with
// InvalidArgument and NaN with NonFinite.
func EBH(logE []float64, alpha float64) ([]int, error) {
	if err := checkProbability("alpha", alpha); err != nil {
		return nil, err
	}
	order := make([]int, len(logE))
	for i, l := range logE {
		if math.IsNaN(l) {
			return nil, refuse(NonFinite, "An e-value is not a number.")
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compareFloats(logE[b], logE[a]) })
	rejected := 0
	for k := len(order); k > 0; k-- {
		if logE[order[k-1]] >= math.Log(float64(len(order))/(alpha*float64(k)))-ebhSlack {
			rejected = k
			break
		}
	}
	out := order[:rejected]
	slices.Sort(out)
	return out, nil
}

// ebhSlack lets e-values that meet the threshold exactly do so after rounding of
// their logarithms.
const ebhSlack = 1e-12

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// ProductLogE returns ln of the product of e-values, an e-value when they
// come from independent data: experiments on different units, or one after the
// other. It refuses NaN, and infinite ones of both signs, with NonFinite.
func ProductLogE(logE []float64) (float64, error) {
	sum := 0.0
	for _, l := range logE {
		sum += l
	}
	if math.IsNaN(sum) {
		return 0, refuse(NonFinite, "The product of the e-values is not a number.")
	}
	return sum, nil
}

// MeanLogE returns ln of the mean of e-values, an e-value whatever they have to do
// with one another; of metrics of the same experiment, for example. No other
// symmetric way of merging is better (Vovk and Wang 2021, proposition 3.1). It
// refuses NaN with NonFinite and an empty list with InvalidArgument.
func MeanLogE(logE []float64) (float64, error) {
	if len(logE) == 0 {
		return 0, refuse(InvalidArgument, "There is no e-value to average.")
	}
	most := slices.Max(logE) // NaN if there is one
	if math.IsNaN(most) {
		return 0, refuse(NonFinite, "An e-value is not a number.")
	}
	if math.IsInf(most, 0) {
		return most, nil
	}
	sum := 0.0
	for _, l := range logE {
		sum += math.Exp(l - most)
	}
	return most + math.Log(sum/float64(len(logE))), nil
}
