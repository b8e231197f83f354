package launch

import (
	"errors"
	"math"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/planning"
	"github.com/splitcast/splitcast/stats"
)

// MetricPreview is a metric over the control arms of the last days.
type MetricPreview struct {
	Metric  metrics.Definition `json:"metric"`
	Preview metrics.Preview    `json:"preview"`
}

// baseline returns what planning needs; ok is false without a value.
func (p *MetricPreview) baseline() (planning.Baseline, bool) {
	arm := p.Preview.Shape.Arm
	if p.Preview.Shape.Refusal != "" || arm.Variance <= 0 || arm.Value == 0 {
		return planning.Baseline{}, false
	}
	return planning.Baseline{Mean: arm.Value, SD: math.Sqrt(arm.Variance)}, true
}

// Power is what the primary metric costs under each rule.
type Power struct {
	Metric string `json:"metric"`
	// Result is absent with the reason in Refusal.
	Result *planning.Result `json:"result,omitempty"`
	// Note says what the reader would not expect: that a quantile of a plan with
	// planned looks is decided at any look.
	Note    string `json:"note,omitempty"`
	Refusal string `json:"refusal,omitempty"`
}

// Main returns the cost under the rule that the report uses; false without one.
func (p *Power) Main() (planning.Cost, bool) {
	if p == nil || p.Result == nil {
		return planning.Cost{}, false
	}
	return p.Result.Rules[0], true
}

// TrafficCurve is the smallest lift that a plan of so many days finds with a share
// of the traffic.
type TrafficCurve struct {
	Share  float64             `json:"share"`
	Points []planning.DayPoint `json:"points"`
}

// curveShares are those of a careful ramp; curveDays is how far a curve goes.
var curveShares = [...]float64{0.01, 0.05, 0.1, 0.5}

const curveDays = 56

// Curves returns what can be found, day by day, at each share of the traffic under
// the plan's rule; none while the traffic is unknown. The lift falls with the root
// of the units, so that one point of the plan gives all others.
func (p *Power) Curves() []TrafficCurve {
	if p == nil || p.Result == nil || len(p.Result.Detectable) == 0 {
		return nil
	}
	request, known := &p.Result.Request, p.Result.Detectable[len(p.Result.Detectable)-1]
	out := make([]TrafficCurve, len(curveShares))
	for i, share := range curveShares {
		out[i].Share = share
		for day := int(math.Ceil(request.WindowDays)) + 1; day <= curveDays; day++ {
			units := (float64(day) - request.WindowDays) * request.UnitsPerDay * share
			if units < 1 {
				continue
			}
			out[i].Points = append(out[i].Points, planning.DayPoint{
				Days: day, Units: int64(units), MDE: known.MDE * math.Sqrt(float64(known.Units)/units),
			})
		}
	}
	return out
}

// planPower plans the first primary metric.
func planPower(in *Input) *Power {
	if len(in.Spec.Plan.Primary) == 0 {
		return nil
	}
	out := &Power{Metric: in.Spec.Plan.Primary[0]}
	preview, ok := in.Previews[out.Metric]
	if !ok {
		out.Refusal = "the metric was not previewed"
		return out
	}
	baseline, ok := preview.baseline()
	if !ok {
		out.Refusal = preview.Preview.Shape.Refusal
		if preview.Preview.Units == 0 {
			out.Refusal = "no unit of the control arm of an experiment had a value in the last days"
		}
		if out.Refusal == "" {
			out.Refusal = "the metric did not vary, or was zero, in the last days"
		}
		return out
	}
	request := planning.Request{
		Baseline: baseline, MDE: in.Spec.Plan.MDE, Alpha: in.Spec.Plan.Alpha, Power: in.Spec.Plan.Power,
		Weights: in.Spec.Weights(), Primary: len(in.Spec.Plan.Primary), WindowDays: windowDays(preview.Metric.Window),
		Method: stats.RuleKind(in.Spec.Plan.Method), Looks: in.Spec.Plan.Looks, Spending: string(in.Spec.Plan.Spending),
		Traffic: float64(finalSlots(&in.Spec)) / experiment.TotalSlots,
	}
	if request.Quantile = !preview.Metric.AtPlannedLooks(); request.Quantile && in.Spec.Plan.GroupSequential() {
		out.Note = preview.Metric.Name + " is a quantile. Planned looks do not decide quantiles: in this plan, too, it is decided at any look, and these are the units of that."
	}
	if in.Audience != nil {
		request.UnitsPerDay, _ = in.Audience.PerDay()
	}
	result, err := planning.Plan(request)
	if fault, ok := errors.AsType[*planning.Error](err); ok {
		out.Refusal = fault.Error()
		return out
	}
	if err != nil {
		out.Refusal = err.Error()
		return out
	}
	out.Result = result
	return out
}

func windowDays(w metrics.Window) float64 { return float64(w.Span()+w.Grace()) / float64(24*time.Hour) }

// finalSlots is what the experiment owns once its ramp is over.
func finalSlots(spec *experiment.Spec) int {
	if n := len(spec.Ramp); n > 0 {
		return max(spec.Slots, spec.Ramp[n-1].Slots)
	}
	return spec.Slots
}

// GuardrailPower is what it takes to prove that a guardrail is kept.
type GuardrailPower struct {
	Metric  string   `json:"metric"`
	Margin  float64  `json:"margin"`
	Units   *int64   `json:"units,omitempty"` // of all arms; absent with Refusal
	Days    *float64 `json:"days,omitempty"`  // with the traffic of the plan; absent when that is unknown
	Refusal string   `json:"refusal,omitempty"`
}

// planGuardrails plans one-sided sequential tests against the margins, for a
// change that does no harm at all.
func planGuardrails(in *Input) []GuardrailPower {
	out := make([]GuardrailPower, len(in.Spec.Plan.Guardrails))
	for i, g := range in.Spec.Plan.Guardrails {
		out[i] = GuardrailPower{Metric: g.Metric, Margin: g.Margin}
		preview, ok := in.Previews[g.Metric]
		if !ok {
			out[i].Refusal = "the metric was not previewed"
			continue
		}
		baseline, ok := preview.baseline()
		if !ok {
			out[i].Refusal = preview.Preview.Shape.Refusal
			if out[i].Refusal == "" {
				out[i].Refusal = "the metric did not vary, or was zero, in the last days"
			}
			continue
		}
		units, err := guardrailUnits(&in.Spec, baseline, g.Margin)
		if err != nil {
			out[i].Refusal = err.Error()
			continue
		}
		n := int64(math.Ceil(units))
		out[i].Units = &n
		if in.Audience == nil {
			continue
		}
		if perDay, ok := in.Audience.PerDay(); ok {
			days := units/(perDay*float64(finalSlots(&in.Spec))/experiment.TotalSlots) + windowDays(preview.Metric.Window)
			out[i].Days = &days
		}
	}
	return out
}

// guardrailUnits returns the units of all arms that the smallest treatment's test
// needs.
func guardrailUnits(spec *experiment.Spec, b planning.Baseline, margin float64) (float64, error) {
	weights := spec.Weights()
	total, least := int64(0), weights[1]
	for i, w := range weights {
		total += w
		if i > 0 {
			least = min(least, w)
		}
	}
	cv := b.SD / b.Mean
	pair := stats.Plan{UnitVariance: cv * cv, Power: spec.Plan.Power, Ratio: float64(least) / float64(weights[0])}
	units, err := pair.Units(stats.Rule{Kind: stats.RuleSequential, Alpha: spec.Plan.Alpha, OneSided: true}, margin)
	return units * float64(total) / float64(weights[0]+least), err
}
