package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// The settings of segments. They are fixed, so that what is flagged at one look
// does not depend on which values other looks have met.
const (
	// SegmentMinUnits is the burn-in of a segment, in each arm. It is five
	// times that of the whole because alpha is split over many segments and the
	// central limit theorem is slowest far out in the tails.
	SegmentMinUnits = 5 * stats.BurnInUnits
	// segmentShare is the part of the planned units at which the interval of a
	// segment is tightest.
	segmentShare = 0.1
)

// segments compares the primary and guardrail metrics within each dimension
// value of the newest look.
func (b *builder) segments() Segments {
	metricsAsked := b.segmentMetrics()
	// Bonferroni over every segment that there can be, metric and treatment.
	tests := metrics.MaxSegments * len(metricsAsked) * b.treatments()
	s := Segments{Alpha: b.plan.Alpha / float64(max(1, tests)), Rows: []Segment{}}
	last := b.history.newest()
	if last.Number == 0 {
		s.Reason = "No window has closed yet."
		return s
	}
	if !slices.ContainsFunc(last.Cells, func(c metrics.Cell) bool { return !c.IsTotal() }) {
		s.Reason = "The cells by dimension of this look were not read."
		return s
	}
	grouped := groupSegments(last.Cells)
	for _, ask := range metricsAsked {
		d, ok := b.history.definition(ask.metric)
		if !ok {
			continue
		}
		for _, at := range sortedSegments(grouped) {
			for arm := 1; arm < len(b.exp.Arms); arm++ {
				s.Rows = append(s.Rows, b.segment(&d, ask, at, grouped[at], arm, s.Alpha))
			}
		}
	}
	for i := range s.Rows {
		if s.Rows[i].Effect != nil {
			s.Tested++
		}
	}
	expect(s.Rows)
	slices.SortStableFunc(s.Rows, func(x, y Segment) int {
		return cmp.Or(cmp.Compare(rank(&x), rank(&y)), cmp.Compare(x.Dimension, y.Dimension), cmp.Compare(x.Value, y.Value))
	})
	return s
}

// expect draws the estimates of each metric and arm towards their common mean by
// empirical Bayes, on the logarithm of the ratio. A unit is in one segment of every
// dimension, so that segments are not independent, and dimensions that do not matter
// make the spread look smaller: it is a picture that exaggerates less than the
// estimates do, and no interval comes with it.
func expect(rows []Segment) {
	type group struct {
		metric string
		arm    int
	}
	past, members := map[group][]stats.PastEffect{}, map[group][]*Segment{}
	for i := range rows {
		s := &rows[i]
		if s.Effect == nil || s.Effect.SE <= 0 {
			continue
		}
		g := group{s.MetricKey, s.Arm}
		past[g] = append(past[g], stats.PastEffect{Estimate: math.Log1p(s.Effect.Estimate), Variance: s.Effect.SE * s.Effect.SE})
		members[g] = append(members[g], s)
	}
	for g, effects := range past {
		prior, err := stats.PriorOfPast(effects)
		if err != nil {
			continue // too few: nothing is expected of them
		}
		for i, e := range effects {
			kept := prior.Variance / (prior.Variance + e.Variance)
			expected := math.Expm1(prior.Mean + kept*(e.Estimate-prior.Mean))
			members[g][i].Expected = &expected
		}
	}
}

func rank(s *Segment) int {
	switch {
	case s.Flagged && s.harmed():
		return 0
	case s.Flagged:
		return 1
	case s.Effect != nil:
		return 2
	}
	return 3
}

// harmed reports whether harm to the segment is proven.
func (s *Segment) harmed() bool {
	return s.State == StateWorse || s.State == StateHarmed || s.State == StateBreached
}

// segmentMetrics returns the metrics kept by dimension, each once: a metric that
// is primary and guardrail is looked at as the primary.
func (b *builder) segmentMetrics() []asked {
	var out []asked
	for _, ask := range slices.Concat(b.asked(RolePrimary), b.asked(RoleGuardrail)) {
		if !slices.ContainsFunc(out, func(a asked) bool { return a.metric == ask.metric }) {
			out = append(out, ask)
		}
	}
	return out
}

