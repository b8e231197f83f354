package stats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/stats"
)

// The whole path of a report: cells of looks go in, states and intervals of rows come
// out. What is measured is what is shown, with its burn-ins, refusals, floors and
// splits of alpha.

// reportCells is the cells of a metric at a look: the moments of each arm, control first.
type reportCells []stats.PairMoments

// pipeline is an experiment with one goal: its primary metric, over whose treatments
// alpha is split; with a single treatment a secondary one, which says the same
// without the p and the advice that cost most of a report's time.
type pipeline struct {
	metric  string
	unit    experiment.UnitType
	weights []int64
	plan    experiment.Plan
}

var pipelineStart = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

// newPipeline returns an experiment whose plan has so many units of all arms and is
// decided at any look.
func newPipeline(metric string, unit experiment.UnitType, weights []int64, units int64) pipeline {
	p := pipeline{metric: metric, unit: unit, weights: weights, plan: experiment.Plan{
		Alpha: calibrationAlpha, Power: 0.8, MDE: 0.02, Units: units,
	}}
	if len(weights) > 2 {
		p.plan.Primary = []string{metric}
	} else {
		p.plan.Secondary = []string{metric}
	}
	return p
}

// planned lets planned looks decide the experiment.
func (p pipeline) planned(spending experiment.Spending, looks int) pipeline {
	p.plan.Method, p.plan.Spending, p.plan.Looks = experiment.MethodGroupSequential, spending, looks
	p.plan.End = &experiment.Date{Time: pipelineStart.AddDate(0, 0, looks)}
	return p
}

// rows returns the rows of the report after some looks, a day each.
func (p pipeline) rows(looks []reportCells) []report.Row {
	began := pipelineStart
	in := report.Input{Now: began.AddDate(0, 0, len(looks)), Experiment: experiment.Experiment{
		Version: 1, StartedAt: &began, PlanHash: p.plan.Hash(),
		Spec: experiment.Spec{
			Key: "calibration", Unit: p.unit, Design: experiment.DesignAB, Status: experiment.StatusRunning, Plan: p.plan,
		},
	}}
	for arm, weight := range p.weights {
		in.Experiment.Arms = append(in.Experiment.Arms, experiment.Arm{Key: string(rune('a' + arm)), Weight: weight})
	}
	for i, cells := range looks {
		at := began.AddDate(0, 0, i+1).Add(time.Minute) // looks follow what they were planned for
		look := metrics.Look{Number: i + 1, At: at, Watermark: at}
		for arm, pair := range cells {
			look.Arms = append(look.Arms, metrics.ArmCounts{Arm: arm, Exposed: pair.N, ClosedFirst: pair.N, ClosedDay: pair.N})
			look.Cells = append(look.Cells, metrics.Cell{Metric: p.metric, MetricVersion: 1, Arm: arm, Pair: pair})
		}
		in.Looks = append(in.Looks, look)
	}
	built := report.Build(in)
	return append(built.Primary, built.Secondary...)
}

// never is an interval that misses any truth.
func never(a *answer) { a.lower, a.upper = math.Inf(1), math.Inf(1) }

// Planned looks, by kind of metric, split and spending.

// plannedMethods are the plans of every design; the last, of which the bounds take most of
// the time, is that of two equal arms alone.
var plannedMethods = []struct {
	name     string
	spending experiment.Spending
	looks    int
}{
	{"O'Brien–Fleming, 5 looks", experiment.SpendingOBrienFleming, 5},
	{"Pocock, 5 looks", experiment.SpendingPocock, 5},
	{"O'Brien–Fleming, 14 looks", experiment.SpendingOBrienFleming, 14},
}

// plannedMetric is the metric of the catalogue that holds values of a population.
func (p population) plannedMetric() string {
	switch {
	case p.rate:
		return "start_success"
	case p.name == "stall ratio":
		return "bitrate" // a ratio of which more is better
	}
	return "watch_hours_per_viewer"
}

func plannedStudies(full bool) []study {
	var out []study
	for _, p := range populations() {
		for _, design := range []struct{ units, weights []int64 }{
			{[]int64{10_000, 10_000}, []int64{1, 1}},
			{[]int64{18_000, 2_000}, []int64{9, 1}},
			{[]int64{90_000, 10_000}, []int64{9, 1}},
			{[]int64{10_000, 10_000, 10_000}, []int64{1, 1, 1}},
			{[]int64{16_000, 2_000, 2_000}, []int64{8, 1, 1}},
		} {
			large := design.units[0] == 90_000
			if large && p.name == "lognormal σ = 2" || !full && (large || len(design.units) == 3 && p.name != "stall ratio") {
				continue // 100,000 lognormal values a run say what 20,000 say
			}
			out = append(out, plannedStudy(p, design.units, design.weights))
		}
	}
	return out
}

