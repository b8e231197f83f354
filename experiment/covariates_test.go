package experiment_test

import (
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

func TestCovariatesDays(t *testing.T) {
	t.Parallel()
	for text, want := range map[experiment.Covariates]int{
		"": 0, "off": 0, "1d": 1, "14d": 14, "28d": 28, "29d": 0, "0d": 0, "-1d": 0, "014d": 0, "14": 0, "14h": 0, "d": 0,
	} {
		if got := text.Days(); got != want {
			t.Errorf("Covariates(%q).Days() = %d, want %d", text, got, want)
		}
	}
}

// covariatesSpec is an experiment that says of covariates what is given.
func covariatesSpec(unit experiment.UnitType, c experiment.Covariates) experiment.Spec {
	s := experiment.Spec{
		Key: "abr", Unit: unit, Status: experiment.StatusRunning,
		Arms: []experiment.Arm{{Key: "a", Weight: 1, Value: []byte("1")}, {Key: "b", Weight: 1, Value: []byte("2")}},
		Plan: experiment.Plan{Primary: []string{"m"}, Covariates: c},
	}
	s.Normalize()
	return s
}

func TestCovariatesAreSettledAtCreation(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		unit       experiment.UnitType
		said, want experiment.Covariates
	}{
		{experiment.UnitViewer, "", "14d"},
		{experiment.UnitDevice, "", "14d"},
		{experiment.UnitViewer, "7d", "7d"},
		{experiment.UnitViewer, "off", "off"},
		{experiment.UnitSession, "", ""},
		{experiment.UnitBroadcaster, "", ""},
	} {
		made, err := experiment.Revise(nil, covariatesSpec(test.unit, test.said))
		if err != nil {
			t.Fatal(err)
		}
		if got := made.Plan.Covariates; got != test.want || made.PlanHash != made.Plan.Hash() {
			t.Errorf("%s that says %q: has %q, want %q, hashed", test.unit, test.said, got, test.want)
		}
		again, err := experiment.Revise(&made, covariatesSpec(test.unit, ""))
		if err != nil || again.Version != made.Version || again.PlanHash != made.PlanHash {
			t.Errorf("%s that says %q: a document that leaves it open makes version %d (%v)", test.unit, test.said, again.Version, err)
		}
	}
}

// TestCovariatesOfOldPlans has an experiment that was launched before there were
// covariates: its hash, and what a document makes of it, stay what they were.
func TestCovariatesOfOldPlans(t *testing.T) {
	t.Parallel()
	old := experiment.Experiment{Spec: covariatesSpec(experiment.UnitViewer, ""), Version: 1}
	old.PlanHash = old.Plan.Hash()
	const before = "b744af65658ab9840d68e80a75635ae723e9aeec7b4a4bcafa7bd3cc3a3574ba"
	if old.PlanHash != before {
		t.Errorf("the hash of a plan without covariates is %s, was %s", old.PlanHash, before)
	}
	again, err := experiment.Revise(&old, covariatesSpec(experiment.UnitViewer, ""))
	if err != nil || again.Version != 1 || again.Plan.Covariates != "" {
		t.Errorf("version %d with covariates %q (%v), want 1 without", again.Version, again.Plan.Covariates, err)
	}
	changed, err := experiment.Revise(&old, covariatesSpec(experiment.UnitViewer, "14d"))
	if err != nil || changed.Version != 2 {
		t.Errorf("covariates from now on make version %d (%v), want 2", changed.Version, err)
	}
}

func TestCovariatesValidate(t *testing.T) {
	t.Parallel()
	anyMetric := func(string) bool { return true }
	for _, test := range []struct {
		unit experiment.UnitType
		c    experiment.Covariates
		ok   bool
	}{
		{experiment.UnitViewer, "", true},
		{experiment.UnitViewer, "off", true},
		{experiment.UnitViewer, "28d", true},
		{experiment.UnitViewer, "29d", false},
		{experiment.UnitViewer, "yes", false},
		{experiment.UnitSession, "off", true},
		{experiment.UnitSession, "14d", false},
		{experiment.UnitBroadcaster, "14d", false},
	} {
		s := covariatesSpec(test.unit, test.c)
		if err := s.Validate(anyMetric); (err == nil) != test.ok {
			t.Errorf("%s with covariates %q: %v, want ok %v", test.unit, test.c, err, test.ok)
		}
	}
}
