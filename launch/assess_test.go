package launch_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/planning"
	"github.com/splitcast/splitcast/stats"
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// specOf is a plan without an open point.
func specOf(kind experiment.ChangeKind) experiment.Spec {
	p, _ := launch.Propose(kind)
	spec := experiment.Spec{
		Key: "k", Name: "K", Hypothesis: "h", Owner: "ana", Change: kind, Unit: p.Unit, Slots: 100,
		Arms: []experiment.Arm{{Key: "control", Weight: 1, Value: []byte("1")}, {Key: "treatment", Weight: 1, Value: []byte("2")}},
		Plan: experiment.Plan{Primary: []string{p.Primary}, Secondary: p.Secondary, Guardrails: p.Guardrails, Units: 1_000_000},
	}
	spec.Normalize()
	return spec
}

// previewOf is a metric of units with a mean and a standard deviation.
func previewOf(t *testing.T, key string, mean, sd float64) launch.MetricPreview {
	t.Helper()
	d, ok := metrics.Lookup(key)
	if !ok {
		t.Fatalf("no metric %s", key)
	}
	return launch.MetricPreview{Metric: d, Preview: metrics.Preview{
		Units: 1_000, Shape: metrics.Shape{Value: &mean, Arm: stats.Arm{N: 1_000, Value: mean, Variance: sd * sd}},
	}}
}

func inputOf(t *testing.T) launch.Input {
	t.Helper()
	return launch.Input{
		Spec: specOf(experiment.ChangeUI), Now: now,
		Previews: map[string]launch.MetricPreview{
			"watch_hours_per_viewer": previewOf(t, "watch_hours_per_viewer", 1, 1), "start_success": previewOf(t, "start_success", 0.9, 0.3),
		},
		Audience: &launch.AudienceCount{Unit: experiment.UnitViewer, Since: now.AddDate(0, 0, -7), Until: now, Seen: 80_000_000, Eligible: 70_000_000},
	}
}

func TestProposalsAreOfTheCatalogue(t *testing.T) {
	t.Parallel()
	for _, kind := range experiment.ChangeKinds() {
		p, ok := launch.Propose(kind)
		if !ok || p.Why == "" || p.Examples == "" || p.Name == "" {
			t.Errorf("%s: no proposal, or one without words: %+v", kind, p)
		}
		spec := specOf(kind)
		if err := spec.Validate(metrics.Known); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if kind.SharesLinks() && p.Design == experiment.DesignAB {
			t.Errorf("%s: shares links %v, but the design is %s", kind, kind.SharesLinks(), p.Design)
		}
	}
	if _, ok := launch.Propose(""); ok {
		t.Error("something is proposed for nothing")
	}
}

func TestJudgeInterference(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind   experiment.ChangeKind
		unit   experiment.UnitType
		design experiment.Design
		want   launch.InterferenceVerdict
	}{
		{"", experiment.UnitViewer, experiment.DesignAB, launch.InterferenceUnsaid},
		{experiment.ChangeUI, experiment.UnitViewer, experiment.DesignAB, launch.InterferenceOK},
		{experiment.ChangePlayer, experiment.UnitViewer, experiment.DesignAB, launch.InterferenceOK},
		{experiment.ChangeABR, experiment.UnitViewer, experiment.DesignAB, launch.InterferenceSwitchback},
		{experiment.ChangeABR, experiment.UnitBlock, experiment.DesignSwitchback, launch.InterferenceOK},
		{experiment.ChangeEdge, experiment.UnitBroadcaster, experiment.DesignCluster, launch.InterferenceSwitchback},
		{experiment.ChangeEncoder, experiment.UnitViewer, experiment.DesignAB, launch.InterferenceUnit},
		{experiment.ChangeEncoder, experiment.UnitBroadcaster, experiment.DesignAB, launch.InterferenceSwitchback},
	} {
		got := launch.JudgeInterference(&experiment.Spec{Change: c.kind, Unit: c.unit, Design: c.design})
		if got.Verdict != c.want || got.Words == "" || got.Advice == "" && c.want != launch.InterferenceOK {
			t.Errorf("%s on %s by %s = %+v, want %s", c.kind, c.unit, c.design, got, c.want)
		}
	}
}

