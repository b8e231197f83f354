package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// The fields of the form that defines a metric have the names of the fields of
// metrics.Definition, so that a fault finds its field; key, name and unit are called
// as in the launch wizard.
const (
	defDescription = "description"
	defNumerator   = "numerator"
	defDenominator = "denominator"
	defSteps       = "steps"
	defOrder       = "order" // a check box: the steps must happen in this order
	defLevel       = "level"
	defCapAt       = "cap_at"
	defCap         = "cap"
	defFloor       = "unit_floor"
	defDirection   = "direction"
	defScale       = "scale"
	defDecimals    = "decimals"
	defWindow      = "window"
	defUnits       = "of"
	defTiers       = "tiers"
	defRole        = "role"
	defPitfalls    = "pitfalls"
)

// The fields that are about the form itself.
const (
	// ParamKind is the kind of metric: the form asks for what that kind needs.
	ParamKind = "kind"
	// ParamVersionOf is the key of the metric of which a new version is made; empty: a
	// new metric is made.
	ParamVersionOf = "version_of"
	// ParamFromVersion is the version of it that the form was filled in with.
	ParamFromVersion = "from_version"
	// ParamCounted is the type of unit that a preview counts by.
	ParamCounted = "counted"
)

// What the buttons of the form ask for, by ParamGo.
const (
	GoPreview = "preview"
	GoDefine  = "define"
	// GoKind begins what changes the kind; the kind follows it.
	GoKind = "kind:"
)

func stepField(i int) string { return fmt.Sprintf("%s[%d]", defSteps, i) }

// metricKind is a kind of metric in words, with what its form proposes.
type metricKind struct {
	kind                   metrics.Kind
	name, meaning, example string
	proposed               map[string]string
}

