package experiment_test

import (
	"encoding/json"
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

// yearHoldout is a holdout of 2 % of the viewers.
func yearHoldout() experiment.Holdout {
	return experiment.Holdout{HoldoutSpec: experiment.HoldoutSpec{Key: "year", Unit: experiment.UnitViewer, Slots: 200}, Salt: "s"}
}

// measuring measures the holdout of the year.
func measuring() experiment.Experiment {
	e := experiment.Experiment{Salt: "s", Spec: experiment.Spec{
		Key: "year-measured", Unit: experiment.UnitViewer, MeasuresHoldout: "year", Status: experiment.StatusRunning,
		Arms: []experiment.Arm{
			{Key: "held-out", Weight: 200, Value: json.RawMessage("false")},
			{Key: "programme", Weight: 9_800, Value: json.RawMessage("true")},
		},
		Plan: experiment.Plan{Primary: []string{"stall_ratio"}},
	}}
	e.Normalize()
	return e
}

func TestValidateMeasures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		edit  func(*experiment.Spec)
		field string // empty: valid
	}{
		{"as it should be", func(*experiment.Spec) {}, ""},
		{"adjusted by nothing", func(s *experiment.Spec) { s.Plan.Covariates = experiment.CovariatesOff }, ""},
		{"adjusted by the past", func(s *experiment.Spec) { s.Plan.Covariates = "14d" }, "plan.covariates"},
		{"not a key", func(s *experiment.Spec) { s.MeasuresHoldout = "The year" }, "measures_holdout"},
		{"three arms", func(s *experiment.Spec) {
			s.Arms = append(s.Arms, experiment.Arm{Key: "c", Weight: 1, Value: json.RawMessage("true")})
		}, "arms"},
		{"some of the units", func(s *experiment.Spec) { s.Slots = experiment.TotalSlots - 1 }, "slots"},
		{"a layer", func(s *experiment.Spec) { s.Layer = "player" }, "slots"},
		{"a ramp", func(s *experiment.Spec) { s.Ramp = []experiment.RampStep{{At: noon, Slots: experiment.TotalSlots}} }, "slots"},
		{"a prerequisite", func(s *experiment.Spec) { s.Requires = []experiment.Requirement{{"b", []string{"a"}}} }, "requires"},
		{"holdouts ignored", func(s *experiment.Spec) { s.IgnoreHoldouts = "all of them" }, "ignore_holdouts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := measuring()
			tt.edit(&e.Spec)
			faults := experiment.Faults(e.Validate(anyKnown))
			if tt.field == "" {
				if len(faults) > 0 {
					t.Errorf("Validate = %v, want nil", faults)
				}
				return
			}
			if len(faults) != 1 || faults[0].Field != tt.field {
				t.Errorf("Validate = %v, want one fault of %q", faults, tt.field)
			}
		})
	}
}

func anyKnown(string) bool { return true }

func TestCheckMeasures(t *testing.T) {
	t.Parallel()
	ended, devices, other, grown := yearHoldout(), yearHoldout(), yearHoldout(), yearHoldout()
	ended.Ended, devices.Unit, other.Salt, grown.Slots = true, experiment.UnitDevice, "another", 300
	year := yearHoldout()
	for name, tt := range map[string]struct {
		holdout *experiment.Holdout
		field   string // empty: right
	}{
		"right":            {&year, ""},
		"no such holdout":  {nil, "measures_holdout"},
		"ended":            {&ended, "measures_holdout"},
		"of other units":   {&devices, "unit"},
		"of another salt":  {&other, "measures_holdout"},
		"of another share": {&grown, "arms"},
	} {
		e := measuring()
		faults := experiment.Faults(e.CheckMeasures(tt.holdout))
		switch {
		case tt.field == "" && len(faults) > 0, tt.field != "" && (len(faults) != 1 || faults[0].Field != tt.field || faults[0].Code != experiment.CodeConflict):
			t.Errorf("%s: CheckMeasures = %v, want a conflict of field %q", name, faults, tt.field)
		}
		e.Status = experiment.StatusStopped
		if err := e.CheckMeasures(tt.holdout); err != nil {
			t.Errorf("%s, of an experiment that is over: %v", name, err)
		}
	}
}

// What measures a holdout is not adjusted by default, is never shipped or drawn
// again, and never measures something else.
func TestMeasuringStaysWhatItIs(t *testing.T) {
	t.Parallel()
	e := measuring()
	made, err := experiment.Revise(nil, e.Spec)
	if err != nil || made.Plan.Covariates != experiment.CovariatesOff {
		t.Errorf("a new one is adjusted by %q, %v; want off", made.Plan.Covariates, err)
	}
	_, shipped := experiment.Ship(e, "programme")
	_, restarted := experiment.Restart(e, "t", noon)
	another := e.Spec
	another.MeasuresHoldout = "decade"
	_, revised := experiment.Revise(&e, another)
	for doing, err := range map[string]error{"ship": shipped, "restart": restarted, "measure another": revised} {
		if code, _ := experiment.CodeOf(err); code != experiment.CodeConflict {
			t.Errorf("%s = %v, want a conflict", doing, err)
		}
	}
}
