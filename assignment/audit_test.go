package assignment_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// history is an experiment that ramps up, drops an arm, forces a unit and is
// restarted.
func history() []assignment.Enrolment {
	layer := experiment.Layer{Key: "l", Unit: experiment.UnitViewer, Salt: "l"}
	spec := plainExperiment("x").Spec
	spec.Layer = "l"
	spec.Arms = append(spec.Arms, experiment.Arm{Key: "third", Weight: 1, Value: []byte(`"third"`)})
	at := func(version int, salt string, edit func(*experiment.Spec), to int) assignment.Enrolment {
		s := spec
		s.Arms = append([]experiment.Arm(nil), spec.Arms...)
		edit(&s)
		return assignment.Enrolment{Version: version, Spec: s, Salt: salt, Layer: layer, Slots: []experiment.SlotRange{{From: 0, To: to}}}
	}
	return []assignment.Enrolment{
		at(1, "one", func(s *experiment.Spec) { s.Status = experiment.StatusDraft; s.Arms[0].Weight = 50 }, 0),
		at(1, "one", func(*experiment.Spec) {}, 1000),
		at(1, "one", func(s *experiment.Spec) { s.Overrides = map[string]string{"qa": "third"} }, 3000),
		at(1, "one", func(s *experiment.Spec) { s.Arms[1].Dropped = true }, 2000),
		at(2, "two", func(*experiment.Spec) {}, 5000),
	}
}

// What any snapshot of the history assigned passes; anything else is found.
func TestAuditorAgreesWithEvaluation(t *testing.T) {
	t.Parallel()
	changes := history()
	a, err := assignment.NewAuditor(changes)
	if err != nil {
		t.Fatal(err)
	}
	exposed, refused := 0, 0
	for _, c := range changes {
		e := experiment.Experiment{Spec: c.Spec, Version: c.Version, Salt: c.Salt, SlotRanges: c.Slots}
		s := compile(t, experiment.Config{Version: 1, Layers: []experiment.Layer{c.Layer}, Experiments: []experiment.Experiment{e}})
		for i := range 2000 {
			r, ok := s.Evaluate("x", assignment.NewContext(unitName(i)))
			if !ok {
				continue
			}
			for arm := range 3 {
				why := a.Check(r.Version, r.Unit, arm, r.Override)
				switch {
				case r.Assigned && arm == r.Arm:
					exposed++
					if why != "" {
						t.Fatalf("%+v is refused: %s", r, why)
					}
				case r.Assigned && why == "":
					t.Fatalf("%+v passes as arm %d", r, arm)
				case why != "":
					refused++
				}
			}
		}
	}
	if exposed < 1000 || refused < 1000 {
		t.Errorf("%d exposures passed and %d were refused: too few to tell", exposed, refused)
	}
	slot := slotOutside(t)
	for name, tt := range map[string]struct {
		version  int
		unit     string
		arm      int
		override bool
		says     string
	}{
		"forced":         {1, "qa", 2, true, ""},
		"not forced":     {1, "u-1", 2, true, "no override"},
		"forced later":   {2, "qa", 2, true, "no override"},
		"unknown":        {3, "u-1", 0, false, "no version 3"},
		"no such arm":    {1, "u-1", 3, false, "no arm 3"},
		"bad id":         {1, "ж", 0, false, "not valid"},
		"never its slot": {1, slot, 0, false, "was never the experiment's"},
	} {
		if why := a.Check(tt.version, tt.unit, tt.arm, tt.override); tt.says == "" && why != "" || !strings.Contains(why, tt.says) {
			t.Errorf("%s: Check = %q, want %q", name, why, tt.says)
		}
	}
}

// slotOutside returns a unit in control of version 1 whose slot is above all
// that the version owned.
func slotOutside(t *testing.T) string {
	t.Helper()
	c := history()[1]
	e := experiment.Experiment{Spec: c.Spec, Version: 1, Salt: c.Salt, SlotRanges: []experiment.SlotRange{{From: 3000, To: experiment.TotalSlots}}}
	s := compile(t, experiment.Config{Version: 1, Layers: []experiment.Layer{c.Layer}, Experiments: []experiment.Experiment{e}})
	for i := range 1000 {
		unit := fmt.Sprint("outside-", i)
		if r, _ := s.Evaluate("x", assignment.NewContext(unit)); r.Assigned && r.Arm == 0 {
			return unit
		}
	}
	t.Fatal("no unit is outside")
	return ""
}
