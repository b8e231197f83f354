package reporttest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// start is when the experiments of the fixtures were launched.
var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// truth is how viewers of one arm fare.
type truth struct {
	quick         float64 // share of first attempts that start in time
	exit          float64 // share that are left before the start
	covered       float64 // share of viewers whose telemetry arrives
	startupMs     float64 // median start time; its logarithm has sigma 0.7
	watchHours    float64 // mean; exponential
	stalledShare  float64 // share of sessions with a stall
	stallFraction float64 // of play time, in sessions with a stall
	kbps          float64
	latencyMs     float64
}

// usual is a control arm of a live platform.
func usual() truth {
	return truth{
		quick: 0.97, exit: 0.02, covered: 0.99, startupMs: 900, watchHours: 1.5,
		stalledShare: 0.2, stallFraction: 0.03, kbps: 4_200, latencyMs: 3_500,
	}
}

// scenario makes the input of a report: units are drawn one by one from the
// truth of their arm, observed, and added up look by look as the job does.
type scenario struct {
	seed         uint64
	arms         []truth
	weights      []int64
	looks        int
	unitsPerLook int
	// lost is the share of the treatments' units on dash.js whose exposure is
	// never recorded.
	lost float64
	// crossed is the share of units that are seen in two arms.
	crossed float64
	// segment changes the truth of a unit by arm and network class.
	segment func(t truth, arm int, netClass string) truth
	// edit changes the experiment before it is run.
	edit func(e *experiment.Experiment)
	// scale multiplies the quantities of every outcome; 0 is 1.
	scale float64
}

// experimentOf returns the experiment of a scenario.
func (s *scenario) experimentOf() experiment.Experiment {
	began := start
	e := experiment.Experiment{
		ID: 1, Version: 1, Salt: "fixture", CreatedAt: start.Add(-time.Hour), StartedAt: &began,
		Spec: experiment.Spec{
			Key: "abr-safety-75", Name: "ABR safety factor 0.75", Owner: "playback@example.com",
			Hypothesis: "A smaller safety factor raises bitrate without more stalls.",
			Unit:       experiment.UnitViewer, Status: experiment.StatusRunning,
			Plan: experiment.Plan{
				Primary:   []string{"stall_ratio"},
				Secondary: []string{"bitrate", "watch_hours_per_viewer", "live_latency_mean"},
				Guardrails: []experiment.Guardrail{
					{Metric: "start_success", Margin: 0.01}, {Metric: "startup_first_p95", Margin: 0.1},
				},
				MDE: 0.05, Units: 20_000,
			},
		},
	}
	for i := range s.arms {
		arm := experiment.Arm{Key: fmt.Sprintf("treatment-%d", i), Name: fmt.Sprintf("Treatment %d", i), Weight: s.weight(i), Value: []byte(`{"safety":0.75}`)}
		switch {
		case i == 0:
			arm.Key, arm.Name = "control", "Control"
		case len(s.arms) == 2:
			arm.Key, arm.Name = "treatment", "Treatment"
		}
		e.Arms = append(e.Arms, arm)
	}
	if s.edit != nil {
		s.edit(&e)
	}
	e.Normalize()
	e.PlanHash = e.Plan.Hash()
	return e
}

func (s *scenario) weight(arm int) int64 {
	if s.weights == nil {
		return 1
	}
	return s.weights[arm]
}

// input draws the units and adds them up.
func (s *scenario) input() report.Input {
	exp := s.experimentOf()
	in := report.Input{
		Experiment: exp, Now: start.Add(10 * time.Minute),
		Versions: []report.Version{{Version: 1, PlanHash: exp.PlanHash, At: start}},
	}
	cells, err := metrics.NewAccumulator(metrics.CellSpec{
		Definitions: metrics.All(), Arms: len(exp.Arms), Segmented: metrics.SegmentedMetrics(&exp.Plan),
	})
	if err != nil {
		panic(fmt.Sprintf("scenario: %v", err)) // a fixture that is wrong in itself
	}
	r := rand.New(rand.NewPCG(s.seed, 7))
	counts := make([]metrics.ArmCounts, len(exp.Arms))
	for i := range counts {
		counts[i].Arm = i
	}
	for look := 1; look <= s.looks; look++ {
		for range s.unitsPerLook {
			s.unit(r, &exp, cells, counts)
		}
		at := start.Add(26 * time.Hour).Add(time.Duration(look) * 12 * time.Hour)
		all := cells.Cells()
		if look < s.looks { // as storage returns them: dimensions of the newest look alone
			all = slices.DeleteFunc(all, func(c metrics.Cell) bool { return !c.IsTotal() })
		}
		in.Looks = append(in.Looks, metrics.Look{
			Number: look, At: at, Watermark: at.Add(-metrics.WatermarkLag), Arms: slices.Clone(counts), Cells: all,
		})
		in.Now = at.Add(40 * time.Second)
	}
	return in
}

