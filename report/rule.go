package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/splitcast/splitcast/experiment"
)

// verdict applies the rule. Trust comes first: while a check fails nothing else
// is said. Then each treatment that is left is judged on its own, and the most urgent
// judgement is the verdict: harm to viewers before anything that can wait.
func (b *builder) verdict(r *Report) Verdict {
	if v, broken := b.untrustworthy(r.Trust); broken {
		return v
	}
	if b.exp.Status == experiment.StatusDraft && r.Head.Look == 0 {
		return b.unlaunched(r)
	}
	var arms []ArmVerdict
	var cases []armCase
	for arm := 1; arm < len(b.exp.Arms); arm++ {
		if b.exp.Arms[arm].Dropped { // it was decided on
			continue
		}
		c := b.armCase(r, arm)
		cases = append(cases, c)
		arms = append(arms, ArmVerdict{Arm: b.exp.Arms[arm].Key, State: c.state, Sentence: c.sentence, Reasons: c.reasons})
	}
	lead := &cases[0]
	for i := range cases {
		if cases[i].before(lead) {
			lead = &cases[i]
		}
	}
	v := Verdict{
		State: lead.state, Arm: b.exp.Arms[lead.arm].Key, Sentence: lead.sentence, Reasons: lead.reasons,
		Action: b.action(lead), Arms: arms,
	}
	if lead.state == VerdictCollecting && r.Unmeasured() && !b.over() {
		v.Action = "Mend what is between the units and their telemetry: their windows close, and none of them has a value."
	}
	if lead.state == VerdictRollBack {
		v.Sentence += shippable(cases, b)
	}
	return v
}

// untrustworthy withholds the verdict when a check fails.
func (b *builder) untrustworthy(trust []Check) (Verdict, bool) {
	v := Verdict{State: VerdictUntrustworthy, Reasons: []Clause{}}
	for _, c := range trust {
		if c.State != CheckFail {
			continue
		}
		text := c.broken()
		if v.Sentence == "" {
			v.Sentence = "The verdict is withheld, because the numbers cannot be trusted. " + text + "."
			v.Action = c.Fix
		}
		v.Reasons = append(v.Reasons, Clause{Text: text, Met: MetNo})
	}
	return v, len(v.Reasons) > 0
}

// armCase is what speaks for and against one treatment.
type armCase struct {
	arm        int
	label      string
	primary    []*Row
	guardrails []*Row
	hurt       []*Segment // segments with proven harm
	segments   Met        // whether no segment is harmed

	state    VerdictState
	sentence string
	reasons  []Clause
}

// armCase gathers the rows of a treatment and judges them.
func (b *builder) armCase(r *Report, arm int) armCase {
	c := armCase{arm: arm, label: b.armLabel(arm), segments: MetYes}
	for i := range r.Primary {
		if r.Primary[i].Arm == arm {
			c.primary = append(c.primary, &r.Primary[i])
		}
	}
	for i := range r.Guardrails {
		if r.Guardrails[i].Arm == arm {
			c.guardrails = append(c.guardrails, &r.Guardrails[i])
		}
	}
	for i := range r.Segments.Rows {
		if s := &r.Segments.Rows[i]; s.Arm == arm && s.harmed() {
			c.hurt = append(c.hurt, s)
		}
	}
	switch {
	case len(c.hurt) > 0:
		c.segments = MetNo
	case r.Segments.Reason != "":
		c.segments = MetUnknown
	}
	c.reasons = b.clauses(&c)
	b.judge(&c)
	return c
}

