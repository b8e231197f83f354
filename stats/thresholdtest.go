package stats

import (
	"math"
	"slices"
)

// ThresholdTest is an anytime-valid test, exact at any number of values, that the
// same share of both arms lies at or below a threshold which is chosen anew before
// every look: the pooled quantile of what was seen until then. It is the way to
// watch a far quantile without density, burn-in or normal approximation.
//
// At each look the new values at or below the threshold are counted. Given their
// total, how many belong to treatment is hypergeometric when the shares are equal,
// whatever the share is and however it changes from look to look; so the mixture
// over odds ratios of the products of likelihood ratios (Fisher's noncentral
// hypergeometric, stratified by look as by Mantel and Haenszel) is an e-process.
//
// The hypothesis is that the arms do not differ at the thresholds that are used,
// which a treatment without any effect implies. Two arms of different shape that
// cross exactly at the quantile do differ at thresholds beside it; QuantileContrast
// tests the equality of the quantiles alone.
type ThresholdTest struct {
	Nu   float64 // the share that is expected at or below the threshold, for the tuning
	NOpt int64   // values of both arms for which the test is most powerful
	// Alpha is the level at which it is.
	Alpha float64
	// Share is treatment's planned share of the values, 0 for one half.
	Share float64
}

// ThresholdLook is what one look adds: of the new values of each arm, how many lie
// at or below the threshold that was fixed before them.
type ThresholdLook struct{ Control, Treatment Proportion }

// NewThresholdLook compares the histograms of two looks at the edge of a bucket
// next to the pooled quantile of the earlier ones. It refuses with TooFewUnits
// while there is no quantile, as before the first look, or nothing new; with
// InvalidArgument for nu and for histograms that lost values; with NonFinite for
// counted NaN; and with OutOfRange when the quantile lies beyond the histogram.
func NewThresholdLook(nu float64, before, now [2]*Histogram) (ThresholdLook, error) {
	if err := checkProbability("quantile level", nu); err != nil {
		return ThresholdLook{}, err
	}
	pooled := before[0].Clone()
	pooled.Merge(before[1])
	if pooled.nan > 0 || now[0].nan > 0 || now[1].nan > 0 {
		return ThresholdLook{}, refuse(NonFinite, "A value of a histogram is not a number.")
	}
	if pooled.total < 1 {
		return ThresholdLook{}, refuse(TooFewUnits, "A threshold needs values from an earlier look.")
	}
	rank := nu * float64(pooled.total)
	values, ok := pooled.at([3]float64{rank, rank, rank})
	if !ok {
		return ThresholdLook{}, refuse(OutOfRange, "The quantile at %v is above the largest value that the histogram resolves.", nu)
	}
	threshold := edge(max(0, bucketOf(values[0])+1))
	var arms [2]Proportion
	for i := range arms {
		arms[i] = Proportion{
			Successes: int64(now[i].CountAtOrBelow(threshold)) - int64(before[i].CountAtOrBelow(threshold)),
			Trials:    now[i].total - before[i].total,
		}
		if arms[i].Trials == 0 {
			return ThresholdLook{}, refuse(TooFewUnits, "An arm has no new values since the look before.")
		}
		if err := arms[i].check(); err != nil {
			return ThresholdLook{}, err
		}
	}
	return ThresholdLook{Control: arms[0], Treatment: arms[1]}, nil
}

// LogE returns ln of the e-value after the looks, 0 without any. It refuses with
// InvalidArgument.
func (q ThresholdTest) LogE(looks []ThresholdLook) (float64, error) {
	prior, err := q.prior()
	if err != nil {
		return 0, err
	}
	for _, look := range looks {
		if err := look.Control.check(); err != nil {
			return 0, err
		}
		if err := look.Treatment.check(); err != nil {
			return 0, err
		}
		table := newLookTable(look)
		for i := range prior {
			prior[i].logLR += table.logLikelihoodRatio(prior[i].logOdds)
		}
	}
	most := math.Inf(-1)
	for _, n := range prior {
		most = max(most, n.logWeight+n.logLR)
	}
	sum := 0.0
	for _, n := range prior {
		sum += math.Exp(n.logWeight + n.logLR - most)
	}
	return most + math.Log(sum), nil
}

// thresholdNode is one log odds ratio of the prior, with ln of its likelihood
// ratio so far.
type thresholdNode struct{ logOdds, logWeight, logLR float64 }

