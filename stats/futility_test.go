package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

// The default design of gsDesign 3.6, as its reference manual prints it:
// gsDesign(k = 3, test.type = 4, alpha = 0.025, beta = 0.1, sfu = sfHSD(-4),
// sfl = sfHSD(-2)).
func TestFutilityIsThatOfGsDesign(t *testing.T) {
	t.Parallel()
	g := stats.GroupSequential{
		Kind: stats.SpendHwangShih, Shape: -4, Information: []float64{1.0 / 3, 2.0 / 3, 1}, Alpha: 0.025,
	}
	bounds, err := g.Bounds()
	if err != nil {
		t.Fatal(err)
	}
	futility, err := g.Futility(bounds, stats.Futility{Kind: stats.SpendHwangShih, Shape: -2, Beta: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	null, err := g.OperateFutility(bounds, futility, 0)
	if err != nil {
		t.Fatal(err)
	}
	found, err := g.OperateFutility(bounds, futility, futility.Drift)
	if err != nil {
		t.Fatal(err)
	}
	inflation := futility.Drift / 3.2415
	inflation *= inflation
	for _, test := range []struct {
		name      string
		got, want []float64
		places    float64
	}{
		{"upper bounds", bounds.Z, []float64{3.01, 2.55, 2.00}, 0.005},
		{"lower bounds", futility.Z, []float64{-0.24, 0.94, 2.00}, 0.005},
		{"beta spent", futility.BetaSpent, []float64{0.0148, 0.0148 + 0.0289, 0.1}, 0.0001},
		{"sample size ratio", []float64{inflation}, []float64{1.070}, 0.0005},
		{"upper at 0", null.Upper, []float64{0.0013, 0.0049, 0.0171}, 0.00005},
		{"upper at the effect", found.Upper, []float64{0.1412, 0.4403, 0.3185}, 0.00005},
		{"lower at 0", null.Futile, []float64{0.4057, 0.4290, 0}, 0.00005},
		{"lower at the effect", found.Futile, []float64{0.0148, 0.0289, 0}, 0.00005},
		{
			"mean size",
			[]float64{inflation * null.ExpectedInformation, inflation * found.ExpectedInformation},
			[]float64{0.6249, 0.7913},
			0.00006,
		},
	} {
		if diff := cmp.Diff(test.want, test.got, cmpopts.EquateApprox(0, test.places)); diff != "" {
			t.Errorf("%s (want, got):\n%s", test.name, diff)
		}
	}
}

func TestFutilityRefusals(t *testing.T) {
	t.Parallel()
	g := stats.GroupSequential{Kind: stats.SpendPocock, Information: []float64{0.5, 1}, Alpha: 0.05}
	bounds, err := g.Bounds()
	if err != nil {
		t.Fatal(err)
	}
	good := stats.Futility{Kind: stats.SpendPower, Shape: 1, Beta: 0.2}
	tests := []struct {
		name   string
		bounds stats.GSTBounds
		change func(f *stats.Futility)
		want   stats.Code
	}{
		{"fine", bounds, func(*stats.Futility) {}, ""},
		{"bounds", stats.GSTBounds{}, func(*stats.Futility) {}, stats.InvalidArgument},
		{"NaN bound", stats.GSTBounds{Z: []float64{2, math.NaN()}}, func(*stats.Futility) {}, stats.NonFinite},
		{"kind", bounds, func(f *stats.Futility) { f.Kind = stats.Pocock }, stats.InvalidArgument},
		{"shape", bounds, func(f *stats.Futility) { f.Shape = 0 }, stats.InvalidArgument},
		{"shape at the limit", bounds, func(f *stats.Futility) { f.Shape = 500 }, ""},
		{"shape beyond the limit", bounds, func(f *stats.Futility) { f.Shape = 501 }, stats.InvalidArgument},
		{"beta", bounds, func(f *stats.Futility) { f.Beta = 1 }, stats.InvalidArgument},
		{"power below alpha", bounds, func(f *stats.Futility) { f.Beta = 0.97 }, stats.NoSolution},
	}
	for _, test := range tests {
		f := good
		test.change(&f)
		if got, err := g.Futility(test.bounds, f); reasonOf(err) != test.want {
			t.Errorf("%s: Futility = %+v, %v, want reason %q", test.name, got, err, test.want)
		}
	}
	if _, err := g.OperateFutility(bounds, stats.GSTFutility{}, 0); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("OperateFutility without bounds: %v", err)
	}
}

func TestEndingShortOfThePlanSpendsTheRest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		looks := informations(t)
		stretch := rapid.Float64Range(0.3, 1.5).Draw(t, "reached")
		for i := range looks {
			looks[i] *= stretch
		}
		g := stats.GroupSequential{
			Kind:        rapid.SampledFrom([]stats.GSTKind{stats.SpendOBrienFleming, stats.SpendPocock}).Draw(t, "kind"),
			Information: looks, Alpha: 0.05, TwoSided: rapid.Bool().Draw(t, "two-sided"), Final: true,
		}
		bounds, err := g.Bounds()
		if err != nil {
			t.Fatal(err)
		}
		if last := bounds.AlphaSpent[len(looks)-1]; !closeTo(last, 0.05, 1e-9, 0) {
			t.Errorf("%+v spends %v, want all of alpha", g, last)
		}
	})
	fixed := stats.GroupSequential{Kind: stats.Pocock, Information: []float64{0.5}, Alpha: 0.05, Final: true}
	if _, err := fixed.Bounds(); reasonOf(err) != stats.InvalidArgument {
		t.Errorf("Final of a fixed shape: %v, want reason %s", err, stats.InvalidArgument)
	}
}

