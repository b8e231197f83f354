package experiment

import "slices"

// Limits of lists. Together they keep the snapshot's lists below 100 MB even
// with the longest ids, and near 50 MB with UUIDs.
const (
	MaxLists      = 100
	MaxListIDs    = 100_000   // of one list
	MaxAllListIDs = 1_000_000 // of all lists together
)

// List is a named set of ids that audiences of any number of experiments refer
// to with in_list and not_in_list; it is stored, and held in memory, once.
type List struct {
	Key string `json:"key"`
	// Unit, when set, is what the ids are of: a rule that names no attribute
	// must be of an experiment on this unit type.
	Unit UnitType `json:"unit,omitempty"`
	IDs  *IDSet   `json:"ids"`
}

// Validate returns every fault of the list as Errors of CodeInvalid, or nil.
func (l *List) Validate() error {
	var f faultList
	if !ValidKey(l.Key) {
		f.addf("key", "must be a key as of experiments")
	}
	if l.Unit != "" && !ValidUnitType(l.Unit) {
		f.addf("unit", "must be viewer, broadcaster, device, session or block, or left out")
	}
	if l.IDs.Len() == 0 {
		f.addf("ids", "must list at least one id")
	}
	return f.err()
}

// Lists returns the keys of the lists that the audience refers to, each once,
// in the order of their first use.
func (a *Audience) Lists() []string {
	var keys []string
	a.eachRule(func(rule *Audience) {
		if rule.List != "" && !slices.Contains(keys, rule.List) {
			keys = append(keys, rule.List)
		}
	})
	return keys
}

// eachRule calls visit for each comparison.
func (a *Audience) eachRule(visit func(*Audience)) {
	if a == nil {
		return
	}
	for i := range a.All {
		a.All[i].eachRule(visit)
	}
	for i := range a.Any {
		a.Any[i].eachRule(visit)
	}
	a.Not.eachRule(visit)
	if a.Op != "" {
		visit(a)
	}
}

// CheckLists judges the references of the spec to lists, whose unit types are
// known by key. It returns an Error of CodeInvalid for a list that does not
// exist or holds ids of another unit type.
func (e *Spec) CheckLists(units map[string]UnitType) error {
	var f faultList
	e.Audience.eachRule(func(rule *Audience) {
		if rule.List == "" {
			return
		}
		unit, ok := units[rule.List]
		switch {
		case !ok:
			f.addf("audience", "%s refers to list %q, which does not exist", e.Key, rule.List)
		case rule.Attr == "" && unit != "" && unit != e.Unit:
			f.addf("audience", "list %s holds ids of type %s, but %s is on units of type %s", rule.List, unit, e.Key, e.Unit)
		}
	})
	return f.err()
}
