package stats_test

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// arms draws two plausible arms with positive values.
func arms(t *rapid.T) (control, treatment stats.Arm) {
	arm := func(label string) stats.Arm {
		return stats.Arm{
			N:        rapid.Int64Range(100, 1e7).Draw(t, label+" n"),
			Value:    rapid.Float64Range(0.5, 2).Draw(t, label+" value"),
			Variance: math.Exp(rapid.Float64Range(-8, 1).Draw(t, label+" ln variance")),
		}
	}
	return arm("control"), arm("treatment")
}

func TestEffectRefusals(t *testing.T) {
	t.Parallel()
	good := stats.Arm{N: 100, Value: 10, Variance: 4}
	change := func(f func(a *stats.Arm)) stats.Arm {
		a := good
		f(&a)
		return a
	}
	constant := change(func(a *stats.Arm) { a.Variance = 0 })
	tests := []struct {
		name                     string
		control, treatment       stats.Arm
		difference, log, percent stats.Code
	}{
		{"fine", good, good, "", "", ""},
		{"one constant arm is legitimate", constant, good, "", "", ""},
		{"both constant", constant, constant, stats.ZeroVariance, stats.ZeroVariance, stats.ZeroVariance},
		{
			"one unit", good, change(func(a *stats.Arm) { a.N = 1 }),
			stats.TooFewUnits, stats.TooFewUnits, stats.TooFewUnits,
		},
		{"empty", stats.Arm{}, good, stats.TooFewUnits, stats.TooFewUnits, stats.TooFewUnits},
		{
			"NaN value", change(func(a *stats.Arm) { a.Value = math.NaN() }), good,
			stats.NonFinite, stats.NonFinite, stats.NonFinite,
		},
		{
			"infinite variance", good, change(func(a *stats.Arm) { a.Variance = math.Inf(1) }),
			stats.NonFinite, stats.NonFinite, stats.NonFinite,
		},
		{
			"negative variance", good, change(func(a *stats.Arm) { a.Variance = -1 }),
			stats.InvalidArgument, stats.InvalidArgument, stats.InvalidArgument,
		},
		{
			"zero control", change(func(a *stats.Arm) { a.Value = 0 }), good,
			"", stats.NonPositiveBaseline, stats.NonPositiveBaseline,
		},
		{"negative control", change(func(a *stats.Arm) { a.Value = -10 }), good, "", stats.NonPositiveBaseline, ""},
		{"negative treatment", good, change(func(a *stats.Arm) { a.Value = -10 }), "", stats.NonPositiveBaseline, ""},
		{
			"control not told from zero", change(func(a *stats.Arm) { a.Value = 0.3 }), good,
			"", stats.UnboundedRatio, "",
		},
		{
			"variance overflows", change(func(a *stats.Arm) { a.Variance = 1e308; a.N = 2 }),
			change(func(a *stats.Arm) { a.Variance = 1.7e308; a.N = 2 }), "", stats.UnboundedRatio, stats.NonFinite,
		},
	}
	for _, test := range tests {
		for _, way := range []struct {
			name    string
			compare func(c, t stats.Arm) (stats.Effect, error)
			want    stats.Code
		}{
			{"Difference", stats.Difference, test.difference},
			{"LogLift", stats.LogLift, test.log},
			{"FractionLift", stats.FractionLift, test.percent},
		} {
			if e, err := way.compare(test.control, test.treatment); reasonOf(err) != way.want {
				t.Errorf("%s: %s = %+v, %v, want reason %q", test.name, way.name, e, err, way.want)
			}
		}
	}
}

func TestRefusalsAreSentences(t *testing.T) {
	t.Parallel()
	_, err := stats.MeanLift(stats.Moments{}, stats.Moments{})
	var refusal *stats.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != stats.TooFewUnits {
		t.Fatalf("error %v, want a refusal", err)
	}
	if m := refusal.Error(); m[0] < 'A' || m[0] > 'Z' || m[len(m)-1] != '.' {
		t.Errorf("%q is not a sentence", m)
	}
}

func TestEffectsFollowScaleAndShift(t *testing.T) {
	t.Parallel()
	near := cmpopts.EquateApprox(1e-9, 1e-12)
	rapid.Check(t, func(t *rapid.T) {
		c, w := arms(t)
		factor := math.Exp(rapid.Float64Range(-20, 20).Draw(t, "ln factor"))
		shift := rapid.Float64Range(-5, 5).Draw(t, "shift")
		scaled := func(a stats.Arm) stats.Arm {
			a.Value *= factor
			a.Variance *= factor * factor
			return a
		}
		shifted := func(a stats.Arm) stats.Arm {
			a.Value += shift
			return a
		}
		plain, err := stats.Difference(c, w)
		if err != nil {
			t.Fatal(err)
		}
		moved, err := stats.Difference(shifted(c), shifted(w))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain, moved, near); diff != "" {
			t.Errorf("a shift of both arms changed the difference:\n%s", diff)
		}
		larger, err := stats.Difference(scaled(c), scaled(w))
		if err != nil {
			t.Fatal(err)
		}
		if !closeTo(larger.Estimate, plain.Estimate*factor, 1e-9, 1e-15*factor) || !closeTo(larger.SE(), plain.SE()*factor, 1e-12, 0) {
			t.Errorf("scaled by %v the difference is %+v, was %+v", factor, larger, plain)
		}
		lift, err := stats.LogLift(c, w)
		if err != nil {
			t.Skip("baseline too close to zero")
		}
		sameLift, err := stats.LogLift(scaled(c), scaled(w))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(lift, sameLift, near); diff != "" {
			t.Errorf("a change of unit changed the lift:\n%s", diff)
		}
		back, err := stats.LogLift(w, c)
		if err != nil {
			t.Fatal(err)
		}
		if !closeTo(back.Estimate, -lift.Estimate, 1e-12, 1e-15) || !closeTo(back.Variance, lift.Variance, 1e-12, 0) {
			t.Errorf("exchanging the arms made %+v of %+v", back, lift)
		}
	})
}

