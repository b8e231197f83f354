// Package reporttest makes inputs of reports with a known truth, one for each
// thing that a page or an export must be able to show. It is for tests only.
//
//	for name, in := range reporttest.Fixtures() {
//		render(report.Build(in))
//	}
package reporttest

import (
	"maps"
	"math"
	"strings"
	"sync"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// Fixtures returns the inputs by name. The same program returns the same
// inputs; they are shared, so a test must not change what they point to.
func Fixtures() map[string]report.Input {
	out := map[string]report.Input{}
	maps.Copy(out, fixtures())
	return out
}

// fixtures draws the units once for all tests of a package.
var fixtures = sync.OnceValue(func() map[string]report.Input {
	out := map[string]report.Input{}
	for name, s := range scenarios() {
		out[name] = s.input()
	}
	for name, s := range plannedScenarios() {
		out[name] = s.input()
	}
	out["no_number"] = noNumber()
	return out
})

// better returns an arm whose stalls are a fraction less, with more bitrate.
func better(fraction float64) truth {
	t := usual()
	t.stalledShare *= 1 - fraction
	t.kbps *= 1.02
	return t
}

// scenarios maps the fixtures to what happened in them.
func scenarios() map[string]*scenario {
	slow, worst := usual(), usual()
	slow.startupMs *= 1.5
	worst.quick -= 0.06
	lossy := usual()
	lossy.covered = 0.9
	same := []truth{usual(), usual()}
	out := map[string]*scenario{
		"no_data":  {seed: 1, arms: same},
		"one_look": {seed: 2, arms: []truth{usual(), better(0.1)}, looks: 1, unitsPerLook: 60},
		"typical":  {seed: 3, arms: []truth{usual(), better(0.1)}, looks: 28, unitsPerLook: 400},
		"ship":     {seed: 4, arms: []truth{usual(), better(0.4)}, looks: 20, unitsPerLook: 1_200},
		"stop_no_effect": {
			seed: 5, arms: same, looks: 12, unitsPerLook: 1_000,
			edit: func(e *experiment.Experiment) { e.Plan.MDE = 0.4 },
		},
		"six_arms": {
			seed: 6, looks: 14, unitsPerLook: 900,
			arms:    []truth{usual(), better(0.4), usual(), slow, worst, better(0.1)},
			weights: []int64{2, 1, 1, 1, 1, 1},
		},
		"twelve_arms": {
			seed: 7, looks: 6, unitsPerLook: 2_000,
			arms: []truth{usual(), usual(), usual(), usual(), usual(), usual(), usual(), usual(), usual(), usual(), usual(), usual()},
		},
		"guardrail_breach": {seed: 8, arms: []truth{usual(), slow}, looks: 16, unitsPerLook: 800},
		"segment_harm": {
			seed: 9, arms: []truth{usual(), better(0.45)}, looks: 16, unitsPerLook: 2_000,
			segment: func(t truth, arm int, netClass string) truth {
				if arm == 1 && netClass == "3g" {
					t.stalledShare, t.stallFraction = 0.34, 0.03
				}
				return t
			},
		},
		"srm":            {seed: 10, arms: []truth{usual(), better(0.3)}, looks: 16, unitsPerLook: 600, lost: 0.3},
		"telemetry_loss": {seed: 11, arms: []truth{usual(), lossy}, looks: 14, unitsPerLook: 800},
		"crossed":        {seed: 12, arms: same, looks: 6, unitsPerLook: 500, crossed: 0.05},
		"long_names": {
			seed: 13, arms: []truth{usual(), better(0.1)}, looks: 5, unitsPerLook: 400,
			edit: func(e *experiment.Experiment) {
				e.Name = strings.Repeat("Adaptive bitrate ladder with a rather long name ", 5)[:experiment.MaxNameBytes]
				e.Arms[1].Name = strings.Repeat("NeedlesslyLongUnbrokenArmName", 6)
				e.Hypothesis = strings.Repeat("Because. ", 300)
			},
		},
		"rtl": {
			seed: 14, arms: []truth{usual(), better(0.1)}, looks: 5, unitsPerLook: 400,
			edit: func(e *experiment.Experiment) {
				e.Name = "מקדם בטיחות של קצב סיביות"
				e.Arms[0].Name, e.Arms[1].Name = "ביקורת", "טיפול <b>&\"'"
			},
		},
		"huge":           {seed: 15, arms: []truth{usual(), better(0.1)}, looks: 5, unitsPerLook: 400, scale: 1e9},
		"tiny":           {seed: 16, arms: []truth{usual(), better(0.1)}, looks: 5, unitsPerLook: 400, scale: 1e-9},
		"thousand_looks": {seed: 17, arms: []truth{usual(), better(0.02)}, looks: 1_000, unitsPerLook: 12},
		"no_stalls": {
			seed: 18, looks: 5, unitsPerLook: 400,
			arms: func() []truth { t := usual(); t.stalledShare = 0; return []truth{t, t} }(),
		},
		"unknown_metric": {
			seed: 19, arms: same, looks: 3, unitsPerLook: 400,
			edit: func(e *experiment.Experiment) { e.Plan.Secondary = []string{"metric_of_tomorrow"} },
		},
	}
	maps.Copy(out, qualityScenarios())
	return out
}

// qualityScenarios show every panel: starts that fail, a tail that grows, stalls
// taken apart.
func qualityScenarios() map[string]*scenario {
	slow, worst := usual(), usual()
	slow.startupMs *= 1.5
	worst.quick -= 0.06
	plan := func(e *experiment.Experiment) { e.Plan = qualityPlan() }
	return map[string]*scenario{
		"quality": {seed: 21, arms: []truth{usual(), slow}, looks: 8, unitsPerLook: 3_000, edit: plan},
		"quality_six_arms": {
			seed: 22, arms: []truth{usual(), slow, better(0.4), usual(), worst, usual()}, looks: 3, unitsPerLook: 6_000, edit: plan,
		},
	}
}

// noNumber is an input whose storage went bad: cells hold what is no number.
func noNumber() report.Input {
	s := scenario{seed: 20, arms: []truth{usual(), usual()}, looks: 2, unitsPerLook: 400}
	in := s.input()
	bad := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, math.MaxFloat64}
	for l := range in.Looks {
		cells := in.Looks[l].Cells
		for i := range cells {
			if cells[i].Metric == metrics.CoverageKey {
				continue
			}
			p := &cells[i].Pair
			switch v := bad[i%len(bad)]; i % 4 {
			case 0:
				p.MeanY = v
			case 1:
				p.M2Y = v
			case 2:
				p.MeanX = v
			default:
				p.CXY = v
			}
		}
	}
	return in
}

// qualityPlan asks for all that the panels of a report show.
func qualityPlan() experiment.Plan {
	return experiment.Plan{
		Primary:   []string{"startup_first_p50"},
		Secondary: []string{"stall_ratio", "stalled_session_rate", "stalls_per_hour", "startup_first_p95", "startup_imputed_p50"},
		Guardrails: []experiment.Guardrail{
			{Metric: "start_success", Margin: 0.01}, {Metric: "exit_before_start", Margin: 0.1}, {Metric: "video_start_failure", Margin: 0.1},
		},
		MDE: 0.05, Units: 24_000,
	}
}
