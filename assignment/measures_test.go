package assignment_test

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// The first arm of an experiment that measures a holdout is exactly the units
// that another experiment does not get because of this holdout; units that
// another holdout keeps are in neither arm.
func TestMeasuringComparesTheUnitsHeldOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		slots := rapid.IntRange(1, experiment.TotalSlots-1).Draw(rt, "slots")
		salt := rapid.StringMatching(`[A-Z2-7]{1,26}`).Draw(rt, "salt")
		measure := plainExperiment("measure")
		measure.MeasuresHoldout, measure.Salt = "year", salt
		measure.Arms = []experiment.Arm{
			{Key: "held-out", Weight: int64(slots), Value: json.RawMessage("false")},
			{Key: "programme", Weight: int64(experiment.TotalSlots - slots), Value: json.RawMessage("true")},
		}
		cfg := soloConfig(plainExperiment("any"), measure)
		cfg.Holdouts = []experiment.Holdout{
			{HoldoutSpec: experiment.HoldoutSpec{Key: "year", Unit: experiment.UnitViewer, Slots: slots}, Salt: salt},
			{HoldoutSpec: experiment.HoldoutSpec{Key: "other", Unit: experiment.UnitViewer, Slots: 500}, Salt: "other"},
		}
		s, err := assignment.Compile(cfg)
		if err != nil {
			rt.Fatal(err)
		}
		for i := range 500 {
			ctx := assignment.NewContext(unitName(i))
			plain, _ := s.Evaluate("any", ctx)
			got, _ := s.Evaluate("measure", ctx)
			switch {
			case got.Cause == assignment.CauseHoldout:
				if got.Holdout() != "other" || plain.Cause != assignment.CauseHoldout {
					rt.Fatalf("unit %d is held out of the measurement by %s", i, got.Holdout())
				}
			case !got.Assigned, (got.Variant == "held-out") != (plain.Cause == assignment.CauseHoldout):
				rt.Fatalf("unit %d is %s in the arm %q, but elsewhere %s", i, got.Cause, got.Variant, plain.Cause)
			}
		}
	})
}
