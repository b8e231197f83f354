package assignment

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// rule is an Audience in the form that evaluation reads: values typed,
// versions parsed, lists indexed.
type rule struct {
	op      opcode
	attr    string
	kids    []rule             // opAll, opAny, opNot
	value   attr               // what the attribute is compared with
	version *experiment.Semver // opSemverEq and its like
	set     *valueSet
	list    *experiment.IDSet // opInList, opNotInList; nil when the ids are not known, value is its key then: Matcher and Auditor alone meet these
	unit    unitIndex         // whose id to look up in the list when attr is empty
}

type opcode uint8

const (
	opAll opcode = iota
	opAny
	opNot
	opEq
	opNe
	opIn
	opNotIn
	opLt
	opLe
	opGt
	opGe
	opSemverEq
	opSemverLt
	opSemverLe
	opSemverGt
	opSemverGe
	opContains
	opStartsWith
	opEndsWith
	opPresent
	opAbsent
	opInList
	opNotInList
)

var opcodes = map[experiment.Op]opcode{
	experiment.OpEq: opEq, experiment.OpNe: opNe, experiment.OpIn: opIn, experiment.OpNotIn: opNotIn,
	experiment.OpLt: opLt, experiment.OpLe: opLe, experiment.OpGt: opGt, experiment.OpGe: opGe,
	experiment.OpSemverEq: opSemverEq, experiment.OpSemverLt: opSemverLt, experiment.OpSemverLe: opSemverLe,
	experiment.OpSemverGt: opSemverGt, experiment.OpSemverGe: opSemverGe,
	experiment.OpContains: opContains, experiment.OpStartsWith: opStartsWith, experiment.OpEndsWith: opEndsWith,
	experiment.OpPresent: opPresent, experiment.OpAbsent: opAbsent,
	experiment.OpInList: opInList, experiment.OpNotInList: opNotInList,
}

// holds reports whether the context satisfies the rule. A comparison with an
// attribute that is absent or of another type is false, except for ne, not_in,
// not_in_list and absent.
func (r *rule) holds(ctx *Context) bool {
	switch r.op {
	case opAll:
		for i := range r.kids {
			if !r.kids[i].holds(ctx) {
				return false
			}
		}
		return true
	case opAny:
		for i := range r.kids {
			if r.kids[i].holds(ctx) {
				return true
			}
		}
		return false
	case opNot:
		return !r.kids[0].holds(ctx)
	case opInList:
		return r.listed(ctx)
	case opNotInList:
		return !r.listed(ctx)
	}
	a := ctx.find(r.attr)
	if a == nil {
		return r.op == opAbsent || r.op == opNe || r.op == opNotIn
	}
	return r.compare(a)
}

// listed reports whether the attribute, or the unit's id, is in the list.
func (r *rule) listed(ctx *Context) bool {
	if r.attr == "" {
		id, ok := ctx.unit(r.unit)
		return ok && r.list.Has(id)
	}
	a := ctx.find(r.attr)
	return a != nil && a.kind == kindString && r.list.Has(a.str)
}

func (r *rule) compare(a *attr) bool {
	switch r.op {
	case opPresent:
		return true
	case opAbsent:
		return false
	case opEq:
		return a.equals(&r.value)
	case opNe:
		return !a.equals(&r.value)
	case opIn:
		return r.set.has(a)
	case opNotIn:
		return !r.set.has(a)
	case opLt, opLe, opGt, opGe:
		return a.kind == kindNumber && r.compareNumber(a.num)
	}
	return a.kind == kindString && r.compareString(a.str)
}

func (r *rule) compareNumber(v float64) bool {
	switch r.op {
	case opLt:
		return v < r.value.num
	case opLe:
		return v <= r.value.num
	case opGt:
		return v > r.value.num
	}
	return v >= r.value.num
}

func (r *rule) compareString(s string) bool {
	switch r.op {
	case opContains:
		return strings.Contains(s, r.value.str)
	case opStartsWith:
		return strings.HasPrefix(s, r.value.str)
	case opEndsWith:
		return strings.HasSuffix(s, r.value.str)
	}
	v, ok := experiment.ParseSemver(s)
	if !ok {
		return false
	}
	c := v.Compare(*r.version)
	switch r.op {
	case opSemverEq:
		return c == 0
	case opSemverLt:
		return c < 0
	case opSemverLe:
		return c <= 0
	case opSemverGt:
		return c > 0
	}
	return c >= 0
}

// equals compares type and value. Numbers compare exactly: an attribute is a
// fact, not a measurement.
func (a *attr) equals(b *attr) bool {
	return a.kind == b.kind && a.kind != kindOther && a.num == b.num && a.str == b.str
}

// audienceCompiler compiles equal audiences once, and equal groups of rules
// within them: many experiments share some.
type audienceCompiler struct {
	known   map[audienceKey]*rule
	strings map[string]string            // each name and value once
	lists   map[string]*experiment.IDSet // nil: there is such a list, but its ids are not known
}

func newAudienceCompiler(lists map[string]*experiment.IDSet) audienceCompiler {
	return audienceCompiler{known: map[audienceKey]*rule{}, strings: map[string]string{}, lists: lists}
}

// audienceKey tells audiences apart. Of those that look up the unit's own id
// the unit type is a part.
type audienceKey struct {
	text [sha256.Size]byte
	unit unitIndex
}

