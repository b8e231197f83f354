package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// Distribution is how all quantiles of a quantity moved in one treatment arm: for
// finding out whom a change reaches, the many or the few at the end. No verdict
// follows from it.
//
// Of every distribution of a report together, the chance that any interval of
// Levels is wrong at any look is at most half of the plan's alpha, and so is that
// of Shares.
type Distribution struct {
	MetricKey string   `json:"metric_key"` // the first metric of the plan that is a quantile of it
	Metrics   []string `json:"metrics"`    // the names of all that are
	Direction int      `json:"direction"`
	Unit      string   `json:"unit"`
	Arm       int      `json:"arm"`
	ArmKey    string   `json:"arm_key"`
	ArmName   string   `json:"arm_name"`
	Control   int64    `json:"control_n"` // units with a value
	Treatment int64    `json:"treatment_n"`
	Alpha     float64  `json:"alpha"` // of Levels, and of Shares
	// Zone is the change that does not matter, as a fraction of control: the margin
	// when the plan guards one of the metrics, else its smallest effect worth having.
	Zone    float64      `json:"zone"`
	Guarded bool         `json:"guarded,omitempty"` // Zone is a margin
	Levels  []LevelShift `json:"levels"`
	Shares  []ShareAt    `json:"shares"`
	Refusal *Refusal     `json:"refusal,omitempty"`
	Words   string       `json:"words"`
}

// LevelShift is how the quantile at a level moved. What is absent is not known: an
// end of an interval where too few units lie beyond it.
type LevelShift struct {
	Level     float64  `json:"level"`
	Control   *float64 `json:"control,omitempty"` // in the unit of the metric
	Treatment *float64 `json:"treatment,omitempty"`
	Shift     *float64 `json:"shift,omitempty"` // treatment over control, less 1
	Lower     *float64 `json:"lower,omitempty"` // at all levels and looks at once
	Upper     *float64 `json:"upper,omitempty"`
}

// Proven returns 1 when the shift is proven to lie above 0, -1 when below, else 0.
func (s *LevelShift) Proven() int {
	switch {
	case s.Lower != nil && *s.Lower > 0:
		return 1
	case s.Upper != nil && *s.Upper < 0:
		return -1
	}
	return 0
}

// ShareAt is the share of each arm's units at or below a value.
type ShareAt struct {
	Value           float64 `json:"value"`
	Control         float64 `json:"control"`
	ControlRadius   float64 `json:"control_radius"` // at all values and looks at once
	Treatment       float64 `json:"treatment"`
	TreatmentRadius float64 `json:"treatment_radius"`
}

// The settings of distributions. They are fixed before any data, or the bands
// would not hold at every look.
const (
	// DistributionMinUnits is the number of units of an arm from which bands of a
	// whole distribution are spoken of; with fewer they reach from end to end.
	DistributionMinUnits = 200
	// shareBandFactor is the factor of the band of a cdf, as its authors use it.
	shareBandFactor = 0.85
)

// distributionLevels returns the levels at which a distribution is compared, from
// p1 to p99.9, closer where live video hurts.
func distributionLevels() []float64 {
	return []float64{
		0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65,
		0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999,
	}
}

// distributions compares every quantity of which the plan asks for a quantile.
func (b *builder) distributions() []Distribution {
	out := []Distribution{}
	groups := b.quantileGroups()
	for _, g := range groups {
		for arm := 1; arm < len(b.exp.Arms); arm++ {
			// Half for the quantiles, half for the shares; then Bonferroni.
			alpha := b.plan.Alpha / 2 / float64(len(groups)*b.treatments())
			out = append(out, b.distribution(g, arm, alpha))
		}
	}
	return out
}

// quantileGroup is the metrics of a plan that are quantiles of the same values.
type quantileGroup struct {
	first   metrics.Definition
	names   []string
	zone    float64
	guarded bool
}

