package metrics

import (
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// Term is what a metric is made of: a base quantity, or a custom one that an
// application names. A custom quantity needs no change of the program and none of
// storage: it is told by the measures of heartbeats and by the events of units.
type Term struct {
	Base   Quantity // when Custom is empty
	Custom string   // source and name, "event:follow"
}

// BaseTerm returns the term of a base quantity.
func BaseTerm(q Quantity) Term { return Term{Base: q} }

// The sources of custom quantities, which begin their names.
const (
	// SourceMeasure is the sum of a custom counter of heartbeats over the unit's
	// sessions in the window. It is known when every session that started reports
	// the counter; of a unit without sessions it is 0.
	SourceMeasure = "measure:"
	// SourceStreamMeasure is the same of a custom counter of broadcasts, for
	// broadcasters: known when every broadcast that went live reports it.
	SourceStreamMeasure = "stream_measure:"
	// SourceEvent is how many events of a name the unit had in the window. It is
	// always known: what no service sent did not happen.
	SourceEvent = "event:"
	// SourceValue is the sum of the values of those events.
	SourceValue = "value:"
)

var sources = [...]string{SourceMeasure, SourceStreamMeasure, SourceEvent, SourceValue}

// Sources returns the sources of custom quantities.
func Sources() [len(sources)]string { return sources }

// split returns source and name of a custom quantity; both are empty for a base
// quantity.
func (t Term) split() (source, name string) {
	for _, s := range sources {
		if name, ok := strings.CutPrefix(t.Custom, s); ok {
			return s, name
		}
	}
	return "", ""
}

// Is reports whether t is the base quantity.
func (t Term) Is(q Quantity) bool { return t.Custom == "" && t.Base == q }

// IsCustom reports whether t is no base quantity.
func (t Term) IsCustom() bool { return t.Custom != "" }

// String returns the name, as in definitions.
func (t Term) String() string {
	if t.IsCustom() {
		return t.Custom
	}
	return t.Base.String()
}

// MarshalText writes the name.
func (t Term) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a name. It returns an UnknownQuantityError for any other text.
func (t *Term) UnmarshalText(b []byte) error {
	if q, ok := ParseQuantity(string(b)); ok {
		*t = BaseTerm(q)
		return nil
	}
	custom := Term{Custom: string(b)}
	if source, name := custom.split(); source == "" || !experiment.ValidKey(name) {
		return &UnknownQuantityError{Name: string(b)}
	}
	*t = custom
	return nil
}

// of returns the value of an outcome; ok is false for a custom quantity that is
// not known of the unit.
func (t Term) of(o *Outcome) (value float64, ok bool) {
	if t.Custom == "" {
		return o.Quantities[t.Base], true
	}
	for i := range o.Custom {
		if o.Custom[i].Name == t.Custom {
			return o.Custom[i].Value, true
		}
	}
	return 0, false
}

// Counts reports whether t counts things one by one: such a quotient is a number
// of something.
func (t Term) Counts() bool {
	if !t.IsCustom() {
		return t.Base.Counts()
	}
	return !strings.HasPrefix(t.Custom, SourceValue)
}

// OfBroadcasts reports whether only broadcasters have t.
func (t Term) OfBroadcasts() bool {
	if !t.IsCustom() {
		return t.Base.OfBroadcasts()
	}
	return strings.HasPrefix(t.Custom, SourceStreamMeasure)
}

// underCustom are the base quantities that a custom one may be divided by: sums
// over the whole of a unit, so that it does not matter which sessions told of it.
// Play and live time are 0 where they are not known, and divide nothing then.
var underCustom = []Quantity{Units, WatchMs, LiveMs, Attempts, Starts, DistinctStarts, LiveStreams}

// Over returns the base quantities that t may be divided by. A custom quantity
// may be divided by any other custom one, too.
func (t Term) Over() []Quantity {
	if t.IsCustom() {
		return underCustom
	}
	return t.Base.Over()
}

// tiers returns the telemetry tiers that can observe t.
func (t Term) tiers() string {
	source, _ := t.split()
	switch source {
	case "":
		return t.Base.tiers()
	case SourceMeasure, SourceStreamMeasure:
		return "A"
	}
	return "ABCD"
}
