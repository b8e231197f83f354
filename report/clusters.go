package report

import (
	"fmt"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// Where broadcasters or blocks are randomised, a ratio is one of what their viewers
// did, and a unit is a cluster whose size may be anything: a few broadcasters have
// most of the audience. See docs/adr/0016-clusters-from-moments.md.

// clustered reports whether the units of the question are clusters of what its metric
// is a ratio of.
func (q *question) clustered() bool {
	return (q.unit == experiment.UnitBroadcaster || q.unit == experiment.UnitBlock) &&
		q.definition.Kind.Estimator() == metrics.KindRatio
}

// clusters compares the arms of an answer as whole clusters.
func (q *question) clusters(a *answer) stats.ClusterMoments {
	return stats.ClusterMoments{Control: a.control.pair, Treatment: a.treatment.pair, Floored: q.floored()}
}

// measureClusters makes an arm of clusters. It is ready when their sizes, too, are
// worth MinEffectiveUnits: else a few units decide what the arm's value is.
func (q *question) measureClusters(s *measured) {
	if s.effective, s.err = stats.EffectiveClusters(s.pair.X()); s.err != nil {
		return
	}
	if s.largest, s.err = stats.LargestShare(s.pair.X()); s.err != nil {
		return
	}
	if s.arm, s.err = s.pair.ClusterArm(); s.err != nil || s.ready != nil {
		return
	}
	if s.effective < MinEffectiveUnits {
		s.ready = &stats.Refusal{Reason: stats.BurnIn, Message: fmt.Sprintf(
			"A few %ss decide: the %s of an arm are worth %d of equal size, where %d are needed, and one of them may have %s of the whole.",
			q.unit, count(s.units), int(s.effective), MinEffectiveUnits, share(s.largest, 0))}
	}
}

// studentised runs a sequence of which the bound, in standard errors, follows from
// the number of units alone; with clusters its variance is widened to what their
// degrees of freedom deserve. radius is the distance from the estimate to the bound.
func (q *question) studentised(e stats.Effect, run func(e stats.Effect) (s stats.Sequence, radius float64, err error)) (s stats.Sequence, radius float64, err error) {
	s, radius, err = run(e)
	if err != nil || !q.clustered() {
		return s, radius, err
	}
	wide, err := e.Studentised(radius / e.SE())
	if err != nil {
		return s, radius, err
	}
	return run(wide)
}
