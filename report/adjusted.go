package report

import (
	"fmt"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// Adjusted is what a row's effect would be without the units' past, and what the
// past took away. The row's own effect is the adjusted one, because the plan said
// so before anybody saw data.
type Adjusted struct {
	Days      int      `json:"days"`              // before the exposure, from which the past is taken
	Effect    *Effect  `json:"effect,omitempty"`  // not adjusted
	Refusal   *Refusal `json:"refusal,omitempty"` // why that is not known
	Reduction float64  `json:"reduction"`         // share of the variance that the adjustment took away
	History   float64  `json:"history"`           // share of the units that have a past
	Words     string   `json:"words"`
}

// adjustedMethod is how an adjusted effect was computed.
const adjustedMethod = "adjusted by the units' own past: the metric's sums then, and whether there is one (CUPED, slopes pooled within arms)"

// adjusts reports whether a comparison of two cells is adjusted: both hold joint
// moments with the past, which those of primary and secondary metrics do when the
// plan has covariates.
func (q *question) adjusts(control, treatment *metrics.Cell) bool {
	return control != nil && treatment != nil && control.Joint != nil && treatment.Joint != nil && q.definition.Adjustable()
}

// adjust takes the past out of the effect, and refuses as package stats does.
func (q *question) adjust(a *answer) error {
	e, err := q.adjustment(a).Effect(stats.LogRatio)
	if err != nil {
		return err
	}
	a.effect, a.reduction = e.Effect, e.Reduction
	return nil
}

func (q *question) adjustment(a *answer) stats.CupedUnits {
	return stats.CupedUnits{
		Control: *a.past[0], Treatment: *a.past[1],
		Ratio: q.definition.Kind.Estimator() == metrics.KindRatio, Floored: q.unequal,
	}
}

// adjustedOf compares the row's cells without their past; nil where the answer is
// not adjusted.
func (b *builder) adjustedOf(q *question, a *answer, control, treatment *metrics.Cell) *Adjusted {
	if a.past[0] == nil || a.err != nil {
		return nil
	}
	c, t := *control, *treatment
	c.Joint, t.Joint = nil, nil
	plain := q.compareFully(&c, &t)
	out := &Adjusted{Days: b.plan.Covariates.Days(), Reduction: a.reduction}
	last := metrics.JointVariables - 1 // 1 for a unit that has a past
	units := float64(a.past[0].N + a.past[1].N)
	for _, arm := range a.past {
		out.History += float64(arm.N) * (arm.Mean[last] + arm.Low[last]) / units
	}
	if plain.err != nil {
		out.Refusal = refusalOf(plain.err)
	} else {
		out.Effect = effectOf(q.definition, &plain)
	}
	out.Words = out.words()
	return out
}

func (x *Adjusted) words() string {
	what := fmt.Sprintf("by the units' own %d days before the exposure, which %s of them have", x.Days, share(x.History, 0))
	switch {
	case x.Reduction > leastReduction:
		what += fmt.Sprintf("; it took away %s of the variance", share(x.Reduction, 0))
	default:
		what += "; it took away next to none of the variance"
	}
	if x.Effect == nil {
		return what + ". Without it there is no estimate: " + x.Refusal.Message
	}
	return what + ". Without it: " + effectWords(x.Effect) + "."
}

// leastReduction is the share of the variance that is worth a number.
const leastReduction = 0.005
