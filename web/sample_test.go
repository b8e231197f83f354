package web

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

// reports builds the report of every fixture once.
var reports = sync.OnceValue(func() map[string]report.Report {
	out := map[string]report.Report{}
	for name, in := range reporttest.Fixtures() {
		out[name] = report.Build(in)
	}
	return out
})

// sample returns the report of a fixture.
func sample(t testing.TB, name string) report.Report {
	t.Helper()
	r, ok := reports()[name]
	if !ok {
		t.Fatalf("reporttest has no fixture %q", name)
	}
	return r
}

// variants are the reports of all fixtures, and what can befall one besides: its
// status, and names that want to be more than names.
func variants(t testing.TB) map[string]report.Report {
	t.Helper()
	out := map[string]report.Report{}
	maps.Copy(out, reports())
	imported := sample(t, "typical")
	imported.Head.Arms = slices.Clone(imported.Head.Arms)
	imported.Head.Arms[0].Imported, imported.Head.Arms[1].Imported = 1_234, 1
	out["imported"] = imported
	maps.Copy(out, states())
	out["bare"] = report.Report{Head: report.Head{Key: "bare", Name: "Bare", Status: experiment.StatusRunning}}
	out["hostile"] = hostile(t)
	out["one_arm"] = report.Report{Head: report.Head{
		Key: "one", Name: "One arm", Status: experiment.StatusRunning, Arms: sample(t, "typical").Head.Arms[:1],
	}}
	out["negative"] = negative(t)
	return out
}

// states are the states of a report in which there is not, or no more, all to see, built
// from what a server would have then.
var states = sync.OnceValue(func() map[string]report.Report {
	built := func(name string, edit func(*report.Input)) report.Report {
		in := reporttest.Fixtures()[name]
		in.Looks = slices.Clone(in.Looks)
		edit(&in)
		return report.Build(in)
	}
	draft := func(in *report.Input) {
		in.Experiment.Status, in.Experiment.StartedAt, in.Experiment.PlanHash = experiment.StatusDraft, nil, ""
	}
	out := map[string]report.Report{
		"status_draft":  built("no_data", draft),
		"status_paused": built("typical", func(in *report.Input) { in.Experiment.Status = experiment.StatusPaused }),
		"state_scheduled": built("no_data", func(in *report.Input) {
			draft(in)
			at, end := in.Now.Add(50*time.Hour), in.Now.Add(400*time.Hour)
			in.Experiment.StartAt, in.Experiment.StopAt = &at, &end
		}),
		"collecting": built("no_data", func(in *report.Input) {
			in.Counts = []metrics.ArmCounts{{Arm: 0, Exposed: 57}, {Arm: 1, Exposed: 63}}
		}),
		"state_no_metric": built("typical", unmeasured),
		"state_first_day": built("typical", func(in *report.Input) {
			unmeasured(in)
			for i := range in.Looks {
				in.Looks[i].Arms = slices.Clone(in.Looks[i].Arms)
				for arm := range in.Looks[i].Arms {
					in.Looks[i].Arms[arm].ClosedDay = 0
				}
			}
		}),
		"state_stale": built("typical", func(in *report.Input) { in.Now = in.Now.Add(7 * time.Hour) }),
		"state_late_data": built("typical", func(in *report.Input) {
			in.Counts = slices.Clone(in.Looks[len(in.Looks)-1].Arms)
			in.Counts[1].Exposed += 250
		}),
		"shipped": built("ship", func(in *report.Input) { over(in, experiment.StatusStopped, in.Experiment.Arms[1].Key) }),
	}
	for _, s := range []experiment.Status{experiment.StatusStopped, experiment.StatusArchived} {
		out["status_"+string(s)] = built("typical", func(in *report.Input) { over(in, s, "") })
	}
	return out
})

// unmeasured takes the values of primary metrics out of all looks.
func unmeasured(in *report.Input) {
	for i := range in.Looks {
		in.Looks[i].Cells = slices.DeleteFunc(slices.Clone(in.Looks[i].Cells), func(c metrics.Cell) bool {
			return slices.Contains(in.Experiment.Plan.Primary, c.Metric)
		})
	}
}

// over stops an experiment, which may have been shipped.
func over(in *report.Input, status experiment.Status, shipped string) {
	in.Experiment.Status, in.Experiment.ShippedArm = status, shipped
	at := in.Now
	in.Experiment.StoppedAt = &at
}

// negative is a report of metrics below zero that lost nearly all or far more than
// all, with intervals that reach far beyond every axis.
func negative(t testing.TB) report.Report {
	t.Helper()
	r := sample(t, "ship")
	r.Primary = append([]report.Row(nil), r.Primary...)
	for i := range r.Primary {
		row := &r.Primary[i]
		control, treatment := -3.2, -1e6
		row.Control.Value, row.Treatment.Value = &control, &treatment
		if row.Effect != nil {
			e := *row.Effect
			e.Lower, e.Estimate, e.Upper = -1e9, -0.999, 1e12
			e.Chart = e.Band
			row.Effect = &e
		}
	}
	return r
}

// hostile is a report whose names are markup, long beyond reason, or both.
func hostile(t testing.TB) report.Report {
	t.Helper()
	r := sample(t, "segment_harm")
	r.Head.Name = `"><script>alert(1)</script>`
	r.Head.Arms = append([]report.Arm(nil), r.Head.Arms...)
	r.Head.Arms[1].Name = "ذراع العلاج " + strings.Repeat("unbreakable", 12)
	r.Primary = append([]report.Row(nil), r.Primary...)
	r.Primary[0].Metric.Name = strings.Repeat("averylongmetricname", 8)
	r.Primary[0].Words = "</title><script>alert(2)</script>"
	r.Segments.Rows = append([]report.Segment(nil), r.Segments.Rows...)
	r.Segments.Rows[0].Value = "<img src=x onerror=alert(3)>" + strings.Repeat("w", 90)
	return r
}

// sampleList is a list of experiments with every kind of verdict.
func sampleList(t testing.TB) ExperimentsView {
	t.Helper()
	v := ExperimentsView{Base: "/experiments", Total: 40}
	inputs := reporttest.Fixtures()
	for _, name := range []string{"ship", "typical", "segment_harm", "guardrail_breach", "stop_no_effect", "srm", "six_arms", "no_data", "rtl", "long_names"} {
		r := sample(t, name)
		x := inputs[name].Experiment
		v.Rows = append(v.Rows, ExperimentRow{Experiment: x, URL: "/experiments/" + x.Key, Report: &r, LastLook: r.Head.At})
	}
	draft := inputs["no_data"].Experiment
	draft.Status = experiment.StatusDraft
	v.Rows = append(v.Rows, ExperimentRow{Experiment: draft, URL: "/experiments/draft"})
	return v
}