// judge applies the rule to one treatment.
func (b *builder) judge(c *armCase) {
	if b.exp.MeasuresHoldout != "" {
		b.judgeProgramme(c)
		return
	}
	if harm := c.harm(); len(harm) > 0 {
		c.state = VerdictRollBack
		c.sentence = fmt.Sprintf("%s hurts: %s.", c.label, list(harm))
		return
	}
	known := slices.DeleteFunc(slices.Clone(c.primary), func(r *Row) bool { _, ok := r.deciding(); return !ok })
	helped := inState(c.primary, StateBetter)
	switch {
	case len(known) == 0:
		c.state = VerdictCollecting
		c.sentence = fmt.Sprintf("Still collecting for %s.", c.label)
		if len(c.primary) > 0 {
			c.sentence += " " + c.primary[0].undecided()
		}
	case len(c.hurt) > 0:
		c.state = VerdictHold
		c.sentence = c.holdSentence(helped)
	case len(helped) > 0 && len(inState(c.guardrails, StateSafe)) == len(c.guardrails) && c.segments == MetYes:
		c.state = VerdictShip
		c.sentence = c.shipSentence(helped)
	case len(known) == len(c.primary) && !slices.ContainsFunc(c.primary, b.mayReachMDE):
		c.state = VerdictStopNoEffect
		c.sentence = b.noEffectSentence(c)
	default:
		c.state = VerdictKeepRunning
		c.sentence = b.keepRunningSentence(c, known, helped)
	}
	c.sentence += otherWay(helped, b.exp.Unit)
}

// harm lists what is proven to be hurt on average: guardrails beyond zero that
// are not proven within their margin, and primary metrics.
func (c *armCase) harm() []string {
	var out []string
	for _, r := range c.guardrails {
		switch r.State {
		case StateBreached:
			out = append(out, fmt.Sprintf("%s changes by %s, worse than its margin of %s",
				lower(r.Metric.Name), effectWords(r.Effect), marginWords(r)))
		case StateHarmed:
			out = append(out, fmt.Sprintf("%s changes by %s, which is worse and may exceed its margin of %s",
				lower(r.Metric.Name), effectWords(r.Effect), marginWords(r)))
		}
	}
	for _, r := range inState(c.primary, StateWorse) {
		out = append(out, fmt.Sprintf("%s, a primary metric, changes for the worse by %s", lower(r.Metric.Name), r.claim()))
	}
	return out
}

// mayReachMDE reports whether the interval of a primary row still allows an
// improvement of at least the smallest effect worth having.
func (b *builder) mayReachMDE(r *Row) bool {
	interval, ok := r.deciding()
	if !ok {
		return true
	}
	if r.GroupSequential != nil && r.GroupSequential.GiveUp {
		return false
	}
	return reaches(interval, r.Metric.Direction, b.plan.MDE)
}

// reaches reports whether an interval holds an improvement, or of a metric without
// a good side a change, of at least the size.
func reaches(interval ChartInterval, direction int, size float64) bool {
	best := interval.Upper
	if direction == 0 {
		best = max(best, -interval.Lower)
	}
	return best >= size
}

// noEffectSentence says why an effect worth having is not expected any more: no
// interval holds one, or the plan advises to give up.
func (b *builder) noEffectSentence(c *armCase) string {
	head := fmt.Sprintf("%s does not help enough to matter: %s.", c.label, rowList(c.primary))
	if b.advised(c) {
		return fmt.Sprintf("%s The plan advises to give up: so little by now would be unlikely if there was an improvement of %s, the smallest worth having.",
			head, planned(b.plan.MDE))
	}
	return fmt.Sprintf("%s An improvement of %s, the smallest worth having, is ruled out.", head, planned(b.plan.MDE))
}

// advised reports whether some primary metric of a treatment is given up on advice
// alone: its interval still holds an improvement worth having.
func (b *builder) advised(c *armCase) bool {
	return slices.ContainsFunc(c.primary, func(r *Row) bool {
		interval, ok := r.deciding()
		return ok && reaches(interval, r.Metric.Direction, b.plan.MDE)
	})
}

func (c *armCase) shipSentence(helped []*Row) string {
	guard := "No guardrail was planned."
	if len(c.guardrails) > 0 {
		guard = "Every guardrail is proven within its margin."
	}
	return fmt.Sprintf("%s helps: %s. %s", c.label, rowList(helped), guard)
}