// segmentAt names a dimension value.
type segmentAt struct{ dimension, value string }

// groupSegments sorts the dimension cells of a look by segment. It leaves out
// dimensions of which there is one value only.
func groupSegments(cells []metrics.Cell) map[segmentAt][]*metrics.Cell {
	out := map[segmentAt][]*metrics.Cell{}
	for i := range cells {
		if c := &cells[i]; !c.IsTotal() {
			at := segmentAt{c.Dimension, c.Value}
			out[at] = append(out[at], c)
		}
	}
	values := map[string]int{}
	for at := range out {
		values[at.dimension]++
	}
	for at := range out {
		if values[at.dimension] == 1 {
			delete(out, at) // the only value of a dimension says what the total says
		}
	}
	return out
}

// sortedSegments orders segments by dimension as metrics.Dimensions does, then by value.
func sortedSegments(grouped map[segmentAt][]*metrics.Cell) []segmentAt {
	out := make([]segmentAt, 0, len(grouped))
	for at := range grouped {
		out = append(out, at)
	}
	slices.SortFunc(out, func(x, y segmentAt) int {
		i, _ := metrics.DimensionIndex(x.dimension)
		j, _ := metrics.DimensionIndex(y.dimension)
		return cmp.Or(cmp.Compare(i, j), cmp.Compare(x.value, y.value))
	})
	return out
}

func findCell(cells []*metrics.Cell, d *metrics.Definition, arm int) *metrics.Cell {
	for _, c := range cells {
		if c.Metric == d.Key && c.MetricVersion == d.Version && c.Arm == arm && !c.Uncapped {
			return c
		}
	}
	return nil
}

func (b *builder) segment(d *metrics.Definition, ask asked, at segmentAt, cells []*metrics.Cell, arm int, alpha float64) Segment {
	q := question{
		definition: d, alpha: alpha, unequal: b.unequal(arm), unit: b.exp.Unit,
		nOpt: max(1, int64(math.Round(segmentShare*float64(b.pairUnits(arm))))),
		// Harm and help are both looked for, so the interval is two-sided.
	}
	control, treatment := findCell(cells, d, 0), findCell(cells, d, arm)
	a := q.compareFully(control, treatment)
	if a.err == nil && min(a.control.units, a.treatment.units) < SegmentMinUnits {
		a.err = &stats.Refusal{Reason: stats.BurnIn, Message: fmt.Sprintf(
			"The smaller arm has %d of the %d units needed before a segment can be judged.",
			min(a.control.units, a.treatment.units), SegmentMinUnits)}
	}
	s := Segment{
		Dimension: at.dimension, Value: at.value, MetricKey: d.Key, MetricName: d.Name, Direction: d.Direction,
		Role: ask.role, Arm: arm, ArmKey: b.exp.Arms[arm].Key, State: StateUnknown,
		Control: valueOf(d, control, &a.control), Treatment: valueOf(d, treatment, &a.treatment),
		Units: a.control.units + a.treatment.units,
	}
	head := d.Name + " in " + at.dimension + " " + at.value + ", " + b.armLabel(arm) + ": "
	if a.err != nil {
		s.Refusal = refusalOf(a.err)
		s.Words = head + "no estimate. " + s.Refusal.Message
		return s
	}
	s.Effect = effectOf(d, &a)
	s.State = goalState(d.Direction, a.band)
	if ask.role == RoleGuardrail {
		s.State = segmentGuardState(d.Direction, ask.margin, a.band)
	}
	s.Flagged = s.State != StateUnproven
	s.Words = head + effectWords(s.Effect) + "."
	return s
}

// segmentGuardState is what a guardrail's interval proves within a segment: of
// harm as guardState says, and help as goalState does. That a segment is within
// the margin is not asked for: most are too small to ever prove it.
func segmentGuardState(direction int, margin float64, b Band) State {
	chart := b.Facing(direction)
	switch state := guardState(direction, margin, b); {
	case state == StateBreached || state == StateHarmed:
		return state
	case direction != 0 && chart.Upper < 0:
		return StateUnproven // worse, but proven within the margin
	}
	return goalState(direction, b)
}
