package report

import (
	"math"

	"github.com/splitcast/splitcast/metrics"
)

// signsDiffer is the note of a ratio whose two forms disagree.
const signsDiffer = "Over all time and over the average unit the estimates have different signs: " +
	"heavy and light users fare differently, or nothing is there yet. Neither number may be told alone."

// uncapped makes the same comparison without the cap, for the newest look.
func (b *builder) uncapped(q *question, arm int, capped *Effect) *Uncapped {
	d := q.definition
	u := b.beside(q, cellKey{d.Key, d.Version, true, arm})
	u.Agrees = agree(u.Effect, capped)
	return u
}

// perUnit compares the means of the units' own ratios, for the newest look; nil
// for what is no ratio, and where no unit has one of its own.
func (b *builder) perUnit(q *question, arm int, pooled *Effect) *PerUnit {
	d, ok := q.definition.PerUnit()
	if !ok {
		return nil
	}
	alone := *q
	alone.definition = &d
	out := &PerUnit{Uncapped: *b.beside(&alone, cellKey{d.Key, d.Version, false, arm})}
	if out.Refusal != nil && out.Control.N+out.Treatment.N == 0 {
		return nil
	}
	if out.Agrees = agree(out.Effect, pooled); !out.Agrees {
		out.Note = signsDiffer
	}
	return out
}

// beside answers the question of a row with other cells of the newest look.
func (b *builder) beside(q *question, key cellKey) *Uncapped {
	cells := b.history.newest().Cells
	find := func(arm int) *metrics.Cell {
		c := cursor{key: key}
		c.key.arm = arm
		return c.total(cells)
	}
	control, treatment := find(0), find(key.arm)
	a := q.compareFully(control, treatment)
	u := &Uncapped{
		Control: valueOf(q.definition, control, &a.control), Treatment: valueOf(q.definition, treatment, &a.treatment),
	}
	if a.err != nil {
		u.Refusal = refusalOf(a.err)
		return u
	}
	u.Effect = effectOf(q.definition, &a)
	return u
}

// agree reports whether two estimates have the same sign, as far as both are known.
func agree(a, b *Effect) bool {
	return a == nil || b == nil || math.Signbit(a.Estimate) == math.Signbit(b.Estimate)
}
