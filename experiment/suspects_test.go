package experiment_test

import (
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

func TestSuspects(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		unit     experiment.UnitType
		suspects experiment.Suspects
		days     int // with covariates off
		fault    bool
	}{
		{experiment.UnitViewer, "", 0, false},
		{experiment.UnitViewer, experiment.SuspectsInclude, 0, false},
		{experiment.UnitViewer, experiment.SuspectsExclude, 14, false},
		{experiment.UnitDevice, experiment.SuspectsExclude, 14, false},
		{experiment.UnitBroadcaster, experiment.SuspectsInclude, 0, false},
		{experiment.UnitBroadcaster, experiment.SuspectsExclude, 14, true},
		{experiment.UnitViewer, "none", 0, true},
	} {
		spec := covariatesSpec(test.unit, experiment.CovariatesOff)
		spec.Plan.Suspects = test.suspects
		named := false
		for _, f := range experiment.Faults(spec.Validate(func(string) bool { return true })) {
			named = named || f.Field == "plan.suspects"
		}
		if named != test.fault {
			t.Errorf("suspects %q of a %s: fault of plan.suspects is %v, want %v", test.suspects, test.unit, named, test.fault)
		}
		if got := spec.Plan.SuspectDays(); got != test.days {
			t.Errorf("SuspectDays with %q = %d, want %d", test.suspects, got, test.days)
		}
	}
}

// What a plan says of programs stays until it says something else, and is in its hash.
func TestSuspectsStay(t *testing.T) {
	t.Parallel()
	spec := covariatesSpec(experiment.UnitViewer, "")
	spec.Status = experiment.StatusDraft
	silent := spec.Plan.Hash()
	spec.Plan.Suspects = experiment.SuspectsExclude
	if spec.Plan.Hash() == silent {
		t.Error("the hash of the plan does not cover suspects")
	}
	exp, err := experiment.Revise(nil, spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ says, want experiment.Suspects }{
		{"", experiment.SuspectsExclude}, {experiment.SuspectsInclude, experiment.SuspectsInclude}, {"", experiment.SuspectsInclude},
	} {
		spec.Plan.Suspects = step.says
		if exp, err = experiment.Revise(&exp, spec); err != nil || exp.Plan.Suspects != step.want {
			t.Errorf("Revise with %q = %q, %v; want %q", step.says, exp.Plan.Suspects, err, step.want)
		}
	}
}
