package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

// compareFully is what the report does with one metric of one arm: effect, fixed
// test, sequence, posterior and power.
func compareFully(b *testing.B, effect stats.Effect, err error) {
	if err != nil {
		b.Fatal(err)
	}
	cs := stats.AsympCS{Alpha: 0.05, NOpt: 200_000}
	if _, err := stats.Welch(effect, 0.95); err != nil {
		b.Fatal(err)
	}
	if _, err := cs.TwoSided(effect); err != nil {
		b.Fatal(err)
	}
	if _, err := stats.NewPosterior(effect, stats.Prior{Proper: true, Variance: 0.01}, 0.95, false); err != nil {
		b.Fatal(err)
	}
	power := stats.MidExperimentPower{MDE: 0.02, Alpha: 0.05, Sequence: cs}
	if _, err := power.At(effect, 1); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkComparison(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	var pairs [2]stats.PairMoments
	var joints [2]stats.JointMoments
	var histograms [2]stats.Histogram
	for i := range 20_000 {
		x := math.Exp(rng.NormFloat64())
		y := 3*x + rng.ExpFloat64()
		pairs[i%2].Add(y, x)
		if err := joints[i%2].Add(y, x, y+rng.Float64(), x+rng.Float64()); err != nil {
			b.Fatal(err)
		}
		histograms[i%2].Add(1000 * x)
	}
	c, t := pairs[0], pairs[1]
	b.Run("mean", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e, err := stats.MeanLift(c.Y(), t.Y())
			compareFully(b, e, err)
		}
	})
	b.Run("ratio", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e, err := stats.RatioLift(c, t)
			compareFully(b, e, err)
		}
	})
	b.Run("mean cuped", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e, err := stats.CupedMean{Control: c, Treatment: t}.Effect(stats.LogRatio)
			compareFully(b, e.Effect, err)
		}
	})
	b.Run("ratio cuped", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e, err := stats.CupedRatio{Control: joints[0], Treatment: joints[1]}.Effect(stats.LogRatio)
			compareFully(b, e.Effect, err)
		}
	})
	b.Run("quantile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			e, err := stats.QuantileLift(&histograms[0], &histograms[1], 0.95)
			compareFully(b, e, err)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	b.Run("moments", func(b *testing.B) {
		var m stats.Moments
		for b.Loop() {
			m.Add(1.5)
		}
	})
	b.Run("pair", func(b *testing.B) {
		var m stats.PairMoments
		for b.Loop() {
			m.Add(1.5, 2.5)
		}
	})
	b.Run("joint 4", func(b *testing.B) {
		b.ReportAllocs()
		var m stats.JointMoments
		for b.Loop() {
			if err := m.Add(1.5, 2.5, 3, 4); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("histogram", func(b *testing.B) {
		var h stats.Histogram
		for b.Loop() {
			h.Add(1.5)
		}
	})
}

func BenchmarkGroupSequentialBounds(b *testing.B) {
	looks := make([]float64, 28)
	for i := range looks {
		looks[i] = float64(i+1) / 28
	}
	for _, twoSided := range []bool{true, false} {
		name := map[bool]string{true: "28 looks two-sided", false: "28 looks one-sided"}[twoSided]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			g := stats.GroupSequential{
				Kind: stats.SpendOBrienFleming, Information: looks, Alpha: 0.05, TwoSided: twoSided,
			}
			for b.Loop() {
				if _, err := g.Bounds(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSampleRatio(b *testing.B) {
	counts, weights := []int64{1_000_000_123, 999_998_000}, []int64{1, 1}
	for b.Loop() {
		if _, err := stats.SampleRatio(counts, weights, stats.SampleRatioConcentration); err != nil {
			b.Fatal(err)
		}
	}
}
