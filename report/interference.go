package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/splitcast/splitcast/experiment"
)

// Influence is one way in which arms could reach one another, or another
// experiment this one. It is known from the design, never estimated: a comparison
// side by side cannot see what both sides share.
type Influence struct {
	Key    string `json:"key"`
	Title  string `json:"title"`
	Beware bool   `json:"beware"` // false: the design rules it out
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"`
}

// The ways.
const (
	InfluenceUnits      = "units"      // units of different arms that share something
	InfluenceSettings   = "settings"   // other experiments that set the same
	InfluenceConcurrent = "concurrent" // other experiments on the same units
)

// maxNamedExperiments bounds the other experiments that a sentence names.
const maxNamedExperiments = 6

// interference returns what the design and the other running experiments imply.
func (b *builder) interference() []Influence {
	return append([]Influence{b.unitInfluence()}, b.concurrent()...)
}

// unitInfluence says what units of different arms have in common.
func (b *builder) unitInfluence() Influence {
	in := Influence{Key: InfluenceUnits, Title: "Between the arms"}
	switch {
	case b.exp.Design == experiment.DesignSwitchback:
		in.Text = "Whole blocks of place and time have one arm, so that what viewers of a block share they share with their own arm. What outlasts a block is carried into the next."
	case b.exp.Unit == experiment.UnitBroadcaster:
		in.Text = "All viewers of a broadcaster have the same arm. Broadcasters still share edges and links with those of the other arms."
	case b.exp.Change == experiment.ChangeUI:
		in.Text = fmt.Sprintf("The plan says that only what people see and click changes: then what one %s gets does not reach the others over the network.", b.exp.Unit)
	case b.exp.Change.SharesLinks():
		in.Beware = true
		in.Text = fmt.Sprintf("Naive estimate, shared links: the plan says that the change alters how much traffic is sent (%s), and each %s has its own arm. ", b.exp.Change, b.exp.Unit) + sharedLinks
		in.Advice = "Run a switchback over regions or points of presence before everybody gets the change. Until then read direction, not size, and keep the share small."
	default:
		in.Beware = true
		in.Text = fmt.Sprintf("The plan does not say whether the change alters how much traffic is sent, and each %s has its own arm. If it does, this is a naive estimate. ", b.exp.Unit) + sharedLinks
		in.Advice = "For changes of bitrate, buffering, prefetch, congestion control or caching run a switchback over regions or points of presence. For a change that leaves traffic as it is, read on."
	}
	return in
}

// sharedLinks says what a comparison side by side cannot see (Spang et al., IMC 2021).
const sharedLinks = "Those who watch the same broadcast share its edges and last miles, so that one arm's gain may be the other's loss, " +
	"and the change for everybody may be smaller, or of the other sign. Nothing on this page can show that."

// concurrent says which other experiments units of this one may be in.
func (b *builder) concurrent() []Influence {
	own := settings(b.exp)
	var same, others []string
	for i := range b.in.Running {
		o := &b.in.Running[i]
		if o.Key == b.exp.Key || o.Unit != b.exp.Unit || o.Status != experiment.StatusRunning || o.LayerKey() == b.exp.LayerKey() {
			continue
		}
		others = append(others, o.Key)
		if shared := intersection(own, settings(o)); len(shared) > 0 {
			same = append(same, fmt.Sprintf("%s (%s)", o.Key, list(shared)))
		}
	}
	var out []Influence
	if len(same) > 0 {
		out = append(out, Influence{
			Key: InfluenceSettings, Title: "The same settings", Beware: true,
			Text:   "Other running experiments on the same units set what this one sets: " + named(same) + ". Which value a unit really gets depends on the service that reads both, and either effect may be that of the other.",
			Advice: "Put experiments on the same settings into one layer, so that no unit is in two of them.",
		})
	}
	if len(others) > 0 {
		out = append(out, Influence{
			Key: InfluenceConcurrent, Title: "At the same time",
			Text: fmt.Sprintf("Units may also be in %s. Their layers have salts of their own, so that their arms are spread evenly over the arms of this one: they add noise, and the effect is that of the change among what else runs.", named(others)),
		})
	}
	return out
}

// settings returns the names that the arms of an experiment set, sorted: those of
// values that are objects.
func settings(e *experiment.Experiment) []string {
	var out []string
	for i := range e.Arms {
		if !bytes.HasPrefix(bytes.TrimSpace(e.Arms[i].Value), []byte("{")) {
			continue
		}
		var value map[string]json.RawMessage
		if err := json.Unmarshal(e.Arms[i].Value, &value); err != nil {
			continue // values are checked when they are stored; what is no object sets no names
		}
		for name := range value {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

func intersection(a, b []string) []string {
	var out []string
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// named lists names, and how many more there are.
func named(names []string) string {
	if more := len(names) - maxNamedExperiments; more > 0 {
		return list(append(slices.Clone(names[:maxNamedExperiments]), fmt.Sprintf("%d more", more)))
	}
	return list(names)
}
