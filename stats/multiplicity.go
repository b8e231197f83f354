package stats

import (
	"math"
	"slices"
)

// Adjustment is a correction of p-values for testing several hypotheses.
type Adjustment string

// The adjustments of AdjustP. Bonferroni, Holm, Hochberg and Hommel bound the
// probability of any false rejection, BenjaminiHochberg and BenjaminiYekutieli
// the expected share of false ones among the rejected. Hochberg, Hommel and
// BenjaminiHochberg need independent or positively dependent tests.
const (
	Bonferroni         Adjustment = "bonferroni"
	Holm               Adjustment = "holm"
	Hochberg           Adjustment = "hochberg"
	Hommel             Adjustment = "hommel"
	BenjaminiHochberg  Adjustment = "benjamini_hochberg"
	BenjaminiYekutieli Adjustment = "benjamini_yekutieli"
)

// AdjustP returns the adjusted p-values in the order of p, at most 1. Reject
// where the adjusted value is at most alpha. It refuses a p outside [0, 1], or
// an unknown adjustment, with InvalidArgument.
func AdjustP(p []float64, by Adjustment) ([]float64, error) {
	for _, v := range p {
		if !(v >= 0 && v <= 1) {
			return nil, refuse(InvalidArgument, "A p-value lies between 0 and 1; one is %v.", v)
		}
	}
	n := float64(len(p))
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compareFloats(p[a], p[b]) })
	sorted := make([]float64, len(p))
	for rank, i := range order {
		sorted[rank] = p[i]
	}
	switch by {
	case Bonferroni:
		for i := range sorted {
			sorted[i] *= n
		}
	case Holm:
		stepDown(sorted, func(rank float64) float64 { return n - rank + 1 })
	case Hochberg:
		stepUp(sorted, func(rank float64) float64 { return n - rank + 1 })
	case BenjaminiHochberg:
		stepUp(sorted, func(rank float64) float64 { return n / rank })
	case BenjaminiYekutieli:
		harmonic := 0.0
		for rank := 1.0; rank <= n; rank++ {
			harmonic += 1 / rank
		}
		stepUp(sorted, func(rank float64) float64 { return harmonic * n / rank })
	case Hommel:
		sorted = hommel(sorted)
	default:
		return nil, refuse(InvalidArgument, "There is no adjustment %q.", string(by))
	}
	out := make([]float64, len(p))
	for rank, i := range order {
		out[i] = min(1, sorted[rank])
	}
	return out, nil
}

// stepDown multiplies rising p-values by factor(rank from 1) and takes the
// running maximum from the smallest on.
func stepDown(sorted []float64, factor func(rank float64) float64) {
	highest := 0.0
	for i := range sorted {
		highest = max(highest, sorted[i]*factor(float64(i+1)))
		sorted[i] = highest
	}
}

// stepUp multiplies rising p-values by factor(rank from 1) and takes the running
// minimum from the largest on.
func stepUp(sorted []float64, factor func(rank float64) float64) {
	lowest := math.Inf(1)
	for i := len(sorted) - 1; i >= 0; i-- {
		lowest = min(lowest, sorted[i]*factor(float64(i+1)))
		sorted[i] = lowest
	}
}

// hommel adjusts rising p-values by Hommel 1988 in the form of Wright 1992.
func hommel(p []float64) []float64 {
	n := len(p)
	if n == 0 {
		return p
	}
	smallest := math.Inf(1) // of n p_(i)/i
	for i, v := range p {
		smallest = min(smallest, float64(n)*v/float64(i+1))
	}
	adjusted := make([]float64, n)
	current := make([]float64, n)
	for i := range p {
		adjusted[i], current[i] = smallest, smallest
	}
	for m := n - 1; m >= 2; m-- {
		head := n - m + 1 // the first of these are tested with the last m-1
		c := math.Inf(1)
		for j := 2; j <= m; j++ {
			c = min(c, float64(m)*p[head+j-2]/float64(j))
		}
		for i := range head {
			current[i] = min(float64(m)*p[i], c)
		}
		for i := head; i < n; i++ {
			current[i] = current[head-1]
		}
		for i := range adjusted {
			adjusted[i] = max(adjusted[i], current[i])
		}
	}
	for i := range adjusted {
		adjusted[i] = max(adjusted[i], p[i])
	}
	return adjusted
}
