package report

import (
	"cmp"
	"math"
	"slices"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// Build makes the report of an experiment: a pure function of its input.
func Build(in Input) Report {
	b := builder{in: in, exp: &in.Experiment, plan: in.Experiment.Plan.WithDefaults(), history: history{looks: in.shown(), catalogue: in.Catalogue, versions: in.Experiment.Plan.Versions}}
	if b.history.catalogue == nil {
		b.history.catalogue = metrics.Builtin()
	}
	b.counts = b.armCounts()
	b.taken, b.planned = in.schedule()
	r := Report{Head: b.head()}
	r.Primary = b.rows(RolePrimary)
	r.Secondary = b.rows(RoleSecondary)
	r.Guardrails = b.rows(RoleGuardrail)
	slices.SortStableFunc(r.Guardrails, func(x, y Row) int { return cmp.Compare(room(&x), room(&y)) })
	r.Segments = b.segments()
	r.Robustness = b.robustness(&r)
	r.Interference = b.interference()
	r.Distributions = b.distributions()
	r.Startup = b.startup(&r)
	r.Stalls = b.stalls(&r)
	r.Trust = b.trust()
	r.Verdict = b.verdict(&r)
	return r
}

// builder holds what the parts of a report share.
type builder struct {
	in      Input
	exp     *experiment.Experiment
	plan    experiment.Plan
	history history
	counts  []metrics.ArmCounts // as of Now, one an arm
	taken   []plannedLook       // of a group-sequential plan
	planned *PlannedLooks       // nil: the plan has no planned looks
	bounds  map[string]stats.GSTBounds
}

// armCounts returns the newest counts, one an arm in order.
func (b *builder) armCounts() []metrics.ArmCounts {
	out := make([]metrics.ArmCounts, len(b.exp.Arms))
	for i := range out {
		out[i].Arm = i
	}
	from := b.in.Counts
	if len(from) == 0 {
		from = b.history.newest().Arms
	}
	for _, c := range from {
		if c.Arm >= 0 && c.Arm < len(out) {
			out[c.Arm] = c
		}
	}
	return out
}

func (b *builder) head() Head {
	e := b.exp
	h := Head{
		Key: e.Key, Name: e.Name, Hypothesis: e.Hypothesis, Owner: e.Owner,
		Status: e.Status, Design: e.Design, Unit: e.Unit,
		StartedAt: e.StartedAt, StoppedAt: e.StoppedAt, ShippedArm: e.ShippedArm,
		StartAt: e.StartAt, StopAt: e.StopAt, MeasuresHoldout: e.MeasuresHoldout,
		Version: e.Version, Versions: b.in.Versions,
		PlanHash: e.PlanHash, PlanIntact: b.planIntact(),
		Alpha: b.plan.Alpha, Power: b.plan.Power, MDE: b.plan.MDE, NOpt: b.plan.Units, End: b.plan.End,
		PlannedLooks: b.planned,
		BuiltAt:      b.in.Now,
	}
	weights := sum(e.Weights())
	for i, a := range e.Arms {
		c := b.counts[i]
		h.Arms = append(h.Arms, Arm{
			Index: i, Key: a.Key, Name: a.Name, Weight: a.Weight, Share: float64(a.Weight) / float64(weights), Dropped: a.Dropped,
			Exposed: c.Exposed, Crossed: c.Crossed, Overridden: c.Overridden,
			ClosedFirst: c.ClosedFirst, ClosedDay: c.ClosedDay, Imported: c.Imported, Assigned: b.assigned(i),
		})
		h.Units += c.Exposed
	}
	h.Progress = float64(h.Units) / float64(h.NOpt)
	if last := b.history.newest(); last.Number > 0 {
		at, watermark := last.At, last.Watermark
		h.Look, h.At, h.Watermark = last.Number, &at, &watermark
		h.LagSec = int64(b.in.Now.Sub(watermark).Seconds())
	}
	return h
}

// planIntact reports whether the plan is the one hashed at launch. A draft has
// nothing to keep yet.
func (b *builder) planIntact() bool {
	return b.exp.PlanHash == "" || b.exp.Plan.Hash() == b.exp.PlanHash
}

// treatments returns the number of arms that are compared with control, those
// dropped since included: what alpha is split by was fixed at launch.
func (b *builder) treatments() int { return len(b.exp.Arms) - 1 }

// splitArms returns the arms among which units are split now, with what pick
// returns of each. A dropped arm takes no more units; among the others the shares
// are their weights before and after alike.
func splitArms[T any](b *builder, pick func(arm int) T) []T {
	var out []T
	for i := range b.exp.Arms {
		if !b.exp.Arms[i].Dropped {
			out = append(out, pick(i))
		}
	}
	return out
}

// splitRatio tests the counts of all arms against the weights.
func (b *builder) splitRatio(counts []int64) (stats.SRM, error) {
	weights := b.exp.Weights()
	return stats.SampleRatio(
		splitArms(b, func(i int) int64 { return counts[i] }), splitArms(b, func(i int) int64 { return weights[i] }),
		stats.SampleRatioConcentration)
}

// armLabel returns the name by which people know an arm.
func (b *builder) armLabel(arm int) string {
	return Arm{Key: b.exp.Arms[arm].Key, Name: b.exp.Arms[arm].Name}.Label()
}

// unequal reports whether the plan gives control and a treatment different shares.
func (b *builder) unequal(arm int) bool { return b.exp.Arms[0].Weight != b.exp.Arms[arm].Weight }

// pairUnits returns the planned units of control and one treatment together.
func (b *builder) pairUnits(arm int) int64 {
	w := b.exp.Weights()
	pair := float64(w[0]+w[arm]) / float64(sum(w))
	return max(1, int64(math.Round(pair*float64(b.plan.Units))))
}

// room orders guardrails by what is left to the margin, least first; those that
// are unknown come last.
func room(r *Row) float64 {
	if r.Effect == nil || r.Margin == nil {
		return math.MaxFloat64
	}
	return r.Effect.Chart.Lower + *r.Margin
}

func sum(xs []int64) int64 {
	total := int64(0)
	for _, x := range xs {
		total += x
	}
	return total
}
