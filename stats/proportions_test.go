package stats_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// shares draws two arms of up to most trials.
func shares(t *rapid.T, most int64) stats.TwoProportions {
	one := func(label string) stats.Proportion {
		n := rapid.Int64Range(1, most).Draw(t, label+" trials")
		return stats.Proportion{Successes: rapid.Int64Range(0, n).Draw(t, label+" successes"), Trials: n}
	}
	return stats.TwoProportions{Control: one("control"), Treatment: one("treatment")}
}

// hypergeometricP is Fisher's p-value in exact integers.
func hypergeometricP(p stats.TwoProportions) float64 {
	nc, nt := p.Control.Trials, p.Treatment.Trials
	drawn := p.Control.Successes + p.Treatment.Successes
	weight := func(k int64) *big.Int {
		return new(big.Int).Mul(new(big.Int).Binomial(nt, k), new(big.Int).Binomial(nc, drawn-k))
	}
	observed := weight(p.Treatment.Successes)
	extreme, total := new(big.Int), new(big.Int)
	for k := max(0, drawn-nc); k <= min(drawn, nt); k++ {
		w := weight(k)
		total.Add(total, w)
		if w.Cmp(observed) <= 0 {
			extreme.Add(extreme, w)
		}
	}
	ratio, _ := new(big.Rat).SetFrac(extreme, total).Float64()
	return ratio
}

func TestFisherAgreesWithExactIntegers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := shares(t, 60)
		got, logP, err := p.Fisher()
		want := hypergeometricP(p)
		if err != nil || !closeTo(got, want, 1e-10, 0) || !closeTo(math.Exp(logP), want, 1e-10, 0) {
			t.Errorf("Fisher(%+v) = %v (ln %v), %v, want %v", p, got, logP, err, want)
		}
	})
}

func TestFisherFarInTheTail(t *testing.T) {
	t.Parallel()
	p := stats.TwoProportions{
		Control:   stats.Proportion{Successes: 1000, Trials: 1_000_000},
		Treatment: stats.Proportion{Successes: 9000, Trials: 1_000_000},
	}
	got, logP, err := p.Fisher()
	if err != nil || got != 0 || logP > -3000 || logP < -4000 {
		t.Errorf("Fisher = %v, ln p %v, %v, want an underflow with its logarithm", got, logP, err)
	}
}

func TestIntervalsHoldTheEstimateAndGrowWithTheLevel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := shares(t, 5000)
		share := float64(p.Treatment.Successes) / float64(p.Treatment.Trials)
		difference := share - float64(p.Control.Successes)/float64(p.Control.Trials)
		nested := func(name string, of func(level float64) (stats.Interval, error), estimate float64) {
			narrow, err := of(0.9)
			wide, err2 := of(0.99)
			if err != nil || err2 != nil {
				t.Fatalf("%s of %+v: %v, %v", name, p, err, err2)
			}
			const slack = 1e-12
			if wide.Lower > narrow.Lower+slack || wide.Upper < narrow.Upper-slack {
				t.Errorf("%s of %+v: 90 %% %+v is not within 99 %% %+v", name, p, narrow, wide)
			}
			if estimate < narrow.Lower-slack || estimate > narrow.Upper+slack {
				t.Errorf("%s of %+v: %+v does not hold %v", name, p, narrow, estimate)
			}
		}
		for _, method := range []stats.ProportionMethod{stats.Wilson, stats.ClopperPearson} {
			nested(string(method), func(level float64) (stats.Interval, error) {
				return p.Treatment.Interval(method, level)
			}, share)
		}
		for _, method := range []stats.TwoProportionMethod{stats.Wald, stats.Newcombe, stats.Score} {
			nested(string(method), func(level float64) (stats.Interval, error) {
				return p.DifferenceInterval(method, level)
			}, difference)
		}
	})
}