func (ac *audienceCompiler) compile(a *experiment.Audience, unit unitIndex) (*rule, error) {
	if a == nil {
		return nil, nil //nolint:nilnil // no audience is everyone, which is not an error
	}
	key := audienceKey{sha256.Sum256(appendAudience(nil, a)), unit}
	if r, ok := ac.known[key]; ok {
		return r, nil
	}
	r, err := ac.rule(a, unit)
	if err != nil {
		return nil, err
	}
	ac.known[key] = &r
	return &r, nil
}

// appendAudience appends what tells an audience from all others.
func appendAudience(b []byte, a *experiment.Audience) []byte {
	group := func(mark byte, kids []experiment.Audience) {
		b = append(b, mark)
		b = binary.AppendUvarint(b, uint64(len(kids)))
		for i := range kids {
			b = appendAudience(b, &kids[i])
		}
	}
	switch {
	case a.All != nil:
		group('&', a.All)
		return b
	case a.Any != nil:
		group('|', a.Any)
		return b
	case a.Not != nil:
		return appendAudience(append(b, '!'), a.Not)
	}
	b = appendText(append(b, '='), string(a.Op))
	b = appendText(appendText(b, a.Attr), a.List)
	value := attrOf(a.Value)
	b = appendCanonical(b, &value)
	b = binary.AppendUvarint(b, uint64(len(a.Values)))
	for _, v := range a.Values {
		value := attrOf(v)
		b = appendCanonical(b, &value)
	}
	return b
}

// once returns an equal string that others share.
func (ac *audienceCompiler) once(s string) string {
	if known, ok := ac.strings[s]; ok {
		return known
	}
	ac.strings[s] = s
	return s
}

// audienceAttributes returns the names that audiences read, sorted.
func (s *Snapshot) audienceAttributes() []string {
	names, seen := map[string]bool{}, map[*rule]bool{}
	for i := range s.experiments {
		if r := s.experiments[i].audience; r != nil && !seen[r] {
			seen[r] = true
			r.addAttributes(names)
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (r *rule) addAttributes(names map[string]bool) {
	if r.attr != "" {
		names[r.attr] = true
	}
	for i := range r.kids {
		r.kids[i].addAttributes(names)
	}
}

func (ac *audienceCompiler) rule(a *experiment.Audience, unit unitIndex) (rule, error) {
	switch {
	case a.All != nil:
		return ac.group(opAll, a.All, unit)
	case a.Any != nil:
		return ac.group(opAny, a.Any, unit)
	case a.Not != nil:
		return ac.group(opNot, []experiment.Audience{*a.Not}, unit)
	}
	op, ok := opcodes[a.Op]
	ofList := op == opInList || op == opNotInList
	if !ok || a.Attr == "" && !ofList {
		return rule{}, experiment.Invalidf("audience", "%q on %q is not a comparison", a.Op, a.Attr)
	}
	r := rule{op: op, attr: ac.once(a.Attr), value: attrOf(a.Value), unit: unit}
	r.value.str = ac.once(r.value.str)
	switch op {
	case opInList, opNotInList:
		var ok bool
		if r.list, ok = ac.lists[a.List]; !ok {
			return rule{}, experiment.Invalidf("audience", "there is no list %q", a.List)
		}
		if r.list == nil {
			r.value.str = a.List
		}
	case opIn, opNotIn:
		r.set = ac.values(a.Values)
	case opSemverEq, opSemverLt, opSemverLe, opSemverGt, opSemverGe:
		version, ok := experiment.ParseSemver(r.value.str)
		if !ok {
			return rule{}, experiment.Invalidf("audience", "%q is not a version", r.value.str)
		}
		r.version = &version
	}
	return r, nil
}

func (ac *audienceCompiler) group(op opcode, kids []experiment.Audience, unit unitIndex) (rule, error) {
	r := rule{op: op, kids: make([]rule, len(kids))}
	for i := range kids {
		k := &kids[i]
		if k.All == nil && k.Any == nil && k.Not == nil && k.Values == nil {
			var err error
			if r.kids[i], err = ac.rule(k, unit); err != nil {
				return rule{}, err
			}
			continue
		}
		shared, err := ac.compile(k, unit) // its own kids and values are not made again
		if err != nil {
			return rule{}, err
		}
		r.kids[i] = *shared
	}
	return r, nil
}

func attrOf(s experiment.Scalar) attr {
	switch v := s.V.(type) {
	case string:
		return attr{kind: kindString, str: v}
	case float64:
		return attr{kind: kindNumber, num: v}
	case bool:
		a := attr{kind: kindBool}
		if v {
			a.num = 1
		}
		return a
	}
	return attr{}
}

// valueSet is the list of in and not_in.
type valueSet struct {
	few   []attr // all values, when they are few
	many  map[attr]struct{}
	mixed bool // not all are strings
}

// maxLinearValues is where a map becomes faster than comparing one by one.
const maxLinearValues = 8

func (ac *audienceCompiler) values(values []experiment.Scalar) *valueSet {
	s := &valueSet{}
	if len(values) > maxLinearValues {
		s.many = make(map[attr]struct{}, len(values))
	} else {
		s.few = make([]attr, 0, len(values))
	}
	for _, v := range values {
		a := attrOf(v)
		a.str = ac.once(a.str)
		s.mixed = s.mixed || a.kind != kindString
		if s.many != nil {
			s.many[a] = struct{}{}
			continue
		}
		s.few = append(s.few, a)
	}
	return s
}

func (s *valueSet) has(a *attr) bool {
	if s.many != nil {
		_, ok := s.many[attr{kind: a.kind, num: a.num, str: a.str}]
		return ok && a.kind != kindOther
	}
	for i := range s.few {
		if a.equals(&s.few[i]) {
			return true
		}
	}
	return false
}
