package report_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/stats"
)

// audiences are the moments of n broadcasters: seconds at a value near mean, over an
// audience of at least 1 whose tail is m^-tail, up to 5,000.
func audiences(seed uint64, n int, mean, tail float64) stats.PairMoments {
	r := rand.New(rand.NewPCG(seed, 16))
	var p stats.PairMoments
	for range n {
		size := math.Min(5000, math.Pow(r.Float64(), -1/tail))
		p.Add(size*(mean+0.3*r.NormFloat64()), size)
	}
	return p
}

// clusteredRow is the row of a ratio after a look at two arms, as units of a type.
func clusteredRow(unit experiment.UnitType, control, treatment stats.PairMoments) report.Row {
	s := newSynthetic(2)
	s.plan.Primary, s.plan.Guardrails = []string{"bitrate"}, nil
	in := s.at(control.N, cell("bitrate", 0, control), cell("bitrate", 1, treatment)).input()
	in.Experiment.Unit = unit
	return report.Build(in).Primary[0]
}

// A ratio over what the viewers of broadcasters did has the error of ClusterMoments and
// the bound of Student's t, which is worked out anew here.
func TestBroadcastersAreClusters(t *testing.T) {
	t.Parallel()
	c, x := audiences(1, 1500, 10, 2), audiences(2, 1500, 10.2, 2)
	row := clusteredRow(experiment.UnitBroadcaster, c, x)
	plain := clusteredRow(experiment.UnitViewer, c, x)
	if row.Effect == nil || plain.Effect == nil {
		t.Fatalf("refused: %+v, %+v", row.Refusal, plain.Refusal)
	}
	wide := func(p stats.PairMoments) (variance, effective, largest float64) {
		cv := math.Sqrt(p.M2X/float64(p.N)) / p.MeanX
		n := float64(p.N)
		effective, largest = n/(1+cv*cv), (1+cv*math.Sqrt(n-1))/n
		arm, err := p.RatioArm()
		if err != nil {
			t.Fatal(err)
		}
		return arm.SquaredError() / (arm.Value * arm.Value) / (1 - largest) / (1 - largest), effective, largest
	}
	vc, effective, largest := wide(c)
	vx, effectiveX, _ := wide(x)
	se := math.Sqrt(vc + vx)
	if !near(row.Effect.SE, se, 1e-9) || !near(row.Effect.Estimate, plain.Effect.Estimate, 1e-12) {
		t.Errorf("se %v, want %v; estimate %v, want %v", row.Effect.SE, se, row.Effect.Estimate, plain.Effect.Estimate)
	}
	if arm := row.Explain.Arms[0]; !near(arm.EffectiveUnits, effective, 1e-9) || !near(arm.LargestShare, largest, 1e-9) {
		t.Errorf("explained as worth %v with at most %v, want %v and %v", arm.EffectiveUnits, arm.LargestShare, effective, largest)
	}
	df := (vc + vx) * (vc + vx) / (vc*vc/(effective-1) + vx*vx/(effectiveX-1))
	k := 3000 * rho2(0.05, 20_000)
	z := math.Sqrt((k + 1) / k * math.Log((k+1)/(0.05*0.05)))
	bound := math.Log1p(row.Effect.Upper) - math.Log1p(row.Effect.Estimate)
	tail := stats.StudentT{DF: df}.Tails(bound / se).LogSF
	if want := (stats.Normal{}).Tails(z).LogSF; !near(tail, want, 1e-6) {
		t.Errorf("beyond the bound lies exp(%v), want exp(%v)", tail, want)
	}
	if !strings.Contains(row.Explain.Method, "over broadcasters") || !strings.Contains(row.Explain.Method, "effective number of broadcasters") {
		t.Errorf("method: %s", row.Explain.Method)
	}
	// Where none is large the two say the same.
	c, x = audiences(3, 4000, 10, 1e9), audiences(4, 4000, 10, 1e9)
	row, plain = clusteredRow(experiment.UnitBroadcaster, c, x), clusteredRow(experiment.UnitViewer, c, x)
	if got := (row.Effect.Upper - row.Effect.Lower) / (plain.Effect.Upper - plain.Effect.Lower); !(got >= 1 && got < 1.005) {
		t.Errorf("alike, broadcasters have an interval %v times as wide", got)
	}
}

