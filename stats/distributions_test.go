package stats_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mathext"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// sameTails checks both tails against the probability of the lower one.
func sameTails(t *rapid.T, label string, got stats.Tails, lower, tolerance float64) {
	t.Helper()
	if gotLower := math.Exp(got.LogCDF); !closeTo(gotLower, lower, tolerance, 1e-300) {
		t.Errorf("%s: lower tail %v, want %v", label, gotLower, lower)
	}
	if sum := math.Exp(got.LogCDF) + math.Exp(got.LogSF); math.Abs(sum-1) > 1e-13 {
		t.Errorf("%s: tails sum to %v", label, sum)
	}
}

func TestGammaAgreesWithGonum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := math.Exp(rapid.Float64Range(-3, 11).Draw(t, "ln a")) // gonum loses digits beyond
		x := a + math.Sqrt(a)*rapid.Float64Range(-6, 6).Draw(t, "z")
		if x <= 0 {
			t.Skip("below the support")
		}
		sameTails(t, "gamma", stats.Gamma{Shape: a}.Tails(x), mathext.GammaIncReg(a, x), 1e-11)
	})
}

func TestBetaAgreesWithGonum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := math.Exp(rapid.Float64Range(-2, 12).Draw(t, "ln a"))
		b := math.Exp(rapid.Float64Range(-2, 12).Draw(t, "ln b"))
		mean := a / (a + b)
		x := mean + math.Sqrt(mean*(1-mean)/(a+b+1))*rapid.Float64Range(-6, 6).Draw(t, "z")
		if x <= 0 || x >= 1 {
			t.Skip("outside the support")
		}
		sameTails(t, "beta", stats.Beta{A: a, B: b}.Tails(x), mathext.RegIncBeta(a, b, x), 1e-9)
	})
}

func TestStudentTIsAnIncompleteBeta(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		df := math.Exp(rapid.Float64Range(-2, 12).Draw(t, "ln df"))
		x := rapid.Float64Range(-50, 50).Draw(t, "t")
		got := stats.StudentT{DF: df}.Tails(-math.Abs(x)).LogCDF
		want := stats.F{DF1: 1, DF2: df}.Tails(x*x).LogSF - math.Ln2
		if !closeTo(got, want, 1e-11, 1e-12) {
			t.Errorf("StudentT{%v}.Tails(%v): ln p = %v, F gives %v", df, x, got, want)
		}
	})
}

func TestQuantilesInvertTails(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		logP := -math.Exp(rapid.Float64Range(-20, 13).Draw(t, "ln -ln p"))
		df := math.Exp(rapid.Float64Range(-1, 25).Draw(t, "ln df"))
		if x := (stats.Normal{}).LogQuantile(logP); !closeTo(stats.Normal{}.Tails(x).LogCDF, logP, 1e-12, 0) {
			t.Errorf("Normal: ln p %v -> %v -> %v", logP, x, stats.Normal{}.Tails(x).LogCDF)
		}
		d := stats.StudentT{DF: df}
		x := d.LogQuantile(logP)
		if !math.IsInf(x, 0) && !closeTo(d.Tails(x).LogCDF, logP, 1e-11, 0) {
			t.Errorf("%+v: ln p %v -> %v -> %v", d, logP, x, d.Tails(x).LogCDF)
		}
	})
}

func TestBetaQuantileInvertsTails(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := stats.Beta{
			A: math.Exp(rapid.Float64Range(-1, 14).Draw(t, "ln a")),
			B: math.Exp(rapid.Float64Range(-1, 14).Draw(t, "ln b")),
		}
		p := rapid.Float64Range(1e-6, 1-1e-6).Draw(t, "p")
		if x := d.Quantile(p); x > 1e-300 && x < 1-1e-6 && !closeTo(math.Exp(d.Tails(x).LogCDF), p, 1e-9, 0) {
			t.Errorf("%+v: p %v -> %v -> %v", d, p, x, math.Exp(d.Tails(x).LogCDF))
		}
		if x := d.UpperQuantile(p); x > 1e-300 && x < 1-1e-6 && !closeTo(math.Exp(d.Tails(x).LogSF), p, 1e-9, 0) {
			t.Errorf("%+v: upper p %v -> %v -> %v", d, p, x, math.Exp(d.Tails(x).LogSF))
		}
	})
}

func TestNoncentralTWithoutShiftIsStudentT(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		df := math.Exp(rapid.Float64Range(0, 14).Draw(t, "ln df"))
		x := rapid.Float64Range(-20, 20).Draw(t, "t")
		got, want := stats.NoncentralT{DF: df}.Tails(x), stats.StudentT{DF: df}.Tails(x)
		if !closeTo(got.LogCDF, want.LogCDF, 1e-11, 1e-11) || !closeTo(got.LogSF, want.LogSF, 1e-11, 1e-11) {
			t.Errorf("df %v, t %v: got %+v, want %+v", df, x, got, want)
		}
	})
}
