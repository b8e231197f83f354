package report_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/stats"
)

// anyNumber draws numbers from every corner that storage could hand over.
func anyNumber() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Float64(),
		rapid.Float64Range(0, 100),
		rapid.SampledFrom([]float64{
			0, 1, -1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 1e300, 1e-300,
		}),
	)
}

// TestAnyCellsGiveAReport builds reports of arbitrary cells: none panics, holds
// what is no number, or gives an estimate that lies outside its interval.
func TestAnyCellsGiveAReport(t *testing.T) {
	t.Parallel()
	number := anyNumber()
	rapid.Check(t, func(rt *rapid.T) {
		s := newSynthetic(rapid.IntRange(2, 4).Draw(rt, "arms"))
		s.plan.Secondary = []string{"stall_ratio", "start_success", "startup_first_p95", metrics.CoverageKey}
		s.plan.MDE = rapid.SampledFrom([]float64{1e-6, 0.02, 10}).Draw(rt, "mde")
		for range rapid.IntRange(0, 3).Draw(rt, "looks") {
			var cells []metrics.Cell
			for _, key := range append(s.plan.Metrics(), metrics.StartTimeKnownKey) {
				for arm := range s.arms {
					c := cell(key, arm, stats.PairMoments{
						N:     rapid.SampledFrom([]int64{0, 1, 2, 100, 5_000, 1 << 40}).Draw(rt, "n"),
						MeanY: number.Draw(rt, "mean_y"), MeanX: number.Draw(rt, "mean_x"),
						M2Y: number.Draw(rt, "m2_y"), M2X: number.Draw(rt, "m2_x"), CXY: number.Draw(rt, "c_xy"),
					})
					if key == "startup_first_p95" && rapid.Bool().Draw(rt, "hist") {
						c.Hist = &stats.Histogram{}
						for range rapid.IntRange(0, 20).Draw(rt, "values") {
							c.Hist.AddN(number.Draw(rt, "value"), 40)
						}
					}
					cells = append(cells, c)
				}
			}
			s.at(rapid.Int64Range(0, 1<<40).Draw(rt, "exposed"), cells...)
		}
		r := report.Build(s.input())
		walk(t, "report", reflect.ValueOf(r))
		if _, err := json.Marshal(r); err != nil {
			rt.Fatalf("the report does not marshal: %v", err)
		}
		for _, rows := range [][]report.Row{r.Primary, r.Guardrails, r.Secondary} {
			for _, row := range rows {
				if (row.Effect == nil) == (row.Refusal == nil) {
					rt.Fatalf("%s has an effect and a refusal, or neither", row.Metric.Key)
				}
				if e := row.Effect; e != nil && !(e.Lower <= e.Estimate && e.Estimate <= e.Upper) {
					rt.Fatalf("%s: estimate %v outside of [%v, %v]", row.Metric.Key, e.Estimate, e.Lower, e.Upper)
				}
			}
		}
		if t.Failed() {
			rt.Fatal("the report holds what is no number")
		}
	})
}
