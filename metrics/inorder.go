package metrics

import (
	"math"
	"slices"

	"github.com/splitcast/splitcast/telemetry"
)

// Order says whether the steps of a funnel of units are reached one after the other
// in time.
type Order string

// The orders. A definition that says nothing was stored before there was a choice,
// and means OrderAny.
const (
	// OrderStrict lets a unit reach a step by what happened at or after the moment at
	// which it reached the step before; of several ways the earliest counts.
	OrderStrict Order = "strict"
	// OrderAny lets a unit reach a step by what happened at any time in the window.
	OrderAny Order = "any"
)

// The custom quantities by which outcomes keep how far a unit came in a funnel whose
// steps are in order. No definition can name them.
const (
	funnelSource     = "funnel:"      // and its key: how many steps are known to be reached
	funnelOpenSource = "funnel_open:" // and its key: 1 where it is not known whether the next one was
)

// UnitMoment is when something first happened to a unit.
type UnitMoment struct {
	Unit string
	AtMs int64
}

// FirstEvents returns, for each window, of which a unit has one, when the first event
// of a name happened in it. Units without one have no row.
type FirstEvents func(name string, windows []UnitWindow) ([]UnitMoment, error)

// orderedFunnel is a funnel whose steps are in order.
type orderedFunnel struct {
	key   string
	steps []Term
}

// addFunnel adds a funnel, or the longer form of one: companions have fewer steps.
func (c *Customs) addFunnel(d *Definition) {
	key := d.funnelKey()
	at := slices.IndexFunc(c.funnels, func(f orderedFunnel) bool { return f.key == key })
	if at < 0 {
		at = len(c.funnels)
		c.funnels = append(c.funnels, orderedFunnel{key: key})
	}
	if len(d.Steps) > len(c.funnels[at].steps) {
		c.funnels[at].steps = d.Steps
	}
	for _, t := range d.Steps {
		if source, _ := t.split(); source != SourceEvent && !slices.Contains(c.marked, t) {
			c.marked = append(c.marked, t)
		}
	}
}

// termMarks are the moments at which a unit did what a term counts, in rising order.
type termMarks struct {
	known bool
	atMs  []int64
}

// Marks are those of one unit, by the terms that funnels need besides events. What a
// session or a broadcast tells is of the moment at which it began, as the server
// heard of it; what holds of the unit as a whole is of its exposure.
type Marks []termMarks

// Marks returns the marks of an outcome's unit: nil when no funnel needs them. They
// are of the same sessions and broadcasts that [Observe] counts.
func (c *Customs) Marks(closed *Closed, w Window, o *Outcome) Marks {
	if len(c.marked) == 0 {
		return nil
	}
	out := make(Marks, len(c.marked))
	for i, t := range c.marked {
		out[i].known = true
		if !t.IsCustom() && slices.Contains(ofWholeUnits[:], t.Base) && o.Quantities[t.Base] > 0 {
			out[i].atMs = []int64{closed.ExposedAt.UnixMilli()}
		}
	}
	for _, s := range countedSessions(closed, w) {
		var q Quantities
		q.add(s, closed.ClosesAt.UnixMilli())
		q[DistinctStarts] = q[Starts]
		out.add(c.marked, SourceMeasure, &q, s.Measures, s.Started, s.FirstRecvMs)
	}
	if closed.Broadcaster {
		streams := streamsOf(closed, w)
		if w == WindowFirst && len(streams) > 1 {
			streams = streams[:1]
		}
		for i := range streams {
			s := &streams[i]
			var q Quantities
			q.addStream(s)
			out.add(c.marked, SourceStreamMeasure, &q, s.Measures, s.wentLive(), s.firstRecvMs)
		}
	}
	for i := range out {
		slices.Sort(out[i].atMs)
	}
	return out
}

// ofWholeUnits are the quantities that no single session or broadcast tells.
var ofWholeUnits = [...]Quantity{Units, WatchUnits, LatencyUnits, LiveUnits, Returned, StreamedAgain}

