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
	b.Run("proportion", func(b *testing.B) {
		b.ReportAllocs()
		control, treatment := stats.Proportion{Successes: 960, Trials: 10_000}, stats.Proportion{Successes: 1020, Trials: 10_000}
		for b.Loop() {
			a, err := control.Arm()
			if err != nil {
				b.Fatal(err)
			}
			t, err := treatment.Arm()
			if err != nil {
				b.Fatal(err)
			}
			e, err := stats.LogLift(a, t)
			compareFully(b, e, err)
		}
	})
	b.Run("mean, pooled floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a, err := c.Y().Arm()
			if err != nil {
				b.Fatal(err)
			}
			w, err := t.Y().Arm()
			if err != nil {
				b.Fatal(err)
			}
			e, err := stats.FlooredLogLift(a, w)
			compareFully(b, e, err)
		}
	})
	b.Run("rate of events", func(b *testing.B) {
		b.ReportAllocs()
		sequence := stats.RateSequence{Alpha: 0.05, Concentration: 100}
		for b.Loop() {
			if _, err := sequence.TwoSided(stats.Rate{Events: 400, Exposure: 1e5}, stats.Rate{Events: 470, Exposure: 1e5}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("clusters, 400 an arm", func(b *testing.B) {
		b.ReportAllocs()
		var ratio stats.ClusteredRatio
		for i := range 400 {
			size := 1 + 1000/float64(i+1)
			ratio.Control = append(ratio.Control, stats.Cluster{Y: size * (10 + rng.NormFloat64()), X: size})
			ratio.Treatment = append(ratio.Treatment, stats.Cluster{Y: size * (10 + rng.NormFloat64()), X: size})
		}
		for b.Loop() {
			e, err := ratio.Effect(stats.LogRatio)
			compareFully(b, e, err)
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

func BenchmarkFutility(b *testing.B) {
	g := stats.GroupSequential{Kind: stats.SpendOBrienFleming, Alpha: 0.05, TwoSided: true}
	for k := range 28 {
		g.Information = append(g.Information, float64(k+1)/28)
	}
	bounds, err := g.Bounds()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := g.Futility(bounds, stats.Futility{Kind: stats.SpendPower, Shape: 2, Beta: 0.2}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkQuantileTests is the exact tests of one look; the threshold test has 50.
func BenchmarkQuantileTests(b *testing.B) {
	h := lognormalHistograms(1, 10_000, 1.05)
	b.Run("contrast", func(b *testing.B) {
		q := stats.QuantileContrast{Nu: 0.9, NOpt: 20_000, Alpha: 0.05}
		for b.Loop() {
			if _, err := q.Histograms(h[0], h[1]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("beta-binomial", func(b *testing.B) {
		q := stats.QuantileTest{Nu: 0.9, TOpt: 10_000, AlphaOpt: 0.05}
		for b.Loop() {
			if _, err := q.Histograms(h[0], h[1]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("threshold, 50 looks", func(b *testing.B) {
		looks := make([]stats.ThresholdLook, 50)
		for i := range looks {
			looks[i] = stats.ThresholdLook{
				Control:   stats.Proportion{Successes: 178 + int64(i%5), Trials: 200},
				Treatment: stats.Proportion{Successes: 176 + int64(i%7), Trials: 200},
			}
		}
		q := stats.ThresholdTest{Nu: 0.9, NOpt: 20_000, Alpha: 0.05}
		for b.Loop() {
			if _, err := q.LogE(looks); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReport is all comparisons of one large report: 1,000 metrics, two
// treatments against control, in 20 segments, each compared in full, and e-BH over
// everything.
func BenchmarkReport(b *testing.B) {
	const metrics, treatments, segments = 1000, 2, 20
	rng := rand.New(rand.NewPCG(2, 2))
	var cells [treatments + 1][segments]stats.PairMoments
	for arm := range cells {
		for segment := range cells[arm] {
			for range 500 {
				x := math.Exp(rng.NormFloat64())
				cells[arm][segment].Add(3*x+rng.ExpFloat64(), x)
			}
		}
	}
	logE := make([]float64, 0, metrics*treatments*segments)
	cs := stats.AsympCS{Alpha: 0.05, NOpt: 20_000}
	b.ReportAllocs()
	for b.Loop() {
		logE = logE[:0]
		for range metrics {
			for arm := 1; arm <= treatments; arm++ {
				for segment := range segments {
					e, err := stats.MeanLift(cells[0][segment].Y(), cells[arm][segment].Y())
					compareFully(b, e, err)
					s, err := cs.TwoSided(e)
					if err != nil {
						b.Fatal(err)
					}
					logE = append(logE, s.LogE)
				}
			}
		}
		if _, err := stats.EBH(logE, 0.1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(metrics*treatments*segments), "ns/comparison")
}

func BenchmarkSampleRatio(b *testing.B) {
	counts, weights := []int64{1_000_000_123, 999_998_000}, []int64{1, 1}
	for b.Loop() {
		if _, err := stats.SampleRatio(counts, weights, stats.SampleRatioConcentration); err != nil {
			b.Fatal(err)
		}
	}
}
