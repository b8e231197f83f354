package report_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

// plannedHours is how long after the launch the plans of these tests end, at
// midnight. Five looks are every third of the hourly looks of synthetic.
const plannedHours = 15

// newPlanned is a synthetic experiment with a plan of so many looks.
func newPlanned(looks int) *synthetic {
	s := newSynthetic(2)
	s.plan.Method, s.plan.Looks = experiment.MethodGroupSequential, looks
	s.plan.Spending = experiment.SpendingOBrienFleming
	s.plan.End = &experiment.Date{Time: launched.Add(plannedHours * time.Hour)}
	return s
}

// hourly adds a look of n units an arm to the primary metric with a lift.
func (s *synthetic) hourly(n int64, lift float64) *synthetic {
	return s.at(n,
		cell(primaryKey, 0, pair(n, 10, 6)), cell(primaryKey, 1, pair(n, 10*(1+lift), 6)),
		cell(guardKey, 0, pair(n, 10, 3)), cell(guardKey, 1, pair(n, 10, 3)))
}

// TestPlannedLookBounds compares the bounds of a report with those of rpact 3.3.4
// (getDesignGroupSequential, two-sided at 5 %, five looks of equal information:
// stats/testdata/golden/gst_rpact.json, p016, p007 and p012) and its intervals with
// the arithmetic of a log-ratio.
func TestPlannedLookBounds(t *testing.T) {
	t.Parallel()
	for spending, want := range map[experiment.Spending][5]float64{
		experiment.SpendingOBrienFleming: {4.87688494879076, 3.3570119223440997, 2.6802800644072704, 2.2898167677340098, 2.0310320434509777},
		experiment.SpendingPocock:        {2.437976688050012, 2.426813858153764, 2.410193840332795, 2.3966454007313587, 2.385984572058078},
		experiment.SpendingKimDeMets:     {3.090232306167813, 2.714111575449351, 2.4727772018522955, 2.2798632694757544, 2.1140274231438525},
	} {
		s := newPlanned(5)
		s.plan.Spending = spending
		for hour := range int64(plannedHours) {
			s.hourly((hour+1)*10_000/plannedHours, 0.012)
		}
		g := report.Build(s.input()).Primary[0].GroupSequential
		if g == nil || g.Interval == nil || len(g.Looks) != 5 || !g.Over {
			t.Fatalf("%s: %+v", spending, g)
		}
		for k, l := range g.Looks {
			if l.Planned != k+1 || l.Of != 5 || l.Look != 3*(k+1) || math.Abs(l.Information-0.2*float64(k+1)) > 1e-12 {
				t.Errorf("%s: look %d is %+v", spending, k+1, l)
			}
			if math.Abs(l.Z/want[k]-1) > 1e-5 {
				t.Errorf("%s: bound %d = %v, want %v", spending, k+1, l.Z, want[k])
			}
			n := float64(2_000 * (k + 1))
			se := 0.6 * math.Sqrt(1/n+1/(n*1.012*1.012))
			low, high := math.Expm1(math.Log(1.012)-want[k]*se), math.Expm1(math.Log(1.012)+want[k]*se)
			if math.Abs(l.Lower-low) > 1e-5 || math.Abs(l.Upper-high) > 1e-5 {
				t.Errorf("%s: interval %d = [%v, %v], want [%v, %v]", spending, k+1, l.Lower, l.Upper, low, high)
			}
		}
		if spent := g.Interval.AlphaSpent; math.Abs(spent-0.05) > 1e-7 {
			t.Errorf("%s: %v of alpha spent at the end, want all", spending, spent)
		}
	}
}

