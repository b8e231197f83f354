package web

import (
	_ "embed" // quantities.txt holds the words of docs/metrics.md, which a test compares
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// DefineView is the page on which a metric is defined.
type DefineView struct {
	Chrome
	Base      string               // path of this page
	Catalogue string               // path of the catalogue
	Form      url.Values           // as it was sent, or proposed; nil: the kind is to be chosen first
	Faults    experiment.Errors    // what is wrong with it
	Metrics   []metrics.Definition // whose custom quantities are offered
	Preview   *MetricView          // nil: nobody asked for it
}

// definePage is the page ready for the template.
type definePage struct {
	Chrome
	Base, Catalogue, Title string

	Kinds         []defineKind
	Kind, Meaning string // empty: the kind is to be chosen
	Of            hidden // the metric of which a new version is made
	Since         string
	Next          int
	Faults        []defineFault

	About, Made, Shown, Bounds, More []launchField
	Steps                            []launchField
	StepsFault                       string
	Funnel, Order, MoreOpen          bool
	Above, Below                     []option // what a numerator and a denominator may be
	Quantities                       []defineQuantity
	Counted                          []option
	Preview                          *metricPage
}

// defineKind is a kind to choose.
type defineKind struct {
	Value, Name, Meaning, Example, URL string
	Current                            bool
}

// defineFault is what is wrong with a field; Field is empty for one that the page
// does not have.
type defineFault struct{ Field, Label, Message string }

// defineQuantity is a quantity that a metric can be made of.
type defineQuantity struct{ Name, Meaning, Over string }

func newDefinePage(v DefineView) definePage {
	p := definePage{Chrome: v.Chrome, Base: v.Base, Catalogue: v.Catalogue, Title: "Define a metric", Quantities: defineQuantities()}
	kind := metrics.Kind(v.Form.Get(ParamKind))
	for _, k := range metricKinds() {
		p.Kinds = append(p.Kinds, defineKind{string(k.kind), k.name, k.meaning, k.example, v.Base + "?" + ParamKind + "=" + string(k.kind), k.kind == kind})
		if k.kind == kind {
			p.Kind, p.Meaning = k.name, k.meaning
		}
	}
	if p.Kind == "" {
		return p
	}
	if of := v.Form.Get(ParamVersionOf); of != "" {
		p.Of, p.Since, p.Title = hidden{ParamVersionOf, of}, v.Form.Get(ParamFromVersion), "A new version of "+of
		since, _ := strconv.Atoi(p.Since) // 0 of what no page sent: then it is refused
		p.Next = since + 1
	}
	b := launchBuilder{form: v.Form, faults: map[string]string{}, shown: map[string]bool{}}
	for _, f := range v.Faults {
		if b.faults[f.Field] == "" {
			b.faults[f.Field] = f.Message
		}
	}
	p.fields(kind, &b)
	p.suggest(kind, v.Metrics)
	p.faulty(&b)
	counted := v.Form.Get(ParamCounted)
	for _, u := range []experiment.UnitType{experiment.UnitViewer, experiment.UnitDevice, experiment.UnitBroadcaster, experiment.UnitSession} {
		p.Counted = append(p.Counted, option{Value: string(u), Text: string(u) + "s", Selected: counted == string(u)})
	}
	if v.Preview != nil {
		preview := newMetricPage(*v.Preview)
		p.Preview = &preview
	}
	return p
}

// fields makes the inputs of a kind, each with a sentence of help.
func (p *definePage) fields(kind metrics.Kind, b *launchBuilder) {
	p.About = []launchField{
		b.required(fieldName, "Name", "As people call it, in the catalogue and in every report."),
		b.long(defDescription, "Description", "What it counts, of whom and in which time, in words for people who did not define it."),
	}
	p.madeOf(kind, b)
	p.Shown = []launchField{
		b.hinted(b.choice(defDirection, "Better", directionOptions(b.form.Get(defDirection))), "Which way is good: guardrails and verdicts rest on it."),
		b.required(fieldUnit, "Unit", "What stands behind the value: %, s, h, n."),
		b.field(defScale, "Times", "What the value is multiplied by before it is shown: 100 for %, 0.001 for seconds out of milliseconds, 1/3600000 for hours."),
		b.field(defDecimals, "Decimals", "Of a value of which the uncertainty is not known; others have as many as they deserve."),
		b.hinted(b.choice(defRole, "Good for", roleOptions(b.form.Get(defRole))), "Where the catalogue lists it; a plan may use it otherwise."),
	}
	if hasCap(kind) {
		p.Bounds = append(p.Bounds,
			b.field(defCapAt, "Cap", "The most that counts of one unit, in the unit of the numerator before it is multiplied; the value without it stands beside it. Left empty: none."),
			b.field(defCap, "Cap in words", "As people read it beside the value; made of the number if left empty."))
	}
	if hasFloor(kind) {
		p.Bounds = append(p.Bounds, b.field(defFloor, "Unit floor", "The least denominator from which the ratio of a single unit says something, such as 60000 for a minute. Left empty: any."))
	}
	if p.Of.Value == "" {
		p.More = append(p.More, b.field(fieldKey, "Key", "What plans and documents name it by: a to z, digits, _ . and -. Made of the name if left empty."))
	}
	p.More = append(p.More,
		b.long(defPitfalls, "Mind", "What a reader should beware of. May be left empty."),
		b.hinted(b.choice(defUnits, "Only for", unitOptions(b.form.Get(defUnits))), "Metrics of broadcasts are of broadcasters by themselves."),
		b.field(defTiers, "Telemetry tiers", "The sources that can observe it, such as AB. Left empty: those of what it is made of."))
	p.MoreOpen = slices.ContainsFunc(p.More, func(f launchField) bool { return f.Error != "" })
}

// madeOf makes the inputs of what a kind is made of.
func (p *definePage) madeOf(kind metrics.Kind, b *launchBuilder) {
	above := func(label, hint string) launchField {
		f := b.required(defNumerator, label, hint)
		f.List = listAbove
		return f
	}
	below := func(hint string) launchField {
		f := b.required(defDenominator, "Over", hint)
		f.List = listBelow
		return f
	}
	const ofUnits = "units counts everybody; watch_units those whose play time is known, live_units those whose live time is."
	window := b.hinted(b.choice(defWindow, "Window", windowOptions(b.form.Get(defWindow))), "Which part of the time after the exposure counts.")
	switch kind {
	case metrics.KindFunnel:
		p.Funnel, p.Order, p.StepsFault = true, b.form.Get(defOrder) != "", b.fault(defSteps)
		for i := range metrics.MaxFunnelSteps {
			f := b.field(stepField(i), "Step "+count(i+1), "")
			f.List = listAbove
			p.Steps = append(p.Steps, f)
		}
		p.Made = []launchField{window}
	case metrics.KindRetention:
		days := b.field(defWindow, "Days", "return_d1 is the second day, return_d7 the seven days after the first; return_7_13 is day 7 to day 13 after the exposure, up to 28.")
		days.List = listWindows
		p.Made = []launchField{above("Came back by", "returned: tried to play again; streamed_again: went live again; event:NAME: did what the event tells."), days}
	case metrics.KindQuantile:
		p.Made = []launchField{
			above("Of", "What the quantile is of; divided by the next, for each unit."), below("What it is divided by, for each unit."),
			b.required(defLevel, "Level", "0.5 is the median, 0.95 what 95 % of the units stay within."), window,
		}
	case metrics.KindRatio, metrics.KindMeanOfRatios:
		p.Made = []launchField{above("Of", "What is summed above the line, such as stall_ms or event:purchase."), below("What is summed below it, over the same sessions."), window}
	case metrics.KindProportion:
		p.Made = []launchField{above("Who has", "A unit counts when it has this, such as event:follow, in the window."), below("Of whom: " + ofUnits), window}
	case metrics.KindCount:
		p.Made = []launchField{above("Number of", "What is counted, such as starts or event:purchase."), below("Per whom: " + ofUnits), window}
	default:
		p.Made = []launchField{above("Of", "What is summed for each unit, such as watch_ms or value:purchase."), below("Per whom: " + ofUnits), window}
	}
}

// faulty lists what is wrong, with the fields that show it.
func (p *definePage) faulty(b *launchBuilder) {
	if p.StepsFault != "" {
		p.Faults = append(p.Faults, defineFault{stepField(0), "Steps", p.StepsFault})
	}
	for _, fields := range [][]launchField{p.About, p.Made, p.Steps, p.Shown, p.Bounds, p.More} {
		for _, f := range fields {
			if f.Error != "" {
				p.Faults = append(p.Faults, defineFault{f.Name, f.Label, f.Error})
			}
		}
	}
	var besides []defineFault
	for field, message := range b.faults {
		if !b.shown[field] {
			besides = append(besides, defineFault{Message: message})
		}
	}
	slices.SortFunc(besides, func(x, y defineFault) int { return strings.Compare(x.Message, y.Message) })
	p.Faults = append(p.Faults, besides...)
}

// The lists of what a field may hold.
const (
	listAbove   = "list-above"
	listBelow   = "list-below"
	listWindows = "list-windows"
)

//go:embed quantities.txt
var quantityLines string

// quantityWords says of each base quantity what it is.
func quantityWords() map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(quantityLines) {
		name, words, _ := strings.Cut(strings.TrimSpace(line), "\t")
		out[name] = words
	}
	return out
}

