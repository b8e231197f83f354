package web

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

// The bars of the largest report that a plan allows: 40 metrics, 3 arms and
// 1,000 looks.
const (
	maxPageBytes    = 170_000 // 200 KB are promised; the rest is room for names that are long
	largestMetrics  = experiment.MaxPlanMetrics
	largestArms     = 3
	largestLookRows = largestMetrics * (largestArms - 1)
)

// largestInput is the fixture of 1,000 looks with a third arm, which fared as the
// second did, and every metric in as many roles as it takes to make 40.
func largestInput() report.Input {
	in := reporttest.Fixtures()["thousand_looks"]
	third := in.Experiment.Arms[1]
	third.Key, third.Name = "treatment-2", "Treatment 2"
	in.Experiment.Arms = append(slices.Clone(in.Experiment.Arms), third)
	in.Looks = slices.Clone(in.Looks)
	for i := range in.Looks {
		l := &in.Looks[i]
		cells := slices.Clone(l.Cells)
		for _, c := range l.Cells {
			if c.Arm == 1 {
				c.Arm = 2
				cells = append(cells, c)
			}
		}
		slices.SortFunc(cells, func(a, b metrics.Cell) int { return a.Compare(&b) })
		l.Cells = cells
		arm := l.Arms[1]
		arm.Arm = 2
		l.Arms = append(slices.Clone(l.Arms), arm)
	}
	plan := &in.Experiment.Plan
	plan.Secondary, plan.Guardrails = nil, nil
	for i := len(plan.Primary); i < largestMetrics; i++ {
		key := metrics.All()[i%len(metrics.All())].Key
		if i%3 == 0 {
			plan.Guardrails = append(plan.Guardrails, experiment.Guardrail{Metric: key, Margin: 0.02})
			continue
		}
		plan.Secondary = append(plan.Secondary, key)
	}
	in.Experiment.PlanHash = plan.Hash()
	return in
}

func TestLargestReportFitsItsBudget(t *testing.T) {
	t.Parallel()
	r := report.Build(largestInput())
	if n := len(r.Primary) + len(r.Secondary) + len(r.Guardrails); n != largestLookRows {
		t.Fatalf("%d rows, want %d", n, largestLookRows)
	}
	page := renderReport(t, reportView(r))
	t.Logf("%d rows of %d looks: %d KB", largestLookRows, r.Head.Look, len(page)>>10)
	if len(page) > maxPageBytes {
		t.Errorf("the page has %d bytes, want at most %d", len(page), maxPageBytes)
	}
	checkPage(t, page)
}

// The largest page keeps its size when planned looks decide it.
func TestLargestPlannedReportFitsItsBudget(t *testing.T) {
	t.Parallel()
	in := largestInput()
	plan := &in.Experiment.Plan
	plan.Method, plan.Looks, plan.Units = experiment.MethodGroupSequential, experiment.MaxLooks, 100_000
	plan.End = &experiment.Date{Time: in.Looks[len(in.Looks)-1].At.Truncate(24 * time.Hour)}
	*plan = plan.WithDefaults()
	in.Experiment.PlanHash = plan.Hash()
	r := report.Build(in)
	if n := len(r.Head.PlannedLooks.Taken); n != experiment.MaxLooks {
		t.Fatalf("%d planned looks were taken, want all", n)
	}
	var buf bytes.Buffer
	if err := renderer(t).Report(&buf, reportView(r)); err != nil {
		t.Fatal(err)
	}
	if buf.Len() > maxPageBytes {
		t.Errorf("the page has %d bytes, want at most %d", buf.Len(), maxPageBytes)
	}
	checkPage(t, buf.String())
}

func BenchmarkReport(b *testing.B) {
	pages := renderer(b)
	for name, in := range map[string]report.Input{
		"typical": reporttest.Fixtures()["typical"], "largest": largestInput(),
	} {
		view := reportView(report.Build(in))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := pages.Report(io.Discard, view); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkExperiments(b *testing.B) {
	pages := renderer(b)
	view := sampleList(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := pages.Experiments(io.Discard, view); err != nil {
			b.Fatal(err)
		}
	}
}