// At the planned end the interval is at most 1.1 times as wide as that of a single
// look, also with as many looks as a plan may have, while that of any look is half
// as wide again.
func TestPlannedEndIsNearlyAsTightAsOneLook(t *testing.T) {
	t.Parallel()
	for _, looks := range []int{2, 5, experiment.DefaultLooks, experiment.MaxLooks} {
		s := newPlanned(looks)
		for hour := range int64(plannedHours) {
			s.hourly((hour+1)*10_000/plannedHours, 0)
		}
		row := report.Build(s.input()).Primary[0]
		e, g := row.Effect, row.GroupSequential.Interval
		planned := (g.Upper - g.Lower) / (e.FixedUpper - e.FixedLower)
		if anytime := (e.Upper - e.Lower) / (e.FixedUpper - e.FixedLower); !(planned > 1 && planned <= 1.10 && anytime > 1.5) {
			t.Errorf("%d looks: %v times as wide as one look, any look %v times", looks, planned, anytime)
		}
	}
}

// Before the first planned look nothing is decided, however large the effect; what
// is valid at any look stands beside it, and guardrails are judged.
func TestBeforeTheFirstPlannedLook(t *testing.T) {
	t.Parallel()
	s := newPlanned(5).hourly(5_000, 0.5)
	r := report.Build(s.input())
	row := r.Primary[0]
	g := row.GroupSequential
	const want = "The first of 5 planned looks is on 2 November 2026, 12:00 UTC."
	if g.Interval != nil || g.Refusal == nil || g.Refusal.Code != report.CodeBeforeFirstLook || g.Refusal.Message != want {
		t.Errorf("refusal %+v, want %q", g.Refusal, want)
	}
	if row.State != report.StateUnknown || row.Effect == nil || !(row.Effect.Lower > 0) {
		t.Errorf("state %s, effect %+v", row.State, row.Effect)
	}
	if r.Verdict.State != report.VerdictCollecting || !strings.Contains(r.Verdict.Sentence, want) {
		t.Errorf("verdict %s: %s", r.Verdict.State, r.Verdict.Sentence)
	}
	if p := r.Head.PlannedLooks; p.Next != 1 || p.NextAt == nil || !p.NextAt.Equal(launched.Add(3*time.Hour)) {
		t.Errorf("planned looks %+v", p)
	}
	if guard := r.Guardrails[0]; guard.GroupSequential != nil || guard.State != report.StateSafe {
		t.Errorf("guardrail %s: %+v", guard.State, guard.GroupSequential)
	}
	hurt := newPlanned(5)
	hurt.at(5_000,
		cell(primaryKey, 0, pair(5_000, 10, 6)), cell(primaryKey, 1, pair(5_000, 10, 6)),
		cell(guardKey, 0, pair(5_000, 10, 3)), cell(guardKey, 1, pair(5_000, 8, 3)))
	if v := report.Build(hurt.input()).Verdict; v.State != report.VerdictRollBack {
		t.Errorf("a breached guardrail before the first planned look: %s", v.State)
	}
}

// TestOnlyPlannedLooksDecide lets the looks between planned ones say anything: what
// decides stays what it was.
func TestOnlyPlannedLooksDecide(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		hours := rapid.IntRange(3, plannedHours).Draw(rt, "hours")
		plain, wild := newPlanned(5), newPlanned(5)
		for hour := 1; hour <= hours; hour++ {
			n := int64(hour) * 10_000 / plannedHours
			plain.hourly(n, 0.02)
			lift := 0.02
			if hour%3 != 0 {
				lift = rapid.Float64Range(-0.5, 0.5).Draw(rt, "lift")
				n = rapid.Int64Range(200, 20_000).Draw(rt, "units")
			}
			wild.hourly(n, lift)
		}
		a, b := report.Build(plain.input()).Primary[0], report.Build(wild.input()).Primary[0]
		if diff := cmp.Diff(a.GroupSequential, b.GroupSequential); diff != "" {
			rt.Fatalf("looks between planned ones change what decides:\n%s", diff)
		}
		if a.State != b.State || a.SinceLook != b.SinceLook {
			rt.Fatalf("state %s since %d, want %s since %d", b.State, b.SinceLook, a.State, a.SinceLook)
		}
		// Nor does it matter whether they were taken at all.
		few := plain.input()
		few.Looks = slices.DeleteFunc(slices.Clone(few.Looks), func(l metrics.Look) bool { return l.Number%3 != 0 && l.Number != hours })
		if diff := cmp.Diff(a.GroupSequential, report.Build(few).Primary[0].GroupSequential); diff != "" {
			rt.Fatalf("without looks between planned ones:\n%s", diff)
		}
	})
}

