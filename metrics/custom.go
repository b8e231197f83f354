package metrics

import (
	"slices"

	"github.com/splitcast/splitcast/telemetry"
)

// CustomValue is a custom quantity of an outcome. One that is not there is not
// known.
type CustomValue struct {
	Name  string  `json:"name"` // as of Term.Custom
	Value float64 `json:"value"`
}

// UnitWindow is the time of one unit that is asked about.
type UnitWindow struct {
	Unit         string
	FromMs, ToMs int64 // [from, to)
	// KnownMs leaves out what was received later, so that the answer does not
	// depend on when it is asked for: the moment the window closed.
	KnownMs int64
}

// MaxUnitWindows bounds one question about windows: several pages of outcomes.
const MaxUnitWindows = 2 * outcomeChunk

// UnitSum is what the events of one name add up to in a window.
type UnitSum struct {
	Unit string
	Name string
	N    int64
	Sum  float64 // of the values given
}

// UnitWindowOf returns the time in which events of the outcome's unit count.
func UnitWindowOf(o *Outcome, w Window) UnitWindow {
	b := w.bounds(o.ExposedAt)
	return UnitWindow{Unit: o.Unit, FromMs: b.fromMs, ToMs: b.toMs, KnownMs: o.ClosesAt.UnixMilli()}
}

// Customs are the custom quantities that a window's metrics need.
type Customs struct {
	measures, streamMeasures []string // names
	events                   []string // names of events that are counted or summed
	terms                    []Term   // of events
	funnels                  []orderedFunnel
	marked                   []Term // steps of funnels that are no events
}

// CustomsOf returns the custom quantities of definitions.
func CustomsOf(definitions ...Definition) Customs {
	var c Customs
	for i := range definitions {
		if definitions[i].inOrder() {
			c.addFunnel(&definitions[i])
			continue
		}
		for _, t := range definitions[i].terms() {
			c.add(t)
		}
	}
	return c
}

func (c *Customs) add(t Term) {
	source, name := t.split()
	into := &c.events
	switch source {
	case "":
		return
	case SourceMeasure:
		into = &c.measures
	case SourceStreamMeasure:
		into = &c.streamMeasures
	default:
		if !slices.Contains(c.terms, t) {
			c.terms = append(c.terms, t)
		}
	}
	if !slices.Contains(*into, name) {
		*into = append(*into, name)
	}
}

// Events returns the names of the events that are needed.
func (c *Customs) Events() []string { return c.events }

// EventNames returns the names of all events that are needed, those of funnels in order
// included.
func (c *Customs) EventNames() []string {
	names := slices.Clone(c.events)
	for i := range c.funnels {
		for _, t := range c.funnels[i].steps {
			if source, name := t.split(); source == SourceEvent {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Funnels reports whether there are funnels whose steps are in order.
func (c *Customs) Funnels() bool { return len(c.funnels) > 0 }

// Sessions reports whether sessions or broadcasts are needed, for their custom
// counters or for the marks of funnels.
func (c *Customs) Sessions() bool { return len(c.measures)+len(c.streamMeasures)+len(c.marked) > 0 }

// Observe adds to an outcome the custom counters that are known of its unit: of
// the same sessions and broadcasts that [Observe] counts.
func (c *Customs) Observe(closed *Closed, w Window, o *Outcome) {
	for _, name := range c.measures {
		if v, ok := measured(closed, w, name); ok {
			o.Custom = append(o.Custom, CustomValue{SourceMeasure + name, v})
		}
	}
	if len(c.streamMeasures) == 0 || !closed.Broadcaster {
		return
	}
	streams := streamsOf(closed, w)
	for _, name := range c.streamMeasures {
		if v, ok := streamMeasured(streams, name); ok {
			o.Custom = append(o.Custom, CustomValue{SourceStreamMeasure + name, v})
		}
	}
}

// measured sums a counter over the sessions in the window.
func measured(c *Closed, w Window, name string) (sum float64, ok bool) {
	if w == WindowFirst {
		first := earliest(c)
		if first == nil {
			return 0, true
		}
		value, known := measureOf(first.Measures, name)
		return value, known || !first.Started
	}
	within := w.bounds(c.ExposedAt)
	for i := range c.Sessions {
		s := &c.Sessions[i]
		if !within.hold(s) {
			continue
		}
		value, known := measureOf(s.Measures, name)
		if !known && s.Started {
			return 0, false // a sum is known only when all of it is
		}
		sum += value
	}
	return sum, true
}

// streamMeasured sums a counter over broadcasts.
func streamMeasured(streams []stream, name string) (sum float64, ok bool) {
	for i := range streams {
		value, known := measureOf(streams[i].Measures, name)
		if !known && streams[i].wentLive() {
			return 0, false
		}
		sum += value
	}
	return sum, true
}

// measureOf returns one of the counters.
func measureOf(m telemetry.Measures, name string) (value float64, ok bool) {
	for _, one := range m.List() {
		if one.Name == name {
			return one.Value, true
		}
	}
	return 0, false
}

// AddEvents adds to outcomes what the events of their units in the window add up
// to: 0 where there are no sums.
func (c *Customs) AddEvents(outcomes []Outcome, sums []UnitSum) {
	type key struct{ unit, name string }
	by := make(map[key]*UnitSum, len(sums))
	for i := range sums {
		by[key{sums[i].Unit, sums[i].Name}] = &sums[i]
	}
	for i := range outcomes {
		o := &outcomes[i]
		for _, t := range c.terms {
			source, name := t.split()
			value := CustomValue{Name: t.Custom}
			if sum := by[key{o.Unit, name}]; sum != nil {
				value.Value = sum.Sum
				if source == SourceEvent {
					value.Value = float64(sum.N)
				}
			}
			o.Custom = append(o.Custom, value)
		}
	}
}