func (b *builder) quantileGroups() []quantileGroup {
	var out []quantileGroup
	for _, ask := range slices.Concat(b.asked(RolePrimary), b.asked(RoleGuardrail), b.asked(RoleSecondary)) {
		d, ok := b.history.definition(ask.metric)
		if !ok || d.Kind != metrics.KindQuantile {
			continue
		}
		at := slices.IndexFunc(out, func(g quantileGroup) bool {
			return g.first.Quotient == d.Quotient && g.first.Window == d.Window
		})
		if at < 0 {
			at = len(out)
			out = append(out, quantileGroup{first: d, zone: b.plan.MDE})
		}
		g := &out[at]
		if !slices.Contains(g.names, d.Name) {
			g.names = append(g.names, d.Name)
		}
		if ask.role == RoleGuardrail && (!g.guarded || ask.margin < g.zone) {
			g.zone, g.guarded = ask.margin, true
		}
	}
	return out
}

// distribution compares the histograms of the newest look.
func (b *builder) distribution(g quantileGroup, arm int, alpha float64) Distribution {
	out := Distribution{
		MetricKey: g.first.Key, Metrics: g.names, Direction: g.first.Direction, Unit: g.first.Unit,
		Arm: arm, ArmKey: b.exp.Arms[arm].Key, ArmName: b.exp.Arms[arm].Name,
		Alpha: alpha, Zone: g.zone, Guarded: g.guarded, Levels: []LevelShift{}, Shares: []ShareAt{},
	}
	hists, err := b.histograms(&g.first, arm)
	if err == nil {
		out.Control, out.Treatment = hists[0].Count(), hists[1].Count()
		out.Levels, err = levelShifts(hists, g.first.Scale, alpha, float64(b.pairUnits(arm))/2)
	}
	if err == nil {
		out.Shares, err = sharesAt(hists, g.first.Scale, alpha)
	}
	if err != nil {
		out.Refusal = refusalOf(err)
	}
	out.Words = distributionWords(&out, b.armLabel(arm))
	return out
}

// histograms returns those of control and treatment, ready to be compared.
func (b *builder) histograms(d *metrics.Definition, arm int) ([2]*stats.Histogram, error) {
	var out [2]*stats.Histogram
	cells := b.history.newest().Cells
	for i, of := range [2]int{0, arm} {
		c := cursor{key: cellKey{d.Key, d.Version, false, of}}
		cell := c.total(cells)
		if cell == nil || cell.Hist == nil || cell.Hist.Count() == 0 {
			return out, &stats.Refusal{Reason: CodeNoUnits, Message: "No unit of an arm has a value of this metric yet."}
		}
		out[i] = cell.Hist
	}
	if n := min(out[0].Count(), out[1].Count()); n < DistributionMinUnits {
		return out, &stats.Refusal{Reason: stats.BurnIn, Message: fmt.Sprintf(
			"The smaller arm has %d of the %d units needed before whole distributions can be compared.", n, DistributionMinUnits)}
	}
	return out, nil
}

// levelShifts returns the shift at every level. Each quantile of each arm has its
// exact sequence at an even part of alpha, so that all hold at once; the ratio of
// two that hold lies between the ratios of their ends.
func levelShifts(hists [2]*stats.Histogram, scale, alpha, planned float64) ([]LevelShift, error) {
	levels := distributionLevels()
	out := make([]LevelShift, 0, len(levels))
	for _, level := range levels {
		var in [2]stats.Interval
		var value [2]*float64
		for i, h := range hists {
			var err error
			in[i], err = stats.QuantileSequence{Nu: level, TOpt: max(1, planned), Alpha: alpha / float64(2*len(levels))}.Interval(h)
			if err != nil {
				return nil, err
			}
			if q, err := h.Quantile(level); err == nil { // a refusal leaves it unknown
				value[i] = known(q.Value * scale)
			}
		}
		s := LevelShift{Level: level, Control: value[0], Treatment: value[1]}
		if value[0] != nil && value[1] != nil && *value[0] > 0 {
			s.Shift = known(*value[1] / *value[0] - 1)
		}
		if in[1].Lower > 0 {
			s.Lower = known(in[1].Lower/in[0].Upper - 1)
		}
		if in[0].Lower > 0 {
			s.Upper = known(in[1].Upper/in[0].Lower - 1)
		}
		if math.IsInf(in[0].Upper, 1) {
			s.Lower = nil
		}
		out = append(out, s)
	}
	return out, nil
}