// countedSessions returns the sessions that Observe counts.
func countedSessions(c *Closed, w Window) []*telemetry.Session {
	if w == WindowFirst {
		if first := earliest(c); first != nil {
			return []*telemetry.Session{first}
		}
		return nil
	}
	var out []*telemetry.Session
	within := w.bounds(c.ExposedAt)
	for i := range c.Sessions {
		if s := &c.Sessions[i]; within.hold(s) {
			out = append(out, s)
		}
	}
	return out
}

// add adds the marks of one session or broadcast that began at a moment: where its
// quantities, or its measures of the source, are above 0. A measure that it lacks is
// not known, unless nothing started in it.
func (m Marks) add(terms []Term, measures string, q *Quantities, told telemetry.Measures, started bool, atMs int64) {
	for i, t := range terms {
		source, name := t.split()
		value := 0.0
		switch source {
		case "":
			if !slices.Contains(ofWholeUnits[:], t.Base) {
				value = q[t.Base]
			}
		case measures:
			v, known := measureOf(told, name)
			m[i].known = m[i].known && (known || !started)
			value = v
		}
		if value > 0 {
			m[i].atMs = append(m[i].atMs, atMs)
		}
	}
}

// passage is how far a unit came in a funnel.
type passage struct {
	steps   int   // reached
	atMs    int64 // when the last of them was
	stopped bool  // it did not reach the next one, or
	open    bool  // it is not known whether it did
}

// AddFunnels adds to outcomes how far their units came in funnels whose steps are in
// order. marks are those of the outcomes; first tells of events.
func (c *Customs) AddFunnels(w Window, outcomes []Outcome, marks []Marks, first FirstEvents) error {
	for _, f := range c.funnels {
		passages := make([]passage, len(outcomes))
		for i := range passages {
			passages[i].atMs = math.MinInt64
		}
		for _, t := range f.steps {
			if source, name := t.split(); source == SourceEvent {
				if err := passEvents(w, outcomes, passages, name, first); err != nil {
					return err
				}
				continue
			}
			at := slices.Index(c.marked, t)
			for i := range passages {
				passages[i].pass(&marks[i][at])
			}
		}
		for i := range outcomes {
			o, p := &outcomes[i], &passages[i]
			o.Custom = append(o.Custom, CustomValue{funnelSource + f.key, float64(p.steps)})
			if p.open {
				o.Custom = append(o.Custom, CustomValue{funnelOpenSource + f.key, 1})
			}
		}
	}
	return nil
}

// pass goes on to a step that marks tell of.
func (p *passage) pass(m *termMarks) {
	switch at, _ := slices.BinarySearch(m.atMs, p.atMs); {
	case p.stopped || p.open:
	case !m.known:
		p.open = true
	case at == len(m.atMs):
		p.stopped = true
	default:
		p.steps, p.atMs = p.steps+1, m.atMs[at]
	}
}

// passEvents goes on to a step that is an event.
func passEvents(w Window, outcomes []Outcome, passages []passage, name string, first FirstEvents) error {
	var windows []UnitWindow
	var of []int
	for i := range outcomes {
		if passages[i].stopped || passages[i].open {
			continue
		}
		window := UnitWindowOf(&outcomes[i], w)
		window.FromMs = max(window.FromMs, passages[i].atMs)
		windows, of = append(windows, window), append(of, i)
		passages[i].stopped = true // unless there is one
	}
	if len(windows) == 0 {
		return nil
	}
	moments, err := first(name, windows)
	if err != nil {
		return err
	}
	atMs := make(map[string]int64, len(moments))
	for _, m := range moments {
		atMs[m.Unit] = m.AtMs
	}
	for _, i := range of {
		if at, ok := atMs[outcomes[i].Unit]; ok {
			passages[i] = passage{steps: passages[i].steps + 1, atMs: at}
		}
	}
	return nil
}
