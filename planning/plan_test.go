package planning_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/planning"
	"github.com/splitcast/splitcast/stats"
)

// ordinary is a plan whose fixed sample is in every textbook: 80 % power at 5 %,
// two-sided, 2 (1.96 + 0.8416)^2 (sd/delta)^2 units an arm.
func ordinary() planning.Request {
	return planning.Request{
		Baseline: planning.Baseline{Mean: 10, SD: 20}, MDE: 0.02, Alpha: 0.05, Power: 0.8,
		Weights: []int64{1, 1}, UnitsPerDay: 50_000, Traffic: 0.1,
	}
}

func plan(t *testing.T, r planning.Request) *planning.Result {
	t.Helper()
	out, err := planning.Plan(r)
	if err != nil {
		t.Fatalf("Plan(%+v): %v", r, err)
	}
	return out
}

// near reports whether got is within a share of want.
func near(got, want, share float64) bool { return math.Abs(got-want) <= share*math.Abs(want) }

func TestPlanCostsWhatTextbooksSay(t *testing.T) {
	t.Parallel()
	out := plan(t, ordinary())
	const z = 1.959964 + 0.841621
	const fixed = 2 * 2 * z * z * 100 * 100 // sd/delta is 20/(0.02*10)
	sequential, groups, single := out.Rules[0], out.Rules[1], out.Rules[2]
	if !near(float64(single.Units), fixed, 1e-4) {
		t.Errorf("fixed needs %d units, want %.0f", single.Units, fixed)
	}
	// The interval at its tuned size is 3.035 standard errors wide (Waudby-Smith
	// et al. 2024, rho at its optimum): (3.035+0.842)^2/(1.960+0.842)^2.
	if sequential.Rule != stats.RuleSequential || !near(sequential.OverFixed, 1.914, 2e-3) {
		t.Errorf("sequential costs %v times fixed, want 1.914", sequential.OverFixed)
	}
	// O'Brien-Fleming costs a few percent: Jennison and Turnbull 2000, table 2.4,
	// and spending a little more.
	if groups.OverFixed < 1.02 || groups.OverFixed > 1.06 {
		t.Errorf("group-sequential costs %v times fixed", groups.OverFixed)
	}
	if want := float64(single.Units)/5_000 + 1; !near(*single.Days, want, 1e-9) {
		t.Errorf("fixed takes %v days, want %v", *single.Days, want)
	}
}

// The rule that decides comes first, and days and detectable lifts are its own.
// What five looks cost, and at which share of a fixed sample they stop, is from
// rpact 3.3.4, getDesignCharacteristics (stats/testdata/golden/gst_rpact.json, p017
// and p012).
func TestPlanOfThePlansOwnMethod(t *testing.T) {
	t.Parallel()
	r := ordinary()
	r.Method, r.Looks = stats.RuleGroupSequential, 5
	for _, want := range []struct {
		spending          string
		inflation, effect float64
	}{
		{"", 1.024719889083101, 0.8236627353268199},
		{"obrien_fleming", 1.024719889083101, 0.8236627353268199},
		{"pocock", 1.2126259452366013, 0.7956466259810494},
	} {
		r.Spending = want.spending
		groups := plan(t, r).Rules[0]
		fixed := float64(plan(t, r).Rules[2].Units)
		if groups.Rule != stats.RuleGroupSequential || groups.Expected == nil || groups.ExpectedNone == nil {
			t.Fatalf("%q: first rule %+v", want.spending, groups)
		}
		if !near(groups.OverFixed, want.inflation, 1e-4) || !near(float64(*groups.Expected)/fixed, want.effect, 2e-4) {
			t.Errorf("%q: %v times fixed, stops at %v of it; want %v and %v",
				want.spending, groups.OverFixed, float64(*groups.Expected)/fixed, want.inflation, want.effect)
		}
		if none := *groups.ExpectedNone; none <= *groups.Expected || none >= groups.Units {
			t.Errorf("%q: stops at %d of %d without an effect", want.spending, none, groups.Units)
		}
	}
	groups, sequential := plan(t, r), plan(t, ordinary())
	if sequential.Rules[0].Rule != stats.RuleSequential || sequential.Rules[0].Expected != nil {
		t.Errorf("first rule without a method: %+v", sequential.Rules[0])
	}
	for i, point := range groups.Detectable {
		if point.MDE >= sequential.Detectable[i].MDE {
			t.Errorf("%d days find %v, no less than sequential does", point.Days, point.MDE)
		}
	}
	for i, point := range groups.Traffic {
		if point.Days >= sequential.Traffic[i].Days {
			t.Errorf("a share of %v takes %v days, no fewer than sequential does", point.Share, point.Days)
		}
	}
}

