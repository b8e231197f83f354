package report_test

import (
	"strings"
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
		if v := r.Robustness[0].Variants[1]; v.Opposite == test.agrees || v.Same != test.agrees || v.Note != row.PerUnit.Note {
			t.Errorf("%s: the list of other ways says %+v", test.name, v)
		}
		if got := *row.PerUnit.Control.Value; got < 0.99*want || got > 1.01*want {
			t.Errorf("%s: control's mean of ratios is %v %%, want about %v", test.name, got, want)
		}
		if r.Secondary[0].PerUnit != nil {
			t.Errorf("%s: a mean has a form per unit", test.name)
		}
	}
}

// TestSignsDiffer says in words how far two signs are proven. First, sums of 230 s become
// 196 s (-14.8 %), while the average viewer's ratio goes from 0.792 % to 0.929 % (+17.3 %).
func TestSignsDiffer(t *testing.T) {
	t.Parallel()
	for i, test := range []struct {
		name         string
		light, heavy [2]float64
		want         []string
		opposite     bool
	}{
		{
			"both proven",
			[2]float64{10, 12},
			[2]float64{200, 160},
			[]string{"disagree: −14.7", "% over the sums of all viewers, +17.", "Both are proven: heavy viewers go one way, typical viewers the other"},
			true,
		},
		{
			"pooled proven",
			[2]float64{10, 10.05},
			[2]float64{200, 190},
			[]string{"Only the pooled one is proven. If both hold, heavy viewers go one way"},
			true,
		},
		{
			"neither proven",
			[2]float64{10, 10.004},
			[2]float64{200, 199.9},
			[]string{"Neither is proven, so it may be chance."},
			true,
		},
		{"agree", [2]float64{10, 9.99}, [2]float64{200, 199.9}, nil, false},
	} {
		r := report.Build(ratioInput(t, test.light, test.heavy))
		x := r.Robustness[0]
		for _, want := range test.want {
			if note := r.Primary[0].PerUnit.Note; !strings.Contains(note, want) {
				t.Errorf("%s: the note %q lacks %q", test.name, note, want)
			}
		}
		if i == 0 && !strings.Contains(r.Verdict.Sentence, "Beware: for the average viewer it goes the other way: stall ratio +17.") {
			t.Errorf("verdict %s does not warn: %s", r.Verdict.State, r.Verdict.Sentence)
		}
		if x.Variants[1].Opposite != test.opposite || x.Variants[1].Same == test.opposite {
			t.Errorf("%s: %+v", test.name, x.Variants[1])
		}
	}
}