// known returns x, or nil when it is no number or too large to be an effect.
func known(x float64) *float64 {
	if !isFinite(x) || x > maxLift {
		return nil
	}
	return &x
}

// sharesAt returns the cdfs of both arms at values that the pooled units spread
// evenly, with bands that hold at all values (Howard and Ramdas 2022, theorem 2).
func sharesAt(hists [2]*stats.Histogram, scale, alpha float64) ([]ShareAt, error) {
	var radius [2]float64
	for i, h := range hists {
		var err error
		band := stats.EmpiricalProcessLIL{TMin: DistributionMinUnits, A: shareBandFactor}
		if radius[i], err = band.Bound(float64(h.Count()), alpha/2); err != nil {
			return nil, err
		}
	}
	pooled := hists[0].Clone()
	pooled.Merge(hists[1])
	var out []ShareAt
	grid, next := shareGrid(), 0
	pooled.Edges(func(edge float64, atOrBelow int64) bool {
		for next < len(grid) && float64(atOrBelow) >= grid[next]*float64(pooled.Count()) {
			next++
			if n := len(out); n > 0 && out[n-1].Value == edge*scale {
				continue
			}
			out = append(out, ShareAt{
				Value:   edge * scale,
				Control: hists[0].CountAtOrBelow(edge) / float64(hists[0].Count()), ControlRadius: radius[0],
				Treatment: hists[1].CountAtOrBelow(edge) / float64(hists[1].Count()), TreatmentRadius: radius[1],
			})
		}
		return next < len(grid)
	})
	return out, nil
}

// shareGrid returns the pooled shares at which cdfs are drawn: evenly, and towards
// the end of the tail by its logarithm.
func shareGrid() []float64 {
	grid := []float64{0.001, 0.005, 0.01, 0.025}
	for s := 5; s < 95; s += 5 {
		grid = append(grid, float64(s)/100)
	}
	for _, beyond := range []float64{0.05, 0.035, 0.025, 0.015, 0.01, 0.007, 0.005, 0.003, 0.002, 0.001, 0.0005} {
		grid = append(grid, 1-beyond)
	}
	return grid
}

// distributionWords says in a sentence where the quantiles moved.
func distributionWords(d *Distribution, arm string) string {
	head := d.Metrics[0] + " and all other quantiles, " + arm + ": "
	if d.Refusal != nil {
		return head + d.Refusal.Message
	}
	up, down := provenLevels(d.Levels, 1), provenLevels(d.Levels, -1)
	switch {
	case up == "" && down == "":
		return head + "at no level is a change proven so far."
	case down == "":
		return head + "proven higher at " + up + "."
	case up == "":
		return head + "proven lower at " + down + "."
	}
	return head + "proven lower at " + down + ", proven higher at " + up + "."
}

// provenLevels words the runs of levels with a change to one side.
func provenLevels(levels []LevelShift, side int) string {
	var runs []string
	for i := 0; i < len(levels); i++ {
		if levels[i].Proven() != side {
			continue
		}
		last := i
		for last+1 < len(levels) && levels[last+1].Proven() == side {
			last++
		}
		run := LevelName(levels[i].Level)
		if last > i {
			run += " to " + LevelName(levels[last].Level)
		}
		runs, i = append(runs, run), last
	}
	return list(runs)
}

// LevelName returns how people write a level: 0.95 is p95.
func LevelName(level float64) string {
	return "p" + strconv.FormatFloat(math.Round(1e6*level)/1e4, 'f', -1, 64)
}