// A share is planned like a mean of zeros and ones.
func TestPlanOfShareIsThatOfItsMoments(t *testing.T) {
	t.Parallel()
	share, moments := ordinary(), ordinary()
	share.Baseline = planning.Baseline{Share: 0.2}
	moments.Baseline = planning.Baseline{Mean: 0.2, SD: 0.4}
	if a, b := plan(t, share).Rules[0].Units, plan(t, moments).Rules[0].Units; math.Abs(float64(a-b)) > 2 {
		t.Errorf("%d units for a share, %d for its moments", a, b)
	}
}

// The days of a plan and the lift that those days find are two answers to one
// question.
func TestPlanDetectsWhatItPlans(t *testing.T) {
	t.Parallel()
	r := ordinary()
	for _, point := range plan(t, r).Detectable {
		r.MDE = point.MDE
		if got := plan(t, r).Rules[0]; !near(float64(got.Units), float64(point.Units), 1e-4) || !near(*got.Days, float64(point.Days), 1e-3) {
			t.Errorf("%d days find %v, which takes %v days", point.Days, point.MDE, *got.Days)
		}
	}
}

func TestPlanOfManyArms(t *testing.T) {
	t.Parallel()
	two := ordinary()
	uneven := ordinary()
	uneven.Weights = []int64{9, 1}
	if a, b := plan(t, two).Rules[2].Units, plan(t, uneven).Rules[2].Units; !near(float64(b)/float64(a), 1/(4*0.9*0.1), 1e-3) {
		t.Errorf("90/10 costs %v times 50/50, want 2.78", float64(b)/float64(a))
	}
	three := ordinary()
	three.Weights, three.Alpha = []int64{1, 1, 1}, 0.1 // two comparisons at 0.05 each
	if a, b := plan(t, two).Rules[2].Arms[1], plan(t, three).Rules[2].Arms[1]; !near(float64(b), float64(a), 1e-3) {
		t.Errorf("an arm of three has %d units, of two %d", b, a)
	}
	clusters := ordinary()
	clusters.ClusterSize, clusters.ClusterICC = 101, 0.02
	if a, b := plan(t, two).Rules[0].Units, plan(t, clusters).Rules[0].Units; !near(float64(b)/float64(a), 3, 1e-3) {
		t.Errorf("a design effect of 3 costs %v times as many units", float64(b)/float64(a))
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, c := range []struct {
		field  string
		change func(*planning.Request)
	}{
		{"mde", func(r *planning.Request) { r.MDE = 0 }},
		{"mde", func(r *planning.Request) { r.MDE = nan }},
		{"mde", func(r *planning.Request) { r.MDE = planning.MaxRelative }},
		{"alpha", func(r *planning.Request) { r.Alpha = 0.5 }},
		{"power", func(r *planning.Request) { r.Power = 1 }},
		{"power", func(r *planning.Request) { r.Power = 0.05 }},
		{"weights", func(r *planning.Request) { r.Weights = r.Weights[:1] }},
		{"weights", func(r *planning.Request) { r.Weights = make([]int64, planning.MaxArms+1) }},
		{"weights[1]", func(r *planning.Request) { r.Weights = []int64{1, 0} }},
		{"primary", func(r *planning.Request) { r.Primary = planning.MaxPrimary + 1 }},
		{"looks", func(r *planning.Request) { r.Looks = planning.MaxLooks + 1 }},
		{"method", func(r *planning.Request) { r.Method = stats.RuleFixed }},
		{"spending", func(r *planning.Request) { r.Spending = "all" }},
		{"units_per_day", func(r *planning.Request) { r.UnitsPerDay = -1 }},
		{"traffic", func(r *planning.Request) { r.Traffic = 1.01 }},
		{"window_days", func(r *planning.Request) { r.WindowDays = nan }},
		{"cluster_size", func(r *planning.Request) { r.ClusterICC = 0.1 }},
		{"cluster_icc", func(r *planning.Request) { r.ClusterSize, r.ClusterICC = 2, 2 }},
		{"baseline", func(r *planning.Request) { r.Baseline.Share = 0.5 }},
		{"baseline.mean", func(r *planning.Request) { r.Baseline.Mean = 0 }},
		{"baseline.sd", func(r *planning.Request) { r.Baseline.SD = 0 }},
		{"baseline.share", func(r *planning.Request) { r.Baseline = planning.Baseline{Share: 1} }},
	} {
		r := ordinary()
		c.change(&r)
		_, err := planning.Plan(r)
		if bad, ok := errors.AsType[*planning.Error](err); !ok || bad.Field != c.field {
			t.Errorf("Plan(%+v) = %v, want an Error of field %s", r, err, c.field)
		}
	}
	most := ordinary()
	most.Looks, most.Primary = planning.MaxLooks, planning.MaxPrimary
	most.Weights = []int64{1}
	for range planning.MaxArms - 1 {
		most.Weights = append(most.Weights, planning.MaxWeight)
	}
	plan(t, most)
}

func TestResultIsJSONAndText(t *testing.T) {
	t.Parallel()
	for _, perDay := range []float64{0, 50_000} {
		r := ordinary()
		r.UnitsPerDay = perDay
		out := plan(t, r)
		encoded, err := json.Marshal(out)
		if err != nil || !strings.Contains(string(encoded), `"rule":"sequential"`) {
			t.Errorf("JSON: %s, %v", encoded, err)
		}
		var text strings.Builder
		if err := out.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), "what a sequential plan") != (perDay > 0) {
			t.Errorf("with %v units a day:\n%s", perDay, text.String())
		}
	}
}

