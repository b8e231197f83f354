package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

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

func TestQuantileSequenceEnds(t *testing.T) {
	t.Parallel()
	q := stats.QuantileSequence{Nu: 0.5, TOpt: 100, Alpha: 0.05}
	few := histogramOf([]float64{1, 2, 3})
	if i, err := q.Interval(few); err != nil || !math.IsInf(i.Lower, -1) || !math.IsInf(i.Upper, 1) {
		t.Errorf("of three values: %+v, %v, want no ends", i, err)
	}
	zeros := &stats.Histogram{}
	zeros.AddN(0, 1000)
	if i, err := q.Interval(zeros); err != nil || i.Upper != 0x1p-20 || !math.IsInf(i.Lower, -1) {
		t.Errorf("of zeros: %+v, %v, want all below the smallest edge", i, err)
	}
	one := &stats.Histogram{}
	one.AddN(3, 1000)
	if i, err := q.Interval(one); err != nil || i.Lower >= 3 || i.Upper < 3 || i.Upper > 3.03 {
		t.Errorf("of one value: %+v, %v, want its bucket", i, err)
	}
	nan := one.Clone()
	nan.Add(math.NaN())
	for _, test := range []struct {
		name string
		want stats.Code
		err  error
	}{
		{"level", stats.InvalidArgument, drop(stats.QuantileSequence{TOpt: 1, Alpha: 0.05}.Interval(one))},
		{"alpha", stats.InvalidArgument, drop(stats.QuantileSequence{Nu: 0.5, TOpt: 1}.Interval(one))},
		{"tuning", stats.InvalidArgument, drop(stats.QuantileSequence{Nu: 0.5, Alpha: 0.05}.Interval(one))},
		{"empty", stats.TooFewUnits, drop(q.Interval(&stats.Histogram{}))},
		{"NaN", stats.NonFinite, drop(q.Interval(nan))},
	} {
		if reasonOf(test.err) != test.want {
			t.Errorf("%s: error %v, want reason %q", test.name, test.err, test.want)
		}
	}
}
