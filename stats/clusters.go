package stats

import "math"

// Cluster is the totals of one unit of randomisation that has many members: of a
// broadcaster, Y the seconds stalled and X the seconds watched by its viewers; X is
// the number of members for a mean over them.
type Cluster struct{ Y, X float64 }

// ClusteredRatio compares sum Y/sum X of two arms of whole clusters, with a variance
// and degrees of freedom that know how few or how unequal the clusters are.
//
// RatioLift on the moments of clusters says the same with many clusters of similar
// size. With few, or with one that has half of the audience, its residuals are too
// small, because a large cluster pulls the ratio to itself, and its degrees of
// freedom too many. Here each squared residual is divided by the share of it that
// is left on average (the CR2 correction of Bell and McCaffrey 2002, under the
// working model that the deviation of a cluster grows with its size), and the
// degrees of freedom are Satterthwaite's for that model, often far below the count.
type ClusteredRatio struct{ Control, Treatment []Cluster }

// clusterArm is the ratio of an arm with its squared standard error, the degrees of
// freedom of that, and the clusters.
type clusterArm struct {
	ratio, squaredError, df float64
	n                       int64
}

// Effect returns the comparison on a scale, with N the number of clusters. Read it
// by TMixture or Welch, which use the degrees of freedom. It refuses with
// TooFewUnits below two clusters in an arm, NonFinite, InvalidArgument for a
// negative X or an unknown scale, ZeroDenominator, ZeroVariance, and on the
// relative scales as LogLift and FractionLift do.
func (r ClusteredRatio) Effect(scale Scale) (Effect, error) {
	c, err := newClusterArm(r.Control)
	if err != nil {
		return Effect{}, err
	}
	t, err := newClusterArm(r.Treatment)
	if err != nil {
		return Effect{}, err
	}
	return compareClusters(c, t, scale, false)
}

// compareClusters returns the comparison of two arms of clusters on a scale, with the
// degrees of freedom of their variances; floored takes the pooled variance where that
// is larger, see FlooredDifference.
func compareClusters(c, t clusterArm, scale Scale, floored bool) (Effect, error) {
	compare := comparisonOn(scale, floored)
	if compare == nil {
		return Effect{}, refuse(InvalidArgument, "There is no scale %q.", string(scale))
	}
	e, err := compare(c.arm(), t.arm())
	if err != nil {
		return Effect{}, err
	}
	// What each arm contributes to the variance on this scale.
	a, b := c.squaredError, t.squaredError
	switch scale {
	case LogRatio:
		a, b = a/(c.ratio*c.ratio), b/(t.ratio*t.ratio)
	case Fraction:
		a *= t.ratio / c.ratio * (t.ratio / c.ratio)
	case Absolute:
	}
	wa, wb := a/(a+b), b/(a+b)
	e.DF = 1 / (wa*wa/c.df + wb*wb/t.df)
	return e, e.check()
}

// comparisonOn returns the comparison of two arms on a scale; nil when there is none.
func comparisonOn(scale Scale, floored bool) func(control, treatment Arm) (Effect, error) {
	switch {
	case scale == Absolute && floored:
		return FlooredDifference
	case scale == LogRatio && floored:
		return FlooredLogLift
	case scale == Absolute:
		return Difference
	case scale == LogRatio:
		return LogLift
	case scale == Fraction && !floored:
		return FractionLift
	}
	return nil
}

// ClusterArm returns the ratio of one arm with its variance per cluster, see
// ClusteredRatio. It refuses as that does.
func ClusterArm(clusters []Cluster) (Arm, error) {
	c, err := newClusterArm(clusters)
	if err != nil {
		return Arm{}, err
	}
	a := c.arm()
	return a, a.check()
}

func (c clusterArm) arm() Arm {
	return Arm{N: c.n, Value: c.ratio, Variance: c.squaredError * float64(c.n)}
}

func newClusterArm(clusters []Cluster) (clusterArm, error) {
	if len(clusters) < 2 {
		return clusterArm{}, refuse(TooFewUnits, "An arm needs at least 2 clusters; it has %d.", len(clusters))
	}
	var y, x, largest float64
	for _, c := range clusters {
		if !finite(c.Y, c.X) {
			return clusterArm{}, refuse(NonFinite, "The totals of a cluster are not finite numbers.")
		}
		if c.X < 0 {
			return clusterArm{}, refuse(InvalidArgument, "A cluster has a negative size (%v).", c.X)
		}
		y, x, largest = y+c.Y, x+c.X, max(largest, c.X)
	}
	if !(x > 0) {
		return clusterArm{}, refuse(ZeroDenominator, "The clusters of an arm have no members.")
	}
	if largest == x {
		return clusterArm{}, refuse(TooFewUnits, "One cluster has all members of an arm.")
	}
	a := clusterArm{ratio: y / x, n: int64(len(clusters))}
	if !finite(x, a.ratio) {
		return clusterArm{}, refuse(NonFinite, "The totals of the clusters left the range of floating-point numbers.")
	}
	var shares clusterShares
	for _, c := range clusters {
		shares.squares += c.X / x * (c.X / x)
	}
	for _, c := range clusters {
		h := c.X / x
		residual := (c.Y - a.ratio*c.X) / x
		weight := shares.add(h)
		a.squaredError += weight * residual * residual
	}
	a.df = shares.df()
	return a, nil
}

// clusterShares are sums over clusters of their share h of the members. With unit
// variance of a deviation at h = 1, and so h^2 at h, the residuals of an arm are
// e_g = epsilon_g - h_g sum of epsilon, with the variance h^2 (1-2h+H), H the sum
// of h^2, and the covariance h_g h_k (H - h_g - h_k).
type clusterShares struct {
	squares    float64 // H
	trace      float64 // sum of w var(e)
	diagonal   float64 // sum of (w var(e))^2
	off        float64 // sum of (w h^2)^2 (H-2h)^2, the terms g = k of the double sum
	s2, s3, s4 float64 // sums of w h^2, w h^3, w h^4
}

// add counts a cluster and returns the weight of its squared residual.
func (s *clusterShares) add(h float64) (weight float64) {
	left := 1 - 2*h + s.squares // at least (1-h)^2
	weight = 1 / left
	h2 := h * h
	s.trace += h2 // w var(e)
	s.diagonal += h2 * h2
	wh2 := weight * h2
	s.off += wh2 * wh2 * (s.squares - 2*h) * (s.squares - 2*h)
	s.s2 += wh2
	s.s3 += wh2 * h
	s.s4 += wh2 * h2
	return weight
}

// df returns (sum of w var(e))^2 over the sum over g and k of w_g w_k cov(e_g,e_k)^2,
// at least 1. The double sum of w_g w_k h_g^2 h_k^2 (H-h_g-h_k)^2 is multiplied out.
func (s *clusterShares) df() float64 {
	q := s.squares
	pairs := q*q*s.s2*s.s2 - 4*q*s.s2*s.s3 + 2*s.s2*s.s4 + 2*s.s3*s.s3 - s.off
	return max(1, s.trace*s.trace/(s.diagonal+math.Max(0, pairs)))
}