// Planned looks do not decide quantiles, so that a plan of such costs what deciding it
// at any look does, and says so.
func TestPlanOfAQuantile(t *testing.T) {
	t.Parallel()
	r := ordinary()
	r.Method, r.Quantile = stats.RuleGroupSequential, true
	got := plan(t, r)
	anytime := plan(t, ordinary())
	if len(got.Rules) != 2 || got.Rules[0].Rule != stats.RuleSequential || got.Rules[1].Rule != stats.RuleFixed || got.Rules[0].Units != anytime.Rules[0].Units {
		t.Errorf("rules %+v, want those of any look and of one: %+v", got.Rules, anytime.Rules)
	}
	if diff := cmp.Diff(anytime.Detectable, got.Detectable); diff != "" {
		t.Errorf("what can be found (-any look +quantile):\n%s", diff)
	}
	var text strings.Builder
	if err := got.WriteText(&text); err != nil || !strings.Contains(text.String(), "Planned looks do not decide quantiles.") {
		t.Errorf("%v:\n%s", err, text.String())
	}
}

func ExamplePlan() {
	result, err := planning.Plan(planning.Request{
		Baseline: planning.Baseline{Share: 0.04}, MDE: 0.05, Alpha: 0.05, Power: 0.8,
		Weights: []int64{1, 1}, UnitsPerDay: 200_000, Traffic: 0.5,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range result.Rules {
		fmt.Printf("%s: %d units, %.1f days\n", c.Rule, c.Units, *c.Days)
	}
	// Output:
	// sequential: 577120 units, 6.8 days
	// group_sequential: 314186 units, 4.1 days
	// fixed: 301398 units, 4.0 days
}