func plannedStudy(p population, units, weights []int64) study {
	const looks = 70 // 14 times 5
	total := int64(0)
	var words []string
	for _, n := range units {
		total += n
		words = append(words, thousands(int(n)))
	}
	lift := p.tableLift([2]int{int(units[0]), int(units[1])})
	s := study{name: p.name + ", " + strings.Join(words, " and "), looks: looks, runs: 2000, truth: [2]float64{0, lift}, severalRows: len(units) > 2}
	var plans []pipeline
	methods := plannedMethods
	if len(units) > 2 || units[0] != units[1] {
		methods = methods[:2]
	}
	for _, m := range methods {
		s.methods = append(s.methods, m.name)
		plans = append(plans, newPipeline(p.plannedMetric(), experiment.UnitViewer, weights, total).planned(m.spending, m.looks))
	}
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		var cells [2][]reportCells
		sums := make([][2]stats.Moments, len(units))
		for look := range looks {
			var at [2]reportCells
			for arm, n := range units {
				more := int(n)*(look+1)/looks - int(sums[arm][0].N)
				null, effect := p.draw(rng, more, lift)
				if arm != 1 { // the effect is that of the first treatment
					effect = null
				}
				for truth, batch := range []stats.Moments{null, effect} {
					sums[arm][truth].Merge(batch)
					m := sums[arm][truth]
					at[truth] = append(at[truth], stats.PairMoments{N: m.N, MeanY: m.Mean, LowY: m.Low, M2Y: m.M2, MeanX: 1})
				}
			}
			for truth := range at {
				cells[truth] = append(cells[truth], at[truth])
			}
		}
		for m := range plans {
			stride := looks / plannedMethods[m].looks
			for truth := range cells {
				var seen []reportCells
				for look := stride - 1; look < looks; look += stride {
					seen = append(seen, cells[truth][look])
				}
				plannedAnswers(plans[m].rows(seen), stride, s.truth[truth], func(look int, a answer) { say(m, truth, look, a) })
			}
		}
	}
	return s
}

// plannedAnswers reads the planned looks of all treatments' rows: any may alarm, and
// all have to hold their truth; of the effect only the first has any.
func plannedAnswers(rows []report.Row, stride int, truth float64, say func(look int, a answer)) {
	for i := range rows {
		for _, l := range rows[i].GroupSequential.Looks {
			a := answer{rejects: l.State != report.StateUnproven, hasInterval: true, lower: l.Lower, upper: l.Upper}
			if i > 0 && truth != 0 { // power and width are those of the arm with the effect
				if l.Lower <= 0 && l.Upper >= 0 {
					continue
				}
				a = answer{hasInterval: true}
				never(&a)
			}
			say(l.Look*stride-1, a)
		}
	}
}

// Broadcasters with Zipf audiences, through the report.

var reportClusterMethods = []string{
	"peeking, viewers as units", "plain ratio, any look", "plain ratio, planned looks", "report, any look", "report, planned looks",
	"refused at the end",
}

func reportClusterStudies(full bool) []study {
	var out []study
	for _, c := range []struct {
		clusters []int
		tail     float64
	}{
		{[]int{150, 150}, 1.2},
		{[]int{400, 400}, 1.2},
		{[]int{400, 400}, 1.5},
		{[]int{400, 400}, 2},
		{[]int{400, 400}, 3},
		{[]int{2000, 2000}, 1.2},
		{[]int{2000, 2000}, 1.5},
		{[]int{3600, 400}, 1.5},
		{[]int{3600, 400}, 3},
	} {
		if full || c.clusters[0] == 400 && c.tail < 3 {
			out = append(out, reportClusterStudy(c.clusters, c.tail, alikeBroadcasters(c.clusters)))
		}
	}
	return out
}

// unlikeClusterStudies are those of broadcasters that differ by a multiple.
func unlikeClusterStudies(full bool) []study {
	var out []study
	for _, clusters := range [][]int{{400, 400}, {2000, 2000}, {3600, 400}} {
		if full || clusters[1] == 2000 {
			out = append(out, reportClusterStudy(clusters, 1.5, unlikeBroadcasters(clusters)))
		}
		if full || clusters[0] == 400 {
			s := reportClusterStudy(clusters, 1.2, smallStallMore(clusters))
			s.name += ", sums alike"
			out = append(out, s)
		}
	}
	return out
}

// quality is what the viewers of broadcasters have on average.
type quality struct {
	lift float64 // of the effect
	// draw returns the mean of a broadcaster's viewers, without the effect and with it.
	draw func(rng *rand.Rand, size float64) (null, effect float64)
}

