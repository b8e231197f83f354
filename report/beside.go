package report

import (
	"fmt"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// signsDiffer is the note of a ratio whose two forms have different signs: both numbers,
// what it means if that holds, and how far each is proven.
func signsDiffer(pooled, perUnit *Effect, unit experiment.UnitType) string {
	one, both := string(unit), fmt.Sprintf("heavy %ss go one way, typical %ss the other", unit, unit)
	head := fmt.Sprintf("Pooled and per %s disagree: %s over the sums of all %ss, %s for the average %s.",
		one, pooled.Text, one, perUnit.Text, one)
	switch {
	case pooled.proven() && perUnit.proven():
		return head + " Both are proven: " + both + ". Neither number may be told alone."
	case pooled.proven():
		return head + " Only the pooled one is proven. If both hold, " + both + "."
	case perUnit.proven():
		return head + fmt.Sprintf(" Only that of the average %s is proven. If both hold, %s.", one, both)
	}
	return head + " Neither is proven, so it may be chance. If both hold, " + both + "."
}

// proven reports whether the interval that is valid at every look leaves out zero.
func (e *Effect) proven() bool { return e.Lower > 0 || e.Upper < 0 }

// uncapped makes the same comparison without the cap, for the newest look.
func (b *builder) uncapped(q *question, arm int, capped *Effect) *Uncapped {
	d := q.definition
	u := b.beside(q, cellKey{d.Key, d.Version, true, arm})
	if u.Agrees = agree(u.Effect, capped); !u.Agrees {
		u.Note = signTurnedByCap
	}
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
		out.Note = signsDiffer(pooled, out.Effect, b.exp.Unit)
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

// agree reports whether two estimates do not have different signs, as far as both are
// known; one of zero has none.
func agree(a, b *Effect) bool {
	return a == nil || b == nil || !(a.Estimate < 0 && b.Estimate > 0 || a.Estimate > 0 && b.Estimate < 0)
}
