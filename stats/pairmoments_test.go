package stats_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

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

// Without undoes Merge.
func TestPairMomentsWithout(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) stats.PairMoments {
			var p stats.PairMoments
			for range rapid.IntRange(1, 50).Draw(t, name) {
				p.Add(rapid.Float64Range(-1e3, 1e3).Draw(t, "y"), rapid.Float64Range(-1e3, 1e3).Draw(t, "x"))
			}
			return p
		}
		rest, part := draw("rest"), draw("part")
		all := rest
		all.Merge(part)
		got, err := all.Without(part)
		if err != nil {
			t.Fatal(err)
		}
		scale := all.M2Y + all.M2X + 1
		if got.N != rest.N || !closeTo(got.MeanY+got.LowY, rest.MeanY+rest.LowY, 1e-9, 1e-8) ||
			!closeTo(got.MeanX+got.LowX, rest.MeanX+rest.LowX, 1e-9, 1e-8) ||
			!closeTo(got.M2Y, rest.M2Y, 1e-9, 1e-9*scale) || !closeTo(got.M2X, rest.M2X, 1e-9, 1e-9*scale) ||
			!closeTo(got.CXY, rest.CXY, 1e-9, 1e-9*scale) {
			t.Errorf("Without = %+v, want %+v", got, rest)
		}
		if _, err := part.Without(all); err == nil {
			t.Error("a whole was taken from its part")
		}
	})
}
