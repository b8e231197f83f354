package metrics

import (
	"math"
	"slices"

	"github.com/splitcast/splitcast/stats"
)

// PreviewDays is over how many days a metric is previewed: whole weeks hold each
// weekday equally often.
const PreviewDays = 7

// The tail of a sample.
const (
	tailShare    = 0.01 // of the units: those that decide what a mean can tell
	minTailUnits = 10   // fewer give an index that says nothing
)

// Preview says what a metric would be like, from outcomes that there are.
type Preview struct {
	Units    int64 `json:"units"`      // with a value of the metric
	Missing  int64 `json:"missing"`    // without: not observed, or below the unit floor
	Zeros    int64 `json:"zero_units"` // of Units, those whose numerator is 0
	Shape    Shape `json:"shape"`      // of the values of units
	Uncapped Shape `json:"uncapped"`   // the same without the cap, if there is one
	// Steps are the totals of a funnel's steps.
	Steps []StepTotal `json:"steps,omitempty"`
}

// Shape is how the values of units are spread.
type Shape struct {
	// Value is the metric in its unit; absent with the reason in Refusal.
	Value *float64 `json:"value,omitempty"`
	// Variance is that of a unit's contribution to Value, in its unit squared.
	Variance *float64 `json:"variance,omitempty"`
	Refusal  string   `json:"refusal,omitempty"`
	// TopShare is the part of the total that the top 1 % of the units hold.
	TopShare *float64 `json:"top_share,omitempty"`
	// TailIndex is the Hill estimate (Hill 1975) of the power with which the
	// upper tail falls, from the top 1 % of the units. At 2 or less the variance
	// has no limit: intervals stay too narrow however many units come, and the
	// metric needs a cap. Absent when the tail is too small or does not vary.
	TailIndex *float64 `json:"tail_index,omitempty"`
	TailUnits int      `json:"tail_units"` // that TailIndex rests on
	// Arm is Value and Variance in base quantities.
	Arm stats.Arm `json:"-"`
}

// StepTotal is how often a step of a funnel was reached.
type StepTotal struct {
	Step  Term    `json:"step"`
	Total float64 `json:"total"`
	Share float64 `json:"share"` // of the first step; 0 while that is 0
}

// Previewer adds the outcomes of a preview up.
type Previewer struct {
	d                Definition
	capped, uncapped shapeSums
	missing, zeros   int64
	steps            []float64
}

// NewPreviewer returns an empty preview of a definition.
func NewPreviewer(d Definition) *Previewer {
	return &Previewer{
		d: d, steps: make([]float64, len(d.Steps)),
		capped: newShapeSums(seriesOf(&d, false)), uncapped: newShapeSums(seriesOf(&d, true)),
	}
}

// Needs returns the base quantities that Add reads; see CustomsOf for others.
func (p *Previewer) Needs() []Quantity {
	var out []Quantity
	for _, t := range p.d.terms() {
		if !t.IsCustom() {
			out = append(out, t.Base)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Add adds a unit's outcome, of which the needed quantities are known.
func (p *Previewer) Add(o *Outcome) {
	y, ok := p.capped.add(o)
	if !ok {
		p.missing++
		return
	}
	p.uncapped.add(o)
	if y == 0 {
		p.zeros++
	}
	for i, step := range p.d.Steps {
		if p.capped.reach.to == 0 {
			p.steps[i] += o.Quantities[step.Base]
			continue
		}
		upTo := p.capped.reach
		upTo.to = i + 1
		if reached, _, ok := upTo.value(o); ok {
			p.steps[i] += reached
		}
	}
}

// AddMissing counts an outcome that does not hold the needed quantities.
func (p *Previewer) AddMissing() { p.missing++ }

// Preview returns what was added up.
func (p *Previewer) Preview() Preview {
	out := Preview{
		Units: p.capped.pair.N, Missing: p.missing, Zeros: p.zeros,
		Shape: p.capped.shape(&p.d), Uncapped: p.uncapped.shape(&p.d),
	}
	for i, step := range p.d.Steps {
		t := StepTotal{Step: step, Total: p.steps[i]}
		if p.steps[0] > 0 {
			t.Share = p.steps[i] / p.steps[0]
		}
		out.Steps = append(out.Steps, t)
	}
	return out
}

// shapeSums holds a series with its values.
type shapeSums struct {
	series
	pair   stats.PairMoments
	hist   stats.Histogram
	values []float64
}

func newShapeSums(s series) shapeSums { return shapeSums{series: s} }

func (s *shapeSums) add(o *Outcome) (value float64, ok bool) {
	y, x, ok := s.value(o)
	if !ok {
		return 0, false
	}
	s.pair.Add(y, x)
	s.values = append(s.values, y)
	if s.quantile {
		s.hist.Add(y)
	}
	return y, true
}

func (s *shapeSums) shape(d *Definition) Shape {
	out := Shape{}
	slices.Sort(s.values)
	n := len(s.values)
	k := int(math.Ceil(tailShare * float64(n)))
	if total := sum(s.values); total > 0 {
		top := sum(s.values[n-k:]) / total
		out.TopShare = &top
	}
	if alpha, ok := hill(s.values, k); ok {
		out.TailIndex, out.TailUnits = &alpha, k
	}
	var err error
	if out.Arm, err = s.arm(d); err != nil {
		out.Refusal = err.Error()
		return out
	}
	value, variance := out.Arm.Value*d.Scale, out.Arm.Variance*d.Scale*d.Scale
	out.Value, out.Variance = &value, &variance
	return out
}

// arm estimates the metric as a report does.
func (s *shapeSums) arm(d *Definition) (stats.Arm, error) {
	switch d.Kind.Estimator() {
	case KindQuantile:
		q, err := s.hist.Quantile(d.Level)
		if err != nil {
			return stats.Arm{}, err
		}
		return q.Arm(), nil
	case KindRatio:
		return s.pair.RatioArm()
	case KindProportion:
		y := s.pair.Y()
		return stats.Proportion{Successes: int64(math.Round((y.Mean + y.Low) * float64(y.N))), Trials: y.N}.Arm()
	}
	return s.pair.Y().Arm()
}

// hill returns the Hill estimate of the tail index from the k largest of sorted
// values: k over the sum of the logarithms of their ratios to the next smaller
// value. ok is false where that is not defined.
func hill(sorted []float64, k int) (alpha float64, ok bool) {
	n := len(sorted)
	if k < minTailUnits || k >= n || !(sorted[n-k-1] > 0) {
		return 0, false
	}
	logs := 0.0
	for _, v := range sorted[n-k:] {
		logs += math.Log(v / sorted[n-k-1])
	}
	return float64(k) / logs, logs > 0
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}
