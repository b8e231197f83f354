package metrics

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// A funnel of base quantities is of sessions: each step counts sessions that lie
// within those of the step before. A funnel with a custom step is of units: a unit
// reaches a step when it reached all those before and did what the step counts in the
// window, at any time or, with OrderStrict, at or after what it reached the step
// before by.

// OfUnits reports whether the steps of a funnel are reached by units.
func (d *Definition) OfUnits() bool { return slices.ContainsFunc(d.Steps, Term.IsCustom) }

// inOrder reports whether the steps are reached one after the other in time.
func (d *Definition) inOrder() bool { return d.Kind == KindFunnel && d.Order == OrderStrict }

// funnelKey returns the key of the funnel that d is, or is a companion of.
func (d *Definition) funnelKey() string {
	if of, _, ok := stepOf(d.Key); ok && d.FromStep > 0 {
		return of
	}
	return d.Key
}

// stepSuffix comes before the number of a step in the keys of its companions.
const stepSuffix = ".step"

// StepKey returns the key of the companion of a funnel that tells how many of
// those who reached the step before went on to this one, counted from 1.
func StepKey(key string, step int) string { return key + stepSuffix + strconv.Itoa(step) }

// Step returns the companion of a funnel for a step from the second on: the share
// of those who reached the step before that reached it. ok is false for other
// kinds, steps that there are not, and for keys too long to carry the suffix.
func (d *Definition) Step(step int) (companion Definition, ok bool) {
	key := StepKey(d.Key, step)
	if d.Kind != KindFunnel || step < 2 || step > len(d.Steps) || !experiment.ValidKey(key) {
		return Definition{}, false
	}
	companion = *d
	companion.Key = key
	companion.Name = fmt.Sprintf("%s, step %d of those at step %d", d.Name, step, step-1)
	companion.Steps = d.Steps[:step]
	companion.FromStep = step - 1
	companion.Quotient = Quotient{Numerator: d.Steps[step-1], Denominator: d.Steps[step-2]}
	return companion, true
}

// stepCompanions returns the companions of a funnel of three steps or more; of
// two, the funnel is its own.
func (d *Definition) stepCompanions() []Definition {
	var out []Definition
	if len(d.Steps) < 3 {
		return nil
	}
	for step := 2; step <= len(d.Steps); step++ {
		if companion, ok := d.Step(step); ok {
			out = append(out, companion)
		}
	}
	return out
}

// stepOf takes the key of a companion apart.
func stepOf(key string) (of string, step int, ok bool) {
	at := strings.LastIndex(key, stepSuffix)
	if at < 0 {
		return "", 0, false
	}
	step, err := strconv.Atoi(key[at+len(stepSuffix):])
	return key[:at], step, err == nil
}

// reach is a funnel of units: which of its steps a pair is made of.
type reach struct {
	steps    [MaxFunnelSteps]Term
	from, to int    // counted from 1; to 0: not of units
	inOrder  string // key of the funnel whose steps are in order; empty: in any
}

func reachOf(d *Definition) reach {
	if d.Kind != KindFunnel || !d.OfUnits() {
		return reach{}
	}
	r := reach{from: max(1, d.FromStep), to: len(d.Steps)}
	if d.inOrder() {
		r.inOrder = d.funnelKey()
		return r
	}
	copy(r.steps[:], d.Steps)
	return r
}

// value returns 1 and whether a unit that reached step from reached step to; ok is
// false for a unit that did not reach from, and for one of which a step that
// decides it is not known.
func (r *reach) value(o *Outcome) (y, x float64, ok bool) {
	if r.inOrder != "" {
		return r.inOrderValue(o)
	}
	for i := range r.to {
		v, known := r.steps[i].of(o)
		switch {
		case !known:
			return 0, 0, false
		case v > 0:
		case i < r.from:
			return 0, 0, false
		default:
			return 0, 1, true
		}
	}
	return 1, 1, true
}

// inOrderValue is value of a funnel whose steps are in order.
func (r *reach) inOrderValue(o *Outcome) (y, x float64, ok bool) {
	reached, known := Term{Custom: funnelSource + r.inOrder}.of(o)
	if !known || int(reached) < r.from {
		return 0, 0, false
	}
	if int(reached) >= r.to {
		return 1, 1, true
	}
	_, open := Term{Custom: funnelOpenSource + r.inOrder}.of(o)
	return 0, 1, !open
}
