package experiment

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of prerequisites.
const (
	// MaxRequires bounds the prerequisites of one experiment; each costs one
	// more evaluation.
	MaxRequires = 4
	// MaxRequireDepth bounds chains: an experiment that requires one that
	// requires one has depth 2. With MaxRequires it bounds an evaluation to that
	// of 84 others.
	MaxRequireDepth = 3
)

// Requirement opens an experiment only to units that another experiment on the
// same unit type gives one of the named arms, by its hash, by an override or
// because the arm is shipped. Units that merely get control's value there, for
// they are outside or it is paused or stopped, do not fulfil it.
type Requirement struct {
	Experiment string   `json:"experiment"`
	Arms       []string `json:"arms"`
}

func (e *Spec) validateRequires(f *faultList) {
	if len(e.Requires) > MaxRequires {
		f.addf("requires", "at most %d prerequisites", MaxRequires)
	}
	seen := map[string]bool{}
	for i, r := range e.Requires {
		field := fmt.Sprintf("requires[%d]", i)
		switch {
		case !ValidKey(r.Experiment):
			f.addf(field+".experiment", "must be the key of an experiment")
		case r.Experiment == e.Key:
			f.addf(field+".experiment", "an experiment cannot require itself")
		case seen[r.Experiment]:
			f.addf(field+".experiment", "%q is required twice", r.Experiment)
		}
		seen[r.Experiment] = true
		if len(r.Arms) == 0 || len(r.Arms) > MaxArms {
			f.addf(field+".arms", "must list 1 to %d arms", MaxArms)
		}
		for j, arm := range r.Arms {
			if !ValidKey(arm) || slices.Contains(r.Arms[:j], arm) {
				f.addf(field+".arms", "%q is not an arm's key, or is listed twice", arm)
			}
		}
	}
}

// CheckRequires judges the prerequisites among specs, which hold every
// experiment that has or is one. It returns Errors: CodeInvalid for an
// experiment or arm that does not exist and for another unit type, CodeConflict
// for a cycle, whose path it names, and for a chain that is too deep.
func CheckRequires(specs []Spec) error {
	byKey := make(map[string]*Spec, len(specs))
	for i := range specs {
		byKey[specs[i].Key] = &specs[i]
	}
	var faults Errors
	for i := range specs {
		faults = append(faults, specs[i].checkTargets(byKey)...)
	}
	if len(faults) > 0 {
		return faults
	}
	for i := range specs {
		if err := follow(&specs[i], byKey, nil); err != nil {
			return err
		}
	}
	return nil
}

func (e *Spec) checkTargets(byKey map[string]*Spec) (faults Errors) {
	for i, r := range e.Requires {
		field := fmt.Sprintf("requires[%d]", i)
		target := byKey[r.Experiment]
		switch {
		case target == nil:
			faults = append(faults, Invalidf(field+".experiment", "%s requires %s, which does not exist", e.Key, r.Experiment))
			continue
		case target.Unit != e.Unit:
			faults = append(faults, Invalidf(field+".experiment", "%s is on units of type %s, but %s on %s",
				e.Key, e.Unit, r.Experiment, target.Unit))
		case target.Status == StatusArchived && e.Status != StatusArchived:
			faults = append(faults, Errorf(CodeConflict, field+".experiment", "%s requires %s, which is archived", e.Key, r.Experiment))
		}
		for _, arm := range r.Arms {
			if target.ArmIndex(arm) < 0 {
				faults = append(faults, Invalidf(field+".arms", "%s requires arm %q of %s, which has no such arm", e.Key, arm, r.Experiment))
			}
		}
	}
	return faults
}

// follow walks the chains that begin with path and e.
func follow(e *Spec, byKey map[string]*Spec, path []string) error {
	path = append(path, e.Key)
	if i := slices.Index(path, e.Key); i < len(path)-1 {
		return Errorf(CodeConflict, "requires", "prerequisites form a cycle: %s", strings.Join(path[i:], " -> "))
	}
	if len(path) > MaxRequireDepth+1 {
		return Errorf(CodeConflict, "requires", "prerequisites are nested more than %d deep: %s", MaxRequireDepth, strings.Join(path, " -> "))
	}
	for _, r := range e.Requires {
		if err := follow(byKey[r.Experiment], byKey, path); err != nil {
			return err
		}
	}
	return nil
}
