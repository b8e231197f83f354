package experiment

import (
	"encoding/json"
	"fmt"
)

// Op is a comparison of an attribute with a value.
type Op string

// The comparisons. Numeric ones compare numbers, semver ones semantic
// versions, the string ones are case-sensitive. An attribute that is missing
// or of another type makes every comparison false except absent, ne, not_in and
// not_in_list.
const (
	OpEq         Op = "eq"
	OpNe         Op = "ne"
	OpIn         Op = "in"
	OpNotIn      Op = "not_in"
	OpLt         Op = "lt"
	OpLe         Op = "le"
	OpGt         Op = "gt"
	OpGe         Op = "ge"
	OpSemverEq   Op = "semver_eq"
	OpSemverLt   Op = "semver_lt"
	OpSemverLe   Op = "semver_le"
	OpSemverGt   Op = "semver_gt"
	OpSemverGe   Op = "semver_ge"
	OpContains   Op = "contains"
	OpStartsWith Op = "starts_with"
	OpEndsWith   Op = "ends_with"
	OpPresent    Op = "present"
	OpAbsent     Op = "absent"
	// OpInList and OpNotInList look the attribute up in a named List. Without
	// attr they look up the unit's own id.
	OpInList    Op = "in_list"
	OpNotInList Op = "not_in_list"
)

// Limits of an audience.
const (
	MaxAudienceDepth  = 8
	MaxAudienceRules  = 64
	MaxAudienceValues = 1_000
)

// Audience decides by attributes which units an experiment is open to. It is
// either one comparison (Attr, Op, Value or Values) or one of All, Any, Not.
type Audience struct {
	All    []Audience `json:"all,omitempty"`
	Any    []Audience `json:"any,omitempty"`
	Not    *Audience  `json:"not,omitempty"`
	Attr   string     `json:"attr,omitempty"`
	Op     Op         `json:"op,omitempty"`
	Value  Scalar     `json:"value,omitzero"`
	Values []Scalar   `json:"values,omitempty"`
	List   string     `json:"list,omitempty"` // key of the List of in_list and not_in_list
}

// Scalar is a JSON string, number or boolean.
type Scalar struct{ V any } // string, float64 or bool; nil when absent

// IsZero reports whether the value is absent.
func (s Scalar) IsZero() bool { return s.V == nil }

// UnmarshalJSON accepts a string, number or boolean.
func (s *Scalar) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	switch v.(type) {
	case string, float64, bool:
		s.V = v
		return nil
	}
	return fmt.Errorf("must be a string, number or boolean, not %s", b)
}

// MarshalJSON writes the value.
func (s Scalar) MarshalJSON() ([]byte, error) { return json.Marshal(s.V) }

func (a *Audience) validate(f *faultList, field string, depth int, rules *int) {
	if depth > MaxAudienceDepth {
		f.addf(field, "rules are nested more than %d deep", MaxAudienceDepth)
		return
	}
	forms := 0
	for _, present := range []bool{a.All != nil, a.Any != nil, a.Not != nil, a.Attr != "" || a.Op != "" || a.List != ""} {
		if present {
			forms++
		}
	}
	if forms != 1 {
		f.addf(field, "must hold exactly one of all, any, not, or attr with op")
		return
	}
	for i := range a.All {
		a.All[i].validate(f, fmt.Sprintf("%s.all[%d]", field, i), depth+1, rules)
	}
	for i := range a.Any {
		a.Any[i].validate(f, fmt.Sprintf("%s.any[%d]", field, i), depth+1, rules)
	}
	if a.Not != nil {
		a.Not.validate(f, field+".not", depth+1, rules)
	}
	if a.Attr == "" && a.Op == "" && a.List == "" {
		return
	}
	*rules++
	if *rules == MaxAudienceRules+1 {
		f.addf(field, "an audience has at most %d rules", MaxAudienceRules)
	}
	a.validateRule(f, field)
}

func (a *Audience) validateRule(f *faultList, field string) {
	listed := a.Op == OpInList || a.Op == OpNotInList
	if a.Attr == "" && !listed || len(a.Attr) > MaxAttributeBytes {
		f.addf(field+".attr", "must name an attribute of at most %d bytes", MaxAttributeBytes)
	}
	if a.List != "" && !listed {
		f.addf(field+".list", "op %s takes no list", a.Op)
	}
	one := func(types string, ok func(any) bool) {
		if !ok(a.Value.V) {
			f.addf(field+".value", "must be %s for op %s", types, a.Op)
		}
		if a.Values != nil {
			f.addf(field+".values", "op %s takes one value", a.Op)
		}
	}
	switch a.Op {
	case OpEq, OpNe:
		one("a string, number or boolean", func(v any) bool { return v != nil })
	case OpLt, OpLe, OpGt, OpGe:
		one("a number", isType[float64])
	case OpContains, OpStartsWith, OpEndsWith:
		one("a string", isType[string])
	case OpSemverEq, OpSemverLt, OpSemverLe, OpSemverGt, OpSemverGe:
		one("a semantic version such as 5.2.0", func(v any) bool {
			s, ok := v.(string)
			if !ok {
				return false
			}
			_, ok = ParseSemver(s)
			return ok
		})
	case OpIn, OpNotIn:
		if n := len(a.Values); n == 0 || n > MaxAudienceValues {
			f.addf(field+".values", "must list 1 to %d values", MaxAudienceValues)
		}
		if !a.Value.IsZero() {
			f.addf(field+".value", "op %s takes values", a.Op)
		}
	case OpInList, OpNotInList:
		if !ValidKey(a.List) {
			f.addf(field+".list", "must be the key of a list")
		}
		if !a.Value.IsZero() || a.Values != nil {
			f.addf(field+".value", "op %s takes a list", a.Op)
		}
	case OpPresent, OpAbsent:
		if !a.Value.IsZero() || a.Values != nil {
			f.addf(field+".value", "op %s takes no value", a.Op)
		}
	default:
		f.addf(field+".op", "%q is not a comparison", a.Op)
	}
}

func isType[T any](v any) bool { _, ok := v.(T); return ok }
