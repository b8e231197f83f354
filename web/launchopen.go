package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
)

// What a form keeps of the stored draft that it edits; none of it is sent by a
// browser.
const (
	fieldOf   = "of"   // key of the experiment
	fieldWas  = "was"  // digest of what was opened
	fieldKept = "kept" // parts that the form has no fields for
	// fieldStoredRamp has the ramp in words; empty: there is none.
	fieldStoredRamp = "stored_ramp"
)

// keptPart is a part of an experiment of which a document can say more than the
// form. A part that does not come out of the form as it went in is kept as it is
// stored.
type keptPart struct {
	name, words string
	copy        func(to, from *experiment.Spec)
	owns        func(field string) bool
}

func keptParts() []keptPart {
	prefix := func(p string) func(string) bool {
		return func(field string) bool { return strings.HasPrefix(field, p) }
	}
	return []keptPart{
		{"arms", "Its arms", func(to, from *experiment.Spec) { to.Arms = from.Arms }, prefix("arms[")},
		{"audience", "Its audience", func(to, from *experiment.Spec) { to.Audience = from.Audience }, prefix("audience.")},
		{"unit", "Its unit", func(to, from *experiment.Spec) { to.Unit = from.Unit }, prefix(fieldUnit)},
		{"primary", "Its primary metrics", func(to, from *experiment.Spec) { to.Plan.Primary = from.Plan.Primary }, prefix(fieldPrimary)},
		{"guardrails", "Its guardrails", func(to, from *experiment.Spec) { to.Plan.Guardrails = from.Plan.Guardrails }, prefix("plan.guardrails")},
	}
}

// OpenLaunch returns the form of the wizard with a stored draft in it: what is not
// changed there is stored again as it was. now is when it is opened.
func OpenLaunch(stored *experiment.Spec, now time.Time) url.Values {
	form := launchFormOf(stored)
	back, _ := ReadLaunch(form, now)
	back.Normalize()
	for _, part := range keptParts() {
		var was, is experiment.Spec
		part.copy(&was, stored)
		part.copy(&is, &back)
		if bytes.Equal(specJSON(&was), specJSON(&is)) {
			continue
		}
		form.Add(fieldKept, part.name)
		for field := range form {
			if part.owns(field) {
				delete(form, field)
			}
		}
	}
	form.Set(fieldOf, stored.Key)
	form.Set(fieldWas, specDigest(stored))
	for _, step := range launch.Steps() {
		form.Add(fieldSeen, string(step))
	}
	return form
}

// OpenedLaunch returns the key of the stored draft that a form edits; empty: it
// makes a new experiment.
func OpenedLaunch(form url.Values) string { return form.Get(fieldOf) }

// KeepStored gives the experiment of a form what the form does not say of the
// stored draft that it edits. It returns faults when the draft is not what was
// opened any more: whoever stored the form would undo the work of somebody else.
func KeepStored(form url.Values, spec *experiment.Spec, stored *experiment.Experiment) experiment.Errors {
	said := *spec
	*spec = stored.Spec
	spec.Name, spec.Hypothesis, spec.Owner, spec.Change, spec.Status = said.Name, said.Hypothesis, said.Owner, said.Change, said.Status
	spec.Unit, spec.Layer, spec.Audience, spec.Arms = said.Unit, said.Layer, said.Audience, said.Arms
	spec.StartAt, spec.StopAt = said.StartAt, said.StopAt
	switch {
	case !form.Has(fieldShare): // drafts from when the form could not show the ramp have neither
	case form.Get(fieldRamp) == rampStored:
		spec.Slots, spec.Ramp = storedRamp(&stored.Spec, said.Slots)
	default:
		spec.Slots, spec.Ramp = said.Slots, said.Ramp
	}
	plan := &spec.Plan
	plan.Primary, plan.Guardrails = said.Plan.Primary, said.Plan.Guardrails
	if !sameSet(plan.Secondary, said.Plan.Secondary) { // a form lists them in the order of the catalogue
		plan.Secondary = said.Plan.Secondary
	}
	plan.MDE, plan.Units, plan.End, plan.Method, plan.Looks = said.Plan.MDE, said.Plan.Units, said.Plan.End, said.Plan.Method, said.Plan.Looks
	if plan.Suspects != "" || said.Plan.Suspects != "" { // a plan that says nothing is not made to say the default
		plan.Suspects = cmp.Or(said.Plan.Suspects, experiment.SuspectsInclude)
	}
	if !plan.GroupSequential() {
		plan.Spending = ""
	}
	for _, part := range keptParts() {
		if slices.Contains(form[fieldKept], part.name) {
			part.copy(spec, &stored.Spec)
		}
	}
	if stored.Status != experiment.StatusDraft {
		return experiment.Errors{experiment.Errorf(experiment.CodeConflict, fieldKey, "%s is %s: it was launched since it was opened here; discard this draft", stored.Key, statusWord(stored.Status))}
	}
	if form.Get(fieldWas) != specDigest(&stored.Spec) {
		return experiment.Errors{experiment.Errorf(experiment.CodeConflict, fieldKey, "%s was changed elsewhere since it was opened here; discard this draft and open it again", stored.Key)}
	}
	return nil
}

