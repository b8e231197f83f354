package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden compares whole reports with files that were reviewed. Numbers may
// differ in the last digits between processors; texts may not.
func TestGolden(t *testing.T) {
	t.Parallel()
	fixtures := reporttest.Fixtures()
	for _, name := range []string{"no_data", "one_look", "ship", "srm", "unknown_metric"} {
		got, err := json.MarshalIndent(report.Build(fixtures[name]), "", " ")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if err := json.Unmarshal(want, &a); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if err := json.Unmarshal(got, &b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b, cmpopts.EquateApprox(1e-9, 1e-300)); diff != "" {
			t.Errorf("%s differs (-want +got); -update rewrites it:\n%s", file, diff)
		}
	}
}

// TestFixtureVerdicts checks that the rule finds the truth of each fixture.
func TestFixtureVerdicts(t *testing.T) {
	t.Parallel()
	fixtures := reporttest.Fixtures()
	for name, want := range map[string]report.VerdictState{
		"no_data": report.VerdictCollecting, "one_look": report.VerdictCollecting, "no_stalls": report.VerdictCollecting,
		"typical": report.VerdictKeepRunning, "ship": report.VerdictShip, "stop_no_effect": report.VerdictStopNoEffect,
		"guardrail_breach": report.VerdictRollBack, "six_arms": report.VerdictRollBack, "segment_harm": report.VerdictHold,
		"srm": report.VerdictUntrustworthy, "telemetry_loss": report.VerdictUntrustworthy, "crossed": report.VerdictUntrustworthy,
	} {
		if got := report.Build(fixtures[name]).Verdict; got.State != want {
			t.Errorf("%s: verdict %s (%s), want %s", name, got.State, got.Sentence, want)
		}
	}
	srm := report.Build(fixtures["srm"]).Verdict
	if !strings.Contains(srm.Action, "player dash.js") {
		t.Errorf("srm: the slice that loses exposures is not named: %s", srm.Action)
	}
	if len(srm.Arms) != 0 || srm.Arm != "" {
		t.Error("srm: a verdict that is withheld judges arms")
	}
	segment := report.Build(fixtures["segment_harm"])
	if !strings.Contains(segment.Verdict.Sentence, "net_class 3g") || !segment.Segments.Rows[0].Flagged {
		t.Errorf("segment_harm: the segment is not named: %s", segment.Verdict.Sentence)
	}
	six := report.Build(fixtures["six_arms"])
	states := map[string]report.VerdictState{}
	for _, a := range six.Verdict.Arms {
		states[a.Arm] = a.State
	}
	if states["treatment-3"] != report.VerdictRollBack || states["treatment-4"] != report.VerdictRollBack ||
		states["treatment-2"] == report.VerdictRollBack || len(states) != 5 {
		t.Errorf("six_arms: verdicts %v, want the slow and the failing arm rolled back, not the one like control", states)
	}
}

// TestNoReportHoldsNaN walks every number of every fixture's report.
func TestNoReportHoldsNaN(t *testing.T) {
	t.Parallel()
	for name, in := range reporttest.Fixtures() {
		r := report.Build(in)
		walk(t, name, reflect.ValueOf(r))
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%s does not marshal: %v", name, err)
		}
	}
}