// effectOfClusters is the change, in standard deviations of a broadcaster, that is looked for.
func effectOfClusters(clusters []int) float64 {
	return 1.5 * 2.8 * math.Sqrt(1/float64(clusters[0])+1/float64(clusters[1]))
}

// alikeBroadcasters have means that differ by 3 %.
func alikeBroadcasters(clusters []int) quality {
	effect := between * effectOfClusters(clusters)
	return quality{effect / 10, func(rng *rand.Rand, size float64) (null, shifted float64) {
		null = 10 + between*rng.NormFloat64() + rng.NormFloat64()/math.Sqrt(size)
		return null, null + effect
	}}
}

// unlikeBroadcasters have means that are lognormal, σ = 1, as shares of time stalled are.
func unlikeBroadcasters(clusters []int) quality {
	lift := math.Sqrt(math.Expm1(1)) * effectOfClusters(clusters)
	return quality{lift, func(rng *rand.Rand, size float64) (null, effect float64) {
		null = math.Exp(rng.NormFloat64())
		return null, null * (1 + lift)
	}}
}

// smallStallMore have sums of the numerator that have nothing to do with the audience:
// only the denominators are those of giants.
func smallStallMore(clusters []int) quality {
	q := unlikeBroadcasters(clusters)
	draw := q.draw
	q.draw = func(rng *rand.Rand, size float64) (null, effect float64) {
		null, effect = draw(rng, size)
		return null / size, effect / size
	}
	return q
}

// between is the standard deviation of a broadcaster's own mean, around 10.
const between = 0.3

func reportClusterStudy(clusters []int, tail float64, of quality) study {
	const looks, most = 10, 5000
	total := int64(clusters[0] + clusters[1])
	s := study{
		name:    fmt.Sprintf("%s and %s broadcasters, audience ~ m^−%.1f", thousands(clusters[0]), thousands(clusters[1]), tail),
		methods: reportClusterMethods, looks: looks, runs: 2000, truth: [2]float64{0, of.lift},
		promised: func(method string) (alarms, interval bool) {
			safe := strings.HasPrefix(method, "report")
			return safe, safe
		},
	}
	weights := []int64{int64(clusters[0]), int64(clusters[1])}
	anytime := newPipeline("bitrate", experiment.UnitBroadcaster, weights, total)
	planned := anytime.planned(experiment.SpendingOBrienFleming, looks)
	// The same cells, taken for those of viewers.
	plain, plainPlanned := anytime, planned
	plain.unit, plainPlanned.unit = experiment.UnitViewer, experiment.UnitViewer
	s.run = func(rng *rand.Rand, say func(method, truth, look int, a answer)) {
		var viewers [3]stats.Moments
		var moments [3]stats.PairMoments
		var seen [2][]reportCells
		for look := range looks {
			for side, n := range clusters {
				for moments[side].N < int64(n*(look+1)/looks) {
					size := math.Ceil(math.Min(most, math.Pow(rng.Float64(), -1/tail)))
					null, effect := of.draw(rng, size)
					for arm, mean := range []float64{null, null, effect} {
						if (arm > 0) == (side == 1) {
							viewers[arm].AddN(mean, int64(size))
							moments[arm].Add(size*mean, size)
						}
					}
				}
			}
			for truth := range 2 {
				seen[truth] = append(seen[truth], reportCells{moments[0], moments[1+truth]})
				if e, err := stats.MeanLift(viewers[0], viewers[1+truth]); err == nil {
					a := sequenceAnswer(stats.AsympCS{Alpha: calibrationAlpha, NOpt: 40 * total}.TwoSided(e))
					a.lower, a.upper = math.Expm1(a.lower), math.Expm1(a.upper)
					say(0, truth, look, a)
				}
				newest := seen[truth][look:]
				if a, ok := rowAnswer(&plain.rows(newest)[0]); ok {
					say(1, truth, look, a)
				}
				a, ok := rowAnswer(&anytime.rows(newest)[0])
				if ok {
					say(3, truth, look, a)
				}
				say(5, truth, look, answer{rejects: !ok && look == looks-1})
			}
		}
		for truth := range seen {
			plannedAnswers(plainPlanned.rows(seen[truth]), 1, s.truth[truth], func(look int, a answer) { say(2, truth, look, a) })
			plannedAnswers(planned.rows(seen[truth]), 1, s.truth[truth], func(look int, a answer) { say(4, truth, look, a) })
		}
	}
	return s
}

// rowAnswer reads what a row proves at any look; false while it has no interval.
func rowAnswer(r *report.Row) (a answer, ok bool) {
	if r.Effect == nil {
		return answer{}, false
	}
	return answer{rejects: r.State != report.StateUnproven, hasInterval: true, lower: r.Effect.Lower, upper: r.Effect.Upper}, true
}