func TestBoundsFallAsAlphaRises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := stats.GroupSequential{
			Kind: rapid.SampledFrom([]stats.GSTKind{
				stats.OBrienFleming, stats.Pocock, stats.WangTsiatis, stats.SpendOBrienFleming, stats.SpendPocock,
				stats.SpendPower, stats.SpendHwangShih,
			}).Draw(t, "kind"),
			Information: informations(t), TwoSided: rapid.Bool().Draw(t, "two-sided"), Shape: 0.7,
			Alpha: rapid.Float64Range(0.001, 0.2).Draw(t, "alpha"),
		}
		strict, err := g.Bounds()
		if err != nil {
			t.Fatal(err)
		}
		g.Alpha *= rapid.Float64Range(1.01, 2).Draw(t, "factor")
		loose, err := g.Bounds()
		if err != nil {
			t.Fatal(err)
		}
		for k := range strict.Z {
			if loose.Z[k] > strict.Z[k] {
				t.Errorf("%+v: at look %d the bound rose from %v to %v", g, k, strict.Z[k], loose.Z[k])
			}
		}
	})
}

func TestRepeatedIntervalsAgreeWithBoundsAndP(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := stats.GroupSequential{
			Kind:        rapid.SampledFrom([]stats.GSTKind{stats.SpendPocock, stats.SpendOBrienFleming, stats.Pocock}).Draw(t, "kind"),
			Information: []float64{0.3, 0.55, 1}, Alpha: 0.05, TwoSided: true,
		}
		bounds, err := g.Bounds()
		if err != nil {
			t.Fatal(err)
		}
		look := rapid.IntRange(0, 2).Draw(t, "look")
		z := rapid.Float64Range(-6, 6).Draw(t, "z")
		p, err := g.RepeatedP(look, z)
		if err != nil {
			t.Fatal(err)
		}
		e := stats.Effect{Estimate: 0.02 * z, Variance: 0.0004, DF: 1e6, N: 1e6, Scale: stats.LogRatio}
		i, err := bounds.RepeatedInterval(look, e)
		if err != nil {
			t.Fatal(err)
		}
		if i.Contains(0) != (p > g.Alpha) && math.Abs(p-g.Alpha) > 1e-6 {
			t.Errorf("%s at look %d and z %v: interval %+v, p %v", g.Kind, look, z, i, p)
		}
		single := 2 * stats.Normal{}.Tails(math.Abs(z)).LogSF
		if math.Log(p) < single/2+math.Ln2-1e-9 { // 2(1-Phi(|z|)) is the p of one look alone
			t.Errorf("%s at look %d: repeated p %v is below the single %v", g.Kind, look, p, math.Exp(single/2+math.Ln2))
		}
	})
	g := stats.GroupSequential{Kind: stats.SpendPocock, Information: []float64{0.5, 1}, Alpha: 0.05, TwoSided: true}
	bounds := stats.GSTBounds{Z: []float64{math.Inf(1), 2}}
	e := stats.Effect{Estimate: 1, Variance: 1}
	for _, test := range []struct {
		name string
		want stats.Code
		err  error
	}{
		{"look", stats.InvalidArgument, drop(bounds.RepeatedInterval(2, e))},
		{"infinite bound", stats.OutOfRange, drop(bounds.RepeatedInterval(0, e))},
		{"variance", stats.ZeroVariance, drop(bounds.RepeatedInterval(1, stats.Effect{}))},
		{"overflow", stats.NonFinite, drop(stats.GSTBounds{Z: []float64{1e300}}.RepeatedInterval(0, stats.Effect{Variance: 1e300}))},
		{"p of a look", stats.InvalidArgument, drop(g.RepeatedP(2, 1))},
		{"p of NaN", stats.InvalidArgument, drop(g.RepeatedP(1, math.NaN()))},
	} {
		if reasonOf(test.err) != test.want {
			t.Errorf("%s: error %v, want reason %q", test.name, test.err, test.want)
		}
	}
}