// TestVerdictAtPlannedLooks goes through the rule by the looks that were taken.
func TestVerdictAtPlannedLooks(t *testing.T) {
	t.Parallel()
	steady := func(lift float64) func(hour int) float64 { return func(int) float64 { return lift } }
	for _, test := range []struct {
		name  string
		hours int
		lift  func(hour int) float64
		want  report.VerdictState
		says  string
	}{
		{"proven at the second look, and until the third", 8, steady(0.08), report.VerdictShip, "at planned look 2 of 5"},
		{"worse at the third look", 9, steady(-0.05), report.VerdictRollBack, "at planned look 3 of 5"},
		{"not proven", 9, steady(0.02), report.VerdictKeepRunning, "Planned look 4 of 5 is on 2 November 2026, 21:00 UTC."},
		{"great between planned looks only", 8, func(hour int) float64 {
			if hour == 6 {
				return 0.02
			}
			return 0.3
		}, report.VerdictKeepRunning, "Planned look 3 of 5"},
		{"over, undecided", 15, steady(0.015), report.VerdictKeepRunning, "No planned look is left"},
	} {
		s := newPlanned(5)
		for hour := 1; hour <= test.hours; hour++ {
			s.hourly(int64(hour)*10_000/plannedHours, test.lift(hour))
		}
		v := report.Build(s.input()).Verdict
		if v.State != test.want || !strings.Contains(v.Sentence, test.says) {
			t.Errorf("%s: %s: %s; want %s and %q", test.name, v.State, v.Sentence, test.want, test.says)
		}
	}
}

// TestGiveUp asks for advice under plans that are large enough and too small.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	build := func(mde float64) report.Report {
		s := newPlanned(5)
		s.plan.MDE = mde
		for hour := 1; hour <= 9; hour++ {
			s.hourly(int64(hour)*10_000/plannedHours, 0)
		}
		return report.Build(s.input())
	}
	// A single look of 20,000 units tells 2.4 % with 80 % power; the interval of
	// look 3 reaches from -2.9 to 2.9 %.
	r := build(0.024)
	if v := r.Verdict; v.State != report.VerdictStopNoEffect || !r.Primary[0].GroupSequential.GiveUp ||
		!strings.Contains(v.Sentence, "advises to give up") || !strings.Contains(v.Action, "no false positives") {
		t.Errorf("%s: %s %s", v.State, v.Sentence, v.Action)
	}
	r = build(0.015) // found with less than half of the power
	if v := r.Verdict; v.State != report.VerdictKeepRunning || r.Primary[0].GroupSequential.GiveUp {
		t.Errorf("a plan too small for its effect: %s: %s", v.State, v.Sentence)
	}
	r = build(0.05) // ruled out by the interval
	if v := r.Verdict; v.State != report.VerdictStopNoEffect || !strings.Contains(v.Sentence, "is ruled out") {
		t.Errorf("%s: %s", v.State, v.Sentence)
	}
}

// Units beyond the plan end it: the look that has them spends what is left of
// alpha, and later ones change nothing.
func TestMoreUnitsThanPlanned(t *testing.T) {
	t.Parallel()
	s := newPlanned(5)
	for hour := int64(1); hour <= 7; hour++ {
		s.hourly(hour*2_000, 0)
	}
	early := report.Build(s.input()).Primary[0].GroupSequential
	if l := early.Interval; !early.Over || l.Planned != 2 || l.Information != 1.2 || math.Abs(l.AlphaSpent-0.05) > 1e-9 {
		t.Errorf("two looks of 1.2 times the units: %+v, over %v", l, early.Over)
	}
	for hour := int64(8); hour <= plannedHours; hour++ {
		s.hourly(hour*2_000, 0.5)
	}
	if diff := cmp.Diff(early, report.Build(s.input()).Primary[0].GroupSequential); diff != "" {
		t.Errorf("looks after the plan's units change what decides:\n%s", diff)
	}
}