// failing returns the titles of the checks that fail.
func failing(a *launch.Assessment) (hard, soft []string) {
	for _, c := range a.Checks {
		switch {
		case c.OK:
		case c.Level == launch.LevelHard:
			hard = append(hard, c.Title)
		default:
			soft = append(soft, c.Title)
		}
	}
	return hard, soft
}

func TestNothingStandsAgainstAGoodPlan(t *testing.T) {
	t.Parallel()
	a := launch.Assess(inputOf(t))
	if hard, soft := failing(&a); len(hard)+len(soft) > 0 || a.OpenPoints() != "" {
		t.Errorf("against it: %q, %q", hard, soft)
	}
	// (3.035+0.842)^2 * 4 * (sd/mean)^2 / mde^2, as of TestPlan of planning.
	main, ok := a.Power.Main()
	if !ok || main.Units < 150_000 || main.Units > 151_000 {
		t.Errorf("it needs %+v", a.Power)
	}
	if a.PlannedUnits() != 160_000 {
		t.Errorf("planned %d units for %d", a.PlannedUnits(), main.Units)
	}
	// A day brings 10 million, of which 1 % take part.
	if days := *main.Days; days < 2 || days > 3 {
		t.Errorf("it takes %v days", days)
	}
}

// The power of a quantile under planned looks is that of deciding it at any look, with a
// note; of other metrics it is that of the planned looks, without one.
func TestPowerOfAQuantileUnderPlannedLooks(t *testing.T) {
	t.Parallel()
	power := func(metric string, method experiment.Method) *launch.Power {
		in := inputOf(t)
		in.Spec.Plan.Primary, in.Spec.Plan.Method, in.Spec.Plan.Looks = []string{metric}, method, 5
		in.Previews["startup_first_p95"] = previewOf(t, "startup_first_p95", 2, 3)
		a := launch.Assess(in)
		if _, ok := a.Power.Main(); !ok {
			t.Fatalf("%s: %+v", metric, a.Power)
		}
		return a.Power
	}
	planned, anytime := power("startup_first_p95", experiment.MethodGroupSequential), power("startup_first_p95", experiment.MethodSequential)
	main, _ := planned.Main()
	if want, _ := anytime.Main(); main.Rule != stats.RuleSequential || main.Units != want.Units {
		t.Errorf("the cost of a quantile is %+v, want %+v", main, want)
	}
	if !strings.Contains(planned.Note, "Planned looks do not decide quantiles") || anytime.Note != "" {
		t.Errorf("notes %q and %q", planned.Note, anytime.Note)
	}
	mean := power("watch_hours_per_viewer", experiment.MethodGroupSequential)
	if main, _ := mean.Main(); main.Rule != stats.RuleGroupSequential || mean.Note != "" {
		t.Errorf("the cost of a mean is %+v, note %q", main, mean.Note)
	}
}