// keptWords says what the form keeps as it is stored; empty: nothing.
func keptWords(form url.Values) string {
	var words []string
	for _, part := range keptParts() {
		if slices.Contains(form[fieldKept], part.name) {
			words = append(words, part.words)
		}
	}
	if len(words) == 0 {
		return ""
	}
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToLower(words[i][:1]) + words[i][1:]
	}
	verb := " says"
	if len(words) > 1 || strings.HasSuffix(words[0], "s") || strings.Contains(words[0], " and ") {
		verb = " say"
	}
	return strings.Join(words, ", ") + verb + " more than this form can show, and stay as they are stored. A document changes them, by splitcast apply."
}

// launchFormOf fills in the form as far as it has fields.
func launchFormOf(e *experiment.Spec) url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set(fieldKey, e.Key)
	set(fieldName, e.Name)
	set(fieldWhy, e.Hypothesis)
	set(fieldOwner, e.Owner)
	set(fieldChange, string(e.Change))
	set(fieldUnit, string(e.Unit))
	set(fieldLayer, e.Layer)
	for i := range min(len(e.Arms), launchArms) {
		a := &e.Arms[i]
		set(armField(i, "key"), a.Key)
		set(armField(i, "name"), a.Name)
		set(armField(i, "weight"), strconv.FormatInt(a.Weight, 10))
		set(armField(i, "value"), string(a.Value))
	}
	openPlan(set, &e.Plan)
	v[fieldSecondary] = e.Plan.Secondary
	openTraffic(set, e)
	openAudience(set, e.Audience)
	return v
}

func openPlan(set func(name, value string), p *experiment.Plan) {
	if len(p.Primary) > 0 {
		set(fieldPrimary, p.Primary[0])
	}
	for i := range min(len(p.Guardrails), launchGuardrails) {
		set(guardField(i, "metric"), p.Guardrails[i].Metric)
		set(guardField(i, "margin"), pctText(p.Guardrails[i].Margin))
	}
	set(fieldMDE, pctText(p.MDE))
	set(fieldUnits, strconv.FormatInt(p.Units, 10))
	if p.End != nil {
		set(fieldEnd, p.End.Format(time.DateOnly))
	}
	set(fieldMethod, string(p.Method))
	if p.Looks > 0 {
		set(fieldLooks, strconv.Itoa(p.Looks))
	}
	if p.Suspects != experiment.SuspectsInclude {
		set(fieldSuspects, string(p.Suspects))
	}
}

// pctText writes a fraction in per cent, without the digits that binary fractions
// add, and so that it is read as the same fraction.
func pctText(fraction float64) string {
	const fewest, most = 12, 17 // digits: what people write, and what a float64 holds
	for digits := fewest; digits < most; digits++ {
		text := strconv.FormatFloat(100*fraction, 'g', digits, 64)
		if back, err := strconv.ParseFloat(text, 64); err == nil && back/100 == fraction {
			return text
		}
	}
	return strconv.FormatFloat(100*fraction, 'g', most, 64)
}

// sameSet reports whether two lists name the same, in whatever order.
func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// openTraffic fills in share and ramp. The ramp stays as it is stored, at its times,
// until somebody chooses another.
func openTraffic(set func(name, value string), e *experiment.Spec) {
	const minutes = "2006-01-02T15:04"
	for field, at := range map[string]*time.Time{fieldStartAt: e.StartAt, fieldStopAt: e.StopAt} {
		if at != nil {
			layout := minutes
			if at.Second() != 0 {
				layout = "2006-01-02T15:04:05"
			}
			set(field, at.UTC().Format(layout))
		}
	}
	set(fieldShare, strconv.FormatFloat(100*float64(rampEnd(e))/experiment.TotalSlots, 'g', 12, 64))
	if len(e.Ramp) > 0 {
		set(fieldRamp, rampStored)
		set(fieldStoredRamp, rampWords(e))
	}
}

// openAudience fills in comparisons that all hold.
func openAudience(set func(name, value string), a *experiment.Audience) {
	if a == nil {
		return
	}
	for i := range min(len(a.All), launchRules) {
		rule := &a.All[i]
		set(ruleField(i, "attr"), rule.Attr)
		set(ruleField(i, "op"), string(rule.Op))
		texts := make([]string, len(rule.Values))
		for j, v := range rule.Values {
			texts[j] = fmt.Sprint(v.V)
		}
		if !rule.Value.IsZero() {
			texts = []string{fmt.Sprint(rule.Value.V)}
		}
		set(ruleField(i, "value"), strings.Join(texts, ", "))
	}
}

func specJSON(e *experiment.Spec) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic("a stored experiment always marshals: " + err.Error())
	}
	return b
}

// specDigest tells whether an experiment is still what it was.
func specDigest(e *experiment.Spec) string {
	sum := sha256.Sum256(specJSON(e))
	return hex.EncodeToString(sum[:])
}
