package assignment

import (
	"maps"
	"slices"

	"github.com/splitcast/splitcast/experiment"
)

// Match is what a Matcher knows of a unit.
type Match uint8

// The answers, from the least to the most eligible.
const (
	MatchNo      Match = iota
	MatchUnknown       // it depends on an attribute that is not known
	MatchYes
)

// Matcher judges units of which not every attribute is known, such as those in
// stored telemetry. Where all is known it says what evaluation says.
type Matcher struct {
	rule  *rule // nil: everyone
	names []string
}

// NewMatcher compiles an audience for units of a type; nil is everyone. lists
// returns the ids of a list. It returns experiment.CodeInvalid for an audience
// that evaluation would refuse.
func NewMatcher(a *experiment.Audience, unit experiment.UnitType, lists map[string]*experiment.IDSet) (*Matcher, error) {
	ac := newAudienceCompiler(lists)
	r, err := ac.compile(a, unitIndexOf(unit))
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	if r != nil {
		r.addAttributes(names)
	}
	return &Matcher{rule: r, names: slices.Sorted(maps.Keys(names))}, nil
}

// Attributes returns the names that the audience reads, sorted.
func (m *Matcher) Attributes() []string { return m.names }

// Match judges a unit. An attribute that the context lacks counts as not known,
// and so does a text that a rule compares as a number or a boolean: telemetry
// keeps texts only.
func (m *Matcher) Match(ctx *Context) Match {
	if m.rule == nil {
		return MatchYes
	}
	return m.rule.match(ctx)
}

// match is holds in the logic of three values of Kleene.
func (r *rule) match(ctx *Context) Match {
	switch r.op {
	case opAll:
		least := MatchYes
		for i := range r.kids {
			least = min(least, r.kids[i].match(ctx))
		}
		return least
	case opAny:
		most := MatchNo
		for i := range r.kids {
			most = max(most, r.kids[i].match(ctx))
		}
		return most
	case opNot:
		return MatchYes - r.kids[0].match(ctx)
	}
	if r.attr != "" {
		a := ctx.find(r.attr)
		if a == nil || a.kind == kindString && r.ofOtherThanText() {
			return MatchUnknown
		}
	}
	if r.holds(ctx) {
		return MatchYes
	}
	return MatchNo
}

// ofOtherThanText reports whether the rule compares with a number or a boolean.
func (r *rule) ofOtherThanText() bool {
	switch r.op {
	case opEq, opNe, opLt, opLe, opGt, opGe:
		return r.value.kind != kindString
	}
	return false
}
