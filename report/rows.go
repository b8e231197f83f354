package report

import (
	"fmt"
	"math"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// rows returns the rows of a role: by metric in the order of the plan, then arm.
func (b *builder) rows(role Role) []Row {
	rows := []Row{}
	for _, ask := range b.asked(role) {
		for arm := 1; arm < len(b.exp.Arms); arm++ {
			rows = append(rows, b.row(ask, arm))
		}
	}
	return rows
}

// asked is a metric that the plan asks for in a role.
type asked struct {
	metric string
	role   Role
	margin float64 // of a guardrail
	alpha  float64
}

func (b *builder) asked(role Role) []asked {
	var out []asked
	switch role {
	case RolePrimary:
		// Bonferroni: any primary of any treatment may decide.
		alpha := b.plan.Alpha / float64(len(b.plan.Primary)*b.treatments())
		for _, m := range b.plan.Primary {
			out = append(out, asked{metric: m, role: role, alpha: alpha})
		}
	case RoleSecondary:
		for _, m := range b.plan.Secondary {
			out = append(out, asked{metric: m, role: role, alpha: b.plan.Alpha})
		}
	case RoleGuardrail:
		// Each guardrail protects on its own: no correction.
		for _, g := range b.plan.Guardrails {
			out = append(out, asked{metric: g.Metric, role: role, alpha: b.plan.Alpha, margin: g.Margin})
		}
	}
	return out
}

// row computes one row with its history.
func (b *builder) row(ask asked, arm int) Row {
	r := Row{
		Role: ask.role, Arm: arm, ArmKey: b.exp.Arms[arm].Key, ArmName: b.exp.Arms[arm].Name,
		State: StateUnknown, Series: []Point{},
	}
	if ask.role == RoleGuardrail {
		margin := ask.margin
		r.Margin = &margin
	}
	d, ok := b.history.definition(ask.metric)
	if !ok {
		r.Metric = Metric{Key: ask.metric, Name: ask.metric}
		r.Refusal = &Refusal{Code: CodeUnknownMetric, Message: fmt.Sprintf("The metric catalogue has no %q in the version that was measured.", ask.metric)}
		r.Words = rowWords(&r, b.armLabel(arm))
		return r
	}
	q := question{definition: &d, alpha: ask.alpha, nOpt: b.pairUnits(arm), guardrail: ask.role == RoleGuardrail, unequal: b.unequal(arm), unit: b.exp.Unit}
	r.Metric = metricOf(&d)
	control := cursor{key: cellKey{d.Key, d.Version, false, 0}}
	treatment := cursor{key: cellKey{d.Key, d.Version, false, arm}}
	last := b.follow(&r, &q, &control, &treatment)
	cells := b.history.newest().Cells
	b.fill(&r, &q, &last, control.total(cells), treatment.total(cells))
	if d.Capped() {
		r.Uncapped = b.uncapped(&q, arm, r.Effect)
	}
	r.PerUnit = b.perUnit(&q, arm, r.Effect)
	r.Steps = b.steps(&q, arm)
	if b.planned != nil && ask.role != RoleGuardrail {
		b.decide(&r, &q, control.key, treatment.key)
	}
	r.Words = rowWords(&r, b.armLabel(arm))
	return r
}

// decide lets the planned looks of a group-sequential plan decide a goal, where
// they can.
func (b *builder) decide(r *Row, q *question, control, treatment cellKey) {
	if !q.definition.AtPlannedLooks() {
		r.AnyLook = true
		r.Explain.Method += "; decided at any look, also in this plan: planned looks decide means, rates and ratios"
		return
	}
	r.settle(b.groupSequential(q, control, treatment, r.Role), b.plan.MDE)
	r.Explain.Method += "; decided by the repeated interval of the last planned look (Jennison and Turnbull 1989), " + spendingWords(b.plan.Spending)
}

// follow asks the question at every look: it fills in the series, how long the
// state has held and the running evidence, and returns the newest answer.
func (b *builder) follow(r *Row, q *question, control, treatment *cursor) answer {
	last := answer{err: &stats.Refusal{Reason: CodeNoLook, Message: "No window has closed yet."}}
	minP, run := 1.0, StateUnknown
	looks := b.history.looks
	bands := make([]Band, 0, len(looks))
	for i := range looks {
		last = q.compareFully(control.total(looks[i].Cells), treatment.total(looks[i].Cells))
		state := r.stateOf(&last)
		if state != run || r.SinceLook == 0 {
			run, r.SinceLook = state, looks[i].Number
		}
		if r.FirstHarm == 0 && (state == StateWorse || state == StateHarmed || state == StateBreached) {
			r.FirstHarm = looks[i].Number
		}
		if last.err == nil {
			minP = min(minP, last.p)
		}
		p := Point{Look: looks[i].Number, At: looks[i].At, N: last.control.units + last.treatment.units}
		if last.err != nil {
			p.Reason = refusalOf(last.err).Code
		} else {
			bands = append(bands, last.band)
			p.Band = &bands[len(bands)-1]
		}
		r.Series = append(r.Series, p)
	}
	r.State = run
	if last.err == nil {
		r.Evidence = &Evidence{LogE: last.logE, P: last.p, MinP: minP, Text: odds(last.logE)}
	}
	return last
}

// stateOf says what an answer proves for the row.
func (r *Row) stateOf(a *answer) State {
	switch {
	case a.err != nil:
		return StateUnknown
	case r.Margin != nil:
		return guardState(r.Metric.Direction, *r.Margin, a.band)
	}
	return goalState(r.Metric.Direction, a.band)
}

// fill writes the newest answer into the row.
func (b *builder) fill(r *Row, q *question, a *answer, control, treatment *metrics.Cell) {
	r.Control = valueOf(q.definition, control, &a.control)
	r.Treatment = valueOf(q.definition, treatment, &a.treatment)
	r.Units = a.control.units + a.treatment.units
	r.Explain = explain(q, a, control, treatment)
	r.Explain.Arms[0].Key, r.Explain.Arms[1].Key = b.exp.Arms[0].Key, r.ArmKey
	if a.control.ok() && a.treatment.ok() {
		r.Absolute = absoluteOf(q, a)
	}
	if a.err != nil {
		r.Refusal = refusalOf(a.err)
		return
	}
	r.Effect = effectOf(q.definition, a)
	r.Adjusted = b.adjustedOf(q, a, control, treatment)
	target := b.plan.MDE
	if r.Margin != nil {
		target = *r.Margin
	}
	half := (a.band.Upper - a.band.Lower) / 2
	r.Precision = &Precision{HalfWidth: half, Target: target, Reached: min(1, target/half)}
}

func metricOf(d *metrics.Definition) Metric {
	return Metric{
		Key: d.Key, Version: d.Version, Name: d.Name, Description: d.Description, Kind: d.Kind, Level: d.Level,
		Direction: d.Direction, Unit: d.Unit, Window: d.Window, Cap: d.Cap, Tiers: d.Tiers, Pitfalls: d.Pitfalls,
	}
}

// valueOf prints one arm's value.
func valueOf(d *metrics.Definition, c *metrics.Cell, m *measured) Value {
	v := Value{N: m.units, Text: "not known yet"}
	if c != nil {
		n := float64(c.Pair.N)
		v.Numerator = finite(n * (c.Pair.MeanY + c.Pair.LowY))
		v.Denominator = finite(n * (c.Pair.MeanX + c.Pair.LowX))
	}
	if m.err != nil {
		return v
	}
	value, se := m.arm.Value*d.Scale, math.Sqrt(m.arm.SquaredError())*d.Scale
	if !isFinite(value, se) {
		return v
	}
	decimals := d.Decimals
	if se > 0 {
		decimals = decimalsFor(se)
	}
	v.Value, v.SE = &value, &se
	v.Text = number(value, decimals) + " " + d.Unit
	return v
}

func effectOf(d *metrics.Definition, a *answer) *Effect {
	decimals := decimalsFor(100 * a.effect.SE())
	return &Effect{
		Band: a.band, Chart: a.band.Facing(d.Direction), SE: a.effect.SE(), Decimals: decimals,
		Text:             percent(a.band.Estimate, decimals),
		Range:            between(a.band.Lower, a.band.Upper, decimals),
		NearZeroBaseline: a.effect.FiellerG > stats.FiellerWarn,
	}
}

// absoluteOf returns the difference in the unit of the metric; nil when it
// cannot be stated.
func absoluteOf(q *question, a *answer) *Absolute {
	diff, err := q.difference(a)
	if err != nil {
		return nil
	}
	s, err := q.twoSided(diff)
	if err != nil {
		return nil
	}
	scale := q.definition.Scale
	out := &Absolute{Difference: s.Estimate * scale, Lower: s.Lower * scale, Upper: s.Upper * scale}
	if !isFinite(out.Difference, out.Lower, out.Upper) {
		return nil
	}
	unit := q.definition.Unit
	if unit == "%" {
		unit = "points" // a difference of percentages
	}
	decimals := decimalsFor(diff.SE() * scale)
	out.Text = signed(out.Difference, decimals) + " " + unit
	out.Range = fmt.Sprintf("between %s and %s %s", signed(out.Lower, decimals), signed(out.Upper, decimals), unit)
	return out
}

// explain opens the numbers of a row.
func explain(q *question, a *answer, control, treatment *metrics.Cell) Explain {
	d := q.definition
	x := Explain{
		Definition: definitionWords(d), Method: methodWords(q), Alpha: q.alpha, NOpt: q.nOpt, FixedLevel: 1 - q.alpha,
		Arms: []ExplainArm{q.explainArm(control, &a.control), q.explainArm(treatment, &a.treatment)},
	}
	if a.past[0] != nil {
		x.Method += "; " + adjustedMethod
	}
	if a.err != nil {
		return x
	}
	c, t := a.control.arm, a.treatment.arm
	x.VarianceControl = finite(c.SquaredError() / c.Value / c.Value)
	x.VarianceTreatment = finite(t.SquaredError() / t.Value / t.Value)
	x.Variance, x.DF = a.effect.Variance, finite(a.effect.DF)
	return x
}

func (q *question) explainArm(c *metrics.Cell, m *measured) ExplainArm {
	var out ExplainArm
	if c != nil {
		p := c.Pair
		out = ExplainArm{
			N: p.N, MeanNumerator: finite(p.MeanY), MeanDenominator: finite(p.MeanX),
			M2Numerator: finite(p.M2Y), M2Denominator: finite(p.M2X), Cross: finite(p.CXY),
		}
	}
	if q.clustered() {
		out.EffectiveUnits, out.LargestShare = m.effective, m.largest
	}
	if m.err == nil {
		out.Value, out.UnitVariance = m.arm.Value, m.arm.Variance
	}
	return out
}

// finite returns x, and 0 where storage held something that is no number: the
// statistics refuse such a cell, and the JSON must still be written.
func finite(x float64) float64 {
	if isFinite(x) {
		return x
	}
	return 0
}

func isFinite(xs ...float64) bool {
	for _, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
