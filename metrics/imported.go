package metrics

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// maxImported bounds an imported number: float64 holds the whole numbers below it.
const maxImported = 1 << 53

// Imported is what somebody else measured of a unit.
type Imported struct {
	// Window is that of Quantities; empty is WindowDay. Values have the window of
	// their metric.
	Window Window `json:"window,omitempty"`
	// Quantities are base quantities by name. Those that are absent are not
	// observed: metrics over them do not have the unit.
	Quantities map[string]float64 `json:"quantities,omitempty"`
	// Values are values of metrics by key, in the unit in which reports show them: of
	// means, quantiles and, 0 or 1, proportions. They are taken as they are; no cap
	// is applied but that of a day's watch time.
	Values map[string]float64 `json:"values,omitempty"`
	// Custom are custom quantities of Window by name that metrics of the plan need
	// (measure:NAME, stream_measure:NAME, event:NAME, value:NAME), and as funnel:KEY
	// how many steps of a funnel in order the unit reached. Those that are absent are
	// not known.
	Custom map[string]float64 `json:"custom,omitempty"`
	// Past are base quantities by name of the days before the exposure, by which
	// effects are adjusted. A unit without any has no past.
	Past map[string]float64 `json:"past,omitempty"`
}

// Measured is what is imported of a unit in a window.
type Measured struct {
	Quantities Quantities
	Custom     []CustomValue // by name
	Covariates Covariates
}

// Outcomes returns what was measured by window. definitions are those of the
// experiment. It returns experiment.Errors of CodeInvalid that name the field.
func (m *Imported) Outcomes(definitions []Definition, exp *experiment.Experiment) (map[Window]*Measured, error) {
	if len(m.Quantities)+len(m.Values)+len(m.Custom) == 0 {
		return nil, experiment.Invalidf("quantities", "the unit has neither quantities, nor values, nor custom quantities")
	}
	b := importing{byWindow: make(map[Window]*importedWindow, WindowCount), unit: exp.Unit}
	w := m.Window
	if w == "" {
		w = WindowDay
	}
	if !w.Valid() {
		return nil, experiment.Invalidf("window", "must be first, day, return_d1, return_d7 or return_K_L, not %q", string(w))
	}
	for _, name := range slices.Sorted(maps.Keys(m.Quantities)) {
		q, ok := ParseQuantity(name)
		if !ok {
			return nil, experiment.Invalidf("quantities."+name, "is not a base quantity")
		}
		if err := b.set(w, q, m.Quantities[name], "quantities."+name); err != nil {
			return nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.Values)) {
		at := slices.IndexFunc(definitions, func(d Definition) bool { return d.Key == key })
		if at < 0 {
			return nil, experiment.Invalidf("values."+key, "the plan of the experiment has no such metric")
		}
		if err := b.value(&definitions[at], m.Values[key]); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Custom)) {
		if err := b.custom(definitions, w, name, m.Custom[name]); err != nil {
			return nil, err
		}
	}
	past, err := m.past(exp)
	if err != nil {
		return nil, err
	}
	return b.finish(past)
}

// importedWindow is what is known of one window.
type importedWindow struct {
	quantities Quantities
	given      [QuantityCount]bool
	custom     []CustomValue
}

// importing gathers the quantities of one unit.
type importing struct {
	byWindow map[Window]*importedWindow
	unit     experiment.UnitType
}

// window returns what is known of a window, in which the unit is one.
func (b *importing) window(w Window) *importedWindow {
	in := b.byWindow[w]
	if in == nil {
		in = &importedWindow{}
		in.quantities[Units], in.given[Units] = 1, true
		b.byWindow[w] = in
	}
	return in
}

