package metrics

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// ImportedCustom reports whether a name is one of a custom quantity that can be
// imported.
func ImportedCustom(name string) bool {
	if key, ok := strings.CutPrefix(name, funnelSource); ok {
		return experiment.ValidKey(key)
	}
	var t Term
	return t.UnmarshalText([]byte(name)) == nil && t.IsCustom()
}

// custom sets a custom quantity, which a metric of the window must need: a name with
// a slip in it would be in no metric, and nobody would know.
func (b *importing) custom(definitions []Definition, w Window, name string, v float64) error {
	field := "custom." + name
	if !ImportedCustom(name) {
		return experiment.Invalidf(field, "is none of measure:NAME, stream_measure:NAME, event:NAME, value:NAME and funnel:KEY")
	}
	most, needed := needOf(definitions, w, name)
	switch {
	case !needed:
		return experiment.Invalidf(field, "no metric of the plan needs it in window %s", w)
	case math.IsNaN(v) || math.Abs(v) >= maxImported:
		return experiment.Invalidf(field, "must be a number below %g, not %v", float64(maxImported), v)
	case v < 0 && !strings.HasPrefix(name, SourceValue):
		return experiment.Invalidf(field, "must not be negative, as %v is", v)
	case v > most || v != math.Trunc(v) && (strings.HasPrefix(name, SourceEvent) || strings.HasPrefix(name, funnelSource)):
		return experiment.Invalidf(field, "must be a whole number up to %g, not %v", most, v)
	case strings.HasPrefix(name, SourceStreamMeasure) && b.unit != experiment.UnitBroadcaster:
		return experiment.Invalidf(field, "is of broadcasters; the units of the experiment are of type %s", b.unit)
	}
	in := b.window(w)
	in.custom = append(in.custom, CustomValue{name, v})
	return nil
}

// needOf returns whether a metric of the window needs a custom quantity, and the most
// that it can be: of a funnel its steps.
func needOf(definitions []Definition, w Window, name string) (most float64, needed bool) {
	for i := range definitions {
		d := &definitions[i]
		switch {
		case d.Window != w:
		case d.inOrder() && d.FromStep == 0 && funnelSource+d.Key == name:
			return float64(len(d.Steps)), true
		case !d.inOrder() && slices.ContainsFunc(d.terms(), func(t Term) bool { return t.Custom == name }):
			return maxImported, true
		}
	}
	return 0, false
}

// past returns the covariates that are given: unknown without any.
func (m *Imported) past(exp *experiment.Experiment) (Covariates, error) {
	if len(m.Past) == 0 {
		return Covariates{}, nil
	}
	if exp.Plan.Covariates.Days() == 0 {
		return Covariates{}, experiment.Invalidf("past", "the plan of the experiment adjusts nothing by the past: its covariates are off")
	}
	b := importing{byWindow: make(map[Window]*importedWindow, 1), unit: exp.Unit}
	for _, name := range slices.Sorted(maps.Keys(m.Past)) {
		q, ok := ParseQuantity(name)
		if !ok {
			return Covariates{}, experiment.Invalidf("past."+name, "is not a base quantity")
		}
		if err := b.set("", q, m.Past[name], "past."+name); err != nil {
			return Covariates{}, err
		}
	}
	in := b.window("")
	in.watched()
	if err := in.check("past."); err != nil {
		return Covariates{}, err
	}
	return Covariates{Known: true, History: true, Quantities: in.quantities}, nil
}
