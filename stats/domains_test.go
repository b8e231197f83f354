package stats_test

import (
	"math"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

// Outside its domain a distribution is NaN, at once: no series waits for its terms to
// fall that are no numbers.
func TestDistributionsEndAtTheirDomain(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	tails := map[string]stats.Tails{
		"t of no number":                 stats.StudentT{DF: 3}.Tails(nan),
		"F of no number":                 stats.F{DF1: 2, DF2: 3}.Tails(nan),
		"beta of no number":              stats.Beta{A: 2, B: 3}.Tails(nan),
		"gamma of no number":             stats.Gamma{Shape: 2}.Tails(nan),
		"gamma of infinite shape":        stats.Gamma{Shape: inf}.Tails(1),
		"noncentral t of no number":      stats.NoncentralT{DF: 3, Shift: 1}.Tails(nan),
		"noncentral t of infinite shift": stats.NoncentralT{DF: 3, Shift: inf}.Tails(1),
		"normal of no number":            stats.Normal{}.Tails(nan),
	}
	for name, bad := range map[string]float64{"NaN": nan, "zero": 0, "minus one": -1} {
		tails["t, "+name] = stats.StudentT{DF: bad}.Tails(1)
		tails["noncentral t, "+name] = stats.NoncentralT{DF: bad, Shift: 1}.Tails(1)
		tails["chi-square, "+name] = stats.ChiSquare{DF: bad}.Tails(1)
		tails["gamma, "+name] = stats.Gamma{Shape: bad}.Tails(1)
		tails["F, numerator "+name] = stats.F{DF1: bad, DF2: 3}.Tails(1)
		tails["F, denominator "+name] = stats.F{DF1: 3, DF2: bad}.Tails(1)
		tails["beta, a "+name] = stats.Beta{A: bad, B: 1}.Tails(0.5)
		tails["beta, b "+name] = stats.Beta{A: 1, B: bad}.Tails(0.5)
	}
	for name, got := range tails {
		if !math.IsNaN(got.LogCDF) || !math.IsNaN(got.LogSF) {
			t.Errorf("%s: tails %+v, want NaN", name, got)
		}
	}
	for name, got := range map[string]float64{
		"t at 2":                   stats.StudentT{DF: 3}.Quantile(2),
		"t at no number":           stats.StudentT{DF: 3}.Quantile(nan),
		"t without freedom":        stats.StudentT{}.Quantile(0.5),
		"t at ln 2":                stats.StudentT{DF: 3}.LogQuantile(math.Ln2),
		"normal at ln 2":           stats.Normal{}.LogQuantile(math.Ln2),
		"normal at -1":             stats.Normal{}.Quantile(-1),
		"beta at 2":                stats.Beta{A: 2, B: 3}.Quantile(2),
		"beta at no number":        stats.Beta{A: 2, B: 3}.Quantile(nan),
		"beta without parameters":  stats.Beta{}.Quantile(0.5),
		"upper beta at -1":         stats.Beta{A: 2, B: 3}.UpperQuantile(-1),
		"upper beta, no number":    stats.Beta{A: nan, B: 3}.UpperQuantile(0.5),
		"upper beta, infinite one": stats.Beta{A: inf, B: 3}.UpperQuantile(0.5),
	} {
		if !math.IsNaN(got) {
			t.Errorf("%s: quantile %v, want NaN", name, got)
		}
	}
	for name, got := range map[string]float64{"t at 1": stats.StudentT{DF: 3}.Quantile(1), "minus t at 0": -stats.StudentT{DF: 3}.Quantile(0)} {
		if !math.IsInf(got, 1) {
			t.Errorf("%s: quantile %v, want the infinite end", name, got)
		}
	}
}

// What left the range of numbers is refused also where the other end of the interval
// is infinite by design, or where it leaves only at the last step.
func TestIntervalsBeyondTheRangeAreRefused(t *testing.T) {
	t.Parallel()
	e := stats.Effect{Estimate: -1.7e308, Variance: 1e308, DF: 1e6, N: 1000, Scale: stats.Absolute}
	_, err := stats.AsympCS{Alpha: 1e-300, NOpt: math.MaxInt64}.OneSidedClosed(e, stats.Greater)
	if reasonOf(err) != stats.NonFinite {
		t.Errorf("OneSidedClosed beyond the range = %v, want %s", err, stats.NonFinite)
	}
	at := stats.Effect{Estimate: math.MaxFloat64, Variance: 1e308, DF: 1e6, N: 1000}
	at.Variance = math.MaxFloat64
	if s, err := (stats.MSPRT{Alpha: 0.05, Tau2: 1e-300, Theta0: math.MaxFloat64}).TwoSided(at); reasonOf(err) != stats.NonFinite {
		t.Errorf("MSPRT beyond the range = %+v, %v, want %s", s, err, stats.NonFinite)
	}
}

// Counts whose sum is no count are refused, not added up.
func TestTrialsBeyondCounting(t *testing.T) {
	t.Parallel()
	most := stats.Proportion{Successes: 1, Trials: math.MaxInt64}
	two := stats.TwoProportions{Control: most, Treatment: stats.Proportion{Trials: 1}}
	_, pooled := two.Pooled()
	_, _, square := two.ChiSquare(true, 0.95)
	_, _, fisher := two.Fisher()
	_, score := two.DifferenceInterval(stats.Score, 0.95)
	for name, err := range map[string]error{"Pooled": pooled, "ChiSquare": square, "Fisher": fisher, "DifferenceInterval": score} {
		if reasonOf(err) != stats.InvalidArgument {
			t.Errorf("%s of more trials than can be counted = %v, want %s", name, err, stats.InvalidArgument)
		}
	}
	two.Control.Trials--
	if _, err := two.Pooled(); err != nil {
		t.Errorf("Pooled of as many trials as can be counted = %v", err)
	}
}

// The score interval of a ratio has an upper end whenever control has a success, also
// where shares differ so much that the search for it begins beyond squares of numbers;
// the ends are where the interval of the other arms' order has them.
func TestScoreIntervalOfUnlikeShares(t *testing.T) {
	t.Parallel()
	of := func(successes, trials int64) stats.Proportion {
		return stats.Proportion{Successes: successes, Trials: trials}
	}
	for _, two := range []stats.TwoProportions{
		{Control: of(1, 1_000), Treatment: of(990, 1_000)},
		{Control: of(1, 1_000_000), Treatment: of(900_000, 1_000_000)},
		{Control: of(1, 1_000_000_000), Treatment: of(999_999_999, 1_000_000_000)},
		{Control: of(1, 1_000_000), Treatment: of(1, 2)},
	} {
		got, err := two.RatioInterval(stats.Score, 0.95)
		if err != nil {
			t.Fatal(err)
		}
		mirror, err := stats.TwoProportions{Control: two.Treatment, Treatment: two.Control}.RatioInterval(stats.Score, 0.95)
		if err != nil {
			t.Fatal(err)
		}
		if !closeTo(got.Upper, 1/mirror.Lower, 1e-9, 0) || !closeTo(got.Lower, 1/mirror.Upper, 1e-9, 0) {
			t.Errorf("score interval of %+v = %+v, with the arms exchanged %+v: want one the inverse of the other", two, got, mirror)
		}
	}
	none := stats.TwoProportions{Control: of(0, 1_000), Treatment: of(990, 1_000)}
	if got, err := none.RatioInterval(stats.Score, 0.1); err != nil || !(got.Lower > 0) || got.Lower > 1e9 || !math.IsInf(got.Upper, 1) {
		t.Errorf("score interval over no success = %+v, %v, want a lower end alone", got, err)
	}
}

// E-values that are no numbers have no p-value.
func TestEvidenceThatIsNoNumber(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	_, p := stats.PFromE(nan)
	_, running := stats.RunningP([]float64{1, nan, 3})
	_, mismatch := stats.MismatchProbability(nan)
	_, mixture := stats.TMixtureStatistic{F: math.Inf(1), DF1: 1, DF2: math.Inf(1), N: 10, G: 1}.LogE()
	for name, err := range map[string]error{"PFromE": p, "RunningP": running, "MismatchProbability": mismatch, "LogE": mixture} {
		if reasonOf(err) != stats.NonFinite {
			t.Errorf("%s = %v, want %s", name, err, stats.NonFinite)
		}
	}
	for name, s := range map[string]stats.TMixtureStatistic{
		"nothing": {}, "F below zero": {F: -1, DF1: 1, DF2: 9, N: 10, G: 1}, "no freedom": {F: 1, DF1: 1, N: 10, G: 1},
	} {
		if _, err := s.LogE(); reasonOf(err) != stats.InvalidArgument {
			t.Errorf("LogE of %s = %v, want %s", name, err, stats.InvalidArgument)
		}
	}
	for logE, want := range map[float64]float64{math.Inf(1): 0, math.Inf(-1): 1, 0: 1, math.Ln2: 0.5} {
		if got, err := stats.PFromE(logE); err != nil || !closeTo(got, want, 1e-15, 0) {
			t.Errorf("PFromE(%v) = %v, %v, want %v", logE, got, err, want)
		}
	}
	if _, err := (stats.Quantile{Nu: 0.5, Value: 1, Upper: 2, N: 9}).SampledArm(1); reasonOf(err) != stats.TooFewUnits {
		t.Errorf("SampledArm of one unit = %v, want %s", err, stats.TooFewUnits)
	}
}