// Where a few broadcasters have the audience no interval is shown, at any look or
// planned, and the words say why.
func TestFewBroadcastersDecide(t *testing.T) {
	t.Parallel()
	giant := func(share float64) stats.PairMoments {
		p := audiences(5, 999, 10, 1e9)
		size := share / (1 - share) * 999
		p.Add(10*size, size)
		return p
	}
	for _, test := range []struct {
		share   float64
		refused bool
	}{{0.15, false}, {0.25, true}, {0.6, true}} {
		row := clusteredRow(experiment.UnitBroadcaster, giant(test.share), giant(test.share))
		if (row.Refusal != nil) != test.refused {
			t.Errorf("one with %v of the audience: %+v", test.share, row.Refusal)
		}
		if test.refused && (row.Refusal.Code != string(stats.BurnIn) || row.State != report.StateUnknown) {
			t.Errorf("one with %v of the audience: %s, %+v", test.share, row.State, row.Refusal)
		}
	}
	// The numerators are worth many, the denominators few: nobody watched the giant at
	// that rate.
	c := giant(0.6)
	c.MeanY, c.M2Y, c.CXY = 100, 10, 0
	row := clusteredRow(experiment.UnitBroadcaster, c, c)
	const want = "A few broadcasters decide: the 1,000 of an arm are worth 2 of equal size, where 25 are needed, and one of them may have 60 % of the whole."
	if row.Refusal == nil || row.Refusal.Message != want {
		t.Errorf("refusal %+v, want %q", row.Refusal, want)
	}
	// A mean over broadcasters is not a ratio of what their viewers did.
	s := newSynthetic(2)
	in := s.at(1000, cell(primaryKey, 0, pair(1000, 10, 3)), cell(primaryKey, 1, pair(1000, 10, 3)), cell(guardKey, 0, c), cell(guardKey, 1, c)).input()
	in.Experiment.Unit = experiment.UnitBroadcaster
	r := report.Build(in)
	if r.Primary[0].Effect == nil || r.Primary[0].Explain.Arms[0].EffectiveUnits != 0 {
		t.Errorf("a mean: %+v", r.Primary[0])
	}
	if g := r.Guardrails[0]; g.Refusal == nil || g.Refusal.Message != want {
		t.Errorf("guardrail: %+v", g.Refusal)
	}
}

// The interval of a planned look, its p and its guardrails know of clusters, too.
func TestPlannedLooksOfBroadcasters(t *testing.T) {
	t.Parallel()
	c, x := audiences(6, 300, 10, 3), audiences(7, 300, 10.15, 3)
	build := func(unit experiment.UnitType) report.Report {
		s := newPlanned(5)
		s.plan.Primary, s.plan.Units = []string{guardKey}, 600
		s.at(c.N, cell(guardKey, 0, c), cell(guardKey, 1, x))
		s.looks[0].At = launched.Add(plannedHours * time.Hour)
		in := s.input()
		in.Experiment.Unit = unit
		return report.Build(in)
	}
	got, plain := build(experiment.UnitBroadcaster), build(experiment.UnitViewer)
	g, p := got.Primary[0].GroupSequential, plain.Primary[0].GroupSequential
	if g.Interval == nil || p.Interval == nil || g.P == nil || p.P == nil {
		t.Fatalf("%+v\n%+v", g, p)
	}
	if !(g.Interval.Upper-g.Interval.Lower > p.Interval.Upper-p.Interval.Lower) || !(*g.P > *p.P) || g.Interval.Z != p.Interval.Z {
		t.Errorf("clusters %+v p %v, units %+v p %v", g.Interval, *g.P, p.Interval, *p.P)
	}
	if decided := g.Interval.Lower > 0 || g.Interval.Upper < 0; decided != (*g.P < 0.05) {
		t.Errorf("the interval %+v and p = %v say different things", g.Interval, *g.P)
	}
	if a, b := got.Guardrails[0].Effect, plain.Guardrails[0].Effect; !(a.Lower < b.Lower && a.Upper > b.Upper) {
		t.Errorf("guardrail: %+v, of independent units %+v", a.Band, b.Band)
	}
}
