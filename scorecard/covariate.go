package scorecard

import "github.com/splitcast/splitcast/stats"

// covariate is what a unit was like before it was exposed. A ratio's has a
// denominator.
type covariate struct {
	num, den float64
	known    bool
}

// before is all that is known of a unit from before: its covariates by metric,
// empty when no metric has one, and its stratum.
type before struct {
	covariates []covariate
	stratum    uint16
}

// readCovariate reads the covariate of one row. fault is a value that is no
// number; the unit then counts as having none.
func (m Metric) readCovariate(record []string, at columns) (c covariate, column, reason string) {
	text := Metric{Kind: KindMean} // any number will do, also for a proportion
	num, missing, reason := text.number(record[at.num])
	if reason != "" {
		return covariate{}, m.Covariate, reason
	}
	if m.Kind == KindRatio {
		den, denMissing, reason := text.number(record[at.den])
		if reason != "" {
			return covariate{}, m.CovariateDenominator, reason
		}
		return covariate{num: num, den: den, known: !missing && !denMissing}.orNone(), "", ""
	}
	return covariate{num: num, known: !missing}, "", ""
}

func (c covariate) orNone() covariate {
	if !c.known {
		return covariate{}
	}
	return c
}

// adjustment is a metric of one arm with what it is adjusted by, by stratum: the
// joint moments of the value, its covariate and whether it has one; of a ratio, of
// numerator, denominator, and those of its covariate.
type adjustment struct {
	plain, capped []stats.JointMoments
}

// add counts a unit. limit is nil for a metric without a cap.
func (a *adjustment) add(m Metric, c cell, b before, index int) {
	for len(a.plain) <= int(b.stratum) {
		a.plain = append(a.plain, stats.JointMoments{})
		a.capped = append(a.capped, stats.JointMoments{})
	}
	var values [4]float64
	n := 1
	values[0] = c.sum
	switch m.Kind {
	case KindProportion:
		values[0] = c.sum / float64(c.rows)
	case KindRatio:
		values[1], n = c.den, 2
	case KindMean, KindQuantile:
	}
	if m.Covariate != "" {
		x := b.covariates[index]
		second := x.den
		if m.Kind != KindRatio && x.known {
			second = 1
		}
		values[n], values[n+1] = x.num, second
		n += 2
	}
	_ = a.plain[b.stratum].Add(values[:n]...) // the number of variables is always the same
	if m.Cap != nil {
		values[0] = min(values[0], *m.Cap)
		_ = a.capped[b.stratum].Add(values[:n]...)
	}
}

func (a *adjustment) moments(capped bool) []stats.JointMoments {
	if capped {
		return a.capped
	}
	return a.plain
}
