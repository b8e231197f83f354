package report_test

import (
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// ratioInput has an experiment with the units' stall ratios of two looks' worth:
// in each arm one heavy viewer among four, whose hours decide the pooled ratio.
// Stall times are per 1,000 s of light and per 100,000 s of heavy viewing.
func ratioInput(t *testing.T, light, heavy [2]float64) report.Input {
	t.Helper()
	began := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	exp := experiment.Experiment{ID: 1, Version: 1, StartedAt: &began, Spec: experiment.Spec{
		Key: "ratio", Unit: experiment.UnitViewer, Status: experiment.StatusRunning,
		Arms: []experiment.Arm{{Key: "control", Weight: 1, Value: []byte("1")}, {Key: "treatment", Weight: 1, Value: []byte("2")}},
		Plan: experiment.Plan{Primary: []string{"stall_ratio"}, Secondary: []string{"watch_hours_per_viewer"}},
	}}
	exp.Normalize()
	cells, err := metrics.NewAccumulator(metrics.CellSpec{
		Definitions: metrics.PlanDefinitions(&exp.Plan, metrics.Builtin()), Arms: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8_000 {
		o := metrics.Outcome{Arm: i % 2}
		q := &o.Quantities
		watchSec, stallSec := 1_000.0, light[o.Arm]
		if i/2%4 == 0 {
			watchSec, stallSec = 100_000, heavy[o.Arm]
		}
		stallSec *= 0.9 + 0.01*float64(i/8%21) // so that there is a variance
		q[metrics.Units], q[metrics.WatchUnits], q[metrics.WatchMs], q[metrics.WatchMsUncapped] = 1, 1, watchSec*1e3, watchSec*1e3
		q[metrics.StallMs], q[metrics.StallMsUncapped] = stallSec*1e3, stallSec*1e3
		q[metrics.StallBaseMs], q[metrics.StallBaseMsUncapped] = (watchSec+stallSec)*1e3, (watchSec+stallSec)*1e3
		cells.Add(metrics.WindowDay, &o)
	}
	at := began.Add(30 * time.Hour)
	return report.Input{Experiment: exp, Now: at, Looks: []metrics.Look{{
		Number: 1, At: at, Watermark: at, Arms: []metrics.ArmCounts{{Arm: 0}, {Arm: 1}}, Cells: cells.Cells(),
	}}}
}

func TestPerUnit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		light, heavy [2]float64
		agrees       bool
	}{
		{"both are better", [2]float64{10, 8}, [2]float64{200, 160}, true},
		{"light viewers are worse, heavy ones better", [2]float64{10, 12}, [2]float64{200, 160}, false},
	} {
		r := report.Build(ratioInput(t, test.light, test.heavy))
		row := r.Primary[0]
		if row.Effect == nil || row.PerUnit == nil || row.PerUnit.Effect == nil {
			t.Fatalf("%s: effect %v, per unit %+v; want both", test.name, row.Effect, row.PerUnit)
		}
		if row.PerUnit.Agrees != test.agrees || (row.PerUnit.Note == "") != test.agrees {
			t.Errorf("%s: agrees = %v with the note %q, want %v", test.name, row.PerUnit.Agrees, row.PerUnit.Note, test.agrees)
		}
		// Three of four viewers are light: the mean of their own ratios is near theirs.
		want := 100 * (0.75*test.light[0]/(1_000+test.light[0]) + 0.25*test.heavy[0]/(100_000+test.heavy[0]))
		if got := *row.PerUnit.Control.Value; got < 0.99*want || got > 1.01*want {
			t.Errorf("%s: control's mean of ratios is %v %%, want about %v", test.name, got, want)
		}
		if r.Secondary[0].PerUnit != nil {
			t.Errorf("%s: a mean has a form per unit", test.name)
		}
	}
}
