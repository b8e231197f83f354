package web

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/planning"
)

// metricSamples renders the page of a metric: much known, nothing known, and what
// numbers and names can be at their worst.
func metricSamples(r *Renderer, chrome Chrome) map[string]pageWriter {
	known := previewOf("watch_hours_per_viewer", 1.32, 3.1, 1.7)
	tail := 1.1
	known.Preview.Uncapped, known.Preview.Missing, known.Preview.Zeros = known.Preview.Shape, 410, 9_000
	known.Preview.Uncapped.TailIndex = &tail
	view := MetricView{
		Chrome: chrome, Base: "/catalogue/watch_hours_per_viewer", Catalogue: "/catalogue", Metric: known.Metric, Unit: experiment.UnitViewer,
		Versions: []MetricVersion{{Version: 1}}, Preview: known.Preview, From: []string{"a", "b"}, Since: launchNow.AddDate(0, 0, -7), Truncated: true,
		Costs: []MetricCost{{0.005, []planning.Cost{{Rule: "sequential", Units: 8_430_000}, {Rule: "fixed", Units: 4_400_000}}}, {0.1, nil}},
	}
	bare := view
	bare.Preview, bare.Costs, bare.From = metrics.Preview{Shape: metrics.Shape{Refusal: "An arm needs at least 2 units."}}, nil, nil
	bare.CostRefusal = "An arm needs at least 2 units."
	hostile := view
	hostile.Metric.Name, hostile.Metric.Description = "<img src=x>"+strings.Repeat("w", 90), strings.Repeat("ذراع ", 60)
	hostile.Metric.Kind, hostile.Metric.Steps = metrics.KindFunnel, []metrics.Term{hostile.Metric.Numerator, hostile.Metric.Denominator}
	hostile.Preview.Steps = []metrics.StepTotal{{Step: hostile.Metric.Numerator, Total: 1e15, Share: 1}, {Step: hostile.Metric.Denominator}}
	huge, tiny := 1e300, -1e-300
	hostile.Preview.Shape.Value, hostile.Preview.Shape.Variance = &huge, &tiny
	hostile.Versions = []MetricVersion{{1, launchNow, strings.Repeat("a", 80)}, {2, time.Time{}, ""}}
	return map[string]pageWriter{
		"/catalogue/known":   func(w io.Writer) error { return r.Metric(w, view) },
		"/catalogue/bare":    func(w io.Writer) error { return r.Metric(w, bare) },
		"/catalogue/hostile": func(w io.Writer) error { return r.Metric(w, hostile) },
	}
}

func TestMetricPage(t *testing.T) {
	t.Parallel()
	samples := metricSamples(renderer(t), Chrome{})
	for path, wants := range map[string][]string{
		"/catalogue/known":   {"1.32 h", "of 40,000 viewers in the control arms of 2 experiments", "the cap keeps its variance finite", "8,430,000", "To find a lift of<", "built in", "21 %", "2.35 ×"},
		"/catalogue/bare":    {"No viewer of the last 7 days has a value yet", "An arm needs at least 2 units"},
		"/catalogue/hostile": {"&lt;img", "1,000,000,000,000,000", "Version 2"},
	} {
		var buf bytes.Buffer
		if err := samples[path](&buf); err != nil {
			t.Fatal(err)
		}
		checkPage(t, buf.String())
		for _, want := range wants {
			if !strings.Contains(buf.String(), want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
	}
}
