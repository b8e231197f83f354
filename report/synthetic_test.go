package report_test

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/stats"
)

// The metrics of synthetic inputs: more is better of both, and both are means,
// the second of a ratio whose denominator is 1 in every unit.
const (
	primaryKey = "watch_hours_per_viewer"
	guardKey   = "bitrate"
)

var launched = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// synthetic is an experiment whose cells are written down instead of counted.
type synthetic struct {
	arms  int // control included
	units int64
	plan  experiment.Plan
	looks []metrics.Look
}

func newSynthetic(arms int) *synthetic {
	return &synthetic{arms: arms, units: 20_000, plan: experiment.Plan{
		Primary: []string{primaryKey}, Guardrails: []experiment.Guardrail{{Metric: guardKey, Margin: 0.05}},
		Alpha: 0.05, Power: 0.8, MDE: 0.02, Units: 20_000,
	}}
}

// pair is the moments of n units with a mean and a standard deviation of y.
func pair(n int64, mean, sd float64) stats.PairMoments {
	return stats.PairMoments{N: n, MeanY: mean, MeanX: 1, M2Y: sd * sd * float64(n-1)}
}

// at appends a look at which every arm has n units exposed and reporting, with
// the given cells besides.
func (s *synthetic) at(n int64, cells ...metrics.Cell) *synthetic {
	number := len(s.looks) + 1
	when := launched.Add(time.Duration(number) * time.Hour)
	l := metrics.Look{Number: number, At: when, Watermark: when}
	for arm := range s.arms {
		l.Arms = append(l.Arms, metrics.ArmCounts{Arm: arm, Exposed: n, ClosedFirst: n, ClosedDay: n})
		for _, key := range []string{metrics.CoverageKey, metrics.StartTimeKnownKey} {
			cells = append(cells, cell(key, arm, pair(n, 1, 0)))
		}
		cells = append(cells, segmentCell(metrics.CoverageKey, arm, "os", "ios", pair(n/2, 1, 0)),
			segmentCell(metrics.CoverageKey, arm, "os", "web", pair(n/2, 1, 0)))
	}
	l.Cells = cells
	metrics.SortCells(l.Cells)
	s.looks = append(s.looks, l)
	return s
}

func cell(metric string, arm int, p stats.PairMoments) metrics.Cell {
	return metrics.Cell{Metric: metric, MetricVersion: 1, Arm: arm, Pair: p}
}

func segmentCell(metric string, arm int, dimension, value string, p stats.PairMoments) metrics.Cell {
	c := cell(metric, arm, p)
	c.Dimension, c.Value = dimension, value
	return c
}

func (s *synthetic) input() report.Input {
	began := launched
	in := report.Input{
		Looks: s.looks, Now: launched.Add(time.Duration(len(s.looks)) * time.Hour),
		Experiment: experiment.Experiment{
			Version: 1, StartedAt: &began,
			Spec: experiment.Spec{
				Key: "synthetic", Name: "Synthetic", Unit: experiment.UnitViewer, Design: experiment.DesignAB,
				Status: experiment.StatusRunning, Plan: s.plan,
			},
		},
	}
	for arm := range s.arms {
		in.Experiment.Arms = append(in.Experiment.Arms, experiment.Arm{Key: string(rune('a' + arm)), Weight: 1})
	}
	in.Experiment.PlanHash = s.plan.Hash()
	return in
}

// stream draws the running moments of one arm: batches of normal units, without
// drawing the units.
type stream struct {
	r        *rand.Rand
	mean, sd float64
	sum      stats.PairMoments
}

func (s *stream) next(n int64) stats.PairMoments {
	spread := s.sd / math.Sqrt(float64(n))
	k := float64(n - 1)
	// Wilson and Hilferty: a chi-square with k degrees of freedom is a cube of a normal.
	chi := k * math.Pow(1-2/(9*k)+s.r.NormFloat64()*math.Sqrt(2/(9*k)), 3)
	s.sum.Merge(stats.PairMoments{N: n, MeanY: s.mean + spread*s.r.NormFloat64(), MeanX: 1, M2Y: s.sd * s.sd * chi})
	return s.sum
}