func (b *importing) set(w Window, q Quantity, v float64, field string) error {
	switch {
	case !(v >= 0 && v < maxImported): // false for NaN
		return experiment.Invalidf(field, "must be a number from 0 to %g, not %v", float64(maxImported), v)
	case q.OfBroadcasts() && b.unit != experiment.UnitBroadcaster:
		return experiment.Invalidf(field, "is of broadcasters; the units of the experiment are of type %s", b.unit)
	case q == Units && v != 1:
		return experiment.Invalidf(field, "is 1 of every unit, not %v", v)
	}
	in := b.window(w)
	if in.given[q] && in.quantities[q] != v {
		return experiment.Invalidf(field, "gives %s as %v, which is %v already", q, v, in.quantities[q])
	}
	in.quantities[q], in.given[q] = v, true
	return nil
}

// value sets the quantities that make the metric's value of one unit.
func (b *importing) value(d *Definition, v float64) error {
	field := "values." + d.Key
	switch {
	case d.Numerator.IsCustom() || d.Denominator.IsCustom():
		return experiment.Invalidf(field, "is made of %s and %s; give these as quantities", d.Numerator, d.Denominator)
	case d.Kind.Estimator() == KindRatio || !d.Denominator.Base.Counts():
		return experiment.Invalidf(field, "is a quotient of sums; give %s and %s as quantities", d.Numerator, d.Denominator)
	case d.Kind.Estimator() == KindProportion && v != 0 && v != 1:
		return experiment.Invalidf(field, "is 0 or 1 of a unit, not %v", v)
	}
	base := v / d.Scale
	if d.Kind.Estimator() == KindProportion {
		base = v // 0 or 1, not per cent
	}
	if whole := math.Round(base); math.Abs(base-whole) <= 1e-9*math.Max(1, whole) {
		base = whole // what was written in hours is whole in milliseconds
	}
	capped := base
	if d.Numerator.Is(WatchMs) {
		capped = min(base, WatchCapMs)
	}
	quotients := []Quotient{d.Quotient}
	if d.Uncapped != nil {
		quotients = append(quotients, *d.Uncapped)
	}
	for i, q := range quotients {
		if i > 0 {
			capped = base
		}
		if err := b.set(d.Window, q.Denominator.Base, 1, field); err != nil {
			return err
		}
		if err := b.set(d.Window, q.Numerator.Base, capped, field); err != nil {
			return err
		}
	}
	return nil
}

// finish fills in what follows from what is given, and refuses numerators of which no denominator is
// known: they would be in no metric, which nobody could have meant.
func (b *importing) finish(past Covariates) (map[Window]*Measured, error) {
	out := make(map[Window]*Measured, len(b.byWindow))
	for w, in := range b.byWindow {
		in.watched()
		if !in.given[CoveredAttempts] && !in.given[Attempts] {
			// Telemetry that was not needed is not missing: trust checks compare it.
			in.quantities[CoveredAttempts], in.given[CoveredAttempts] = 1, true
		}
		if err := in.check("quantities."); err != nil {
			return nil, err
		}
		out[w] = &Measured{Quantities: in.quantities, Custom: in.custom, Covariates: past}
	}
	return out, nil
}

// watched knows that the time watched is known of a unit of which it is given.
func (in *importedWindow) watched() {
	if (in.given[WatchMs] || in.given[WatchMsUncapped]) && !in.given[WatchUnits] {
		in.quantities[WatchUnits], in.given[WatchUnits] = 1, true
	}
}

// check refuses what is given without what it is divided by.
func (in *importedWindow) check(prefix string) error {
	for q := range Quantity(QuantityCount) {
		if in.given[q] && !in.divided(q) {
			return experiment.Invalidf(prefix+q.String(), "needs what it is divided by: %s", oneOf(q.Over()))
		}
	}
	return nil
}

// divided reports whether a quantity can be in a metric: what it is divided by is
// given, or something that is divided by it.
func (in *importedWindow) divided(q Quantity) bool {
	if len(q.Over()) == 0 {
		return true
	}
	for other := range Quantity(QuantityCount) {
		if in.given[other] && (slices.Contains(q.Over(), other) || slices.Contains(other.Over(), q)) {
			return true
		}
	}
	return false
}

func oneOf(list []Quantity) string {
	names := make([]string, len(list))
	for i, q := range list {
		names[i] = q.String()
	}
	return strings.Join(names, " or ")
}
