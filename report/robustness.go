package report

import (
	"fmt"
	"math"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// Robustness is whether a row says the same when its number is made another way.
// Only ways that were really computed, from the same look, are counted.
type Robustness struct {
	MetricKey  string    `json:"metric_key"`
	MetricName string    `json:"metric_name"`
	Role       Role      `json:"role"`
	Arm        int       `json:"arm"`
	ArmKey     string    `json:"arm_key"`
	State      State     `json:"state"` // of the row; where planned looks decide, what its interval of any look says
	Variants   []Variant `json:"variants"`
	Unchanged  int       `json:"unchanged"` // variants that are the Same
}

// Changed returns how many variants say something else than the row.
func (r *Robustness) Changed() int { return len(r.Variants) - r.Unchanged }

// Variant is one other way to make a number.
type Variant struct {
	Name  string `json:"name"`
	Text  string `json:"text"` // the estimate and its interval, or the odds
	State State  `json:"state"`
	// Same: it has the state of the row, and does not say the opposite.
	Same bool `json:"same"`
	// Opposite: the cap or the weight of each unit turns the sign of the estimate.
	Opposite bool   `json:"opposite,omitempty"`
	Note     string `json:"note,omitempty"` // what it means that it does
}

// robustness makes the numbers that may decide in other ways: those of primary
// metrics and guardrails that are known.
func (b *builder) robustness(r *Report) []Robustness {
	out := []Robustness{}
	for _, rows := range [][]Row{r.Primary, r.Guardrails} {
		for i := range rows {
			row := &rows[i]
			if row.Effect == nil {
				continue
			}
			x := Robustness{
				MetricKey: row.Metric.Key, MetricName: row.Metric.Name, Role: row.Role,
				Arm: row.Arm, ArmKey: row.ArmKey, State: row.anytimeState(), Variants: b.variants(row),
			}
			for _, v := range x.Variants {
				if v.Same {
					x.Unchanged++
				}
			}
			if len(x.Variants) > 0 {
				out = append(out, x)
			}
		}
	}
	return out
}

// anytimeState is the state of a row by its interval that holds at any look, which
// is what other ways to make its number have, too. Planned looks may have decided
// it otherwise.
func (r *Row) anytimeState() State {
	if r.GroupSequential == nil || r.Effect == nil {
		return r.State
	}
	return goalState(r.Metric.Direction, r.Effect.Band)
}

// variants returns what else was computed for a row.
func (b *builder) variants(row *Row) []Variant {
	var out []Variant
	own := row.anytimeState()
	add := func(name string, e *Effect) {
		if e == nil {
			return
		}
		state := row.stateOf(&answer{band: e.Band})
		out = append(out, Variant{Name: name, Text: effectWords(e), State: state, Same: state == own})
	}
	// beside adds what was made of other cells; when it does not agree it is known.
	beside := func(name string, u *Uncapped) {
		if add(name, u.Effect); !u.Agrees {
			v := &out[len(out)-1]
			v.Same, v.Opposite, v.Note = false, true, u.Note
		}
	}
	if row.Uncapped != nil {
		beside("without the cap", row.Uncapped)
	}
	if row.PerUnit != nil {
		beside("every unit weighed alike, not every hour", &row.PerUnit.Uncapped)
	}
	if row.Adjusted != nil {
		add("without the units' own past", row.Adjusted.Effect)
	}
	add(b.suspectsOtherwise(row))
	if v, ok := b.exactQuantile(row); ok {
		out = append(out, v)
	}
	return out
}

// signTurnedByCap is the note of a metric whose cap decides which way it goes.
const signTurnedByCap = "Without its cap the estimate has the other sign: a few extreme units decide which way it goes."

// exactQuantile tests a goal that is a quantile without any approximation. The
// test says whether the quantiles differ, which is not what a margin asks.
func (b *builder) exactQuantile(row *Row) (Variant, bool) {
	d, ok := b.history.definition(row.Metric.Key)
	if !ok || row.Margin != nil || d.Kind != metrics.KindQuantile {
		return Variant{}, false
	}
	hists, err := b.histograms(&d, row.Arm)
	if err != nil {
		return Variant{}, false
	}
	weights := b.exp.Weights()
	logE, err := stats.QuantileContrast{
		Nu: d.Level, NOpt: row.Explain.NOpt, Alpha: row.Explain.Alpha,
		Share: float64(weights[row.Arm]) / float64(weights[0]+weights[row.Arm]),
	}.Histograms(hists[0], hists[1])
	if err != nil {
		return Variant{}, false
	}
	v := Variant{Name: "exact test of counts, without a normal approximation", State: StateUnproven, Text: "odds " + odds(logE) + " against equal quantiles"}
	if logE >= -math.Log(row.Explain.Alpha) {
		v.State = sideState(d.Direction, row.Effect.Estimate)
	}
	v.Same = v.State == row.State
	return v, true
}

// sideState is the state of a proven change to the side of the estimate.
func sideState(direction int, estimate float64) State {
	switch {
	case direction == 0:
		return StateChanged
	case math.Signbit(estimate) == (direction < 0):
		return StateBetter
	}
	return StateWorse
}

// Summary says in words how many of all variants say the same as their row; empty when there is none.
func Summary(all []Robustness) string {
	same, total := 0, 0
	for _, r := range all {
		same += r.Unchanged
		total += len(r.Variants)
	}
	if total == 0 {
		return ""
	}
	return fmt.Sprintf("Unchanged in %d of %d", same, total)
}
