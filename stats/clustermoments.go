package stats

import "math"

// ClusterMoments compares sum Y/sum X of two arms of whole clusters as
// ClusteredRatio does, from the moments of the clusters alone: they merge, and are
// all that is kept of a look.
//
// Moments do not tell how large each cluster is, but how large the largest can be,
// LargestShare. A cluster with a share h of the members pulls the ratio to itself and
// leaves 1-h of its deviation in its residual. Every squared residual is divided by the
// square of what the largest possible one leaves, so that the variance is never below
// that of the jackknife, (G-1)/G times the sum of e^2/(1-h)^2 (CR3 of Bell and McCaffrey 2002).
// The degrees of freedom of an arm are EffectiveClusters less one. With clusters of
// similar size all this is RatioLift; the price of not knowing which is the largest
// is paid where sizes are very unequal.
//
// Read it by Welch, or by AsympCS and GSTBounds after Studentised. Sizes X must not be
// negative, which moments cannot show.
type ClusterMoments struct {
	Control, Treatment PairMoments // y and x of a cluster
	// Floored takes a variance at least the pooled one, for arms of unequal size; see
	// FlooredDifference.
	Floored bool
}

// Effect returns the comparison on a scale, with N the number of clusters. It refuses
// as PairMoments.RatioArm and EffectiveClusters do, with TooFewUnits when one cluster
// may have all members of an arm, with InvalidArgument for an unknown scale or the
// Fraction scale of a floored comparison, and as LogLift and FractionLift do.
func (m ClusterMoments) Effect(scale Scale) (Effect, error) {
	c, err := m.Control.clusterArm()
	if err != nil {
		return Effect{}, err
	}
	t, err := m.Treatment.clusterArm()
	if err != nil {
		return Effect{}, err
	}
	return compareClusters(c, t, scale, m.Floored)
}

// ClusterArm returns the ratio of an arm of whole clusters with its variance per
// cluster; see ClusterMoments. It refuses as that does.
func (p PairMoments) ClusterArm() (Arm, error) {
	c, err := p.clusterArm()
	if err != nil {
		return Arm{}, err
	}
	a := c.arm()
	return a, a.check()
}

func (p PairMoments) clusterArm() (clusterArm, error) {
	a, err := p.RatioArm()
	if err != nil {
		return clusterArm{}, err
	}
	effective, err := EffectiveClusters(p.X())
	if err != nil {
		return clusterArm{}, err
	}
	largest, err := LargestShare(p.X())
	if err != nil {
		return clusterArm{}, err
	}
	if largest >= 1 || effective <= 1 {
		return clusterArm{}, refuse(TooFewUnits, "One cluster may have all members of an arm.")
	}
	left := 1 - largest
	return clusterArm{ratio: a.Value, squaredError: a.SquaredError() / (left * left), df: effective - 1, n: a.N}, nil
}

// LargestShare returns the largest share of all members that a single cluster can
// have, given the moments of their sizes: (1 + cv sqrt(G-1))/G, cv the standard deviation
// over the mean with G in its denominator, at most 1 (Samuelson 1968, "How deviant can
// you be?"). It is reached when all others are equal. It refuses as
// EffectiveClusters does.
func LargestShare(sizes Moments) (float64, error) {
	if _, err := EffectiveClusters(sizes); err != nil {
		return 0, err
	}
	n := float64(sizes.N)
	cv := math.Sqrt(sizes.M2/n) / (sizes.Mean + sizes.Low)
	return math.Min(1, (1+cv*math.Sqrt(n-1))/n), nil
}