// unit draws one exposed unit and its outcomes in both windows.
func (s *scenario) unit(r *rand.Rand, exp *experiment.Experiment, cells *metrics.Accumulator, counts []metrics.ArmCounts) {
	arm := s.assign(r, exp)
	if r.Float64() < s.crossed {
		counts[arm].Crossed++
		return
	}
	dims := [metrics.DimensionCount]string{
		pick(r, "US", "BR", "DE", "KR"), pick(r, "mobile", "desktop", "tv"), pick(r, "android", "ios", "web"),
		pick(r, "hls.js", "dash.js"), "", pick(r, "wifi", "wifi", "lte", "lte", "3g"), "",
	}
	if arm > 0 && dims[3] == "dash.js" && r.Float64() < s.lost {
		return
	}
	counts[arm].Exposed++
	counts[arm].ClosedFirst++
	counts[arm].ClosedDay++
	t := s.arms[arm]
	if s.segment != nil {
		t = s.segment(t, arm, dims[5])
	}
	first, day := t.draw(r)
	if s.scale != 0 {
		for i := range day {
			day[i] *= s.scale
		}
		day[metrics.Units], day[metrics.WatchUnits] = 1, min(1, day[metrics.WatchUnits])
	}
	cells.Add(metrics.WindowFirst, &metrics.Outcome{Arm: arm, Quantities: first, Dims: dims})
	cells.Add(metrics.WindowDay, &metrics.Outcome{Arm: arm, Quantities: day, Dims: dims})
}

func (s *scenario) assign(r *rand.Rand, exp *experiment.Experiment) int {
	total := int64(0)
	for _, a := range exp.Arms {
		total += a.Weight
	}
	at := r.Int64N(total)
	for i, a := range exp.Arms {
		if at < a.Weight {
			return i
		}
		at -= a.Weight
	}
	return 0
}

func pick(r *rand.Rand, values ...string) string { return values[r.IntN(len(values))] }

// draw returns the quantities of one viewer in the first window and in the day.
func (t truth) draw(r *rand.Rand) (first, day metrics.Quantities) {
	first[metrics.Units], first[metrics.WatchUnits] = 1, 1
	day[metrics.Units], day[metrics.WatchUnits] = 1, 1
	if r.Float64() >= t.covered {
		return first, day
	}
	first[metrics.Attempts], first[metrics.CoveredAttempts] = 1, 1
	first[metrics.WaitedAttempts], first[metrics.FateAttempts], first[metrics.KnownAttempts] = 1, 1, 1
	first[metrics.StartupImputedMs] = metrics.NeverStartedMs // until it starts
	fate := r.Float64()
	if fate < t.exit {
		first[metrics.Exits] = 1
		return first, day
	}
	if fate >= t.exit+t.quick {
		first[metrics.Failures] = 1
		return first, day
	}
	first[metrics.QuickStarts], first[metrics.Starts], first[metrics.TimedStarts] = 1, 1, 1
	first[metrics.StartupMs] = math.Round(min(9_999, t.startupMs*math.Exp(0.7*r.NormFloat64())))
	first[metrics.StartupImputedMs] = first[metrics.StartupMs]
	t.drawDay(r, &day)
	return first, day
}

func (t truth) drawDay(r *rand.Rand, day *metrics.Quantities) {
	const hourMs = 3_600_000
	watch := math.Round(min(24, t.watchHours*r.ExpFloat64()) * hourMs)
	day[metrics.WatchMs], day[metrics.WatchMsUncapped] = watch, watch
	day[metrics.StallSessions], day[metrics.StallPlayMs] = 1, watch
	day[metrics.StallBaseMs], day[metrics.StallBaseMsUncapped] = watch, watch
	if r.Float64() < t.stalledShare {
		stall := math.Round(watch * t.stallFraction * r.ExpFloat64())
		capped := min(stall, metrics.StallCapMs)
		day[metrics.StalledSessions] = 1
		day[metrics.Stalls] = math.Ceil(stall / 5_000)
		day[metrics.StallsCapped] = min(day[metrics.Stalls], metrics.StallsCap)
		day[metrics.StallMs], day[metrics.StallMsUncapped] = capped, stall
		day[metrics.StallBaseMs] += capped
		day[metrics.StallBaseMsUncapped] += stall
	}
	day[metrics.RungMs] = watch
	day[metrics.RungKbpsMs] = math.Round(watch * t.kbps * (0.7 + 0.6*r.Float64()))
	day[metrics.LatencySamples] = math.Ceil(watch / 10_000)
	latency := math.Round(day[metrics.LatencySamples] * t.latencyMs * (0.5 + r.Float64()))
	day[metrics.LatencyMs], day[metrics.LatencyMsUncapped] = latency, latency
}
