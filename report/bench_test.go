package report_test

import (
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

// BenchmarkBuild makes a whole report of a typical experiment and of one with a
// thousand looks.
func BenchmarkBuild(b *testing.B) {
	for _, name := range []string{"typical", "six_arms", "thousand_looks"} {
		in := reporttest.Fixtures()[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				report.Build(in)
			}
		})
	}
	// Every metric in every role, of 1,000 looks: as many rows as a plan may
	// hold is four times this.
	in := reporttest.Fixtures()["thousand_looks"]
	in.Experiment.Plan.Secondary, in.Experiment.Plan.Guardrails = nil, nil
	for _, d := range metrics.All() {
		in.Experiment.Plan.Secondary = append(in.Experiment.Plan.Secondary, d.Key)
		in.Experiment.Plan.Guardrails = append(in.Experiment.Plan.Guardrails, experiment.Guardrail{Metric: d.Key, Margin: 0.05})
	}
	b.Run("thousand_looks_all_metrics", func(b *testing.B) {
		rows := 0
		for b.Loop() {
			r := report.Build(in)
			rows = len(r.Primary) + len(r.Secondary) + len(r.Guardrails)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows*len(in.Looks)), "ns/answer")
		b.ReportMetric(float64(rows), "rows")
	})
}
