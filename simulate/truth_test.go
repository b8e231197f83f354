//go:build !race

package simulate

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// The signs and sizes of what the five experiments truly do.
func TestTruths(t *testing.T) {
	t.Parallel()
	w := NewWorld(Options{Seed: 1, Epoch: epoch})
	truths := map[string]Truth{}
	for _, truth := range w.Truths() {
		truths[truth.Experiment] = truth
		for _, e := range truth.Effects {
			if !metrics.Known(e.Metric) {
				t.Errorf("%s: %s is not in the catalogue", truth.Experiment, e.Metric)
			}
		}
	}
	tests := []struct {
		key, metric, segment string
		low, high            float64 // of the lift
	}{
		{KeyFastStart, "startup_first_p50", "", -0.30, -0.18},
		{KeyFastStart, "exit_before_start", "", -0.50, -0.25},
		{KeyFastStart, "start_success", "", 0.008, 0.03},
		{KeyFastStart, "watch_hours_per_viewer", "", 0.005, 0.03},
		{KeyFastStart, "stalled_session_rate", "", -0.02, 0.02},
		{KeyLowLatency, "live_latency_mean", "", -0.30, -0.15},
		{KeyLowLatency, "stalled_session_rate", "", 0.35, 1},
		{KeyLowLatency, "stall_ratio", "", 0.15, 0.8},
		{KeyLowLatency, "watch_hours_per_viewer", "", -0.10, -0.01},
		{KeyTVAppRewrite, "watch_hours_per_viewer", "", -0.25, -0.12},
		{KeyTVAppRewrite, "start_success", "", -0.25, -0.12},
		{KeyTVAppRewrite, "startup_first_p50", "", -0.12, -0.02}, // survivors only
		{KeyABRBuffer, "stalled_session_rate", "", -0.35, -0.12},
		{KeyABRBuffer, "stall_ratio", "", 0, 0.3}, // the other definition disagrees
		{KeyABRBuffer, "bitrate", "", 0.02, 0.12},
		{KeyABRBuffer, "stalled_session_rate", "fixed", -0.7, 0.1},
		{KeyABRBuffer, "stalled_session_rate", "wifi", -0.6, -0.15},
		{KeyABRBuffer, "stalled_session_rate", "lte", -0.75, -0.2},
		{KeyABRBuffer, "stalled_session_rate", "3g", 0.15, 0.4},
		{KeyABRBuffer, "stall_ratio", "3g", 0.8, 2.5},
		{KeyABRBuffer, "watch_hours_per_viewer", "3g", -0.8, -0.3},
	}
	for _, test := range tests {
		truth := truths[test.key]
		e, ok := truth.Effect(test.metric, test.segment)
		if lift := e.Lift(); !ok || lift < test.low || lift > test.high {
			t.Errorf("%s: %s %s: lift %+.4f, want %+g to %+g", test.key, test.metric, test.segment, lift, test.low, test.high)
		}
	}
	for _, e := range truths[KeyAACheck].Effects {
		if e.Control != e.Treatment {
			t.Errorf("A/A: %s differs", e.Metric)
		}
	}
	for key, truth := range truths {
		want := [2]float64{1, 1}
		if key == KeyTVAppRewrite {
			want[1] = 1 - oldTVShare
		}
		if math.Abs(truth.Reporting[0]-want[0]) > 0.02 || math.Abs(truth.Reporting[1]-want[1]) > 0.02 {
			t.Errorf("%s: %v of the units report, want about %v", key, truth.Reporting, want)
		}
	}
	if testing.Verbose() {
		logTruths(t, truths)
	}
}

func logTruths(t *testing.T, truths map[string]Truth) {
	t.Helper()
	for key, truth := range truths {
		for _, e := range truth.Effects {
			t.Logf("%-20s %-24s %-5s %12.5f %12.5f %+7.2f %%", key, e.Metric, e.Segment, e.Control, e.Treatment, 100*e.Lift())
		}
	}
}

