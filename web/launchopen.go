package web

import (
	"bytes"
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
		{"traffic", "Its share and ramp", func(to, from *experiment.Spec) { to.Slots, to.Ramp = from.Slots, from.Ramp }, func(field string) bool {
			return field == fieldShare || field == fieldRamp
		}},
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
		if part.name == "traffic" {
			fromStart(&was, stored)
			fromStart(&is, &back)
		}
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
	spec.Slots, spec.Ramp, spec.StartAt, spec.StopAt = said.Slots, said.Ramp, said.StartAt, said.StopAt
	plan := &spec.Plan
	plan.Primary, plan.Secondary, plan.Guardrails = said.Plan.Primary, said.Plan.Secondary, said.Plan.Guardrails
	plan.MDE, plan.Units, plan.End, plan.Method, plan.Looks = said.Plan.MDE, said.Plan.Units, said.Plan.End, said.Plan.Method, said.Plan.Looks
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
}

// pctText writes a fraction in per cent, without the digits that binary fractions
// add.
func pctText(fraction float64) string {
	return strconv.FormatFloat(100*fraction, 'g', 12, 64)
}

// openTraffic fills in share and ramp: that ramp of the form which takes the same
// steps, from whatever begin.
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
	all := e.Slots
	if n := len(e.Ramp); n > 0 {
		all = e.Ramp[n-1].Slots
	}
	set(fieldShare, strconv.FormatFloat(100*float64(all)/experiment.TotalSlots, 'g', 12, 64))
	var was experiment.Spec
	was.Slots, was.Ramp = e.Slots, e.Ramp
	fromStart(&was, e)
	for _, r := range launchRamps() {
		var is experiment.Spec
		is.Slots, is.Ramp = rampOf(r.Name, all, e.StartAt, time.Time{})
		fromStart(&is, e)
		if r.Name != rampNone && bytes.Equal(specJSON(&was), specJSON(&is)) {
			set(fieldRamp, r.Name)
		}
	}
}

// fromStart makes a ramp without a planned start comparable: it begins when the
// form is stored, so that only the times between its steps count.
func fromStart(part, of *experiment.Spec) {
	if len(part.Ramp) == 0 || of.StartAt != nil {
		return
	}
	steps := slices.Clone(part.Ramp)
	for i := range steps {
		steps[i].At = time.Time{}.Add(part.Ramp[i].At.Sub(part.Ramp[0].At))
	}
	part.Ramp = steps
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
