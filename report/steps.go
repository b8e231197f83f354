package report

import "github.com/splitcast/splitcast/metrics"

// Step is one step of a funnel: of those who reached the step before, the share
// that went on. Where the funnel as a whole moves, the steps tell where.
type Step struct {
	Number    int      `json:"number"` // from 2
	From      string   `json:"from"`   // quantity of the step before
	To        string   `json:"to"`
	Control   Value    `json:"control"`
	Treatment Value    `json:"treatment"`
	Effect    *Effect  `json:"effect,omitempty"`
	Refusal   *Refusal `json:"refusal,omitempty"`
}

// steps compares the steps of a funnel one by one, for the newest look; none of
// two steps, of which the row itself is the comparison. They explain the row, and
// are not tested.
func (b *builder) steps(q *question, arm int) []Step {
	d := q.definition
	if d.Kind != metrics.KindFunnel || len(d.Steps) < 3 {
		return nil
	}
	var out []Step
	for number := 2; number <= len(d.Steps); number++ {
		step, ok := d.Step(number)
		if !ok {
			return nil
		}
		alone := *q
		alone.definition = &step
		found := b.beside(&alone, cellKey{step.Key, step.Version, false, arm})
		out = append(out, Step{
			Number: number, From: d.Steps[number-2].String(), To: d.Steps[number-1].String(),
			Control: found.Control, Treatment: found.Treatment, Effect: found.Effect, Refusal: found.Refusal,
		})
	}
	return out
}
