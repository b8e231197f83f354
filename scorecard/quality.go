package scorecard

import (
	"fmt"

	"github.com/splitcast/splitcast/stats"
)

func (q *Quality) count(c cell) {
	q.Units++
	if c.faults&faultMissing != 0 {
		q.Missing++
	}
	if c.faults&faultInvalid != 0 {
		q.Invalid++
	}
	if c.faults&faultNegative != 0 {
		q.Negative++
	}
	if c.rows == 0 {
		q.Unusable++
	}
}

// fault is one of the counts of a Quality with its name.
type fault struct {
	name string
	of   func(Quality) int64
}

func faultList() []fault {
	return []fault{
		{"unusable", func(q Quality) int64 { return q.Unusable }},
		{"missing", func(q Quality) int64 { return q.Missing }},
		{"invalid", func(q Quality) int64 { return q.Invalid }},
		{"negative", func(q Quality) int64 { return q.Negative }},
		{"no covariate", func(q Quality) int64 { return q.NoCovariate }},
	}
}

// gaps compares the faults of two arms and returns those that differ beyond
// QualityAlphaP. A missing or invalid value makes a unit unusable unless it has
// other rows, so a difference that is the same one is listed once.
func gaps(control, treatment Quality) []DataGap {
	var out []DataGap
	for i, f := range faultList() {
		c, t := f.of(control), f.of(treatment)
		if i > 0 && (f.name == "missing" || f.name == "invalid") && c == control.Unusable && t == treatment.Unusable {
			continue
		}
		test, err := stats.TwoProportions{
			Control:   stats.Proportion{Successes: c, Trials: control.Units},
			Treatment: stats.Proportion{Successes: t, Trials: treatment.Units},
		}.Pooled()
		if err != nil || test.P >= QualityAlphaP {
			continue // an error here is an arm without units, or a fault that none or all have
		}
		out = append(out, DataGap{
			Fault: f.name, Control: control.Arm, Treatment: treatment.Arm,
			ShareControl: share(c, control.Units), ShareTreated: share(t, treatment.Units),
			Z: test.Z, P: test.P,
		})
	}
	return out
}

func share(part, whole int64) float64 { return float64(part) / float64(whole) }

// sentence says what a gap means.
func (g DataGap) sentence(metric string) string {
	return fmt.Sprintf("%s: %s in %.2f %% of the units of %s and %.2f %% of %s (z = %.1f, p = %.2g). "+
		"The arms are no longer comparable on this metric: whoever lacks a value may have left because of the arm.",
		metric, g.Fault, 100*g.ShareControl, g.Control, 100*g.ShareTreated, g.Treatment, g.Z, g.P)
}