// sourceWords says of each source of custom quantities what it is.
func sourceWords(source string) string {
	switch source {
	case metrics.SourceMeasure:
		return "is the sum of the counter NAME that heartbeats of players carry."
	case metrics.SourceStreamMeasure:
		return "is the same of broadcasts, for broadcasters."
	case metrics.SourceEvent:
		return "counts the events NAME that services send of a unit."
	}
	return "is the sum of the values of those events."
}

// defineQuantities lists what metrics can be made of, custom ones first.
func defineQuantities() []defineQuantity {
	var out []defineQuantity
	row := func(t metrics.Term, meaning string) {
		var over []string
		for _, q := range t.Over() {
			over = append(over, q.String())
		}
		if t.IsCustom() {
			over = append(over, "any of these four")
		}
		out = append(out, defineQuantity{t.String(), meaning, strings.Join(over, ", ")})
	}
	for _, source := range metrics.Sources() {
		row(metrics.Term{Custom: source + "NAME"}, sourceWords(source))
	}
	words := quantityWords()
	for q := range metrics.Quantity(metrics.QuantityCount) {
		row(metrics.BaseTerm(q), words[q.String()])
	}
	return out
}

// suggest fills in what the fields of a kind may hold: the custom quantities of other
// metrics first, because those have names that are sent, and the base quantities.
func (p *definePage) suggest(kind metrics.Kind, all []metrics.Definition) {
	words := quantityWords()
	under := [metrics.QuantityCount]bool{}
	for q := range metrics.Quantity(metrics.QuantityCount) {
		for _, o := range q.Over() {
			under[o] = true
		}
	}
	perUnit := kind == metrics.KindMean || kind == metrics.KindCount || kind == metrics.KindProportion
	terms := customTerms(all)
	for q := range metrics.Quantity(metrics.QuantityCount) {
		terms = append(terms, metrics.BaseTerm(q))
	}
	for _, t := range terms {
		o := option{Value: t.String(), Text: words[t.String()]}
		if offeredAbove(kind, t) {
			p.Above = append(p.Above, o)
		}
		if ofUnit := t.Is(metrics.Units) || t.Is(metrics.WatchUnits) || t.Is(metrics.LiveUnits); perUnit && ofUnit || !perUnit && (t.IsCustom() || under[t.Base]) {
			p.Below = append(p.Below, o)
		}
	}
}

