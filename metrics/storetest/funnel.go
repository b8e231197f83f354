package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// testFunnelOrder has viewers who do the same things in different orders. What a
// session tells is of the moment at which it began.
func testFunnelOrder(t *testing.T, w *world) {
	const steps = `"kind":"funnel","steps":["starts","event:chat","measure:follows","event:tip"],"direction":1,"unit":"%","scale":100`
	var definitions []metrics.Definition
	for _, text := range []string{
		`{"key":"strict","name":"n","description":"d",` + steps + `}`,
		`{"key":"loose","name":"n","description":"d","order":"any",` + steps + `}`,
	} {
		d, err := metrics.ParseDefinition([]byte(text))
		if err != nil {
			t.Fatalf("ParseDefinition(%s): %v", text, err)
		}
		definitions = append(definitions, d)
	}
	w.exp = w.launchOn("order", experiment.UnitViewer, experiment.Plan{Primary: []string{"strict", "loose"}})
	want := w.funnelViewers()
	job := metrics.Job{
		Store: w.s,
		Experiments: func(_ context.Context, after string) ([]experiment.Experiment, error) {
			if after != "" {
				return nil, nil
			}
			return []experiment.Experiment{w.exp}, nil
		},
		Catalogue: func(context.Context) (*metrics.Catalogue, error) { return metrics.Builtin().With(definitions), nil },
	}
	if _, err := job.RunOnce(w.ctx, at(dayCloses+1)); err != nil {
		t.Fatalf("RunOnce: %v", err)
	}
	w.wantFunnels(want)
}

// funnelViewers has viewers watch, chat, follow and tip in different orders, and returns
// how many steps each reached strictly, and in any order.
func (w *world) funnelViewers() map[string][2]float64 {
	w.t.Helper()
	want := map[string][2]float64{}
	watch := func(unit string, minutes float64, measures telemetry.Measures) {
		s := session(fmt.Sprintf("%s-%v", unit, minutes), unit, minutes)
		s.Measures = measures
		w.report(s)
	}
	const none, one = `{"follows":0}`, `{"follows":1}`
	viewer := func(unit string, strict, loose float64, events ...Event) {
		w.expose(w.exposure(unit, "control", 0))
		want[unit] = [2]float64{strict, loose}
		w.happen(append(events, event(unit, "other", "o", 5))...)
	}
	viewer("all", 4, 4, event("all", "chat", "1", 10), event("all", "tip", "1", 30))
	watch("all", 5, none)
	watch("all", 20, one)
	viewer("together", 4, 4, event("together", "chat", "1", 5), event("together", "tip", "1", 5))
	watch("together", 5, one)
	viewer("chat before starting", 1, 4, event("chat before starting", "chat", "1", 4.999), event("chat before starting", "tip", "1", 30))
	watch("chat before starting", 5, one)
	viewer("chat again", 4, 4, event("chat again", "chat", "1", 2), event("chat again", "chat", "2", 9), event("chat again", "chat", "3", 50),
		event("chat again", "tip", "1", 1), event("chat again", "tip", "2", 30))
	watch("chat again", 5, one)
	watch("chat again", 12, one)
	viewer("follow before chat", 2, 4, event("follow before chat", "chat", "1", 10), event("follow before chat", "tip", "1", 30))
	watch("follow before chat", 5, one)
	watch("follow before chat", 20, none)
	viewer("tip too early", 3, 4, event("tip too early", "chat", "1", 10), event("tip too early", "tip", "1", 15))
	watch("tip too early", 5, none)
	watch("tip too early", 20, one)
	viewer("no chat", 1, 1, event("no chat", "tip", "1", 30))
	watch("no chat", 5, one)
	viewer("nothing", 0, 0)
	viewer("after the day", 1, 1, event("after the day", "chat", "1", 24*60))
	watch("after the day", 5, one)
	return want
}

// wantFunnels compares outcomes and cells with the steps that viewers reached.
func (w *world) wantFunnels(want map[string][2]float64) {
	w.t.Helper()
	var strict, loose [5]float64 // units by the steps that they reached
	for _, steps := range want {
		for reached := 0.0; reached <= 4; reached++ {
			if steps[0] >= reached {
				strict[int(reached)]++
			}
			if steps[1] >= reached {
				loose[int(reached)]++
			}
		}
	}
	for _, o := range w.outcomes(metrics.WindowDay) {
		for _, c := range o.Custom {
			if c.Name == "funnel:strict" && c.Value != want[o.Unit][0] {
				w.t.Errorf("%s reached %v steps, want %v", o.Unit, c.Value, want[o.Unit][0])
			}
		}
	}
	sumsOf := map[string]sums{}
	for key, n := range map[string][5]float64{"strict": strict, "loose": loose} {
		sumsOf[key] = sums{n[1], n[4], n[1]}
		for step := 2; step <= 4; step++ {
			sumsOf[metrics.StepKey(key, step)] = sums{n[step-1], n[step], n[step-1]}
		}
	}
	sumsOf["telemetry_coverage"] = sums{9, 8, 9}
	sumsOf["start_time_known"] = sums{8, 8, 8}
	w.wantSums(sumsOf)
}
