package web

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
)

// Rows of the form that may be left empty.
const (
	launchArms       = 4
	launchRules      = 3
	launchGuardrails = 5
)

// The fields of the form have the names of the fields of experiment.Spec, so that
// a fault finds its field.
const (
	fieldKey       = "key"
	fieldName      = "name"
	fieldWhy       = "hypothesis"
	fieldOwner     = "owner"
	fieldChange    = "change"
	fieldUnit      = "unit"
	fieldLayer     = "layer"
	fieldShare     = "slots" // in percent of the layer
	fieldPrimary   = "plan.primary"
	fieldSecondary = "plan.secondary"
	fieldMDE       = "plan.mde" // in percent
	fieldUnits     = "plan.units"
	fieldEnd       = "plan.end"
	fieldMethod    = "plan.method"
	fieldLooks     = "plan.looks"
	fieldSuspects  = "plan.suspects" // empty: they count
	fieldRamp      = "ramp"          // a name of launchRamps; empty: all at once
	fieldStartAt   = "start_at"
	fieldStopAt    = "stop_at"
)

func armField(i int, part string) string  { return fmt.Sprintf("arms[%d].%s", i, part) }
func ruleField(i int, part string) string { return fmt.Sprintf("audience.all[%d].%s", i, part) }
func guardField(i int, part string) string {
	return fmt.Sprintf("plan.guardrails[%d].%s", i, part)
}

// NewLaunchForm is the form with what a kind of change proposes; of an unknown
// kind only arms and traffic are filled in.
func NewLaunchForm(kind experiment.ChangeKind) url.Values {
	v := url.Values{}
	for name, value := range map[string]string{
		fieldUnit: string(experiment.UnitViewer), fieldShare: "100", fieldMDE: "2", fieldRamp: rampDaily,
		armField(0, "key"): "control", armField(0, "weight"): "1", armField(0, "value"): "false",
		armField(1, "key"): "treatment", armField(1, "weight"): "1", armField(1, "value"): "true",
	} {
		v.Set(name, value)
	}
	p, ok := launch.Propose(kind)
	if !ok {
		return v
	}
	v.Set(fieldChange, string(kind))
	v.Set(fieldUnit, string(p.Unit))
	v.Set(fieldPrimary, p.Primary)
	v[fieldSecondary] = p.Secondary
	for i, g := range p.Guardrails {
		v.Set(guardField(i, "metric"), g.Metric)
		v.Set(guardField(i, "margin"), strconv.FormatFloat(100*g.Margin, 'g', -1, 64))
	}
	return v
}

// proposedFields are those that a kind of change fills in.
func proposedFields() []string {
	out := []string{fieldUnit, fieldPrimary, fieldSecondary}
	for i := range launchGuardrails {
		out = append(out, guardField(i, "metric"), guardField(i, "margin"))
	}
	return out
}

// repropose takes the proposals of another kind of change, except where somebody
// wrote something else than was proposed before.
func repropose(form url.Values, before, now experiment.ChangeKind) {
	old, next := NewLaunchForm(before), NewLaunchForm(now)
	fields := proposedFields()
	for _, name := range fields[2:] { // guardrails are one thing: a changed margin keeps all of them
		if form.Get(name) != old.Get(name) {
			fields = fields[:2]
			break
		}
	}
	for _, name := range fields {
		if !slices.Equal(form[name], old[name]) && strings.Join(form[name], "") != "" {
			continue
		}
		delete(form, name)
		if v, ok := next[name]; ok {
			form[name] = v
		}
	}
}

