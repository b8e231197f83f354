package web

import (
	"cmp"
	"net/url"
	"slices"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/metrics"
)

// LaunchView is a step of the launch wizard, with what is known about the
// experiment so far.
type LaunchView struct {
	Chrome
	Base    string // address where a draft begins; drafts are below it
	Draft   string // id; empty: nothing is kept yet
	Step    launch.Step
	Form    url.Values        // as it was sent; nil: the first visit
	Spec    experiment.Spec   // what the form says
	Faults  experiment.Errors // what is wrong with it, in any step
	SavedAt time.Time
	Now     time.Time
	Metrics []metrics.Definition
	// Assessment is filled in as far as the step needs it, Previews likewise.
	Assessment launch.Assessment
	Previews   map[string]launch.MetricPreview
	Drafts     []LaunchDraft // of the reader, on the first visit
	// Stored are experiments that are stored and not launched, on the first visit.
	Stored     []experiment.Experiment
	Document   string // the experiment as `splitcast apply` takes it
	Planner    string // address of the planner; empty: there is none
	Catalogue  string // address of the metric catalogue
	Experiment string // address below which experiments are
	Reviewed   bool   // launches need a second person
}

// LaunchDraft is a draft to go on with.
type LaunchDraft struct {
	Name, URL, Discard string
	At                 time.Time
}

// launchPage is a step ready for the template.
type launchPage struct {
	Chrome
	Action, Title, Experiments, Planner, Catalogue string

	Step       string
	Begun      bool // there is a draft
	Steps      []launchStepLink
	Back, Next string // steps; empty: there is none
	NextTitle  string
	Saved      stamp
	Drafts     []launchDraftRow
	Faults     []string // those that no field shows
	Of, Kept   string   // the stored draft that is edited, and what stays of it
	Stored     []launchStoredRow

	Kinds        []launchKind
	KindFault    string
	About, More  []launchField
	Arms         []launchRow
	Units        []option
	Rules        []launchRow
	Primary      []option
	PrimaryFault string
	Secondary    []option
	Guardrails   []launchRow
	Plan         []launchField
	Counting     []launchField // who counts; open when it is not the default
	CountingOpen bool
	Traffic      []launchField
	Schedule     []launchField

	Proposal     *launchProposal
	Interference *launchInterference
	Previews     []launchPreview
	Audience     *launchAudience
	Power        *launchPower
	Place        *launchPlace
	Review       *launchReview
}

// launchStepLink is a step in the list of steps.
type launchStepLink struct {
	Step, Title, State string // of State: "" nobody was there, "done", "fault"
	Current            bool
	Number             int
}

// launchKind is a choice of what changes.
type launchKind struct {
	Value, Name, Examples string
	Checked               bool
}

// launchDraftRow is a draft to go on with.
type launchDraftRow struct {
	Name, URL, Discard string
	At                 stamp
}

// launchStoredRow is an experiment that is stored and not launched.
type launchStoredRow struct{ Name, URL, Edit string }

// launchField is one input.
type launchField struct {
	Name, Label, Hint, Value, Error, Type string
	Options                               []option // a choice instead of an input
	Long, Required                        bool
	List                                  string // id of a list of what it may hold; empty: there is none
}

// launchRow is a line of inputs.
type launchRow struct {
	Label  string
	Fields []launchField
}

// launchOp is a comparison in words.
type launchOp struct {
	op   experiment.Op
	text string
}

// launchOps are the comparisons in the order in which they are offered.
var launchOps = []launchOp{
	{experiment.OpEq, "is"},
	{experiment.OpNe, "is not"},
	{experiment.OpIn, "is one of"},
	{experiment.OpNotIn, "is none of"},
	{experiment.OpGe, "at least"},
	{experiment.OpGt, "more than"},
	{experiment.OpLe, "at most"},
	{experiment.OpLt, "less than"},
	{experiment.OpSemverGe, "version at least"},
	{experiment.OpSemverGt, "version above"},
	{experiment.OpSemverLe, "version at most"},
	{experiment.OpSemverLt, "version below"},
	{experiment.OpSemverEq, "version is"},
	{experiment.OpContains, "contains"},
	{experiment.OpStartsWith, "starts with"},
	{experiment.OpEndsWith, "ends with"},
	{experiment.OpPresent, "is there"},
	{experiment.OpAbsent, "is not there"},
}

// EditPath follows the address of an experiment that is not launched: posting there
// opens it in the wizard.
const EditPath = "/edit"

