package web

import (
	"net/url"
	"slices"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// launchPage is the form ready for the template.
type launchPage struct {
	Chrome
	Base, Planner string
	Faults        []string // those that no field shows
	About         []launchField
	Units         []option
	Traffic       []launchField
	Rules         []launchRow
	Arms          []launchRow
	Primary       []option
	PrimaryFault  string
	Secondary     []option
	Guardrails    []launchRow
	Plan          []launchField
}

// launchField is one input.
type launchField struct {
	Name, Label, Hint, Value, Error, Type string
	Options                               []option // a choice instead of an input
	Long, Required                        bool
}

// launchRow is a line of inputs.
type launchRow struct {
	Label  string
	Fields []launchField
}

// launchOps are the comparisons in the order in which they are offered.
var launchOps = []struct {
	op   experiment.Op
	text string
}{
	{experiment.OpEq, "is"},
	{experiment.OpNe, "is not"},
	{experiment.OpIn, "is one of"},
	{experiment.OpNotIn, "is none of"},
	{experiment.OpGe, "at least"},
	{experiment.OpGt, "more than"},
	{experiment.OpLe, "at most"},
	{experiment.OpLt, "less than"},
	{experiment.OpSemverGe, "version at least"},
	{experiment.OpSemverLt, "version below"},
	{experiment.OpSemverEq, "version is"},
	{experiment.OpContains, "contains"},
	{experiment.OpStartsWith, "starts with"},
	{experiment.OpEndsWith, "ends with"},
	{experiment.OpPresent, "is there"},
	{experiment.OpAbsent, "is not there"},
}

// newLaunchPage prepares the form with what was typed.
func newLaunchPage(v LaunchView) launchPage {
	p := launchPage{Chrome: v.Chrome, Base: v.Base, Planner: v.Planner}
	b := launchBuilder{form: v.Form, faults: map[string]string{}, shown: map[string]bool{}}
	if b.form == nil {
		b.form = launchDefaults()
	}
	for _, f := range v.Faults {
		if b.faults[f.Field] == "" {
			b.faults[f.Field] = f.Message
		}
	}
	p.About = []launchField{
		b.required(fieldName, "Name", "as people call it"),
		b.field(fieldKey, "Key", "what services ask for; made of the name if left empty"),
		b.field(fieldOwner, "Owner", "a person or a team"),
		b.long(fieldWhy, "Hypothesis", "what changes, for whom, and why"),
	}
	for _, u := range []experiment.UnitType{experiment.UnitViewer, experiment.UnitDevice, experiment.UnitBroadcaster, experiment.UnitSession} {
		p.Units = append(p.Units, option{Value: string(u), Text: string(u), Selected: b.form.Get(fieldUnit) == string(u)})
	}
	p.Traffic = []launchField{
		b.field(fieldShare, "Share of the layer, %", "it can grow later; nobody moves"),
		b.field(fieldLayer, "Layer", "name one to keep experiments on the same thing apart; left empty: its own"),
	}
	for i := range launchRules {
		p.Rules = append(p.Rules, launchRow{Fields: []launchField{
			b.field(ruleField(i, "attr"), "Attribute", ""), b.choice(ruleField(i, "op"), "Comparison", opOptions(b.form.Get(ruleField(i, "op")))),
			b.field(ruleField(i, "value"), "Value", ""),
		}})
	}
	for i := range launchArms {
		label := "Control"
		if i > 0 {
			label = "Treatment " + count(i)
		}
		p.Arms = append(p.Arms, launchRow{Label: label, Fields: []launchField{
			b.field(armField(i, "key"), "Key", ""), b.field(armField(i, "name"), "Name", ""),
			b.field(armField(i, "weight"), "Weight", ""), b.field(armField(i, "value"), "Value, JSON", ""),
		}})
	}
	p.Primary, p.PrimaryFault = b.metrics(v.Metrics, fieldPrimary), b.fault(fieldPrimary)
	p.Secondary = b.metrics(v.Metrics, fieldSecondary)
	for i := range launchGuardrails {
		name := guardField(i, "metric")
		options := append([]option{{Text: "none"}}, b.metrics(v.Metrics, name)...)
		p.Guardrails = append(p.Guardrails, launchRow{Fields: []launchField{
			b.choice(name, "Metric", options), b.field(guardField(i, "margin"), "Margin, %", ""),
		}})
	}
	p.Plan = []launchField{
		b.field(fieldMDE, "Smallest lift worth finding, %", "of control's value"),
		b.field(fieldUnits, "Planned units", "where the intervals are tightest; ask the planner"),
		b.date(fieldEnd, "Planned end", "optional"),
	}
	for _, f := range v.Faults {
		if !b.shown[f.Field] {
			p.Faults = append(p.Faults, f.Error())
		}
	}
	return p
}

func opOptions(chosen string) []option {
	out := make([]option, len(launchOps))
	for i, o := range launchOps {
		out[i] = option{Value: string(o.op), Text: o.text, Selected: string(o.op) == chosen}
	}
	return out
}

// launchBuilder makes fields of the form and its faults.
type launchBuilder struct {
	form   url.Values
	faults map[string]string
	shown  map[string]bool // faults that a field shows
}

func (b *launchBuilder) fault(name string) string {
	b.shown[name] = true
	return b.faults[name]
}

func (b *launchBuilder) field(name, label, hint string) launchField {
	return launchField{Name: name, Label: label, Hint: hint, Value: b.form.Get(name), Error: b.fault(name), Type: "text"}
}

func (b *launchBuilder) required(name, label, hint string) launchField {
	f := b.field(name, label, hint)
	f.Required = true
	return f
}

func (b *launchBuilder) long(name, label, hint string) launchField {
	f := b.field(name, label, hint)
	f.Long = true
	return f
}

func (b *launchBuilder) date(name, label, hint string) launchField {
	f := b.field(name, label, hint)
	f.Type = "date"
	return f
}

func (b *launchBuilder) choice(name, label string, options []option) launchField {
	f := b.field(name, label, "")
	f.Options = options
	return f
}

// metrics offers the metrics, with those chosen that the field names.
func (b *launchBuilder) metrics(all []metrics.Definition, name string) []option {
	out := make([]option, len(all))
	for i := range all {
		out[i] = option{Value: all[i].Key, Text: all[i].Name, Selected: slices.Contains(b.form[name], all[i].Key)}
	}
	return out
}
