package assignment

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/splitcast/splitcast/experiment"
)

// FlagdCheck compares the flags of a flagd document with Evaluate.
type FlagdCheck struct {
	snap *Snapshot
	rand *rand.Rand
}

// NewFlagdCheck returns the check of documents that were made from the
// snapshot. Equal seeds ask for equal units.
func (s *Snapshot) NewFlagdCheck(seed uint64) *FlagdCheck {
	return &FlagdCheck{snap: s, rand: rand.New(rand.NewPCG(seed, uint64(s.version)))}
}

// Check asks both for n units with attributes that the experiment's audience
// tells apart, and returns the first difference in words; empty when there is
// none.
func (c *FlagdCheck) Check(f *FlagdFlag, n int) string {
	i, ok := c.snap.index[f.Key]
	if !ok {
		return "the configuration has no such experiment"
	}
	eval := flagdEval{evaluators: f.evaluators}
	var flag flagdFlag
	if err := json.Unmarshal(f.Text, &flag); err != nil {
		return fmt.Sprintf("the flag cannot be read: %v", err)
	}
	p := newProbes(&c.snap.experiments[i])
	ctx := NewContext("")
	for range n {
		given := p.draw(c.rand)
		ctx.Reset("")
		fill(ctx, given)
		r := c.snap.EvaluateAt(i, ctx)
		got, err := eval.variant(&flag, given)
		if err != nil {
			return fmt.Sprintf("for %v the document fails: %v", given, err)
		}
		if got != r.Variant {
			return fmt.Sprintf("for %v the document serves %s, evaluation %s (%s)", given, got, r.Variant, r.Cause)
		}
	}
	return ""
}

// fill sets a context to decoded JSON of scalars.
func fill(ctx *Context, given map[string]any) {
	for name, v := range given {
		setAny(ctx, name, v)
	}
}

func setAny(ctx *Context, name string, v any) {
	switch v := v.(type) {
	case string:
		ctx.SetString(name, v)
	case float64:
		ctx.SetNumber(name, v)
	case bool:
		ctx.SetBool(name, v)
	}
}

// probes are the values to ask an experiment about: for each attribute those
// that its rules name, and neighbours; and the ids that it treats alone.
type probes struct {
	audience *rule
	names    []string
	values   map[string][]any
	units    []string
	unit     string // attribute of the unit type

	// What draw uses again: half a million units are drawn after a start.
	given map[string]any
	suits map[*rule][]any // values to try for a comparison; nil: the attribute is absent
	probe *Context
}

// maxProbeValues bounds the values taken from one list of a rule.
const maxProbeValues = 32

func newProbes(e *compiled) *probes {
	p := &probes{
		audience: e.audience, values: map[string][]any{}, unit: unitAttr(e.unit),
		given: map[string]any{}, suits: map[*rule][]any{}, probe: NewContext(""),
	}
	if e.audience != nil {
		p.add(e.audience)
	}
	for unit := range e.overrides {
		p.units = append(p.units, unit)
	}
	slices.Sort(p.units)
	for _, name := range []string{TargetingKey, p.unit} { // rules on ids are asked by units
		for _, v := range p.values[name] {
			if id, ok := v.(string); ok && experiment.ValidUnitID(id) {
				p.units = append(p.units, id)
			}
		}
		delete(p.values, name)
	}
	p.names = slices.Sorted(maps.Keys(p.values))
	return p
}

func (p *probes) add(r *rule) {
	for i := range r.kids {
		p.add(&r.kids[i])
	}
	values := r.probeValues()
	switch {
	case r.kids != nil || r.op == opAll || r.op == opAny:
	case r.attr == "":
		for _, v := range values {
			p.units = append(p.units, fmt.Sprint(v))
		}
	default:
		p.values[r.attr] = append(p.values[r.attr], values...)
	}
}

// probeValues returns values on both sides of what a comparison tells apart.
func (r *rule) probeValues() []any {
	switch r.op {
	case opAll, opAny, opNot:
		return nil
	case opInList, opNotInList:
		var out []any
		for _, id := range r.list.IDs()[:min(r.list.Len(), maxProbeValues)] {
			out = append(out, id)
		}
		return append(out, "other")
	case opIn, opNotIn:
		values := r.set.list()
		return append(neighbours(values[:min(len(values), maxProbeValues)]), "other", 0.0, true, false)
	case opSemverEq, opSemverLt, opSemverLe, opSemverGt, opSemverGe:
		next := *r.version
		next.Patch++
		return []any{"0.0.0", versionText(*r.version), versionText(next), versionText(next) + "-rc.1", "99999.0.0", "none", 1.0}
	}
	return append(neighbours([]any{r.value.any()}), "", "other", 0.0, true, false)
}

// neighbours returns the values with those next to them.
func neighbours(values []any) []any {
	var out []any
	for _, v := range values {
		switch v := v.(type) {
		case float64:
			out = append(out, v-1, v, v+1)
		case string:
			out = append(out, v, "x"+v, v+"x")
		default:
			out = append(out, v)
		}
	}
	return out
}

// One in presentOdds attributes is left out, one in aloneOdds units is one that
// the experiment treats alone, and one in strayOdds is drawn without an eye to
// the audience, which few units would be in by chance.
const (
	presentOdds = 5
	aloneOdds   = 10
	strayOdds   = 4
)

// draw returns the attributes of a unit, which are valid until the next call.
func (p *probes) draw(r *rand.Rand) map[string]any {
	ctx := p.given
	clear(ctx)
	for _, name := range p.names {
		if r.IntN(presentOdds) > 0 {
			ctx[name] = p.values[name][r.IntN(len(p.values[name]))]
		}
	}
	if p.audience != nil && r.IntN(strayOdds) > 0 {
		p.suit(p.audience, true, r)
	}
	id := fmt.Sprintf("unit-%d", r.Uint64())
	if len(p.units) > 0 && r.IntN(aloneOdds) == 0 {
		id = p.units[r.IntN(len(p.units))]
	}
	ctx[TargetingKey] = id
	delete(ctx, p.unit)
	if r.IntN(presentOdds) == 0 {
		ctx[p.unit] = fmt.Sprintf("unit-%d", r.Uint64())
	}
	return ctx
}

// suitTries is how many values are tried for one comparison.
const suitTries = 16

// suit sets attributes so that the rule holds, or does not, as wanted, as far as
// rules do not contradict each other.
func (p *probes) suit(r *rule, want bool, random *rand.Rand) {
	switch r.op {
	case opNot:
		p.suit(&r.kids[0], !want, random)
		return
	case opAll, opAny:
		every := (r.op == opAll) == want
		for i := range r.kids {
			if every {
				p.suit(&r.kids[i], want, random)
			}
		}
		if !every && len(r.kids) > 0 {
			p.suit(&r.kids[random.IntN(len(r.kids))], want, random)
		}
		return
	}
	if r.attr == "" || r.attr == TargetingKey {
		return
	}
	values := p.suits[r]
	if values == nil {
		values = append(r.probeValues(), nil)
		p.suits[r] = values
	}
	for range suitTries {
		v := values[random.IntN(len(values))]
		p.probe.Reset("")
		setAny(p.probe, r.attr, v)
		if r.holds(p.probe) != want {
			continue
		}
		p.given[r.attr] = v
		if v == nil {
			delete(p.given, r.attr)
		}
		return
	}
}