// newLaunchPage prepares a step with what was typed.
func newLaunchPage(v LaunchView) launchPage {
	p := launchPage{
		Chrome: v.Chrome, Action: v.Base, Planner: v.Planner, Catalogue: v.Catalogue, Experiments: v.Experiment,
		Of: OpenedLaunch(v.Form), Kept: keptWords(v.Form),
		Step: string(v.Step), Begun: v.Draft != "", Title: "New experiment", Saved: newStamp(&v.SavedAt, "15:04:05 UTC"),
	}
	if v.Draft != "" {
		p.Action = v.Base + "/" + v.Draft + "/" + string(v.Step)
		p.Title = cmp.Or(v.Spec.Name, p.Title)
	}
	p.steps(&v)
	for _, d := range v.Drafts {
		p.Drafts = append(p.Drafts, launchDraftRow{cmp.Or(d.Name, "Without a name"), d.URL, d.Discard, newStamp(&d.At, listFormat)})
	}
	for i := range v.Stored {
		e := &v.Stored[i]
		p.Stored = append(p.Stored, launchStoredRow{cmp.Or(e.Name, e.Key), v.Experiment + "/" + e.Key, v.Experiment + "/" + e.Key + EditPath})
	}
	b := launchBuilder{form: v.Form, faults: map[string]string{}, shown: map[string]bool{}}
	if b.form == nil {
		b.form = NewLaunchForm("")
	}
	seen := v.Draft == "" || slices.Contains(b.form[fieldSeen], string(v.Step))
	for _, f := range v.Faults {
		if seen && launch.StepOf(f.Field) == v.Step && b.faults[f.Field] == "" {
			b.faults[f.Field] = f.Message
		}
	}
	p.fields(&v, &b)
	p.panels(&v)
	for field, message := range b.faults {
		if !b.shown[field] && v.Step != launch.StepReview {
			p.Faults = append(p.Faults, (&experiment.Error{Field: field, Message: message}).Error())
		}
	}
	slices.Sort(p.Faults)
	return p
}

// steps fills in the list of steps, and where the buttons lead.
func (p *launchPage) steps(v *LaunchView) {
	all := launch.Steps()
	at := slices.Index(all, v.Step)
	for i, step := range all {
		link := launchStepLink{Step: string(step), Title: launchTitle(step), Current: i == at, Number: i + 1}
		if slices.Contains(v.Form[fieldSeen], string(step)) {
			link.State = "done"
			if LaunchStepFault(step, v.Faults) {
				link.State = "fault"
			}
		}
		p.Steps = append(p.Steps, link)
	}
	if at > 0 {
		p.Back = string(all[at-1])
	}
	if at >= 0 && at+1 < len(all) {
		p.Next, p.NextTitle = string(all[at+1]), launchTitle(all[at+1])
	}
}

// fields makes the inputs of the step.
func (p *launchPage) fields(v *LaunchView, b *launchBuilder) {
	switch v.Step {
	case launch.StepMetrics:
		p.metricFields(v, b)
	case launch.StepAudience:
		units := []experiment.UnitType{experiment.UnitViewer, experiment.UnitDevice, experiment.UnitBroadcaster, experiment.UnitSession}
		if unit := experiment.UnitType(b.form.Get(fieldUnit)); unit != "" && !slices.Contains(units, unit) {
			units = append(units, unit) // of a document: the form must not change it
		}
		for _, u := range units {
			p.Units = append(p.Units, option{Value: string(u), Text: string(u), Selected: b.form.Get(fieldUnit) == string(u)})
		}
		for i := range launchRules {
			p.Rules = append(p.Rules, launchRow{Fields: []launchField{
				b.field(ruleField(i, "attr"), "Attribute", ""), b.choice(ruleField(i, "op"), "Comparison", opOptions(b.form.Get(ruleField(i, "op")))),
				b.field(ruleField(i, "value"), "Value", ""),
			}})
		}
	case launch.StepPower:
		p.Plan = []launchField{
			b.field(fieldMDE, "Smallest lift, %", "that is worth finding, of control's value; half of it needs four times the units"),
			b.field(fieldUnits, "Planned units", "where the intervals are tightest; left empty: what the preview asks for"),
			b.hinted(b.choice(fieldMethod, "Decided", methodOptions(b.form.Get(fieldMethod))), "guardrails and quantiles are decided at any look all the same"),
			b.date(fieldEnd, "Planned end", "planned looks need one; else optional"),
			b.field(fieldLooks, "Planned looks", "2 to 28 until the planned end; left empty: 14"),
		}
		suspects := b.hinted(b.choice(fieldSuspects, "Likely programs", suspectOptions(b.form.Get(fieldSuspects))),
			"viewers that call themselves a bot, or behaved like one before; the report shows the other way beside it, and which way decides is fixed at launch")
		p.Counting, p.CountingOpen = []launchField{suspects}, suspects.Value != "" || suspects.Error != ""
	case launch.StepTraffic:
		p.trafficFields(b)
	case launch.StepReview:
	default:
		p.changeFields(b)
	}
}