// Fewer units than planned leave alpha for the last look, which spends it.
func TestFewerUnitsThanPlanned(t *testing.T) {
	t.Parallel()
	s := newPlanned(5)
	for hour := int64(1); hour <= plannedHours; hour++ {
		s.hourly(hour*300, 0)
	}
	g := report.Build(s.input()).Primary[0].GroupSequential
	if l := g.Interval; l.Planned != 5 || l.Information != 0.45 || math.Abs(l.AlphaSpent-0.05) > 1e-9 || !(l.Z < 2.1) {
		t.Errorf("the last look: %+v", l)
	}
	if before := g.Looks[3]; before.AlphaSpent > 0.01 {
		t.Errorf("the look before spent %v", before.AlphaSpent)
	}
}

// Planned looks that fall due while none is taken are one; those of a new version
// begin with it.
func TestPlannedLooksAreTakenOnce(t *testing.T) {
	t.Parallel()
	s := newPlanned(5)
	for hour := int64(1); hour <= 11; hour++ {
		s.hourly(hour*10_000/plannedHours, 0)
	}
	in := s.input()
	in.Looks = slices.DeleteFunc(slices.Clone(in.Looks), func(l metrics.Look) bool { return l.Number >= 3 && l.Number <= 9 }) // paused
	got := report.Build(in).Head.PlannedLooks
	want := []report.PlannedLook{{Planned: 3, Look: 10, DueAt: launched.Add(9 * time.Hour), At: launched.Add(10 * time.Hour)}}
	if diff := cmp.Diff(want, got.Taken); diff != "" || got.Next != 4 {
		t.Errorf("planned looks (-want +got):\n%s", diff)
	}

	in = s.input()
	in.Experiment.Version = 2
	in.Versions = []report.Version{{Version: 1, At: launched.Add(-time.Hour)}, {Version: 2, At: launched.Add(5 * time.Hour)}}
	got = report.Build(in).Head.PlannedLooks // every two hours from 14:00
	var looks []int
	for _, p := range got.Taken {
		looks = append(looks, p.Look)
	}
	if diff := cmp.Diff([]int{7, 9, 11}, looks); diff != "" {
		t.Errorf("planned looks of version 2 (-want +got):\n%s", diff)
	}

	in.Experiment.StartedAt = nil
	if r := report.Build(in); len(r.Head.PlannedLooks.Taken) != 0 || !strings.Contains(r.Primary[0].GroupSequential.Refusal.Message, "follows the launch") {
		t.Errorf("before the launch: %+v", r.Primary[0].GroupSequential)
	}
}

// A metric that is not ready at a planned look was not looked at: it spends nothing.
func TestPlannedLookBeforeTheBurnIn(t *testing.T) {
	t.Parallel()
	s := newPlanned(5)
	for hour := int64(1); hour <= 6; hour++ {
		n := int64(50)
		if hour > 3 {
			n = hour * 10_000 / plannedHours
		}
		s.hourly(n, 0)
		if hour == 5 {
			g := report.Build(s.input()).Primary[0].GroupSequential
			if g.Refusal == nil || g.Refusal.Code != report.CodeNotReadyAtLooks || !strings.Contains(g.Refusal.Message, "Planned look 2 of 5 is on") {
				t.Errorf("after one planned look with 50 units: %+v", g.Refusal)
			}
		}
	}
	g := report.Build(s.input()).Primary[0].GroupSequential
	if len(g.Looks) != 1 || g.Interval.Planned != 2 || math.Abs(g.Interval.Z-3.356869) > 1e-5 { // what is due by 40 %, spent at once: rpact's alpha_spent of p016
		t.Errorf("%+v", g)
	}
}