func TestScoreIntervalInvertsTheScoreTest(t *testing.T) {
	t.Parallel()
	// At each end the likeliest shares with that difference, found here by a
	// search, must put the estimate z standard errors away.
	const level, z = 0.95, 1.959963984540054
	rapid.Check(t, func(t *rapid.T) {
		p := shares(t, 400)
		xc, nc := float64(p.Control.Successes), float64(p.Control.Trials)
		xt, nt := float64(p.Treatment.Successes), float64(p.Treatment.Trials)
		i, err := p.DifferenceInterval(stats.Score, level)
		if err != nil {
			t.Fatal(err)
		}
		for _, end := range []float64{i.Lower, i.Upper} {
			if math.Abs(end) > 0.999 {
				continue
			}
			likelihood := func(pc float64) float64 {
				pt := pc + end
				return xc*math.Log(pc) + (nc-xc)*math.Log1p(-pc) + xt*math.Log(pt) + (nt-xt)*math.Log1p(-pt)
			}
			low, high := max(0, -end)+1e-13, min(1, 1-end)-1e-13
			for high-low > 1e-12 {
				a, b := low+(high-low)/3, high-(high-low)/3
				if likelihood(a) < likelihood(b) {
					low = a
				} else {
					high = b
				}
			}
			pc := (low + high) / 2
			pt := pc + end
			se := math.Sqrt((pc*(1-pc)/nc + pt*(1-pt)/nt) * (nc + nt) / (nc + nt - 1))
			if got := math.Abs(xt/nt-xc/nc-end) / se; se > 1e-4 && math.Abs(got-z) > 1e-3 {
				t.Errorf("%+v: at %v the estimate is %v standard errors away", p, end, got)
			}
		}
	})
}

func TestRateRatioOfSwappedArmsInverts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := stats.Rate{Events: rapid.Int64Range(1, 3000).Draw(t, "c"), Exposure: rapid.Float64Range(0.1, 1e4).Draw(t, "ec")}
		w := stats.Rate{Events: rapid.Int64Range(1, 3000).Draw(t, "t"), Exposure: rapid.Float64Range(0.1, 1e4).Draw(t, "et")}
		there, err := stats.RateRatioExact(c, w, 0.95)
		back, err2 := stats.RateRatioExact(w, c, 0.95)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if !closeTo(there.Lower, 1/back.Upper, 1e-8, 0) || !closeTo(there.LogP, back.LogP, 1e-6, 1e-6) {
			t.Errorf("%+v and %+v do not invert", there, back)
		}
		for _, concentration := range []float64{10, 1000} {
			r := stats.RateSequence{Alpha: 0.05, Concentration: concentration}
			s, err := r.TwoSided(c, w)
			s2, err2 := r.TwoSided(w, c)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			if !closeTo(s.LogE, s2.LogE, 1e-9, 1e-9) || !closeTo(s.Lower, 1/s2.Upper, 1e-6, 0) {
				t.Errorf("%+v and %+v do not invert", s, s2)
			}
			// A handful of events is no place to compare: the exact interval doubles
			// its smaller tail, which the sequence need not do.
			if min(c.Events, w.Events) >= 10 && (s.Lower > there.Lower || s.Upper < there.Upper) {
				t.Errorf("the sequence %+v is inside the exact interval %+v", s, there)
			}
			up, err := r.OneSided(c, w, stats.Greater)
			down, err2 := r.OneSided(w, c, stats.Less)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			if !closeTo(up.Bound, 1/down.Bound, 1e-6, 0) || !closeTo(up.LogE, down.LogE, 1e-9, 1e-9) {
				t.Errorf("one-sided %+v and %+v do not invert", up, down)
			}
			if (up.LogE >= -math.Log(0.05)) != (up.Bound > 1) && math.Abs(up.LogE+math.Log(0.05)) > 1e-6 {
				t.Errorf("one-sided e-value and bound disagree: %+v", up)
			}
		}
	})
}