// metricKinds are the kinds in the order in which they are offered.
func metricKinds() []metricKind {
	perUnit := map[string]string{defDenominator: metrics.Units.String(), fieldUnit: "n"}
	share := map[string]string{fieldUnit: "%", defScale: "100"}
	with := func(base map[string]string, more ...string) map[string]string {
		out := maps.Clone(base)
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	return []metricKind{
		{metrics.KindMean, "Mean", "How much of something a unit has on average.", "the value of purchases per viewer", perUnit},
		{metrics.KindCount, "Count", "How many of something a unit has on average.", "chat messages per viewer", perUnit},
		{metrics.KindProportion, "Proportion", "The share of units that did something at all.", "viewers who follow somebody", with(share, defDenominator, metrics.Units.String())},
		{metrics.KindRatio, "Ratio", "The sum of one thing over the sum of another; who has much of it weighs much.", "time stalled of the time watched", share},
		{metrics.KindMeanOfRatios, "Mean of ratios", "The ratio of each unit by itself, and the mean of those; everybody weighs the same.", "stall share of the average viewer", share},
		{metrics.KindQuantile, "Quantile", "The value that a given share of units stays below.", "the wait that 95 % of viewers stay within", map[string]string{fieldUnit: "s", defScale: "0.001", defLevel: "0.5"}},
		{metrics.KindRetention, "Retention", "The share of units that came back some days later.", "viewers who return within a week", with(share, defNumerator, metrics.Returned.String(), defWindow, string(metrics.WindowReturnD7))},
		{metrics.KindFunnel, "Funnel", "Of the units or sessions that took the first step, the share that reached the last.", "from watching to chatting to following", with(share, defOrder, string(metrics.OrderStrict))},
	}
}

// ValidMetricKind reports whether the form defines metrics of a kind.
func ValidMetricKind(kind metrics.Kind) bool {
	return slices.ContainsFunc(metricKinds(), func(k metricKind) bool { return k.kind == kind })
}

// NewMetricForm is the form with what a kind proposes. The direction is not proposed:
// taken for the other one, harm would look like a success.
func NewMetricForm(kind metrics.Kind) url.Values {
	form := url.Values{
		ParamKind: {string(kind)}, defScale: {"1"}, defDecimals: {"2"}, defWindow: {string(metrics.WindowDay)}, defRole: {string(metrics.RoleDiagnostic)},
	}
	for _, k := range metricKinds() {
		if k.kind == kind {
			for name, value := range k.proposed {
				form.Set(name, value)
			}
		}
	}
	return form
}

// SwitchMetricKind returns the form for another kind: what somebody wrote stays, and
// what the kind before had proposed gives way to the proposals of this one.
func SwitchMetricKind(form url.Values, to metrics.Kind) url.Values {
	before, next := NewMetricForm(metrics.Kind(form.Get(ParamKind))), NewMetricForm(to)
	out := maps.Clone(form)
	for _, proposals := range []url.Values{before, next} {
		for name := range proposals {
			if form.Get(name) == before.Get(name) {
				out[name] = next[name]
			}
		}
	}
	out.Set(ParamKind, string(to))
	return out
}

// NewVersionForm is the form in which a new version of a metric that people defined is
// made: what is not changed there is as it was.
func NewVersionForm(d *metrics.Definition) url.Values {
	form := MetricForm(d)
	form.Set(ParamVersionOf, d.Key)
	form.Set(ParamFromVersion, strconv.Itoa(d.Version))
	return form
}

// LikeMetricForm is the form in which a metric like another one is defined.
func LikeMetricForm(d *metrics.Definition) url.Values {
	form := MetricForm(d)
	form.Del(fieldKey)
	form.Del(fieldName)
	return form
}

// MetricForm returns the form that describes a definition. A cap that is a quantity of
// its own, as built-in metrics have it, is left out: people cap by a number.
func MetricForm(d *metrics.Definition) url.Values {
	form := url.Values{}
	set := func(name, value string) {
		if value != "" {
			form.Set(name, value)
		}
	}
	positive := func(name string, x float64) {
		if x > 0 {
			set(name, decimal(x))
		}
	}
	set(ParamKind, string(d.Kind))
	set(fieldKey, d.Key)
	set(fieldName, d.Name)
	set(defDescription, d.Description)
	set(defNumerator, d.Numerator.String())
	set(defDenominator, d.Denominator.String())
	for i, step := range d.Steps {
		set(stepField(i), step.String())
	}
	if d.Kind == metrics.KindFunnel && d.Order != metrics.OrderAny && (d.Order != "" || !d.OfUnits()) {
		set(defOrder, string(metrics.OrderStrict))
	}
	positive(defLevel, d.Level)
	positive(defFloor, d.UnitFloor)
	set(defScale, scaleText(d.Scale))
	if d.CapAt > 0 {
		positive(defCapAt, d.CapAt)
		set(defCap, d.Cap)
	}
	set(defDirection, strconv.Itoa(d.Direction))
	set(fieldUnit, d.Unit)
	set(defDecimals, strconv.Itoa(d.Decimals))
	set(defWindow, string(d.Window))
	set(defRole, string(d.Role))
	set(defPitfalls, d.Pitfalls)
	made, _ := ReadMetric(form) // what follows from the rest stays open, so that it follows what is changed
	if made.Tiers != d.Tiers {
		set(defTiers, d.Tiers)
	}
	if made.Of != d.Of {
		set(defUnits, string(d.Of))
	}
	return form
}

// scaleText writes a scale as people would: a 3600000th has too many digits otherwise.
func scaleText(x float64) string {
	text := decimal(x)
	if n := math.Round(1 / x); len(text) > len("0.000001") && 1/n == x {
		return "1/" + strconv.FormatFloat(n, 'f', -1, 64)
	}
	return text
}

func decimal(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// ReadMetric returns the definition that a form describes, as metrics.ParseDefinition
// reads it, or every fault by its field. Fields of other kinds are not read.
func ReadMetric(form url.Values) (metrics.Definition, experiment.Errors) {
	f := metricReader{launchReader: launchReader{form: form}, doc: map[string]any{}}
	f.texts()
	f.numbers()
	f.terms()
	text, err := json.Marshal(f.doc)
	if err != nil {
		return metrics.Definition{}, experiment.Errors{experiment.Invalidf("", "the form cannot be written as a definition: %v", err)}
	}
	d, err := metrics.ParseDefinition(text)
	faults := f.faults
	for _, fault := range experiment.Faults(err) {
		at := fault.Field
		if strings.HasPrefix(at, defSteps) {
			at = defSteps
		}
		if !f.told(at) {
			faults = append(faults, experiment.Errorf(fault.Code, at, "%s", fault.Message))
		}
	}
	if len(faults) > 0 {
		return metrics.Definition{}, faults
	}
	return d, nil
}

// metricReader makes the document of a definition out of a form.
type metricReader struct {
	launchReader
	doc     map[string]any
	noTerms bool // some cannot be read, so that what is said of the others says nothing
	noKey   bool // nor is there a name to make one of
}

// told reports whether a person knows already what is wrong with a field.
func (f *metricReader) told(field string) bool {
	switch field {
	case defNumerator, defDenominator, defSteps:
		if f.noTerms {
			return true
		}
	case fieldKey:
		if f.noKey {
			return true
		}
	}
	return slices.ContainsFunc(f.faults, func(e *experiment.Error) bool { return e.Field == field })
}

func (f *metricReader) texts() {
	for _, name := range []string{ParamKind, fieldName, defDescription, fieldUnit, defWindow, defUnits, defTiers, defRole, defPitfalls} {
		if text := f.text(name); text != "" {
			f.doc[name] = text
		}
	}
	key, name := f.text(fieldKey), f.text(fieldName)
	if of := f.text(ParamVersionOf); of != "" {
		key = of
	}
	if key == "" {
		key = strings.ReplaceAll(keyOf(name), "-", "_")
		f.noKey = key == "" && name == ""
	}
	if key == "" && name != "" {
		f.fault(fieldKey, "is needed: there is no letter a to z and no digit in the name to make one of")
	}
	f.doc[fieldKey] = key
	switch direction := f.text(defDirection); direction {
	case "1", "0", "-1":
		f.doc[defDirection], _ = strconv.Atoi(direction)
	default:
		f.fault(defDirection, "choose one: it tells harm from success")
	}
}

func (f *metricReader) numbers() {
	if text := f.text(defScale); text != "" {
		f.doc[defScale] = f.fraction(defScale)
	}
	if text := f.text(defDecimals); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			f.fault(defDecimals, "must be a whole number")
		}
		f.doc[defDecimals] = n
	}
	kind := metrics.Kind(f.text(ParamKind))
	if kind == metrics.KindQuantile {
		f.doc[defLevel] = f.number(defLevel)
	}
	if hasFloor(kind) {
		f.doc[defFloor] = f.number(defFloor)
	}
	if hasCap(kind) {
		at := f.number(defCapAt)
		f.doc[defCapAt], f.doc[defCap] = at, f.text(defCap)
		if at > 0 && f.doc[defCap] == "" {
			f.doc[defCap] = "At most " + decimal(at) + " " + f.text(defNumerator) + " a unit."
		}
	}
}