// Quantiles and guardrails are decided at any look, and say so.
func TestWhatPlannedLooksDoNotDecide(t *testing.T) {
	t.Parallel()
	in := reporttest.Fixtures()["group_sequential"]
	in.Experiment.Plan.Secondary = []string{"startup_first_p95"}
	in.Experiment.PlanHash = in.Experiment.Plan.Hash()
	r := report.Build(in)
	row := r.Secondary[0]
	if !row.AnyLook || !strings.Contains(row.Words, "Quantiles are not decided at planned looks.") {
		t.Errorf("quantile: %s", row.Words)
	}
	if row.GroupSequential != nil || row.State == report.StateUnknown || !strings.Contains(row.Explain.Method, "decided at any look, also in this plan") {
		t.Errorf("quantile: %s, %s", row.State, row.Explain.Method)
	}
	if r.Primary[0].GroupSequential == nil || !strings.Contains(r.Primary[0].Explain.Method, "O'Brien and Fleming") {
		t.Errorf("primary: %s", r.Primary[0].Explain.Method)
	}
	for _, g := range r.Guardrails {
		if g.GroupSequential != nil {
			t.Errorf("guardrail %s has planned looks", g.Metric.Key)
		}
	}
	sequential := report.Build(reporttest.Fixtures()["typical"])
	encoded, err := json.Marshal(sequential)
	if err != nil || strings.Contains(string(encoded), "group_sequential") || strings.Contains(string(encoded), "planned_looks") {
		t.Errorf("a sequential report speaks of planned looks (%v)", err)
	}
}

// TestPlannedLookErrors simulates experiments of five looks with the units of
// the plan. Without an effect at most alpha cross at any planned look, and with
// the effect that a plan of so many units finds with 80 % (n sd^2: 1.0247 times a
// fixed sample, rpact), about as many do.
func TestPlannedLookErrors(t *testing.T) {
	t.Parallel()
	const runs, arm = 1_000, 10_000
	const cv = 1.2
	drift := math.Sqrt(8.042903170808795) // rpact 3.3.4, gst_characteristics/p017: shift
	effect := math.Expm1(drift * cv * math.Sqrt(2.0/arm))
	crossed := func(lift float64, seed uint64) (better, worse int) {
		r := rand.New(rand.NewPCG(seed, 13))
		for range runs {
			c, x := stream{r: r, mean: 10, sd: 10 * cv}, stream{r: r, mean: 10 * (1 + lift), sd: 10 * (1 + lift) * cv}
			s := newPlanned(5)
			s.plan.Guardrails = nil
			for k := range 5 {
				s.at(int64(k+1)*arm/5, cell(primaryKey, 0, c.next(arm/5)), cell(primaryKey, 1, x.next(arm/5)))
				s.looks[k].At = launched.Add(time.Duration(k+1) * 3 * time.Hour)
			}
			states := map[report.State]bool{}
			for _, l := range report.Build(s.input()).Primary[0].GroupSequential.Looks {
				states[l.State] = true
			}
			if states[report.StateBetter] {
				better++
			}
			if states[report.StateWorse] {
				worse++
			}
		}
		return better, worse
	}
	se := func(p float64) float64 { return math.Sqrt(p * (1 - p) / runs) }
	better, worse := crossed(0, 1)
	if rate := float64(better+worse) / runs; rate > 0.05+2*se(0.05) || rate < 0.05-3*se(0.05) {
		t.Errorf("without an effect %d better and %d worse of %d", better, worse, runs)
	}
	found, wrong := crossed(effect, 2)
	if power := float64(found) / runs; math.Abs(power-0.8) > 3*se(0.8) || wrong > 2 {
		t.Errorf("of %d, %d found the effect and %d the opposite, want 80 %%", runs, found, wrong)
	}
	t.Logf("%d runs: %d better and %d worse without an effect, %d found it", runs, better, worse, found)
}
