package assignment

import (
	"maps"
	"slices"
	"strconv"

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

// Match judges a unit. An attribute that the context lacks counts as not known.
// What is stored of units is text alone: one that reads as a number or a boolean,
// where a rule compares these, counts as not known if it matters which it was.
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
	if r.ofUnknownList() {
		return MatchUnknown
	}
	yes := r.holds(ctx)
	if r.attr != "" {
		a := ctx.find(r.attr)
		if a == nil || r.ambiguous(a, yes) {
			return MatchUnknown
		}
	}
	if yes {
		return MatchYes
	}
	return MatchNo
}

// ofUnknownList reports whether the rule looks up a list whose ids are not known.
func (r *rule) ofUnknownList() bool {
	return (r.op == opInList || r.op == opNotInList) && r.list == nil
}

// ambiguous reports whether the rule would have said otherwise, had an attribute
// of which only the text is known been a number or a boolean.
func (r *rule) ambiguous(a *attr, yes bool) bool {
	typed, ok := a.typed()
	return ok && r.ofOtherThanText() && r.compare(&typed) != yes
}

// ofOtherThanText reports whether the rule compares with a number or a boolean.
func (r *rule) ofOtherThanText() bool {
	switch r.op {
	case opEq, opNe, opLt, opLe, opGt, opGe:
		return r.value.kind != kindString
	case opIn, opNotIn:
		return r.set.mixed
	}
	return false
}

// typed returns the number or the boolean whose text a text is; false when there
// is none.
func (a *attr) typed() (attr, bool) {
	if a.kind != kindString {
		return attr{}, false
	}
	switch a.str {
	case "true":
		return attr{kind: kindBool, num: 1}, true
	case "false":
		return attr{kind: kindBool}, true
	}
	v, err := strconv.ParseFloat(a.str, 64)
	typed := attr{kind: kindNumber, num: v}
	if err != nil || typed.text() != a.str {
		return attr{}, false
	}
	return typed, true
}

// notKnown says in words what keeps match from judging.
func (r *rule) notKnown(ctx *Context) string {
	for i := range r.kids {
		if words := r.kids[i].notKnown(ctx); words != "" {
			return words
		}
	}
	switch {
	case len(r.kids) > 0 || r.match(ctx) != MatchUnknown:
		return ""
	case r.ofUnknownList():
		return "list " + strconv.Quote(r.value.str) + " has changed since, and its ids of then are not kept"
	case ctx.find(r.attr) == nil:
		return "attribute " + strconv.Quote(r.attr) + " is not stored with the exposure"
	}
	return "attribute " + strconv.Quote(r.attr) + " is stored as text, which does not tell whether it was a number or a boolean"
}