// otherWay warns of rows that go the other way when every unit weighs the same.
func otherWay(rows []*Row, unit experiment.UnitType) string {
	var out []string
	for _, r := range rows {
		if r.PerUnit != nil && !r.PerUnit.Agrees {
			out = append(out, lower(r.Metric.Name)+" "+r.PerUnit.Effect.Text)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return fmt.Sprintf(" Beware: for the average %s it goes the other way: %s.", unit, list(out))
}

func (c *armCase) holdSentence(helped []*Row) string {
	harm := c.segmentHarm()
	if len(helped) > 0 {
		return fmt.Sprintf("%s helps on average: %s. But it harms %s.", c.label, rowList(helped), harm)
	}
	return fmt.Sprintf("%s is not proven to help on average, and it harms %s.", c.label, harm)
}

// segmentHarm names the first segment that is harmed, and how many more there are.
func (c *armCase) segmentHarm() string {
	s := c.hurt[0]
	harm := fmt.Sprintf("%s %s: %s %s", s.Dimension, s.Value, lower(s.MetricName), effectWords(s.Effect))
	if n := len(c.hurt) - 1; n > 0 {
		harm += fmt.Sprintf(", and %d more", n)
	}
	return harm
}

// keepRunningSentence says what is still possible and how long it may take.
func (b *builder) keepRunningSentence(c *armCase, known, helped []*Row) string {
	if len(helped) > 0 {
		open := []string{}
		for _, r := range c.guardrails {
			if r.State != StateSafe {
				open = append(open, lower(r.Metric.Name))
			}
		}
		if len(open) == 0 {
			return fmt.Sprintf("%s helps: %s. What it does to segments is not known at this look.", c.label, rowList(helped))
		}
		return fmt.Sprintf("%s helps: %s. Not yet proven within the margin: %s.", c.label, rowList(helped), list(open))
	}
	r := known[0]
	s := fmt.Sprintf("Not decided yet. %s in %s could be anywhere %s.", r.Metric.Name, c.label, r.rangeWords())
	if b.over() {
		return strings.Replace(s, " yet", "", 1)
	}
	if r.GroupSequential != nil {
		return s + b.nextLook(r)
	}
	return s + b.wait(r)
}

// wait estimates how long until the interval of a row is as narrow as the plan
// asks for, were units to come as they did so far: the squared width falls with
// their number.
func (b *builder) wait(r *Row) string {
	watermark := b.history.newest().Watermark
	if r.Precision.Reached >= 1 || b.exp.StartedAt == nil || b.exp.Status != experiment.StatusRunning {
		return ""
	}
	elapsed := watermark.Sub(*b.exp.StartedAt)
	if elapsed <= 0 {
		return ""
	}
	more := elapsed.Hours() * (1/(r.Precision.Reached*r.Precision.Reached) - 1)
	const year = 365 * 24
	if more > year {
		return fmt.Sprintf(" At this pace it takes more than a year to tell an effect of %s.", planned(r.Precision.Target))
	}
	return fmt.Sprintf(" At this pace it takes about %s more to tell an effect of %s.",
		ageWords(time.Duration(math.Ceil(more*float64(time.Hour)))), planned(r.Precision.Target))
}

// clauses lists the conditions of the rule with their state.
func (b *builder) clauses(c *armCase) []Clause {
	out := []Clause{{Text: "No trust check fails.", Met: MetYes}}
	for _, r := range c.primary {
		out = append(out, Clause{Text: r.Metric.Name + " is better" + detail(r), Met: met(r, StateBetter)})
	}
	for _, r := range c.guardrails {
		out = append(out, Clause{
			Text: fmt.Sprintf("%s is within its margin of %s%s", r.Metric.Name, marginWords(r), detail(r)),
			Met:  met(r, StateSafe),
		})
	}
	text := "No segment is proven to be harmed."
	if len(c.hurt) > 0 {
		text = fmt.Sprintf("No segment is proven to be harmed: %s %s is.", c.hurt[0].Dimension, c.hurt[0].Value)
	}
	return append(out, Clause{Text: text, Met: c.segments})
}

func detail(r *Row) string {
	if _, ok := r.deciding(); !ok {
		return "."
	}
	return ": " + r.claim() + "."
}

// met says whether a row is in the wanted state; one that allows both is unknown.
func met(r *Row, want State) Met {
	switch r.State {
	case want:
		return MetYes
	case StateUnknown, StateUnproven:
		return MetUnknown
	}
	return MetNo
}

// urgency orders verdicts, most urgent first.
func (s VerdictState) urgency() int {
	order := []VerdictState{
		VerdictUntrustworthy, VerdictRollBack, VerdictProgrammeLoss, VerdictProgrammeMixed, VerdictShip, VerdictProgrammeGain, VerdictHold,
		VerdictKeepRunning, VerdictCollecting, VerdictStopNoEffect, VerdictProgrammeNoGain,
	}
	return slices.Index(order, s)
}

// before orders treatments: by urgency, then by the improvement that is beyond doubt.
func (c *armCase) before(o *armCase) bool {
	if c.state != o.state {
		return c.state.urgency() < o.state.urgency()
	}
	return c.provenGain() > o.provenGain()
}

func (c *armCase) provenGain() float64 {
	best := math.Inf(-1)
	for _, r := range c.primary {
		if interval, ok := r.deciding(); ok {
			best = max(best, interval.Lower)
		}
	}
	return best
}

// shippable names treatments that may ship although another must go.
func shippable(cases []armCase, b *builder) string {
	var names []string
	for i := range cases {
		if cases[i].state == VerdictShip {
			names = append(names, b.armLabel(cases[i].arm))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " Meanwhile " + list(names) + " may ship."
}

// action says what to do about the leading case.
func (b *builder) action(c *armCase) string {
	if b.over() {
		return b.overAction(c)
	}
	if s := programmeAction(c.state); s != "" {
		return s
	}
	switch c.state {
	case VerdictRollBack:
		if b.treatments() > 1 {
			return "Take " + c.label + " out now."
		}
		return "Roll back to " + b.armLabel(0) + " now."
	case VerdictShip:
		return "Ship " + c.label + "."
	case VerdictHold:
		return "Do not ship to everyone: mend the segment, or restrict the audience and run again."
	case VerdictStopNoEffect:
		if b.advised(c) {
			return "Stop, or go on until the planned end: going on costs time and no false positives."
		}
		return "Stop: more data will not make it worth having."
	case VerdictCollecting:
		if b.planned != nil {
			return "Wait for the first planned look. Guardrails are watched at every look meanwhile."
		}
		return "Wait: the first windows must close and the first units come in."
	}
	if b.planned != nil {
		return "Keep running. Goals are decided at planned looks; guardrails are watched at every look meanwhile."
	}
	return "Keep running. The intervals are valid at every look, so look as often as you like."
}

func inState(rows []*Row, want State) []*Row {
	var out []*Row
	for _, r := range rows {
		if r.State == want {
			out = append(out, r)
		}
	}
	return out
}

// rowList says the effects of rows within a sentence.
func rowList(rows []*Row) string {
	parts := make([]string, 0, len(rows))
	for _, r := range rows {
		if _, ok := r.deciding(); ok {
			parts = append(parts, lower(r.Metric.Name)+" "+r.claim())
		}
	}
	return list(parts)
}

// lower makes the first letter of a metric's name small within a sentence,
// unless the name begins with an abbreviation.
func lower(name string) string {
	first, size := utf8.DecodeRuneInString(name)
	second, _ := utf8.DecodeRuneInString(name[size:])
	if unicode.IsUpper(second) {
		return name
	}
	return string(unicode.ToLower(first)) + name[size:]
}