// ReadLaunch returns the experiment that a form describes, and a fault for each
// field that cannot be read. Rows left empty are left out; experiment.Spec says
// what else is wrong. A ramp begins at the planned start, else now.
func ReadLaunch(form url.Values, now time.Time) (experiment.Spec, experiment.Errors) {
	f := launchReader{form: form}
	spec := experiment.Spec{
		Key: f.text(fieldKey), Name: f.text(fieldName), Hypothesis: f.text(fieldWhy), Owner: f.text(fieldOwner),
		Change: experiment.ChangeKind(f.text(fieldChange)), StartAt: f.moment(fieldStartAt), StopAt: f.moment(fieldStopAt),
		Unit: experiment.UnitType(f.text(fieldUnit)), Design: experiment.DesignAB, Layer: f.text(fieldLayer),
		Slots: int(f.number(fieldShare)*experiment.TotalSlots/100 + 0.5), Status: experiment.Status(f.text(ParamStatus)),
		Audience: f.audience(), Arms: f.arms(),
		Plan: experiment.Plan{Secondary: form[fieldSecondary], MDE: f.number(fieldMDE) / 100, Units: int64(f.number(fieldUnits)), Method: experiment.Method(f.text(fieldMethod)), Looks: int(f.number(fieldLooks)), Suspects: experiment.Suspects(f.text(fieldSuspects))},
	}
	if spec.Key == "" {
		spec.Key = keyOf(spec.Name)
	}
	spec.Slots, spec.Ramp = rampOf(f.text(fieldRamp), spec.Slots, spec.StartAt, now)
	if primary := f.text(fieldPrimary); primary != "" {
		spec.Plan.Primary = []string{primary}
	}
	if end := f.text(fieldEnd); end != "" {
		spec.Plan.End = new(experiment.Date)
		if err := spec.Plan.End.UnmarshalJSON([]byte(strconv.Quote(end))); err != nil {
			f.fault(fieldEnd, err.Error())
		}
	}
	for i := range launchGuardrails {
		if metric := f.text(guardField(i, "metric")); metric != "" {
			spec.Plan.Guardrails = append(spec.Plan.Guardrails, experiment.Guardrail{
				Metric: metric, Margin: f.number(guardField(i, "margin")) / 100,
			})
		}
	}
	return spec, f.faults
}

// keyOf makes a key of a name: "ABR safety 0.75" becomes "abr-safety-0.75".
func keyOf(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.' && b.Len() > 0:
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == 60 { // keys have at most 64
			break
		}
	}
	return strings.TrimRight(b.String(), "-.")
}

// launchReader reads the form and gathers faults.
type launchReader struct {
	form   url.Values
	faults experiment.Errors
}

// text returns a field. Browsers send line ends as CR LF.
func (f *launchReader) text(name string) string {
	return strings.TrimSpace(strings.ReplaceAll(f.form.Get(name), "\r\n", "\n"))
}

func (f *launchReader) fault(field, message string) {
	f.faults = append(f.faults, experiment.Invalidf(field, "%s", message))
}

func (f *launchReader) number(name string) float64 {
	text := f.text(name)
	if text == "" {
		return 0
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		f.fault(name, "must be a number")
		return 0
	}
	return x
}

// moment reads a time in UTC, as a browser or a person writes it; nil when empty.
func (f *launchReader) moment(name string) *time.Time {
	text := f.text(name)
	if text == "" {
		return nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			at = at.UTC()
			return &at
		}
	}
	f.fault(name, "must be a time such as 2026-12-01T08:00")
	return nil
}

func (f *launchReader) arms() []experiment.Arm {
	var arms []experiment.Arm
	for i := range launchArms {
		key, value := f.text(armField(i, "key")), f.text(armField(i, "value"))
		if key == "" && value == "" {
			continue
		}
		if !json.Valid([]byte(value)) {
			f.fault(armField(i, "value"), `must be JSON: true, 0.75, "text" or {"safety": 0.75}`)
			value = "null"
		}
		arms = append(arms, experiment.Arm{
			Key: key, Name: f.text(armField(i, "name")), Weight: int64(f.number(armField(i, "weight"))), Value: json.RawMessage(value),
		})
	}
	return arms
}

// audience returns the rules that all must hold, nil without any.
func (f *launchReader) audience() *experiment.Audience {
	var all []experiment.Audience
	for i := range launchRules {
		attr := f.text(ruleField(i, "attr"))
		if attr == "" {
			continue
		}
		rule := experiment.Audience{Attr: attr, Op: experiment.Op(f.text(ruleField(i, "op")))}
		value := f.text(ruleField(i, "value"))
		switch rule.Op {
		case experiment.OpIn, experiment.OpNotIn:
			for part := range strings.SplitSeq(value, ",") {
				rule.Values = append(rule.Values, scalarOf(strings.TrimSpace(part), rule.Op))
			}
		case experiment.OpPresent, experiment.OpAbsent:
		default:
			rule.Value = scalarOf(value, rule.Op)
		}
		all = append(all, rule)
	}
	if len(all) == 0 {
		return nil
	}
	return &experiment.Audience{All: all}
}

// scalarOf reads what a person typed: numbers and booleans as such, except where
// the comparison is of texts.
func scalarOf(text string, op experiment.Op) experiment.Scalar {
	if strings.HasPrefix(string(op), "semver") || strings.Contains(string(op), "with") || op == experiment.OpContains {
		return experiment.Scalar{V: text}
	}
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		return experiment.Scalar{V: x}
	}
	if b, err := strconv.ParseBool(text); err == nil {
		return experiment.Scalar{V: b}
	}
	return experiment.Scalar{V: text}
}