// walk fails for a number that is none, and for words that must not be said.
func walk(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			t.Errorf("%s is %v", path, f)
		}
	case reflect.String:
		s := strings.ToLower(v.String())
		for _, banned := range []string{"not significant", "nan", "+inf", "-inf", "%!"} {
			if strings.Contains(s, banned) {
				t.Errorf("%s says %q", path, v.String())
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			walk(t, path, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walk(t, path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(t, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	}
}

// TestReplay builds a report at each look as it came in, and again from the
// whole history: the past does not change.
func TestReplay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"typical", "six_arms", "srm", "guardrail_breach", "group_sequential"} {
		in := reporttest.Fixtures()[name]
		full := report.Build(in)
		for look := 1; look <= len(in.Looks); look++ {
			past, ok := in.At(look)
			if !ok {
				t.Fatalf("%s: At(%d) = false", name, look)
			}
			lived := in
			lived.Looks, lived.Now, lived.Counts = slices.Clone(in.Looks[:look]), past.Now, in.Looks[look-1].Arms
			then, now := report.Build(lived), report.Build(past)
			if !reflect.DeepEqual(then, now) { // cmp.Diff is slow where all is equal
				t.Fatalf("%s: look %d differs when replayed (-lived +replayed):\n%s", name, look, cmp.Diff(then, now))
			}
			for i, row := range now.Primary {
				if whole := full.Primary[i].Series[:look]; !reflect.DeepEqual(whole, row.Series) {
					t.Fatalf("%s: the series of look %d is not the beginning of the whole (-whole +then):\n%s",
						name, look, cmp.Diff(whole, row.Series))
				}
			}
		}
	}
	in := reporttest.Fixtures()["typical"]
	for _, look := range []int{-1, 0, len(in.Looks) + 1} {
		if _, ok := in.At(look); ok {
			t.Errorf("At(%d) of %d looks = true", look, len(in.Looks))
		}
	}
}

// TestReplayWithoutSegments checks that a past look whose dimension cells were
// not read never says ship: a harmed segment could be hidden.
func TestReplayWithoutSegments(t *testing.T) {
	t.Parallel()
	in := reporttest.Fixtures()["ship"]
	last := len(in.Looks) - 1
	in.Looks = slices.Clone(in.Looks)
	in.Looks[last].Cells = slices.DeleteFunc(slices.Clone(in.Looks[last].Cells), func(c metrics.Cell) bool { return !c.IsTotal() })
	r := report.Build(in)
	if r.Verdict.State != report.VerdictKeepRunning || r.Segments.Reason == "" {
		t.Errorf("verdict %s, segments %q; want keep_running and a reason", r.Verdict.State, r.Segments.Reason)
	}
}

// TestFewLooksAreEnough leaves out the looks that are not shown: nothing changes.
func TestFewLooksAreEnough(t *testing.T) {
	t.Parallel()
	in := reporttest.Fixtures()["thousand_looks"]
	want := report.Build(in)
	shown := report.ShownLooks(1_000)
	few := in
	few.Looks = nil
	for _, n := range shown {
		few.Looks = append(few.Looks, in.Looks[n-1])
	}
	if got := report.Build(few); !reflect.DeepEqual(want, got) {
		t.Errorf("the report of %d looks is not that of 1,000:\n%s", len(shown), cmp.Diff(want, got))
	}
	series := want.Primary[0].Series
	if len(series) != len(shown) || series[0].Look != 1 || series[len(series)-1].Look != 1_000 {
		t.Errorf("series of %d points from look %d to %d", len(series), series[0].Look, series[len(series)-1].Look)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Sorted(maps.Keys(reporttest.Fixtures())) {
		want, err := json.Marshal(report.Build(reporttest.Fixtures()[name]))
		if err != nil {
			t.Fatal(err)
		}
		var r report.Report
		if err := json.Unmarshal(want, &r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%s changes when read and written again", name)
		}
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	in := reporttest.Fixtures()["six_arms"]
	h := report.Build(in).Head
	if h.Look != 14 || h.NOpt != 20_000 || h.Units != 12_600 || math.Abs(h.Progress-0.63) > 1e-12 || h.LagSec != 42 || !h.PlanIntact {
		t.Errorf("head = %+v", h)
	}
	shares := 0.0
	for i, a := range h.Arms {
		if a.Index != i {
			t.Errorf("arm %d has index %d", i, a.Index)
		}
		shares += a.Share
	}
	if math.Abs(shares-1) > 1e-12 || h.Arms[0].Share != 2.0/7 {
		t.Errorf("shares sum to %v, control has %v", shares, h.Arms[0].Share)
	}
}

// TestChangedPlan is promise 7: criteria changed behind the platform's back
// withhold the verdict.
func TestChangedPlan(t *testing.T) {
	t.Parallel()
	in := reporttest.Fixtures()["ship"]
	in.Experiment.Plan.MDE = 0.01
	r := report.Build(in)
	if r.Verdict.State != report.VerdictUntrustworthy || r.Head.PlanIntact {
		t.Errorf("verdict %s with another plan than that of the launch", r.Verdict.State)
	}
}

// A dropped arm takes no more units: the split is tested among those that are
// left, and it is judged no more.
func TestDroppedArms(t *testing.T) {
	t.Parallel()
	const slow, worst, droppedAt = 3, 4, 7
	in := reporttest.Fixtures()["six_arms"]
	in.Experiment.Arms = slices.Clone(in.Experiment.Arms)
	in.Looks, in.Counts = slices.Clone(in.Looks), nil
	for i := range in.Looks {
		l := &in.Looks[i]
		l.Arms = slices.Clone(l.Arms)
		if i > droppedAt {
			for _, arm := range []int{slow, worst} {
				l.Arms[arm].Exposed = in.Looks[droppedAt].Arms[arm].Exposed
			}
		}
	}
	before := report.Build(in)
	if c := before.Trust[0]; c.Key != report.CheckBalance || c.State != report.CheckFail {
		t.Fatalf("without the mark the split is %s, want that the test sees it", c.State)
	}
	for _, arm := range []int{slow, worst} {
		in.Experiment.Arms[arm].Dropped = true
	}
	r := report.Build(in)
	for _, c := range r.Trust {
		if c.State == report.CheckFail {
			t.Errorf("%s fails: %s; %s", c.Key, c.Statistic, c.Detail)
		}
	}
	if r.Verdict.State == report.VerdictRollBack || len(r.Verdict.Arms) != 3 {
		t.Errorf("verdict %s on %d arms, want none on the dropped ones", r.Verdict.State, len(r.Verdict.Arms))
	}
	if !r.Head.Arms[slow].Dropped || r.Head.Arms[1].Dropped {
		t.Error("the head does not say which arm was dropped")
	}
}

// Where the plan gives one arm more units than the other, a metric of values is
// never surer than the pooled variance allows; rates are as they were.
func TestUnequalArmsAreFloored(t *testing.T) {
	t.Parallel()
	in := reporttest.Fixtures()["typical"]
	even := report.Build(in)
	in.Experiment.Arms = slices.Clone(in.Experiment.Arms)
	in.Experiment.Arms[0].Weight = 9 * in.Experiment.Arms[1].Weight
	uneven := report.Build(in)
	for i, row := range slices.Concat(uneven.Primary, uneven.Secondary, uneven.Guardrails) {
		before := slices.Concat(even.Primary, even.Secondary, even.Guardrails)[i]
		kind := row.Metric.Kind.Estimator()
		values := kind == metrics.KindMean || kind == metrics.KindRatio
		if strings.Contains(row.Explain.Method, "pooled") != values || strings.Contains(before.Explain.Method, "pooled") {
			t.Errorf("%s: method %q", row.Metric.Key, row.Explain.Method)
		}
		if !values {
			if row.Explain.Variance != before.Explain.Variance {
				t.Errorf("%s: variance %v, was %v", row.Metric.Key, row.Explain.Variance, before.Explain.Variance)
			}
			continue
		}
		c, x := row.Explain.Arms[0], row.Explain.Arms[1]
		n, m := float64(c.N), float64(x.N)
		pooled := ((n-1)*c.UnitVariance/c.Value/c.Value + (m-1)*x.UnitVariance/x.Value/x.Value) / (n + m - 2) * (1/n + 1/m)
		if want := max(pooled, row.Explain.VarianceControl+row.Explain.VarianceTreatment); math.Abs(row.Explain.Variance/want-1) > 1e-9 {
			t.Errorf("%s: variance %v, want %v", row.Metric.Key, row.Explain.Variance, want)
		}
	}
}
