package report_test

import (
	"math"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
	"github.com/splitcast/splitcast/stats"
)

// TestDistributionTellsTheTruth compares with the world of the fixture: start times
// are log-normal with sigma 0.7, cut at 10 s, and half as long again in the treatment.
func TestDistributionTellsTheTruth(t *testing.T) {
	t.Parallel()
	r := report.Build(reporttest.Fixtures()["quality"])
	if len(r.Distributions) != 2 { // one of startup_ms, whose two quantiles share it; one of the imputed
		t.Fatalf("%d distributions, want 2", len(r.Distributions))
	}
	d := r.Distributions[0]
	if d.MetricKey != "startup_first_p50" || len(d.Metrics) != 2 || d.Refusal != nil {
		t.Fatalf("the first distribution is %q of %q, refusal %v", d.MetricKey, d.Metrics, d.Refusal)
	}
	proven := 0
	for _, l := range d.Levels {
		const longest, control, treatment, sigma = 9.999, 0.9, 1.35, 0.7
		z := math.Sqrt2 * math.Erfinv(2*l.Level-1)
		truth := min(longest, treatment*math.Exp(sigma*z))/min(longest, control*math.Exp(sigma*z)) - 1
		if l.Lower != nil && *l.Lower > truth || l.Upper != nil && *l.Upper < truth {
			t.Errorf("%s: the truth %v is outside of %v to %v", report.LevelName(l.Level), truth, *l.Lower, *l.Upper)
		}
		if l.Shift != nil && l.Lower != nil && *l.Shift < *l.Lower {
			t.Errorf("%s: the estimate %v lies below its band", report.LevelName(l.Level), *l.Shift)
		}
		proven += max(0, l.Proven())
	}
	if proven < len(d.Levels)/2 {
		t.Errorf("a shift of 50 %% is proven at %d of %d levels", proven, len(d.Levels))
	}
	for i, s := range d.Shares {
		if i > 0 && (s.Value <= d.Shares[i-1].Value || s.Control < d.Shares[i-1].Control) {
			t.Errorf("shares do not rise at %v", s.Value)
		}
	}
	if !strings.Contains(d.Words, "proven higher at ") {
		t.Errorf("words: %s", d.Words)
	}
}

// TestDistributionLevelsHoldTogether bounds the error of all levels of both
// pictures by the plan's alpha, whatever the number of quantities and arms.
func TestDistributionLevelsHoldTogether(t *testing.T) {
	t.Parallel()
	r := report.Build(reporttest.Fixtures()["quality_six_arms"])
	total := 0.0
	for _, d := range r.Distributions {
		total += 2 * d.Alpha
	}
	if math.Abs(total-r.Head.Alpha) > 1e-12 {
		t.Errorf("the errors add up to %v, want %v", total, r.Head.Alpha)
	}
}

func TestDistributionRefusals(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"no_data": report.CodeNoUnits, "one_look": string(stats.BurnIn)} {
		d := report.Build(reporttest.Fixtures()[name]).Distributions
		if len(d) != 1 || d[0].Refusal == nil || d[0].Refusal.Code != want || len(d[0].Levels) != 0 {
			t.Errorf("%s: %+v, want one refused with %q", name, d, want)
		}
	}
}

// TestStallFactorsMultiply checks that the product of the factors is stall time a
// session, and that nothing is said without the sums.
func TestStallFactorsMultiply(t *testing.T) {
	t.Parallel()
	r := report.Build(reporttest.Fixtures()["quality"])
	if len(r.Stalls) != 1 || len(r.Stalls[0].Factors) != 4 {
		t.Fatalf("stalls: %+v, want four factors", r.Stalls)
	}
	f := r.Stalls[0].Factors
	for arm, of := range map[string]func(report.StallFactor) float64{
		"control":   func(f report.StallFactor) float64 { return f.Control },
		"treatment": func(f report.StallFactor) float64 { return f.Treatment },
	} {
		if got, want := of(f[0])/100*of(f[1])*of(f[2]), of(f[3]); math.Abs(got/want-1) > 1e-9 {
			t.Errorf("%s: the factors multiply to %v, want %v", arm, got, want)
		}
	}
	if f[0].Range == "" || f[1].Range != "" || !f[3].Product {
		t.Errorf("ranges and product of %+v", f)
	}
	typical := report.Build(reporttest.Fixtures()["typical"])
	if len(typical.Stalls) != 1 || len(typical.Stalls[0].Missing) != 2 || typical.Stalls[0].Factors != nil {
		t.Errorf("a plan without the sums: %+v", typical.Stalls)
	}
}

func TestStartupFates(t *testing.T) {
	t.Parallel()
	r := report.Build(reporttest.Fixtures()["quality"])
	if len(r.Startup) != 1 || len(r.Startup[0].Fates) != 3 {
		t.Fatalf("startup: %+v, want three fates", r.Startup)
	}
	sum := 0.0
	for _, f := range r.Startup[0].Fates {
		sum += *f.Control.Value
	}
	if math.Abs(sum-100) > 0.5 {
		t.Errorf("where all starts are observed the fates of control add up to %v %%", sum)
	}
	if got := report.Build(reporttest.Fixtures()["typical"]).Startup; got != nil {
		t.Errorf("one fate alone is shown: %+v", got)
	}
}