// The curves are what the planner answers for each share.
func TestCurves(t *testing.T) {
	t.Parallel()
	in := inputOf(t)
	power := launch.Assess(in).Power
	for _, curve := range power.Curves() {
		r := power.Result.Request
		r.Traffic = curve.Share
		want, err := planning.Plan(r)
		if err != nil {
			t.Fatal(err)
		}
		checked := 0
		for _, p := range want.Detectable {
			i := slices.IndexFunc(curve.Points, func(q planning.DayPoint) bool { return q.Days == p.Days })
			if i < 0 {
				continue
			}
			checked++
			if got := curve.Points[i]; math.Abs(got.MDE/p.MDE-1) > 1e-3 || got.Units != p.Units {
				t.Errorf("%v of the traffic, %d days: %+v, want %+v", curve.Share, p.Days, got, p)
			}
		}
		if checked < 5 {
			t.Errorf("%v of the traffic: %d points are those of the planner", curve.Share, checked)
		}
	}
	in.Audience = nil
	if curves := launch.Assess(in).Power.Curves(); len(curves) > 0 {
		t.Errorf("without traffic: %v", curves)
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	other := func(key, layer string, kind experiment.ChangeKind, slots int) experiment.Experiment {
		return experiment.Experiment{
			Spec:       experiment.Spec{Key: key, Unit: experiment.UnitViewer, Layer: layer, Change: kind, Status: experiment.StatusRunning},
			SlotRanges: []experiment.SlotRange{{From: 0, To: slots}},
		}
	}
	tail := 2.0
	for name, c := range map[string]struct {
		change     func(*launch.Input)
		hard, soft string
	}{
		"fault": {change: func(in *launch.Input) {
			in.Faults = experiment.Errors{experiment.Invalidf("plan.units", "must be more")}
		}, hard: "Must be more"},
		"key":              {change: func(in *launch.Input) { in.Others = append(in.Others, other("k", "x", "", 1)) }, hard: "The key is taken"},
		"room":             {change: func(in *launch.Input) { in.Spec.Layer = "l"; in.Others = append(in.Others, other("o", "l", "", 9_901)) }, hard: "The layer has no room"},
		"just room":        {change: func(in *launch.Input) { in.Spec.Layer = "l"; in.Others = append(in.Others, other("o", "l", "", 9_900)) }},
		"why":              {change: func(in *launch.Input) { in.Spec.Hypothesis = "" }, soft: "It has no hypothesis"},
		"who":              {change: func(in *launch.Input) { in.Spec.Owner = "" }, soft: "It has no owner"},
		"guardrails":       {change: func(in *launch.Input) { in.Spec.Plan.Guardrails = nil }, soft: "Nothing watches for harm"},
		"not counted":      {change: func(in *launch.Input) { in.Audience = nil }, soft: "The audience was not counted"},
		"no telemetry":     {change: func(in *launch.Input) { in.Audience.Seen, in.Audience.Eligible = 0, 0 }, soft: "No telemetry of such units lately"},
		"nobody":           {change: func(in *launch.Input) { in.Audience.Eligible = 0 }, soft: "Nobody fits the audience"},
		"perhaps somebody": {change: func(in *launch.Input) { in.Audience.Eligible, in.Audience.Maybe = 0, 5 }, soft: "It is not known whom the audience fits"},
		"no preview":       {change: func(in *launch.Input) { delete(in.Previews, "watch_hours_per_viewer") }, soft: "Nobody knows how long it takes"},
		"too small":        {change: func(in *launch.Input) { in.Spec.Plan.Units = 100_000 }, soft: "The plan is too small for its lift"},
		"too long":         {change: func(in *launch.Input) { in.Spec.Plan.MDE = 0.004; in.Spec.Plan.Units = 1e8 }, soft: "It takes about 39 days"},
		"ends early": {change: func(in *launch.Input) {
			in.Spec.Plan.End = &experiment.Date{Time: now.AddDate(0, 0, 1)}
		}, soft: "It ends before it is done"},
		"tail": {change: func(in *launch.Input) {
			in.Spec.Plan.Primary = []string{"start_success"}
			p := in.Previews["start_success"]
			p.Preview.Shape.TailIndex = &tail
			in.Previews["start_success"] = p
		}, soft: "Start success has a tail without end"},
		"links":      {change: func(in *launch.Input) { in.Spec.Change = experiment.ChangeABR }, soft: "The arms share links"},
		"unit":       {change: func(in *launch.Input) { in.Spec.Change = experiment.ChangeEncoder }, soft: "The unit does not fit the change"},
		"unsaid":     {change: func(in *launch.Input) { in.Spec.Change = "" }, soft: "It is not said what changes"},
		"same thing": {change: func(in *launch.Input) { in.Others = append(in.Others, other("o", "x", experiment.ChangeUI, 2_000)) }, soft: "o changes the same thing"},
		"other one":  {change: func(in *launch.Input) { in.Others = append(in.Others, other("o", "x", experiment.ChangeABR, 2_000)) }},
		"at once":    {change: func(in *launch.Input) { in.Spec.Slots = 5_000 }, soft: "It begins with 50 % of the traffic"},
		"a ramp that is past": {change: func(in *launch.Input) {
			in.Spec.Slots, in.Spec.Ramp = 100, []experiment.RampStep{{At: in.Now.Add(-time.Hour), Slots: 500}, {At: in.Now, Slots: 2_500}, {At: in.Now.Add(time.Second), Slots: 9_000}}
		}, soft: "It begins with 25 % of the traffic: the time of 2 of the 3 steps of its ramp is past"},
		"a ramp to come": {change: func(in *launch.Input) {
			in.Spec.Slots, in.Spec.Ramp = 100, []experiment.RampStep{{At: in.Now.Add(time.Second), Slots: 9_000}}
		}},
		"a ramp past at its start": {change: func(in *launch.Input) {
			start := in.Now.Add(time.Hour)
			in.Spec.StartAt, in.Spec.Slots, in.Spec.Ramp = &start, 100, []experiment.RampStep{{At: start, Slots: 500}}
		}, soft: "It begins with 5 % of the traffic: the time of 1 of the 1 steps"},
	} {
		in := inputOf(t)
		in.Previews = map[string]launch.MetricPreview{"watch_hours_per_viewer": in.Previews["watch_hours_per_viewer"], "start_success": in.Previews["start_success"]}
		c.change(&in)
		a := launch.Assess(in)
		hard, soft := failing(&a)
		if got := strings.Join(hard, ", "); got != c.hard {
			t.Errorf("%s: hard %q, want %q", name, got, c.hard)
		}
		if got := strings.Join(soft, ", "); !strings.HasPrefix(got, c.soft) || c.soft == "" && got != "" || len(soft) > 1 {
			t.Errorf("%s: soft %q, want %q", name, got, c.soft)
		}
		if (a.OpenPoints() != "") != (c.soft != "") {
			t.Errorf("%s: open points %q", name, a.OpenPoints())
		}
		if !slices.IsSortedFunc(a.Checks, func(x, y launch.Check) int { return rank(x) - rank(y) }) {
			t.Errorf("%s: checks that pass stand before some that fail", name)
		}
	}
}

func rank(c launch.Check) int {
	if c.OK {
		return 1
	}
	return 0
}

func TestPlacementAndMeetings(t *testing.T) {
	t.Parallel()
	in := inputOf(t)
	in.Spec.Layer, in.Spec.Slots = "l", 500
	in.Spec.Ramp = []experiment.RampStep{{At: now, Slots: 1_000}}
	for i := range 20 {
		in.Others = append(in.Others, experiment.Experiment{
			Spec:       experiment.Spec{Key: fmt.Sprint("o", i), Unit: experiment.UnitViewer, Status: experiment.StatusRunning},
			SlotRanges: []experiment.SlotRange{{From: 0, To: 100 * (i + 1)}},
		})
	}
	in.Others[0].Layer, in.Others[1].Unit, in.Others[2].Status = "l", experiment.UnitDevice, experiment.StatusPaused
	p := launch.Assess(in).Placement
	if diff := cmp.Diff([]experiment.SlotRange{{From: 100, To: 1_100}}, p.Ranges); diff != "" || p.Free != 9_900 || p.Wanted != 1_000 || p.New {
		t.Errorf("placed %+v (-want +got):\n%s", p, diff)
	}
	if len(p.Meets) != 12 || p.Meets[0].Experiment != "o19" || p.Meets[0].Share != 0.2 {
		t.Errorf("meets %+v", p.Meets)
	}
	in.Others[0].Unit = experiment.UnitBroadcaster
	if p := launch.Assess(in).Placement; p.Conflict == "" || len(p.Ranges) > 0 {
		t.Errorf("a layer of other units: %+v", p)
	}
}

func TestStepOf(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]launch.Step{
		"name": launch.StepChange, "arms[0].value": launch.StepChange, "plan.primary[0]": launch.StepMetrics, "plan.guardrails[1].margin": launch.StepMetrics,
		"plan.mde": launch.StepPower, "plan": launch.StepPower, "audience.all[0].op": launch.StepAudience, "unit": launch.StepAudience,
		"slots": launch.StepTraffic, "ramp[0].at": launch.StepTraffic, "": launch.StepChange,
	} {
		if got := launch.StepOf(field); got != want {
			t.Errorf("StepOf(%q) = %s, want %s", field, got, want)
		}
	}
}
