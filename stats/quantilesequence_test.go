package stats_test

import (
	"math"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

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