// The prior is normal with the variance that AsympCS has, at nodes every quarter
// of a standard deviation up to 3.5 of them. A discrete prior is as valid as any.
const (
	thresholdReach = 3.5
	thresholdStep  = 0.25
)

func (q ThresholdTest) prior() ([]thresholdNode, error) {
	contrast := QuantileContrast{Nu: q.Nu, NOpt: q.NOpt, Alpha: q.Alpha, Share: q.Share}
	if err := contrast.check(); err != nil {
		return nil, err
	}
	share := contrast.share()
	sd := math.Sqrt(lambertTuning(q.Alpha) / (float64(q.NOpt) * q.Nu * (1 - q.Nu) * share * (1 - share)))
	var out []thresholdNode
	total := 0.0
	for x := -thresholdReach; x <= thresholdReach; x += thresholdStep {
		out = append(out, thresholdNode{logOdds: x * sd, logWeight: -x * x / 2})
		total += math.Exp(-x * x / 2)
	}
	for i := range out {
		out[i].logWeight -= math.Log(total)
	}
	if !finite(sd) || sd > mostTilt {
		return nil, refuse(InvalidArgument, "%d values are too few to plan a test of the quantile at %v for.", q.NOpt, q.Nu)
	}
	return out, nil
}

// mostTilt bounds the log odds that a prior can hold; a share of exp(-mostTilt) is
// no share at all.
const mostTilt = 200

// lookTable is the distribution of the values of treatment at or below the
// threshold given the margins: weights[i], relative to the largest, belongs to
// first+i.
type lookTable struct {
	observed, first float64
	weights         []float64
	sum             float64
	// Whether weights are missing at an end because they are too small to hold.
	cutBelow, cutAbove bool
}

// newLookTable builds the weights from the mode outward by their ratio
// w(k+1)/w(k) = (n_t-k)(m-k)/((k+1)(n_c-m+k+1)), m the values of both arms at or
// below the threshold.
func newLookTable(look ThresholdLook) lookTable {
	nc, nt := float64(look.Control.Trials), float64(look.Treatment.Trials)
	m := float64(look.Control.Successes + look.Treatment.Successes)
	low, high := max(0, m-nc), min(nt, m)
	mode := min(max(math.Floor((nt+1)*(m+1)/(nc+nt+2)), low), high)
	ratio := func(k float64) float64 { return (nt - k) * (m - k) / ((k + 1) * (nc - m + k + 1)) }
	h := lookTable{observed: float64(look.Treatment.Successes)}
	for k, w := mode, 1.0; k > low; k-- {
		if w /= ratio(k - 1); w < leastSpending {
			h.cutBelow = true
			break
		}
		h.weights = append(h.weights, w)
	}
	slices.Reverse(h.weights)
	h.first = mode - float64(len(h.weights))
	h.weights = append(h.weights, 1)
	for k, w := mode, 1.0; k < high; k++ {
		if w *= ratio(k); w < leastSpending {
			h.cutAbove = true
			break
		}
		h.weights = append(h.weights, w)
	}
	for _, w := range h.weights {
		h.sum += w
	}
	return h
}

// lookTableCut is how much the last weight that is held may matter after
// tilting. If it does more, what is missing could as well, and the likelihood
// ratio is taken as zero, which errs on the side of caution.
const lookTableCut = 1e-12

// logLikelihoodRatio returns ln of the noncentral to the central probability of
// what was observed, psi^k/E[psi^K].
func (h lookTable) logLikelihoodRatio(logOdds float64) float64 {
	// Horner's rule from the end where powers of psi are small.
	tilted, step, last := 0.0, math.Exp(-math.Abs(logOdds)), len(h.weights)-1
	if logOdds > 0 {
		for _, w := range h.weights {
			tilted = tilted*step + w
		}
		if h.cutAbove && h.weights[last] > lookTableCut*tilted {
			return math.Inf(-1)
		}
		return (h.observed-h.first-float64(last))*logOdds - math.Log(tilted/h.sum)
	}
	for i := last; i >= 0; i-- {
		tilted = tilted*step + h.weights[i]
	}
	if h.cutBelow && h.weights[0] > lookTableCut*tilted {
		return math.Inf(-1)
	}
	return (h.observed-h.first)*logOdds - math.Log(tilted/h.sum)
}
