package report

import (
	"fmt"
	"math"

	"github.com/splitcast/splitcast/stats"
)

// Codes of refusals of the group-sequential method.
const (
	CodeBeforeFirstLook = "before_first_look"  // no planned look was taken yet
	CodeNotReadyAtLooks = "not_ready_at_looks" // none had enough of the metric
)

// GroupSequential is what decides a goal of a group-sequential plan: the interval
// of the last planned look. Between planned looks it does not move.
type GroupSequential struct {
	// Interval is that of the last planned look at which the metric was ready; nil:
	// see Refusal.
	Interval *RepeatedInterval `json:"interval,omitempty"`
	Refusal  *Refusal          `json:"refusal,omitempty"`
	// P is the smallest alpha at which the plan would have rejected by that look, of
	// a primary metric; the interval of others says as much.
	P *float64 `json:"p,omitempty"`
	// GiveUp is the plan's advice at that look to end without an effect, of a primary metric. It is not
	// binding: going on costs no false positives.
	GiveUp bool `json:"give_up,omitempty"`
	// Over is true when no later look can decide: the plan's last look was taken, or
	// its units were reached.
	Over  bool               `json:"over,omitempty"`
	Looks []RepeatedInterval `json:"looks"` // all planned looks at which the metric was ready
}

// RepeatedInterval is the interval of one planned look (Jennison and Turnbull
// 1989): all planned looks together cover the effect with the row's level.
type RepeatedInterval struct {
	PlannedLook
	Of          int     `json:"of"`
	N           int64   `json:"n"`           // units of both arms
	Information float64 `json:"information"` // N as a share of the planned units
	Z           float64 `json:"z"`           // the bound, in standard errors
	AlphaSpent  float64 `json:"alpha_spent"` // by this look, of the row's alpha
	Estimate    float64 `json:"estimate"`    // a lift, as a fraction of control
	Lower       float64 `json:"lower"`
	Upper       float64 `json:"upper"`
	// Chart is the interval with right = better, without ends that hold at other looks.
	Chart ChartInterval `json:"chart"`
	Text  string        `json:"text"`  // "+3.1 %"
	Range string        `json:"range"` // "between +1.8 % and +4.4 %"
	State State         `json:"state"`
}

// ChartInterval is an estimate with one interval on the axis of Effect.Chart.
type ChartInterval struct {
	Estimate float64 `json:"estimate"`
	Lower    float64 `json:"lower"`
	Upper    float64 `json:"upper"`
}

// mostInformation is the largest share of the planned units that bounds are
// computed for, as package stats allows. Beyond it the look before hardly
// correlates with this one, and the bound no longer changes.
const mostInformation = 100

// tooLittlePower is by how much the power at the smallest effect worth having may
// fall short of the plan's before there is no advice: giving up would be due to
// the plan, which is too small, and be blamed on the effect.
const tooLittlePower = 0.1

// plannedAnswer is what a planned look says of a row.
type plannedAnswer struct {
	at     *plannedLook
	effect stats.Effect
	units  int64
}

// groupSequential answers a question at the planned looks that were taken.
func (b *builder) groupSequential(q *question, control, treatment cellKey, role Role) *GroupSequential {
	out := &GroupSequential{Looks: []RepeatedInterval{}}
	answers, why := b.plannedAnswers(q, control, treatment)
	if len(answers) == 0 {
		out.Refusal = why
		return out
	}
	design := b.design(q, answers)
	last := len(answers) - 1
	out.Over = design.Final || design.Information[last] >= 1
	bounds, err := b.solve(design)
	if err != nil {
		out.Refusal = refusalOf(err)
		return out
	}
	for i := range answers {
		interval, err := b.repeated(q, &answers[i], bounds, i)
		switch {
		case err == nil:
			out.Looks = append(out.Looks, interval)
		case i == last:
			out.Refusal = refusalOf(err)
			return out
		}
	}
	out.Interval = &out.Looks[len(out.Looks)-1]
	if role != RolePrimary {
		return out // p and advice solve the plan many times over
	}
	z, err := answers[last].z(q)
	if err != nil {
		return out
	}
	if p, err := design.RepeatedP(last, z); err == nil {
		out.P = &p
	}
	if !out.Over && out.Interval.State == StateUnproven {
		out.GiveUp = b.givesUp(design, bounds, &answers[last], z)
	}
	return out
}