// offeredAbove reports whether a term makes sense as the numerator, or a step, of a
// kind; metrics.ParseDefinition knows the whole truth.
func offeredAbove(kind metrics.Kind, t metrics.Term) bool {
	switch kind {
	case metrics.KindRetention:
		return t.Is(metrics.Returned) || t.Is(metrics.StreamedAgain) || strings.HasPrefix(t.Custom, metrics.SourceEvent)
	case metrics.KindCount, metrics.KindFunnel, metrics.KindProportion:
		return t.Counts()
	}
	return true
}

// customTerms returns the custom quantities of definitions, each once, by name.
func customTerms(all []metrics.Definition) []metrics.Term {
	var out []metrics.Term
	for i := range all {
		d := &all[i]
		for _, t := range append([]metrics.Term{d.Numerator, d.Denominator}, d.Steps...) {
			if t.IsCustom() && !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	slices.SortFunc(out, func(x, y metrics.Term) int { return strings.Compare(x.Custom, y.Custom) })
	return out
}

// chosenOf marks the option that is chosen.
func chosenOf(chosen string, options ...option) []option {
	for i := range options {
		options[i].Selected = options[i].Value == chosen
	}
	return options
}

func directionOptions(chosen string) []option {
	return chosenOf(chosen, option{Text: "choose one"}, option{Value: "1", Text: "higher is better"}, option{Value: "-1", Text: "lower is better"}, option{Value: "0", Text: "neither is better"})
}

func roleOptions(chosen string) []option {
	return chosenOf(chosen, option{Value: string(metrics.RoleGoal), Text: "goal: what one launches for"},
		option{Value: string(metrics.RoleGuardrail), Text: "guardrail: what must not get worse"}, option{Value: string(metrics.RoleDiagnostic), Text: "diagnostic: explains, decides nothing"})
}

func windowOptions(chosen string) []option {
	return chosenOf(chosen, option{Value: string(metrics.WindowDay), Text: "the 24 hours after the exposure"},
		option{Value: string(metrics.WindowFirst), Text: "the first play attempt after it"})
}

func unitOptions(chosen string) []option {
	options := []option{{Text: "any unit"}}
	for _, u := range []experiment.UnitType{experiment.UnitViewer, experiment.UnitDevice, experiment.UnitBroadcaster, experiment.UnitSession, experiment.UnitBlock} {
		options = append(options, option{Value: string(u), Text: string(u) + "s"})
	}
	return chosenOf(chosen, options...)
}