// The last look of an O'Brien-Fleming plan costs at most a tenth of width, up to
// the look a day for four weeks of the bar; a hundred looks cost 12 %.
func TestRepeatedIntervalAtThePlannedEnd(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 4, 14, 28} {
		g := stats.GroupSequential{Kind: stats.SpendOBrienFleming, Alpha: 0.05, TwoSided: true}
		for k := range n {
			g.Information = append(g.Information, float64(k+1)/float64(n))
		}
		bounds, err := g.Bounds()
		if err != nil {
			t.Fatal(err)
		}
		width := bounds.Z[n-1] / 1.959963984540054
		t.Logf("%d looks: %.3f times the fixed interval", n, width)
		if width > 1.10 {
			t.Errorf("%d looks: the last interval is %.3f times the fixed one, want at most 1.10", n, width)
		}
	}
}

// A walk that follows the advice stops as often as Operate says.
func TestFutilityBySimulation(t *testing.T) {
	t.Parallel()
	g := stats.GroupSequential{
		Kind: stats.SpendOBrienFleming, Information: []float64{0.25, 0.6, 1.1}, Alpha: 0.05, TwoSided: true,
	}
	bounds, err := g.Bounds()
	if err != nil {
		t.Fatal(err)
	}
	futility, err := g.Futility(bounds, stats.Futility{Kind: stats.SpendPower, Shape: 2, Beta: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	const runs, drift = 40_000, 1.5
	want, err := g.OperateFutility(bounds, futility, drift)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(21, 1))
	var upper, futile [3]float64
	for range runs {
		score, before := 0.0, 0.0
		for k, now := range g.Information {
			score += drift*(now-before) + math.Sqrt(now-before)*rng.NormFloat64()
			before = now
			z := score / math.Sqrt(now)
			if z >= bounds.Z[k] {
				upper[k] += 1.0 / runs
			} else if k < 2 && math.Abs(z) <= futility.Z[k] {
				futile[k] += 1.0 / runs
			}
			if math.Abs(z) >= bounds.Z[k] || k < 2 && math.Abs(z) <= futility.Z[k] {
				break
			}
		}
	}
	for k := range upper {
		for _, pair := range [][2]float64{{upper[k], want.Upper[k]}, {futile[k], want.Futile[k]}} {
			if se := math.Sqrt(pair[1] * (1 - pair[1]) / runs); math.Abs(pair[0]-pair[1]) > 4*se+1e-9 {
				t.Errorf("look %d: simulated %v, want %v", k, pair[0], pair[1])
			}
		}
	}
}
