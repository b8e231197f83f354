package report_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/stats"
)

// watchers draws viewers whose watch time follows that of their past: skew, and a
// third of them have none.
type watchers struct {
	r     *rand.Rand
	lift  float64
	joint stats.JointMoments
}

// history shares of watchers: who has a past, and the correlation of logarithms.
const (
	watcherHistory     = 2.0 / 3
	watcherCorrelation = 0.8
)

func (w *watchers) next(n int64) metrics.Cell {
	for range n {
		habit := w.r.NormFloat64()
		noise := math.Sqrt(1-watcherCorrelation*watcherCorrelation) * w.r.NormFloat64()
		watched := math.Exp(watcherCorrelation*habit+noise) * (1 + w.lift)
		past, has := 0.0, 0.0
		if w.r.Float64() < watcherHistory {
			past, has = 14*math.Exp(habit), 1
		}
		if err := w.joint.Add(watched, 1, past, has, has); err != nil {
			panic(err) // of five variables, always
		}
	}
	c := metrics.Cell{Metric: primaryKey, MetricVersion: 1, Joint: &stats.JointMoments{}}
	if err := c.Joint.Merge(w.joint); err != nil {
		panic(err) // as above
	}
	j := &w.joint
	c.Pair = stats.PairMoments{N: j.N, MeanY: j.Mean[0], LowY: j.Low[0], MeanX: 1, M2Y: j.Sum(0, 0)}
	return c
}

// adjustedRun is one experiment with covariates, looked at after every batch.
type adjustedRun struct {
	seed                  uint64
	lift                  float64
	weights               [2]int64
	changed, changedPlain bool // ever, with and without the past
	reduction             float64
}

func (x *adjustedRun) simulate(looks int, batch int64) report.Report {
	arms := [2]watchers{
		{r: rand.New(rand.NewPCG(x.seed, 1))},
		{r: rand.New(rand.NewPCG(x.seed, 2)), lift: x.lift},
	}
	s := newSynthetic(2)
	s.plan.Covariates = experiment.DefaultCovariates
	var built report.Report
	for look := 1; look <= looks; look++ {
		cells := make([]metrics.Cell, 2)
		for arm := range arms {
			cells[arm] = arms[arm].next(batch * x.weights[arm])
			cells[arm].Arm = arm
		}
		s.looks = nil
		guard := pair(int64(look)*batch, 10, 12)
		s.at(int64(look)*batch, cells[0], cells[1], cell(guardKey, 0, guard), cell(guardKey, 1, guard))
		in := s.input()
		for arm := range in.Experiment.Arms {
			in.Experiment.Arms[arm].Weight = x.weights[arm]
		}
		built = report.Build(in)
		row := built.Primary[0]
		x.changed = x.changed || row.State == report.StateBetter || row.State == report.StateWorse
		if a := row.Adjusted; a != nil && a.Effect != nil {
			x.changedPlain = x.changedPlain || a.Effect.Lower > 0 || a.Effect.Upper < 0
			x.reduction = a.Reduction
		}
	}
	return built
}

func TestAdjustedIsShown(t *testing.T) {
	t.Parallel()
	x := adjustedRun{seed: 5, lift: 0.3, weights: [2]int64{1, 1}}
	r := x.simulate(1, 8_000)
	row := r.Primary[0]
	a := row.Adjusted
	if a == nil || a.Effect == nil {
		t.Fatalf("Adjusted = %+v, want the unadjusted effect", a)
	}
	if a.Days != 14 || math.Abs(a.History-watcherHistory) > 0.02 || a.Reduction < 0.15 {
		t.Errorf("Adjusted = %+v, want 14 days, two thirds with a past, a reduction", a)
	}
	if !(row.Effect.Upper-row.Effect.Lower < a.Effect.Upper-a.Effect.Lower) || !(row.Effect.SE < a.Effect.SE) {
		t.Errorf("the adjusted interval %+v is no narrower than %+v", row.Effect.Band, a.Effect.Band)
	}
	if math.Abs(row.Effect.Estimate-0.3) > 0.1 || row.Absolute == nil {
		t.Errorf("effect %+v, absolute %+v; want about 30 %%", row.Effect.Band, row.Absolute)
	}
	for _, want := range []string{"14 days", "67 %", "took away", "Without it: +"} {
		if !strings.Contains(a.Words, want) {
			t.Errorf("Words = %q, want %q in it", a.Words, want)
		}
	}
	if !strings.Contains(row.Explain.Method, "CUPED") || r.Guardrails[0].Adjusted != nil ||
		strings.Contains(r.Guardrails[0].Explain.Method, "CUPED") {
		t.Errorf("methods %q and %q, want the first adjusted", row.Explain.Method, r.Guardrails[0].Explain.Method)
	}
}

// TestAdjustedWithoutPast has covariates in the plan and nobody with a past: the
// effect is the one without.
func TestAdjustedWithoutPast(t *testing.T) {
	t.Parallel()
	s := newSynthetic(2)
	s.plan.Covariates = experiment.DefaultCovariates
	cells := make([]metrics.Cell, 2)
	for arm := range cells {
		p := pair(10_000, 10+float64(arm), 12)
		cells[arm] = cell(primaryKey, arm, p)
		c := make([]float64, 15)
		c[0] = p.M2Y
		cells[arm].Joint = &stats.JointMoments{N: p.N, Mean: []float64{p.MeanY, 1, 0, 0, 0}, Low: make([]float64, 5), C: c}
	}
	s.at(10_000, cells...)
	row := report.Build(s.input()).Primary[0]
	if row.Adjusted == nil || row.Adjusted.Effect == nil || row.Adjusted.History != 0 || row.Adjusted.Reduction != 0 {
		t.Fatalf("Adjusted = %+v", row.Adjusted)
	}
	if got, want := row.Effect.Band, row.Adjusted.Effect.Band; math.Abs(got.Estimate-want.Estimate) > 1e-12 || math.Abs(got.Upper-want.Upper) > 1e-12 {
		t.Errorf("effect %+v, without the past %+v; want the same", got, want)
	}
}
