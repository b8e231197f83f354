//go:build !race

package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

// The mean of an e-value is at most 1 without an effect: at the end, and when one
// stops as soon as it is large. Its tail is so heavy that the mean of a sample says
// little; what is checked is the mean of min(E, 50), which may be no larger.
func TestEValuesAreWorthOneOnAverage(t *testing.T) {
	t.Parallel()
	const looks, most = 10, 50.0
	slow := map[string]bool{"QuantileContrast": true, "QuantileTest": true, "BoundedSequence": true, "RateSequence one-sided": true}
	for name, run := range eRuns() {
		runs := 4000
		if slow[name] {
			runs = 150
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var end, stopped stats.Moments
			for i := range runs {
				logE := run(rand.New(rand.NewPCG(61, uint64(i))), looks)
				if len(logE) != looks {
					t.Fatalf("%d looks, want %d", len(logE), looks)
				}
				end.Add(math.Min(most, math.Exp(logE[looks-1])))
				at := 0
				for at < looks-1 && logE[at] < math.Log(3) {
					at++
				}
				stopped.Add(math.Min(most, math.Exp(logE[at])))
			}
			for when, m := range map[string]stats.Moments{"at the end": end, "when stopped": stopped} {
				variance, _ := m.Variance()
				if limit := 1 + 3*math.Sqrt(variance/float64(runs)); m.Mean > limit {
					t.Errorf("%s the e-value is worth %.3f, want at most %.3f", when, m.Mean, limit)
				}
				t.Logf("%s %.3f", when, m.Mean)
			}
		})
	}
}

func TestQuantileSequenceCoversAtAllLooks(t *testing.T) {
	t.Parallel()
	const runs, looks, units = 300, 20, 2000
	for _, nu := range []float64{0.05, 0.5, 0.95} {
		truth := 1000 * math.Exp(stats.Normal{}.Quantile(nu))
		q := stats.QuantileSequence{Nu: nu, TOpt: units, Alpha: 0.05}
		missed, width := 0, 0.0
		for run := range runs {
			rng := rand.New(rand.NewPCG(71, uint64(run)))
			var h stats.Histogram
			miss := false
			for range looks {
				for range units / looks {
					h.Add(1000 * math.Exp(rng.NormFloat64()))
				}
				i := must(q.Interval(&h))
				miss = miss || !i.Contains(truth)
				width = i.Upper - i.Lower
			}
			if miss {
				missed++
			}
		}
		if limit := 0.05 + 3*math.Sqrt(0.05*0.95/runs); float64(missed)/runs > limit {
			t.Errorf("p%v: the sequence missed the truth in %d of %d runs", 100*nu, missed, runs)
		}
		if math.IsInf(width, 0) || width > 0.5*truth+100 {
			t.Errorf("p%v: the sequence is %v wide at the end", 100*nu, width)
		}
	}
}