func TestTruthsAreTheSeed(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(smallWorld(3).Truths(), smallWorld(3).Truths()); diff != "" {
		t.Errorf("two computations differ (-first +second)\n%s", diff)
	}
}

// sample is what two weeks of the demo give an analyst of one experiment:
// every viewer once, in the arm that chance gave, all but those of whom no
// window closed in time.
type sample struct {
	units   [2]int64
	pairs   map[string]*[2]stats.PairMoments
	startup [2]stats.Histogram
}

func drawSample(t *testing.T, w *World, units [][]Session, e *experiment.Spec, net string) *sample {
	t.Helper()
	s := &sample{pairs: map[string]*[2]stats.PairMoments{}}
	var set [2]Settings
	for arm := range set {
		set[arm] = DefaultSettings()
		set[arm].Set(e.Key, e.Arms[arm].Value)
	}
	for _, sessions := range units {
		v := w.Visit(sessions[0])
		slot := int(mix(w.seed, purposeArm, uint64(v.Who.Index)) % experiment.TotalSlots)
		outside := slot >= e.Slots || e.Audience != nil && v.Who.Device != TV
		if outside || net != "" && v.Net.String() != net {
			continue
		}
		arm := int(mix(w.seed, purposeArm, uint64(v.Who.Index), uint64(len(e.Key))) % 2)
		if o := w.outcome(sessions, set[arm]); o.reporting {
			s.add(arm, &o)
		}
	}
	return s
}

func (s *sample) add(arm int, o *outcome) {
	s.units[arm]++
	add := func(metric string, y, x float64) {
		if s.pairs[metric] == nil {
			s.pairs[metric] = &[2]stats.PairMoments{}
		}
		if x > 0 {
			s.pairs[metric][arm].Add(y, x)
		}
	}
	add("watch_hours_per_viewer", o.playSec, 1)
	add("start_success", float64(count(o.success)), float64(count(o.waited)))
	add("exit_before_start", float64(count(o.exit)), float64(count(o.waited)))
	add("stall_ratio", o.stallSec, o.playSec+o.stallSec)
	add("stalled_session_rate", float64(o.stalled), float64(o.started))
	add("bitrate", o.kbpsSec, o.playSec)
	add("live_latency_mean", o.lateSec, o.playSec)
	add("telemetry_coverage", float64(count(o.covered)), 1)
	if o.startupSec >= 0 {
		s.startup[arm].Add(o.startupSec * 1000)
	}
}

// effect returns the lift as a log-ratio.
func (s *sample) effect(t *testing.T, metric string) stats.Effect {
	t.Helper()
	var e stats.Effect
	var err error
	if metric == "startup_first_p50" {
		e, err = stats.QuantileLift(&s.startup[0], &s.startup[1], 0.5)
	} else {
		e, err = stats.RatioLift(s.pairs[metric][0], s.pairs[metric][1])
	}
	if err != nil {
		t.Fatalf("%s: %v", metric, err)
	}
	return e
}

// interval returns the anytime-valid interval of the lift.
func interval(t *testing.T, alpha float64, units int64, e stats.Effect) stats.Interval {
	t.Helper()
	q, err := stats.AsympCS{Alpha: alpha, NOpt: units}.TwoSided(e)
	if err != nil {
		t.Fatal(err)
	}
	lift, ok := q.Interval.Lift()
	if !ok {
		t.Fatal("the effect is not relative")
	}
	return lift
}

// segmentTests is over how many comparisons a report shares alpha when it looks
// for segments: dimension values, metrics and arms.
const segmentTests = metrics.MaxSegments * 3

