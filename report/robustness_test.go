package report_test

import (
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

func TestRobustnessCountsWhatWasComputed(t *testing.T) {
	t.Parallel()
	r := report.Build(reporttest.Fixtures()["quality"])
	var exact *report.Variant
	for _, x := range r.Robustness {
		same := 0
		for i, v := range x.Variants {
			if v.Same != (v.State == x.State) {
				t.Errorf("%s, %s: same is %v of %s and %s", x.MetricKey, v.Name, v.Same, v.State, x.State)
			}
			if v.Same {
				same++
			}
			if x.MetricKey == "startup_first_p50" {
				exact = &x.Variants[i]
			}
		}
		if same != x.Unchanged || len(x.Variants) == 0 {
			t.Errorf("%s: unchanged in %d, counted %d of %d", x.MetricKey, x.Unchanged, same, len(x.Variants))
		}
	}
	// Start times are half as long again: the exact test agrees with the interval.
	if exact == nil || !exact.Same || exact.State != report.StateWorse {
		t.Errorf("the exact test of the median says %+v, want worse", exact)
	}
	ship := report.Build(reporttest.Fixtures()["ship"])
	if len(ship.Robustness) != 1 || len(ship.Robustness[0].Variants) != 1 {
		t.Fatalf("robustness of ship: %+v, want the stall ratio without its cap", ship.Robustness)
	}
	if got, want := report.Summary(ship.Robustness), "Unchanged in 1 of 1"; got != want {
		t.Errorf("Summary = %q, want %q", got, want)
	}
	if got := report.Summary(report.Build(reporttest.Fixtures()["no_data"]).Robustness); got != "" {
		t.Errorf("without data the summary is %q", got)
	}
}

func TestInterference(t *testing.T) {
	t.Parallel()
	in := reporttest.Fixtures()["typical"]
	other := func(key, layer, value string, unit experiment.UnitType, status experiment.Status) experiment.Experiment {
		return experiment.Experiment{Spec: experiment.Spec{
			Key: key, Layer: layer, Unit: unit, Status: status, Arms: []experiment.Arm{{Key: "control", Value: []byte(value)}},
		}}
	}
	in.Running = []experiment.Experiment{
		in.Experiment,
		other("same-setting", "a", `{"safety": 0.8, "x": 1}`, experiment.UnitViewer, experiment.StatusRunning),
		other("elsewhere", "b", `"text"`, experiment.UnitViewer, experiment.StatusRunning),
		other("exclusive", in.Experiment.LayerKey(), `{"safety": 1}`, experiment.UnitViewer, experiment.StatusRunning),
		other("other-unit", "c", `{"safety": 1}`, experiment.UnitBroadcaster, experiment.StatusRunning),
		other("paused", "d", `{"safety": 1}`, experiment.UnitViewer, experiment.StatusPaused),
	}
	got := report.Build(in).Interference
	if len(got) != 3 || got[0].Key != report.InfluenceUnits || !got[0].Beware || got[1].Key != report.InfluenceSettings || got[2].Key != report.InfluenceConcurrent {
		t.Fatalf("interference: %+v", got)
	}
	if !strings.Contains(got[1].Text, "same-setting (safety)") || strings.Contains(got[1].Text, "exclusive") || strings.Contains(got[1].Text, "paused") {
		t.Errorf("the same settings: %s", got[1].Text)
	}
	if !strings.Contains(got[2].Text, "same-setting and elsewhere") || strings.Contains(got[2].Text, "other-unit") {
		t.Errorf("at the same time: %s", got[2].Text)
	}
	past, ok := in.At(3)
	if n := len(report.Build(past).Interference); !ok || n != 1 {
		t.Errorf("of a past look %d influences are told, want that of the design alone", n)
	}
	for change, want := range map[experiment.ChangeKind]string{
		experiment.ChangeABR: "Naive estimate, shared links", experiment.ChangeUI: "does not reach the others", "": "does not say whether",
	} {
		in.Experiment.Change = change
		if u := report.Build(in).Interference[0]; !strings.Contains(u.Text, want) || u.Beware != (change != experiment.ChangeUI) {
			t.Errorf("a change of kind %q: %+v, want %q", change, u, want)
		}
	}
	in.Experiment.Unit = experiment.UnitBroadcaster
	if u := report.Build(in).Interference[0]; u.Beware {
		t.Errorf("broadcasters: %+v", u)
	}
}