func TestProportionRefusals(t *testing.T) {
	t.Parallel()
	none := stats.TwoProportions{
		Control: stats.Proportion{Trials: 10}, Treatment: stats.Proportion{Trials: 20},
	}
	if _, err := none.Pooled(); reasonOf(err) != stats.ZeroVariance {
		t.Errorf("Pooled without success: %v", err)
	}
	if _, err := none.NonInferiority(-0.1); reasonOf(err) != stats.ZeroVariance {
		t.Errorf("NonInferiority without variance: %v", err)
	}
	if _, err := none.RatioInterval(stats.Katz, 0.95); reasonOf(err) != stats.ZeroDenominator {
		t.Errorf("Katz without success: %v", err)
	}
	if i, err := none.RatioInterval(stats.Walter, 0.95); err != nil || !(i.Lower < 1 && i.Upper > 1) {
		t.Errorf("Walter without success = %+v, %v", i, err)
	}
	if p, _, err := none.Fisher(); err != nil || p != 1 {
		t.Errorf("Fisher without success = %v, %v, want 1", p, err)
	}
	if _, err := (stats.TwoProportions{}).Posterior(stats.BetaPrior{Alpha: 1, Beta: 1}); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("Posterior of nothing: %v", err)
	}
	if _, err := stats.RateRatioExact(stats.Rate{Exposure: 1}, stats.Rate{Exposure: 1}, 0.95); reasonOf(err) != stats.TooFewUnits {
		t.Errorf("RateRatioExact without event: %v", err)
	}
	if _, err := stats.RateConcentration(0.5, 1); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("RateConcentration of no effect: %v", err)
	}
	if k, err := stats.RateConcentration(0.5, 1.2); err != nil || math.Abs(k-120.3) > 0.1 {
		t.Errorf("RateConcentration = %v, %v, want about 120", k, err)
	}
}

func TestMultinomialIsAProductOfPredictions(t *testing.T) {
	t.Parallel()
	// By the chain rule one unit more in arm i multiplies E by its predictive
	// probability over its share; at 1e9 units too.
	rapid.Check(t, func(t *rapid.T) {
		m := stats.Multinomial{Shares: []float64{0.2, 0.3, 0.5}, Concentration: math.Exp(rapid.Float64Range(0, 10).Draw(t, "ln K"))}
		units := math.Exp(rapid.Float64Range(0, 21).Draw(t, "ln units"))
		counts := make([]int64, 3)
		total := 0.0
		for i, p := range m.Shares {
			counts[i] = int64(max(0, units*p+5*math.Sqrt(units)*rapid.Float64Range(-1, 1).Draw(t, "z")))
			total += float64(counts[i])
		}
		before, err := m.LogE(counts)
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, 2).Draw(t, "arm")
		want := math.Log((m.Concentration*m.Shares[at] + float64(counts[at])) / (m.Concentration + total) / m.Shares[at])
		counts[at]++
		after, err := m.LogE(counts)
		if err != nil || math.Abs(after-before-want) > 1e-9 {
			t.Errorf("one unit more in arm %d of %v changed ln E by %v, want %v", at, counts, after-before, want)
		}
	})
}

func TestSampleRatio(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		counts  []int64
		weights []int64
		k       float64
		status  stats.SRMStatus
		reason  stats.Code
	}{
		{"nothing yet", []int64{0, 0}, []int64{1, 1}, 1000, stats.SRMOk, ""},
		{"as planned", []int64{9000, 1000}, []int64{9, 1}, 1000, stats.SRMOk, ""},
		{"warn", []int64{10_000, 10_450}, []int64{1, 1}, 1000, stats.SRMWarn, ""},
		{"alert", []int64{10_000, 11_000}, []int64{1, 1}, 1000, stats.SRMAlert, ""},
		{"one arm", []int64{5}, []int64{1}, 1000, "", stats.InvalidArgument},
		{"lengths", []int64{5, 5}, []int64{1}, 1000, "", stats.InvalidArgument},
		{"weight 0", []int64{5, 5}, []int64{1, 0}, 1000, "", stats.InvalidArgument},
		{"negative count", []int64{5, -5}, []int64{1, 1}, 1000, "", stats.InvalidArgument},
		{"concentration 0", []int64{5, 5}, []int64{1, 1}, 0, "", stats.InvalidArgument},
	}
	for _, test := range tests {
		srm, err := stats.SampleRatio(test.counts, test.weights, test.k)
		if reasonOf(err) != test.reason || srm.Status != test.status {
			t.Errorf("%s: SampleRatio = %+v, %v, want %q, reason %q", test.name, srm, err, test.status, test.reason)
		}
	}
}