// Thirteen of the demo's fourteen days, for windows of a day to close, are
// enough to prove what the plans ask for, at every look; in the A/A nothing is.
func TestDemoHasThePowerItNeeds(t *testing.T) {
	t.Parallel()
	specs := map[string]*experiment.Spec{}
	doc := Document()
	for i := range doc.Experiments {
		specs[doc.Experiments[i].Key] = &doc.Experiments[i]
	}
	proofs := []struct {
		key, metric, net string
		above, below     float64 // the interval must lie so; 0: beyond no effect
	}{
		{key: KeyFastStart, metric: "startup_first_p50", below: -0.05},
		{key: KeyFastStart, metric: "exit_before_start", below: -0.001},
		{key: KeyFastStart, metric: "start_success", above: -0.005},
		{key: KeyFastStart, metric: "telemetry_coverage", above: -0.01},
		{key: KeyLowLatency, metric: "live_latency_mean", below: -0.05},
		{key: KeyLowLatency, metric: "stalled_session_rate", above: 0.05},
		{key: KeyABRBuffer, metric: "stalled_session_rate", below: -0.001},
		{key: KeyABRBuffer, metric: "bitrate", above: -0.05},
		{key: KeyABRBuffer, metric: "start_success", above: -0.015},
	}
	for _, seed := range []uint64{1, 2} {
		w := NewWorld(Options{Seed: seed, Epoch: epoch})
		units := w.units(truthDays - 1)
		samples := map[string]*sample{}
		for key, e := range specs {
			samples[key] = drawSample(t, w, units, e, "")
			if n := samples[key].units[0] + samples[key].units[1]; !within(float64(n), float64(e.Plan.Units), 0.2) {
				t.Errorf("seed %d: %s: %d units, planned %d", seed, key, n, e.Plan.Units)
			}
		}
		for _, p := range proofs {
			plan := &specs[p.key].Plan
			got := interval(t, plan.Alpha, plan.Units, samples[p.key].effect(t, p.metric))
			if p.above != 0 && got.Lower <= p.above || p.below != 0 && got.Upper >= p.below {
				t.Errorf("seed %d: %s: %s %s: lift %+.4f to %+.4f proves nothing", seed, p.key, p.metric, p.net, got.Lower, got.Upper)
			}
		}
		checkNothingFound(t, seed, specs[KeyAACheck], samples[KeyAACheck])
		checkSplitBroken(t, seed, samples)
		checkSlowNetworksHarmed(t, seed, drawSample(t, w, units, specs[KeyABRBuffer], Net3G.String()), &specs[KeyABRBuffer].Plan)
	}
}

func checkNothingFound(t *testing.T, seed uint64, e *experiment.Spec, s *sample) {
	t.Helper()
	for _, m := range e.Plan.Metrics() {
		if got := interval(t, e.Plan.Alpha, e.Plan.Units, s.effect(t, m)); !got.Contains(0) {
			t.Errorf("seed %d: A/A: %s: lift %+.4f to %+.4f", seed, m, got.Lower, got.Upper)
		}
	}
}

// checkSplitBroken wants the split of the TV app, and of no other, to be refuted.
func checkSplitBroken(t *testing.T, seed uint64, samples map[string]*sample) {
	t.Helper()
	for key, s := range samples {
		got, err := stats.SampleRatio(s.units[:], []int64{1, 1}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if broken := got.LogE >= math.Log(1000); broken != (key == KeyTVAppRewrite) {
			t.Errorf("seed %d: %s: units %v, log e-value %.2f", seed, key, s.units, got.LogE)
		}
	}
}

// checkSlowNetworksHarmed wants the harm proven although alpha is shared by all
// segments of a report.
func checkSlowNetworksHarmed(t *testing.T, seed uint64, s *sample, plan *experiment.Plan) {
	t.Helper()
	got := interval(t, plan.Alpha/segmentTests, plan.Units/10, s.effect(t, "stalled_session_rate"))
	if got.Lower <= 0 {
		t.Errorf("seed %d: stalled sessions on 3G: lift %+.4f to %+.4f of %v units proves no harm", seed, got.Lower, got.Upper, s.units)
	}
}
