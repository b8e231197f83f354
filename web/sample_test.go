package web

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
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
	for _, s := range []experiment.Status{
		experiment.StatusDraft, experiment.StatusPaused, experiment.StatusStopped, experiment.StatusArchived,
	} {
		r := sample(t, "typical")
		r.Head.Status = s
		out["status_"+string(s)] = r
	}
	shipped := sample(t, "ship")
	shipped.Head.Status, shipped.Head.ShippedArm = experiment.StatusStopped, shipped.Head.Arms[1].Key
	out["shipped"] = shipped
	imported := sample(t, "typical")
	imported.Head.Arms = slices.Clone(imported.Head.Arms)
	imported.Head.Arms[0].Imported, imported.Head.Arms[1].Imported = 1_234, 1
	out["imported"] = imported
	collecting := sample(t, "no_data")
	collecting.Head.Units = 120
	out["collecting"] = collecting
	maps.Copy(out, states(t))
	out["bare"] = report.Report{Head: report.Head{Key: "bare", Name: "Bare", Status: experiment.StatusRunning}}
	out["hostile"] = hostile(t)
	out["one_arm"] = report.Report{Head: report.Head{
		Key: "one", Name: "One arm", Status: experiment.StatusRunning, Arms: sample(t, "typical").Head.Arms[:1],
	}}
	out["negative"] = negative(t)
	return out
}

// states are the states of a report in which there is not, or no more, all to see.
func states(t testing.TB) map[string]report.Report {
	t.Helper()
	edited := func(name string, edit func(*report.Report)) report.Report {
		r := sample(t, name)
		r.Head.Arms = slices.Clone(r.Head.Arms)
		r.Primary = slices.Clone(r.Primary)
		edit(&r)
		return r
	}
	return map[string]report.Report{
		"state_scheduled": edited("no_data", func(r *report.Report) {
			at, end := r.Head.BuiltAt.Add(50*time.Hour), r.Head.BuiltAt.Add(400*time.Hour)
			r.Head.Status, r.Head.StartAt, r.Head.StopAt = experiment.StatusDraft, &at, &end
		}),
		"state_no_metric": edited("typical", func(r *report.Report) {
			for i := range r.Primary {
				r.Primary[i].Effect, r.Primary[i].Absolute, r.Primary[i].Units, r.Primary[i].State = nil, nil, 0, report.StateUnknown
				r.Primary[i].Refusal = &report.Refusal{Code: report.CodeNoUnits, Message: "No unit of an arm has a value of this metric yet."}
			}
		}),
		"state_stale":     edited("typical", func(r *report.Report) { r.Head.LagSec = 7 * 3600 }),
		"state_late_data": edited("typical", func(r *report.Report) { r.Head.Arms[1].Exposed += 250 }),
	}
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