// plannedAnswers asks the question at each planned look, until the planned units
// are reached: that look spends what is left of alpha, so that no later one can
// decide. A look at which the metric was not ready is none of its looks. Without
// any answer it says why.
func (b *builder) plannedAnswers(q *question, control, treatment cellKey) ([]plannedAnswer, *Refusal) {
	var out []plannedAnswer
	why := &Refusal{Code: CodeBeforeFirstLook, Message: b.planned.awaits()}
	if b.exp.StartedAt == nil {
		why.Message = fmt.Sprintf("The first of %d planned looks follows the launch.", b.planned.Of)
	}
	c, t := cursor{key: control}, cursor{key: treatment}
	for i := range b.taken {
		cells := b.taken[i].look.Cells
		a := q.compare(c.total(cells), t.total(cells))
		if a.err != nil {
			why = &Refusal{Code: CodeNotReadyAtLooks, Message: fmt.Sprintf("At planned look %d of %d: %s %s",
				b.taken[i].Planned, b.planned.Of, refusalOf(a.err).Message, b.planned.awaits())}
			continue
		}
		out = append(out, plannedAnswer{at: &b.taken[i], effect: a.effect, units: a.control.units + a.treatment.units})
		if out[len(out)-1].information(q) >= 1 {
			break
		}
	}
	return out, why
}

// information returns the share of the planned units that a look has.
func (a *plannedAnswer) information(q *question) float64 {
	return min(mostInformation, float64(a.units)/float64(q.nOpt))
}

// z is the effect in standard errors; of clusters, the normal number that is as
// unlikely as their t.
func (a *plannedAnswer) z(q *question) (float64, error) {
	if q.clustered() {
		return a.effect.NormalScore()
	}
	return a.effect.Estimate / a.effect.SE(), nil
}

// design is the plan with the information that was reached.
func (b *builder) design(q *question, answers []plannedAnswer) stats.GroupSequential {
	g := stats.GroupSequential{Alpha: q.alpha, TwoSided: true}
	g.Kind, g.Shape, _ = stats.NamedSpending(string(b.plan.Spending))
	for i := range answers {
		g.Information = append(g.Information, answers[i].information(q))
	}
	g.Final = b.planned.last(answers[len(answers)-1].at.Planned)
	return g
}

// solve returns the bounds of a design. Metrics of the same units share them.
func (b *builder) solve(design stats.GroupSequential) (stats.GSTBounds, error) {
	key := fmt.Sprint(design)
	if bounds, ok := b.bounds[key]; ok {
		return bounds, nil
	}
	bounds, err := design.Bounds()
	if err != nil {
		return bounds, err
	}
	if b.bounds == nil {
		b.bounds = map[string]stats.GSTBounds{}
	}
	b.bounds[key] = bounds
	return bounds, nil
}

// repeated returns the interval of one look as lifts.
func (b *builder) repeated(q *question, a *plannedAnswer, bounds stats.GSTBounds, look int) (RepeatedInterval, error) {
	e := a.effect
	if z := bounds.Z[look]; q.clustered() && isFinite(z) {
		var err error
		if e, err = e.Studentised(z); err != nil {
			return RepeatedInterval{}, err
		}
	}
	i, err := bounds.RepeatedInterval(look, e)
	if err != nil {
		return RepeatedInterval{}, err
	}
	out := RepeatedInterval{
		PlannedLook: a.at.PlannedLook, Of: b.planned.Of, N: a.units,
		Information: a.information(q), Z: bounds.Z[look], AlphaSpent: bounds.AlphaSpent[look],
		Estimate: math.Expm1(a.effect.Estimate), Lower: math.Expm1(i.Lower), Upper: math.Expm1(i.Upper),
	}
	if out.Upper > maxLift {
		return RepeatedInterval{}, noUpperLimit()
	}
	band := Band{Estimate: out.Estimate, Lower: out.Lower, Upper: out.Upper}
	chart := band.Facing(q.definition.Direction)
	out.Chart = ChartInterval{chart.Estimate, chart.Lower, chart.Upper}
	decimals := decimalsFor(100 * a.effect.SE())
	out.Text, out.Range = percent(out.Estimate, decimals), between(out.Lower, out.Upper, decimals)
	out.State = goalState(q.definition.Direction, band)
	return out, nil
}

