package assignment_test

import "testing"

// Whoever takes part in an experiment of the vectors, by the answers of another
// implementation, has the arm that ArmOf tells.
func TestArmOfAgreesWithTheVectors(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	s := compile(t, v.Config)
	checked := 0
	for i := range v.Evaluations {
		e := &v.Evaluations[i]
		r, _ := s.Evaluate(e.Experiment, contextOf(e.Context))
		if !e.Assigned && e.Cause != "override" {
			continue
		}
		checked++
		variant, override, ok := s.ArmOf(e.Experiment, r.Unit)
		if !ok || variant != e.Variant || override != (e.Cause == "override") {
			t.Errorf("ArmOf(%s, %s) = %s, %v, %v; want %s by %s", e.Experiment, r.Unit, variant, override, ok, e.Variant, e.Cause)
		}
	}
	if checked < 100 {
		t.Errorf("%d units take part, want at least 100", checked)
	}
}

func TestArmOfWhatThereIsNot(t *testing.T) {
	t.Parallel()
	s := compile(t, soloConfig(plainExperiment("x")))
	for _, tt := range []struct{ key, unit string }{{"y", "v"}, {"x", ""}, {"x", "ü"}} {
		if variant, _, ok := s.ArmOf(tt.key, tt.unit); ok || variant != "" {
			t.Errorf("ArmOf(%s, %q) = %s", tt.key, tt.unit, variant)
		}
	}
}
