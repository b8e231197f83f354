package web

import (
	"bytes"
	"encoding/json"
	"html"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/metrics"
)

var (
	controlTag  = regexp.MustCompile(`<(input|select|textarea)\b([^>]*)>`)
	optionTag   = regexp.MustCompile(`<option value="([^"]*)"( selected)?>`)
	attributeOf = func(name string) *regexp.Regexp { return regexp.MustCompile(`\b` + name + `="([^"]*)"`) }
	nameOf      = attributeOf("name")
	valueOf     = attributeOf("value")
	typeOf      = attributeOf("type")
)

func firstGroup(re *regexp.Regexp, text string) string {
	if m := re.FindStringSubmatch(text); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// sentBy returns what a browser sends of a page of the wizard, or of that on which
// metrics are defined, whose fields nobody touched: of a choice the first option when none is selected, and line ends as CR LF.
func sentBy(page string) url.Values {
	_, page, _ = strings.Cut(page, `<form class="launch`)
	page, _, _ = strings.Cut(page, "</form>")
	out := url.Values{}
	for _, m := range controlTag.FindAllStringSubmatchIndex(page, -1) {
		kind, attrs := page[m[2]:m[3]], page[m[4]:m[5]]
		inner, _, _ := strings.Cut(page[m[1]:], "</"+kind+">")
		name := firstGroup(nameOf, attrs)
		switch {
		case kind == "select":
			options := optionTag.FindAllStringSubmatch(inner, -1)
			chosen := slices.IndexFunc(options, func(o []string) bool { return o[2] != "" })
			out.Add(name, html.UnescapeString(options[max(0, chosen)][1]))
		case kind == "textarea":
			out.Add(name, strings.ReplaceAll(strings.TrimPrefix(html.UnescapeString(inner), "\n"), "\n", "\r\n"))
		case slices.Contains([]string{"radio", "checkbox"}, firstGroup(typeOf, attrs)):
			if strings.Contains(attrs, " checked") {
				out.Add(name, firstGroup(valueOf, attrs))
			}
		default:
			out.Add(name, strings.NewReplacer("\r", "", "\n", "").Replace(firstGroup(valueOf, attrs)))
		}
	}
	return out
}

// roundTrip opens a stored draft, sends every step of the wizard as a browser does
// that only looks at it, and returns what would be stored.
func roundTrip(t *testing.T, r *Renderer, stored *experiment.Experiment) (experiment.Spec, experiment.Errors) {
	t.Helper()
	form := OpenLaunch(&stored.Spec, launchNow)
	for _, step := range launch.Steps() {
		view := launchViewOf(form, launch.Input{})
		view.Base, view.Draft, view.Step, view.Metrics, view.Now = "/launch", "D1", step, metrics.All(), launchNow
		var buf bytes.Buffer
		if err := r.Launch(&buf, view); err != nil {
			t.Fatal(err)
		}
		form = MergeLaunch(form, step, sentBy(buf.String()))
	}
	spec, faults := ReadLaunch(form, launchNow)
	faults = append(faults, KeepStored(form, &spec, stored)...)
	spec.Normalize()
	return spec, faults
}

// Every field of a document comes through the wizard as it was stored, when nobody
// changes it there: each in turn with something that is not the default.
func TestWizardLosesNoField(t *testing.T) {
	t.Parallel()
	const (
		arms = `"arms":[{"key":"a","weight":1,"value":1},{"key":"b","weight":2,"value":{"x":2}}]`
		plan = `"primary":["bitrate"]`
	)
	fields := map[string][]string{ // by field of a Spec
		"key": {`"k2"`}, "name": {`"A name"`, `"<b>&amp; \"quoted\""`}, "hypothesis": {`"why"`, `"two\nlines\n\nand more"`}, "owner": {`"ana"`},
		"change": {`"player"`, `"abr"`, `"encoder"`, `"edge"`, `"ui"`}, "unit": {`"viewer"`, `"device"`, `"broadcaster"`, `"session"`, `"block"`},
		"design": {`"ab"`}, "layer": {`"player"`}, "slots": {`1`, `1234`, `9999`},
		"ramp":     {`[{"at":"2026-12-02T08:00:00Z","slots":777}]`, `[{"at":"2025-01-02T08:00:01Z","slots":7},{"at":"2026-12-02T08:00:00Z","slots":10000}]`},
		"start_at": {`"2026-12-01T08:00:00Z"`, `"2026-12-01T08:00:30Z"`}, "stop_at": {`"2026-12-24T00:00:00Z"`},
		"audience": {
			`{"all":[{"attr":"os","op":"in","values":["ios","tvos"]},{"attr":"app","op":"semver_ge","value":"5.2.0"},{"attr":"kids","op":"eq","value":false}]}`,
			`{"any":[{"attr":"os","op":"eq","value":"ios"}]}`, `{"not":{"attr":"os","op":"eq","value":"ios"}}`, `{"attr":"os","op":"present"}`,
			`{"all":[{"op":"in_list","list":"beta"}]}`, `{"all":[{"attr":"a","op":"eq","value":"10"}]}`, `{"all":[{"attr":"a","op":"in","values":["a,b"," c"]}]}`,
		},
		"requires": {`[{"experiment":"x","arms":["y"]}]`}, "ignore_holdouts": {`"because"`}, "measures_holdout": {`"year"`},
		"arms": {
			`[{"key":"a","name":"An arm","weight":3,"value":"text"},{"key":"b","weight":4,"value":null,"dropped":true}]`, `[{"key":"a","weight":1,"value":{"x":[1, 2]}},{"key":"b","weight":1,"value":{}}]`,
			`[{"key":"a","weight":1,"value":1},{"key":"b","weight":1,"value":2},{"key":"c","weight":1,"value":3},{"key":"d","weight":1,"value":4},{"key":"e","weight":1,"value":5}]`,
		},
		"overrides": {`{"v":"a"}`}, "on_pause": {`"keep"`}, "plan": {`{` + plan + `}`}, "status": {`"draft"`},
	}
	for _, op := range []experiment.Op{
		experiment.OpEq, experiment.OpNe, experiment.OpLt, experiment.OpLe, experiment.OpGt, experiment.OpGe, experiment.OpSemverEq, experiment.OpSemverLt,
		experiment.OpSemverLe, experiment.OpSemverGt, experiment.OpSemverGe, experiment.OpContains, experiment.OpStartsWith, experiment.OpEndsWith,
	} {
		fields["audience"] = append(fields["audience"], `{"all":[{"attr":"a","op":"`+string(op)+`","value":"5.2.0"}]}`)
	}
	plans := map[string][]string{ // by field of a Plan
		"primary": {`["bitrate"]`, `["stall_ratio","bitrate"]`, `["stall_ratio.per_unit"]`}, "secondary": {`["stalls_per_hour","bitrate","stall_ratio"]`, `["stall_ratio.per_unit"]`},
		"guardrails": {`[{"metric":"start_success","margin":0.005}]`, `[{"metric":"stall_ratio","margin":0.0123456789012345}]`, `[{"metric":"start_success","margin":0.07},{"metric":"stall_ratio","margin":0.029}]`},
		"alpha":      {`0.01`}, "power": {`0.9`}, "mde": {`0.07`, `0.0123456789012345`, `0.1`}, "units": {`5000`, `123456789`}, "end": {`"2026-12-20"`},
		"method": {`"sequential"`, `"group_sequential","end":"2026-12-20"`}, "looks": {`5,"method":"group_sequential","end":"2026-12-20"`},
		"spending": {`"pocock","method":"group_sequential","end":"2026-12-20"`}, "versions": {`{"bitrate":1}`}, "covariates": {`"off"`, `"7d"`}, "suspects": {`"include"`, `"exclude"`},
	}
	r := renderer(t)
	check := func(what, document string) {
		stored := storedDraft(t, document)
		spec, faults := roundTrip(t, r, &stored)
		if diff := cmp.Diff(plainJSON(t, stored.Spec), plainJSON(t, spec)); diff != "" || len(faults) > 0 {
			t.Errorf("%s comes back changed, faults %v (-want +got):\n%s", what, faults, diff)
		}
	}
	for _, name := range jsonFields(reflect.TypeFor[experiment.Spec]()) {
		if len(fields[name]) == 0 {
			t.Errorf("no example of the field %s", name)
		}
		for _, value := range fields[name] {
			document := map[string]json.RawMessage{}
			if err := json.Unmarshal([]byte(`{"key":"k","unit":"viewer",`+arms+`,"plan":{`+plan+`},"`+name+`":`+value+`}`), &document); err != nil {
				t.Fatal(name, err)
			}
			b, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			check(name+" "+value, string(b))
		}
	}
	for _, name := range jsonFields(reflect.TypeFor[experiment.Plan]()) {
		if len(plans[name]) == 0 {
			t.Errorf("no example of the field plan.%s", name)
		}
		for _, value := range plans[name] {
			base := plan + ","
			if name == "primary" {
				base = ""
			}
			check("plan."+name+" "+value, `{"key":"k","unit":"viewer",`+arms+`,"plan":{`+base+`"`+name+`":`+value+`}}`)
		}
	}
}

// jsonFields lists the names of the fields of a struct in a document.
func jsonFields(of reflect.Type) []string {
	var out []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		out = append(out, name)
	}
	return out
}
