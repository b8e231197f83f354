package metrics_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// importDefinitions are the metrics of an experiment that takes imports.
func importDefinitions(t *testing.T) []metrics.Definition {
	t.Helper()
	var out []metrics.Definition
	for _, text := range []string{
		`{"key":"tips","name":"n","description":"d","kind":"ratio","numerator":"value:tip","denominator":"event:tip","unit":"EUR"}`,
		`{"key":"chats","name":"n","description":"d","kind":"mean","numerator":"measure:chat","denominator":"units","unit":"n"}`,
		`{"key":"raids","name":"n","description":"d","kind":"mean","numerator":"stream_measure:raid","denominator":"units","unit":"n"}`,
		`{"key":"path","name":"n","description":"d","kind":"funnel","steps":["starts","event:chat","event:tip"],"unit":"%"}`,
	} {
		d, err := metrics.ParseDefinition([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
		if step, ok := d.Step(2); ok {
			out = append(out, step)
		}
	}
	return out
}

func TestImportedCustomQuantities(t *testing.T) {
	t.Parallel()
	exp := &experiment.Experiment{}
	exp.Unit, exp.Plan.Covariates = experiment.UnitViewer, "7d"
	m := metrics.Imported{
		Custom: map[string]float64{"value:tip": -2.5, "event:tip": 2, "measure:chat": 0.5, "funnel:path": 3},
		Past:   map[string]float64{"watch_ms": 7_000},
	}
	got, err := m.Outcomes(importDefinitions(t), exp)
	if err != nil {
		t.Fatal(err)
	}
	want := &metrics.Measured{
		Custom:     []metrics.CustomValue{{Name: "event:tip", Value: 2}, {Name: "funnel:path", Value: 3}, {Name: "measure:chat", Value: 0.5}, {Name: "value:tip", Value: -2.5}},
		Covariates: metrics.Covariates{Known: true, History: true},
	}
	want.Quantities[metrics.Units], want.Quantities[metrics.CoveredAttempts] = 1, 1
	past := &want.Covariates.Quantities
	past[metrics.Units], past[metrics.WatchUnits], past[metrics.WatchMs] = 1, 1, 7_000
	if diff := cmp.Diff(map[metrics.Window]*metrics.Measured{metrics.WindowDay: want}, got); diff != "" {
		t.Errorf("Outcomes differ (-want +got):\n%s", diff)
	}
}

func TestImportedNamesTheField(t *testing.T) {
	t.Parallel()
	custom := func(name string, v float64) metrics.Imported {
		return metrics.Imported{Custom: map[string]float64{name: v}}
	}
	past := func(name string, v float64) metrics.Imported {
		return metrics.Imported{Custom: map[string]float64{"event:tip": 1}, Past: map[string]float64{name: v}}
	}
	later := custom("event:tip", 1)
	later.Window = metrics.WindowFirst
	for _, test := range []struct {
		field      string
		m          metrics.Imported
		covariates experiment.Covariates
	}{
		{"quantities", metrics.Imported{}, "7d"},
		{"custom.event:none", custom("event:none", 1), "7d"},
		{"custom.tip", custom("tip", 1), "7d"},
		{"custom.watch_ms", custom("watch_ms", 1), "7d"},
		{"custom.event:tip", custom("event:tip", 1.5), "7d"},
		{"custom.event:tip", custom("event:tip", -1), "7d"},
		{"custom.event:tip", later, "7d"},
		{"custom.value:tip", custom("value:tip", math.NaN()), "7d"},
		{"custom.value:tip", custom("value:tip", math.Inf(-1)), "7d"},
		{"custom.value:tip", custom("value:tip", 1<<53), "7d"},
		{"custom.funnel:path", custom("funnel:path", 4), "7d"},
		{"custom.funnel:path", custom("funnel:path", 0.5), "7d"},
		{"custom.funnel:path.step2", custom("funnel:path.step2", 1), "7d"},
		{"custom.stream_measure:raid", custom("stream_measure:raid", 1), "7d"},
		{"past.tip", past("tip", 1), "7d"},
		{"past.watch_ms", past("watch_ms", -1), "7d"},
		{"past.stall_ms", past("stall_ms", 1), "7d"},
		{"past", past("watch_ms", 1), "off"},
		{"values.tips", metrics.Imported{Values: map[string]float64{"tips": 1}}, "7d"},
	} {
		exp := &experiment.Experiment{}
		exp.Unit, exp.Plan.Covariates = experiment.UnitViewer, test.covariates
		_, err := test.m.Outcomes(importDefinitions(t), exp)
		if faults := experiment.Faults(err); len(faults) != 1 || faults[0].Field != test.field {
			t.Errorf("Outcomes of %+v = %v, want a fault of %s", test.m, err, test.field)
		}
	}
}