func (p *launchPage) changeFields(b *launchBuilder) {
	for _, proposal := range launch.Proposals() {
		p.Kinds = append(p.Kinds, launchKind{
			Value: string(proposal.Change), Name: proposal.Name, Examples: proposal.Examples,
			Checked: b.form.Get(fieldChange) == string(proposal.Change),
		})
	}
	p.KindFault = b.fault(fieldChange)
	p.About = []launchField{
		b.required(fieldName, "Name", "as people call it"),
		b.long(fieldWhy, "Hypothesis", "what changes, for whom, and why"),
	}
	p.More = []launchField{b.field(fieldOwner, "Owner", "a person or a team")}
	if p.Of == "" { // services may ask for a stored one by its key
		p.More = append([]launchField{b.field(fieldKey, "Key", "what services ask for; made of the name if left empty")}, p.More...)
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
}

func (p *launchPage) metricFields(v *LaunchView, b *launchBuilder) {
	p.Primary, p.PrimaryFault = b.metrics(v.Metrics, fieldPrimary), b.fault(fieldPrimary)
	if b.form.Get(fieldPrimary) == "" {
		p.Primary = append([]option{{Text: "choose one", Selected: true}}, p.Primary...)
	}
	p.Secondary = b.metrics(v.Metrics, fieldSecondary)
	for i := range launchGuardrails {
		name := guardField(i, "metric")
		options := append([]option{{Text: "none"}}, b.metrics(v.Metrics, name)...)
		p.Guardrails = append(p.Guardrails, launchRow{Fields: []launchField{
			b.choice(name, "Metric", options), b.field(guardField(i, "margin"), "Margin, %", ""),
		}})
	}
}

func (p *launchPage) trafficFields(b *launchBuilder) {
	var ramps []option
	if words := b.form.Get(fieldStoredRamp); words != "" {
		ramps = append(ramps, option{Value: rampStored, Text: "As stored: " + words, Selected: b.form.Get(fieldRamp) == rampStored})
	}
	for _, r := range launchRamps() {
		ramps = append(ramps, option{Value: r.Name, Text: r.Text, Selected: b.form.Get(fieldRamp) == r.Name})
	}
	p.Traffic = []launchField{
		b.field(fieldShare, "Share of the layer, %", "it can grow later; nobody moves"),
		b.field(fieldLayer, "Layer", "name one to keep experiments on the same thing apart; left empty: its own"),
		b.choice(fieldRamp, "Ramp", ramps),
	}
	p.Schedule = []launchField{
		b.moment(fieldStartAt, "Start, UTC", "left empty: at launch"),
		b.moment(fieldStopAt, "Stop, UTC", "left empty: when somebody decides"),
	}
}

// suspectOptions are the ways to treat units that are likely to be programs.
func suspectOptions(chosen string) []option {
	return []option{
		{Value: "", Text: "count like everybody", Selected: chosen != string(experiment.SuspectsExclude)},
		{Value: string(experiment.SuspectsExclude), Text: "are left out", Selected: chosen == string(experiment.SuspectsExclude)},
	}
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
	if _, err := time.Parse(time.DateOnly, f.Value); err == nil || f.Value == "" {
		f.Type = "date" // as above
	}
	return f
}

func (b *launchBuilder) moment(name, label, hint string) launchField {
	f := b.field(name, label, hint)
	if _, err := time.Parse("2006-01-02T15:04", f.Value); err == nil || f.Value == "" {
		f.Type = "datetime-local" // a browser drops what it cannot show in one
	}
	return f
}

func (b *launchBuilder) choice(name, label string, options []option) launchField {
	f := b.field(name, label, "")
	f.Options = options
	return f
}

func (b *launchBuilder) hinted(f launchField, hint string) launchField {
	f.Hint = hint
	return f
}

// metrics offers the metrics, with those chosen that the field names.
func (b *launchBuilder) metrics(all []metrics.Definition, name string) []option {
	out := make([]option, 0, len(all))
	for i := range all {
		out = append(out, option{Value: all[i].Key, Text: all[i].Name, Selected: slices.Contains(b.form[name], all[i].Key)})
	}
	for _, key := range b.form[name] { // companions, of which the catalogue has no entry
		if key != "" && !slices.ContainsFunc(all, func(d metrics.Definition) bool { return d.Key == key }) {
			out = append(out, option{Value: key, Text: key, Selected: true})
		}
	}
	return out
}