// fraction reads a number, or two with a slash between them: one cannot write a
// 3600000th with digits alone.
func (f *metricReader) fraction(name string) float64 {
	above, below, ok := strings.Cut(f.text(name), "/")
	if !ok {
		return f.number(name)
	}
	x, errAbove := strconv.ParseFloat(strings.TrimSpace(above), 64)
	y, errBelow := strconv.ParseFloat(strings.TrimSpace(below), 64)
	if q := x / y; errAbove == nil && errBelow == nil && !math.IsNaN(q) && !math.IsInf(q, 0) {
		return q
	}
	f.fault(name, "must be a number, or two such as 1/3600000")
	return 1
}

// terms reads what the metric is made of.
func (f *metricReader) terms() {
	switch metrics.Kind(f.text(ParamKind)) {
	case metrics.KindFunnel:
		f.steps()
		return
	case metrics.KindRetention:
		f.doc[defDenominator] = metrics.Units
	default:
		f.term(defDenominator)
	}
	f.term(defNumerator)
}

func (f *metricReader) term(name string) {
	text := f.text(name)
	if text == "" {
		f.fault(name, "choose what it is made of")
		f.noTerms = true
		return
	}
	if t, ok := f.parse(name, text); ok {
		f.doc[name] = t
	}
}

func (f *metricReader) parse(name, text string) (t metrics.Term, ok bool) {
	if err := t.UnmarshalText([]byte(text)); err != nil {
		f.fault(name, err.Error())
		f.noTerms = true
		return t, false
	}
	return t, true
}

func (f *metricReader) steps() {
	steps, custom := []metrics.Term{}, false
	for i := range metrics.MaxFunnelSteps {
		text := f.text(stepField(i))
		if text == "" {
			continue
		}
		if t, ok := f.parse(stepField(i), text); ok {
			steps, custom = append(steps, t), custom || t.IsCustom()
		}
	}
	f.doc[defSteps] = steps
	if !custom { // base quantities lie within one another, in whatever order they are counted
		return
	}
	f.doc[defOrder] = metrics.OrderAny
	if f.text(defOrder) != "" {
		f.doc[defOrder] = metrics.OrderStrict
	}
}

// hasFloor reports whether metrics of a kind may have a unit floor.
func hasFloor(kind metrics.Kind) bool {
	return kind == metrics.KindRatio || kind == metrics.KindMeanOfRatios
}

// hasCap reports whether metrics of a kind may have a cap.
func hasCap(kind metrics.Kind) bool {
	return kind == metrics.KindMean || kind == metrics.KindCount || kind == metrics.KindRatio
}
