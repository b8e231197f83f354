package experiment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Change is one difference between two specs, by dotted path.
type Change struct {
	Path string          `json:"path"`
	From json.RawMessage `json:"from,omitempty"` // absent: was not there
	To   json.RawMessage `json:"to,omitempty"`   // absent: is gone
}

// Diff lists the differences between two specs in the order of their paths.
// old is nil for an experiment that does not exist yet.
func Diff(old *Spec, now Spec) []Change {
	before, after := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if old != nil {
		flatten("", mustMarshal(*old), before)
	}
	flatten("", mustMarshal(now), after)
	paths := slices.Sorted(maps.Keys(before))
	for p := range after {
		if _, ok := before[p]; !ok {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	var out []Change
	for _, p := range paths {
		if !sameJSON(before[p], after[p]) {
			out = append(out, Change{p, before[p], after[p]})
		}
	}
	return out
}

func mustMarshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("spec does not marshal: %v", err)) // a parsed Spec always does
	}
	return b
}

// flatten records the leaves of a JSON value by path. Arm values stay whole:
// they are one thing to the service that receives them.
func flatten(path string, v json.RawMessage, into map[string]json.RawMessage) {
	join := func(k string) string {
		if path == "" {
			return k
		}
		return path + "." + k
	}
	var obj map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case len(v) > 0 && v[0] == '{' && json.Unmarshal(v, &obj) == nil:
		for k, e := range obj {
			if k == "value" {
				into[join(k)] = e
				continue
			}
			flatten(join(k), e, into)
		}
	case len(v) > 0 && v[0] == '[' && json.Unmarshal(v, &list) == nil:
		for i, e := range list {
			flatten(fmt.Sprintf("%s[%d]", path, i), e, into)
		}
	default:
		into[path] = v
	}
}

// Revise returns the experiment that results from giving spec to cur, which
// is nil for a new one. It decides whether the change is allowed and whether
// it makes a new version; identifiers, salts, slots and times are the
// caller's. It returns Errors of CodeConflict for a change that is refused.
func Revise(cur *Experiment, spec Spec) (Experiment, error) {
	spec.settleCovariates(cur)
	spec.settleSuspects(cur)
	if cur == nil {
		if spec.Status != StatusDraft && spec.Status != StatusRunning {
			return Experiment{}, Errorf(CodeConflict, "status", "a new experiment begins as draft or running, not %s", spec.Status)
		}
		return Experiment{Spec: spec, Version: 1, PlanHash: spec.Plan.Hash()}, nil
	}
	cur.afterSchedule(&spec)
	spec.Plan.KeepVersions(&cur.Plan)
	if !cur.Status.CanBecome(spec.Status) {
		return Experiment{}, Errorf(CodeConflict, "status", "an experiment that is %s cannot become %s", cur.Status, spec.Status)
	}
	launched := cur.Status != StatusDraft
	if launched {
		if spec.Unit != cur.Unit {
			return Experiment{}, Errorf(CodeConflict, "unit", "the unit cannot change after launch")
		}
		if spec.LayerKey() != cur.LayerKey() {
			return Experiment{}, Errorf(CodeConflict, "layer", "the layer cannot change after launch: units would move")
		}
	}
	if spec.MeasuresHoldout != cur.MeasuresHoldout {
		return Experiment{}, Errorf(CodeConflict, "measures_holdout", "what an experiment measures cannot change; make another")
	}
	if err := reviseArms(cur, &spec); err != nil {
		return Experiment{}, err
	}
	next := *cur
	next.Spec = spec
	next.PlanHash = spec.Plan.Hash()
	if spec.Slots != cur.Slots || len(spec.Ramp) == 0 {
		next.RampSlots = 0 // by hand: what the ramp had reached is over
	}
	if launched && changesAnalysis(&cur.Spec, &spec) {
		if cur.KeepsArms() && spec.KeepsArms() {
			return Experiment{}, Errorf(CodeConflict, "on_pause", "the change makes a new version, to which no unit was exposed: "+
				"units that keep their arms would lose them; resume or stop the experiment first")
		}
		next.Version++
	}
	return next, nil
}

// reviseArms refuses what would break a promise to units that have an arm.
func reviseArms(cur *Experiment, spec *Spec) error {
	if cur.ShippedArm != "" && spec.ArmIndex(cur.ShippedArm) < 0 {
		return Errorf(CodeConflict, "arms", "arm %q is shipped; it cannot be removed", cur.ShippedArm)
	}
	if cur.Status == StatusDraft {
		return nil
	}
	for i := range cur.Arms {
		j := spec.ArmIndex(cur.Arms[i].Key)
		if cur.Arms[i].Dropped && j >= 0 && !spec.Arms[j].Dropped {
			return Errorf(CodeConflict, fmt.Sprintf("arms[%d].dropped", j), "arm %q was dropped and its units have had control since; "+
				"it cannot come back in this experiment", cur.Arms[i].Key)
		}
	}
	return nil
}

// changesAnalysis reports whether outcomes before and after the change must
// not be mixed: another plan, other arms or weights, another audience,
// prerequisite or standing of holdouts. Dropping an arm is not among them: the
// other arms' comparisons stay what they were.
func changesAnalysis(a, b *Spec) bool {
	return a.Plan.Hash() != b.Plan.Hash() || a.Design != b.Design ||
		(a.IgnoreHoldouts == "") != (b.IgnoreHoldouts == "") ||
		!slices.EqualFunc(a.Requires, b.Requires, func(x, y Requirement) bool {
			return x.Experiment == y.Experiment && slices.Equal(x.Arms, y.Arms)
		}) ||
		!reflect.DeepEqual(a.Audience, b.Audience) || !sameArms(a.Arms, b.Arms)
}

func sameArms(a, b []Arm) bool {
	return slices.EqualFunc(a, b, func(x, y Arm) bool {
		return x.Key == y.Key && x.Weight == y.Weight && sameJSON(x.Value, y.Value)
	})
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return bytes.Equal(a, b)
	}
	return reflect.DeepEqual(x, y)
}