func TestRatioVarianceIsTheDeltaMethod(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var p stats.PairMoments
		for range rapid.IntRange(2, 50).Draw(t, "n") {
			x := rapid.Float64Range(1, 5).Draw(t, "x")
			p.Add(2*x+rapid.Float64Range(-1, 1).Draw(t, "y"), x)
		}
		arm, err := p.RatioArm()
		if err != nil {
			t.Fatal(err)
		}
		vy, _ := p.Y().Variance()
		vx, _ := p.X().Variance()
		cov, _ := p.Covariance()
		d := p.MeanX
		want := vy/(d*d) + vx*p.MeanY*p.MeanY/(d*d*d*d) - 2*cov*p.MeanY/(d*d*d)
		if !closeTo(arm.Variance, want, 1e-9, 1e-12) || !closeTo(arm.Value, p.MeanY/p.MeanX, 1e-15, 0) {
			t.Errorf("RatioArm of %+v = %+v, want variance %v", p, arm, want)
		}
	})
}

func TestRatioOfProportionalVariablesNeverGoesNegative(t *testing.T) {
	t.Parallel()
	var p stats.PairMoments
	for i := range 1000 {
		x := 1e6 + float64(i)/3
		p.Add(0.1*x, x)
	}
	arm, err := p.RatioArm()
	if err != nil || arm.Variance < 0 || arm.Variance > 1e-20 {
		t.Errorf("RatioArm = %+v, %v, want a variance of about 0", arm, err)
	}
	if _, err := (stats.PairMoments{N: 5, MeanY: 1}).RatioArm(); reasonOf(err) != stats.ZeroDenominator {
		t.Errorf("RatioArm without denominator: %v, want reason %s", err, stats.ZeroDenominator)
	}
}

func TestProportionArm(t *testing.T) {
	t.Parallel()
	arm, err := stats.Proportion{Successes: 20, Trials: 80}.Arm()
	if want := (stats.Arm{N: 80, Value: 0.25, Variance: 0.1875}); err != nil || arm != want {
		t.Errorf("Arm = %+v, %v, want %+v", arm, err, want)
	}
	for _, bad := range []stats.Proportion{{Successes: -1, Trials: 5}, {Successes: 6, Trials: 5}, {}} {
		if _, err := bad.Arm(); reasonOf(err) != stats.InvalidArgument {
			t.Errorf("%+v: %v, want reason %s", bad, err, stats.InvalidArgument)
		}
	}
}

func TestLiftOfEachScale(t *testing.T) {
	t.Parallel()
	ends := stats.Interval{Lower: math.Log(0.9), Upper: math.Log(1.2), Scale: stats.LogRatio}
	lift, ok := ends.Lift()
	want := stats.Interval{Lower: -0.1, Upper: 0.2, Scale: stats.Fraction}
	if diff := cmp.Diff(want, lift, cmpopts.EquateApprox(1e-12, 0)); !ok || diff != "" {
		t.Errorf("Lift of a log-ratio:\n%s", diff)
	}
	if same, ok := want.Lift(); !ok || same != want {
		t.Errorf("Lift of a fraction = %+v, %v, want it unchanged", same, ok)
	}
	ends.Scale = stats.Absolute
	if got, ok := ends.Lift(); ok {
		t.Errorf("Lift of an absolute interval = %+v, want none", got)
	}
	if got, ok := (stats.Effect{Scale: stats.Absolute}).Lift(); ok {
		t.Errorf("Lift of an absolute effect = %v, want none", got)
	}
}

func TestQuantileEffects(t *testing.T) {
	t.Parallel()
	var c, w stats.Histogram
	for i := range 20_000 {
		c.Add(100 + float64(i)/200)
		w.Add(1.1 * (100 + float64(i)/200))
	}
	lift, err := stats.QuantileLift(&c, &w, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	difference, err := stats.QuantileDifference(&c, &w, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	// Uniform on [100, 200): the median is 150, its density 1/100, and so the
	// standard error of an arm 100*sqrt(1/4/20000).
	se := 100 * math.Sqrt(0.25/20_000)
	if !closeTo(lift.Estimate, math.Log(1.1), 0.01, 0) || !closeTo(lift.SE(), se/150*math.Sqrt2, 0.02, 0) {
		t.Errorf("QuantileLift = %+v, want ln 1.1 with se %v", lift, se/150*math.Sqrt2)
	}
	if !closeTo(difference.Estimate, 15, 0.01, 0) || !closeTo(difference.SE(), se*math.Hypot(1, 1.1), 0.02, 0) {
		t.Errorf("QuantileDifference = %+v, want 15 with se %v", difference, se*math.Hypot(1, 1.1))
	}
	if _, err := stats.QuantileLift(&c, &stats.Histogram{}, 0.5); reasonOf(err) != stats.TooFewUnits {
		t.Errorf("QuantileLift without treatment: %v, want reason %s", err, stats.TooFewUnits)
	}
}
