package stats_test

import (
	"math"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

func TestMomentsThatContradictOneAnotherAreRefused(t *testing.T) {
	t.Parallel()
	good := stats.PairMoments{N: 100, MeanY: 2, MeanX: 4, M2Y: 9, M2X: 16, CXY: 11}
	tests := []struct {
		name   string
		change func(p *stats.PairMoments)
		want   stats.Code
	}{
		{"fine", func(*stats.PairMoments) {}, ""},
		{"at the bound", func(p *stats.PairMoments) { p.CXY = 12 }, ""},
		{"rounded above it", func(p *stats.PairMoments) { p.CXY = 12 * (1 + 1e-9) }, ""},
		{"above it", func(p *stats.PairMoments) { p.CXY = 12.1 }, stats.InvalidArgument},
		{"below its mirror", func(p *stats.PairMoments) { p.CXY = -12.1 }, stats.InvalidArgument},
		{"negative square", func(p *stats.PairMoments) { p.M2X = -1 }, stats.InvalidArgument},
		{"both negative", func(p *stats.PairMoments) { p.M2X, p.M2Y = -16, -9 }, stats.InvalidArgument},
		{"NaN", func(p *stats.PairMoments) { p.CXY = math.NaN() }, stats.NonFinite},
		{"infinite", func(p *stats.PairMoments) { p.M2Y = math.Inf(1) }, stats.NonFinite},
		{"NaN mean", func(p *stats.PairMoments) { p.MeanY = math.NaN() }, stats.NonFinite},
	}
	for _, test := range tests {
		p := good
		test.change(&p)
		if a, err := p.RatioArm(); reasonOf(err) != test.want {
			t.Errorf("%s: RatioArm = %+v, %v, want reason %q", test.name, a, err, test.want)
		}
		if e, err := (stats.CupedMean{Control: good, Treatment: p}).Effect(stats.Absolute); reasonOf(err) != test.want {
			t.Errorf("%s: CupedMean = %+v, %v, want reason %q", test.name, e, err, test.want)
		}
	}
}