// givesUp returns the advice of a planned look: whether an effect as small as this
// would be unlikely if the smallest one worth having was there. The looks to come are
// taken to bring equal information until the planned units.
func (b *builder) givesUp(design stats.GroupSequential, bounds stats.GSTBounds, a *plannedAnswer, z float64) bool {
	now := len(design.Information) - 1
	t := design.Information[now]
	ahead := b.planned.Of - a.at.Planned
	for k := 1; k <= ahead; k++ {
		design.Information = append(design.Information, t+(1-t)*float64(k)/float64(ahead))
	}
	design.Information[len(design.Information)-1] = 1
	all, err := design.Bounds()
	if err != nil {
		return false
	}
	drift := math.Log1p(b.plan.MDE) / math.Sqrt(a.effect.Variance*t)
	operation, err := design.Operate(all, drift)
	if err != nil || operation.Power() < b.plan.Power-tooLittlePower {
		return false
	}
	futility, err := design.Futility(all, stats.Futility{
		Kind: stats.SpendOBrienFleming, Beta: 1 - min(b.plan.Power, operation.Power()),
	})
	z = math.Abs(z)
	return err == nil && z <= futility.Z[now] && z < bounds.Z[now]
}

// settle gives a row the state of the interval that decides it, and how long it
// has had it.
func (r *Row) settle(g *GroupSequential, target float64) {
	r.GroupSequential = g
	r.State, r.FirstHarm = StateUnknown, 0
	if len(r.Series) > 0 {
		r.SinceLook = r.Series[0].Look
	}
	for i := range g.Looks {
		l := &g.Looks[i]
		if l.State != r.State {
			r.State, r.SinceLook = l.State, l.Look
		}
		if r.FirstHarm == 0 && l.State == StateWorse {
			r.FirstHarm = l.Look
		}
	}
	r.Precision = nil
	if g.Interval == nil {
		r.State = StateUnknown
		return
	}
	half := (g.Interval.Upper - g.Interval.Lower) / 2
	r.Precision = &Precision{HalfWidth: half, Target: target, Reached: min(1, target/half)}
}

// Label says which look an interval holds at, as the end of a sentence: "at planned
// look 3 of 5".
func (i *RepeatedInterval) Label() string {
	if i.Planned == i.Of {
		return "at the last planned look"
	}
	return fmt.Sprintf("at planned look %d of %d", i.Planned, i.Of)
}

// claim says the effect of a planned look within a sentence.
func (i *RepeatedInterval) claim() string { return i.Text + " (" + i.Range + " " + i.Label() + ")" }

// deciding returns the interval that decides a row, with right = better; ok is
// false while there is none.
func (r *Row) deciding() (interval ChartInterval, ok bool) {
	switch {
	case r.GroupSequential != nil && r.GroupSequential.Interval != nil:
		return r.GroupSequential.Interval.Chart, true
	case r.GroupSequential != nil || r.Effect == nil:
		return ChartInterval{}, false
	}
	c := r.Effect.Chart
	return ChartInterval{c.Estimate, c.Lower, c.Upper}, true
}

// undecided says why a row has no deciding interval.
func (r *Row) undecided() string {
	if r.GroupSequential != nil && r.GroupSequential.Refusal != nil {
		return r.GroupSequential.Refusal.Message
	}
	return r.Refusal.Message
}

// rangeWords is the interval that decides, within a sentence.
func (r *Row) rangeWords() string {
	if g := r.GroupSequential; g != nil && g.Interval != nil {
		return g.Interval.Range
	}
	return r.Effect.Range
}

// claim says the effect that decides a row within a sentence, and where its
// interval holds.
func (r *Row) claim() string {
	if g := r.GroupSequential; g != nil && g.Interval != nil {
		return g.Interval.claim()
	}
	return effectWords(r.Effect)
}

// nextLook says when a row may next be decided.
func (b *builder) nextLook(r *Row) string {
	if r.GroupSequential.Over || b.planned.NextAt == nil {
		return " No planned look is left that could decide it."
	}
	return " " + b.planned.awaits()
}
