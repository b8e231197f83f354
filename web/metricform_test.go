package web

import (
	"bytes"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// ownMetrics are definitions as people write them, of every kind and with every field.
var ownMetrics = map[string]string{
	"mean": `{"key":"spent","name":"Spent","description":"Per viewer.","kind":"mean","numerator":"value:purchase","denominator":"units",
		"cap":"At most 500 EUR a viewer.","cap_at":500,"direction":1,"unit":"EUR","decimals":2,"role":"goal","pitfalls":"Refunds are\nnot taken off."}`,
	"mean of hours": `{"key":"hours","name":"Hours","description":"d","kind":"mean","numerator":"watch_ms_uncapped","denominator":"watch_units","direction":1,
		"unit":"h","scale":2.7777777777777776e-7,"decimals":3}`,
	"count":          `{"key":"chats","name":"Chats","description":"d","kind":"count","numerator":"measure:chat","denominator":"units","direction":0,"unit":"n","cap":"At most 7.","cap_at":7.5}`,
	"proportion":     `{"key":"follows","name":"Viewers who follow","description":"Share of viewers who follow someone within a day.","kind":"proportion","numerator":"event:follow","denominator":"units","direction":1,"unit":"%","scale":100}`,
	"first":          `{"key":"quick","name":"Quick","description":"d","kind":"proportion","numerator":"quick_starts","denominator":"waited_attempts","window":"first","direction":1,"unit":"%","scale":100}`,
	"ratio":          `{"key":"stalls","name":"\"<b>Stalls</b>\"","description":"d","kind":"ratio","numerator":"stall_ms","denominator":"stall_base_ms","unit_floor":60000,"direction":-1,"unit":"%","scale":100,"tiers":"A","of":"device","role":"guardrail"}`,
	"of broadcasts":  `{"key":"tips","name":"Tips","description":"d","kind":"ratio","numerator":"stream_measure:tips","denominator":"live_streams","direction":1,"unit":"n"}`,
	"mean of ratios": `{"key":"each","name":"Each","description":"d","kind":"mean_of_ratios","numerator":"stall_ms","denominator":"stall_base_ms","unit_floor":1.5,"direction":-1,"unit":"%","scale":100}`,
	"quantile":       `{"key":"p90","name":"p90","description":"d","kind":"quantile","numerator":"startup_ms","denominator":"timed_starts","level":0.9,"window":"first","direction":-1,"unit":"s","scale":0.001,"decimals":6}`,
	"retention":      `{"key":"week_two","name":"Return in the second week","description":"d","kind":"retention","numerator":"returned","denominator":"units","window":"return_7_13","direction":1,"unit":"%","scale":100}`,
	"funnel":         `{"key":"path","name":"From watching to following","description":"d","kind":"funnel","steps":["starts","measure:chat","event:follow"],"direction":1,"unit":"%","scale":100}`,
	"any order":      `{"key":"path","name":"Path","description":"d","kind":"funnel","steps":["starts","event:follow"],"order":"any","direction":1,"unit":"%","scale":100}`,
	"of sessions":    `{"key":"path","name":"Path","description":"d","kind":"funnel","steps":["units","attempts","starts"],"direction":1,"unit":"%","scale":100}`,
	"six steps":      `{"key":"six","name":"Six","description":"d","kind":"funnel","steps":["event:a","event:b","event:c","event:d","event:e","event:f"],"direction":1,"unit":"%"}`,
}

func ownMetricOf(t testing.TB, text string) metrics.Definition {
	t.Helper()
	d, err := metrics.ParseDefinition([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// readBack returns what is stored when nobody touches the page with a definition in it.
func readBack(t *testing.T, form url.Values) (metrics.Definition, experiment.Errors) {
	t.Helper()
	page := renderPage(t, func(r *Renderer) pageWriter {
		return bind(r.Define, DefineView{Base: "/define-metric", Catalogue: "/catalogue", Form: form, Metrics: metrics.All()})
	})
	return ReadMetric(sentBy(page))
}

// What is opened and stored untouched is what it was.
func TestMetricFormLosesNothing(t *testing.T) {
	t.Parallel()
	kinds := map[metrics.Kind]bool{}
	for name, text := range ownMetrics {
		want := ownMetricOf(t, text)
		kinds[want.Kind] = true
		got, faults := readBack(t, NewVersionForm(&want))
		if diff := cmp.Diff(want, got); diff != "" || faults != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, faults, diff)
		}
	}
	for _, k := range metricKinds() {
		if !kinds[k.kind] {
			t.Errorf("no example of a %s", k.kind)
		}
	}
}

// The metrics of the program come through as people can define them: without a cap that
// is a quantity of its own.
func TestMetricFormOfTheCatalogue(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, want := range metrics.All() {
		if want.Role == metrics.RoleTrust {
			continue
		}
		tried++
		if want.Uncapped != nil {
			want.Uncapped, want.Cap = nil, ""
		}
		want.Version = 1
		got, faults := readBack(t, MetricForm(&want))
		if diff := cmp.Diff(want, got); diff != "" || faults != nil {
			t.Errorf("%s: %v (-want +got):\n%s", want.Key, faults, diff)
		}
	}
	if tried < 35 {
		t.Errorf("only %d metrics were tried", tried)
	}
}

// filled is the form of a kind with what it does not propose.
func filled(kind metrics.Kind, fields map[string]string) url.Values {
	form := NewMetricForm(kind)
	form.Set(fieldName, "A name, v2")
	form.Set(defDescription, "What it counts.")
	form.Set(defDirection, "1")
	for name, value := range fields {
		form.Set(name, value)
	}
	return form
}

// Of every kind a person fills in what it is made of, and the rest is proposed.
func TestNewMetricForm(t *testing.T) {
	t.Parallel()
	for kind, c := range map[metrics.Kind]struct {
		fields map[string]string
		want   string
	}{
		metrics.KindMean:         {map[string]string{defNumerator: "value:buy", defCapAt: "500"}, `"numerator":"value:buy","denominator":"units","unit":"n","cap_at":500,"cap":"At most 500 value:buy a unit."`},
		metrics.KindCount:        {map[string]string{defNumerator: " event:buy "}, `"numerator":"event:buy","denominator":"units","unit":"n"`},
		metrics.KindProportion:   {map[string]string{defNumerator: "event:buy"}, `"numerator":"event:buy","denominator":"units","unit":"%","scale":100`},
		metrics.KindRatio:        {map[string]string{defNumerator: "event:buy", defDenominator: "watch_ms", defScale: "3600000/1"}, `"numerator":"event:buy","denominator":"watch_ms","unit":"%","scale":3600000`},
		metrics.KindMeanOfRatios: {map[string]string{defNumerator: "stall_ms", defDenominator: "stall_base_ms"}, `"numerator":"stall_ms","denominator":"stall_base_ms","unit":"%","scale":100`},
		metrics.KindQuantile:     {map[string]string{defNumerator: "startup_ms", defDenominator: "timed_starts"}, `"numerator":"startup_ms","denominator":"timed_starts","unit":"s","scale":0.001,"level":0.5`},
		metrics.KindRetention:    {nil, `"numerator":"returned","denominator":"units","window":"return_d7","unit":"%","scale":100`},
		metrics.KindFunnel:       {map[string]string{"steps[0]": "starts", "steps[2]": "event:buy"}, `"steps":["starts","event:buy"],"order":"strict","unit":"%","scale":100`},
	} {
		want := ownMetricOf(t, `{"key":"a_name_v2","name":"A name, v2","description":"What it counts.","direction":1,"decimals":2,"kind":"`+string(kind)+`",`+c.want+`}`)
		got, faults := readBack(t, filled(kind, c.fields))
		if diff := cmp.Diff(want, got); diff != "" || faults != nil {
			t.Errorf("%s: %v (-want +got):\n%s", kind, faults, diff)
		}
	}
}

// Each fault stands at its field, with what was written.
func TestMetricFormFaults(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", metrics.MaxTextBytes+1)
	for _, c := range []struct {
		name   string
		kind   metrics.Kind
		fields map[string]string
		at     []string // fields, in the order of the page; "": of none
	}{
		{"nothing", metrics.KindRatio, map[string]string{fieldName: "", defDescription: "", defDirection: "", fieldUnit: ""}, []string{fieldName, defDescription, defNumerator, defDenominator, defDirection, fieldUnit}},
		{"no quantities", metrics.KindRatio, map[string]string{defNumerator: "plays", defDenominator: "event:"}, []string{defNumerator, defDenominator}},
		{"not together", metrics.KindRatio, map[string]string{defNumerator: "engaged_attempts", defDenominator: "rung_ms"}, []string{defDenominator}},
		{"not per unit", metrics.KindMean, map[string]string{defNumerator: "stall_ms", defDenominator: "stall_base_ms"}, []string{defDenominator}},
		{"numbers", metrics.KindMean, map[string]string{defNumerator: "event:a", defScale: "1/0", defDecimals: "1.5", defCapAt: "much"}, []string{defScale, defDecimals, defCapAt}},
		{"out of range", metrics.KindMean, map[string]string{defNumerator: "event:a", defScale: "-1", defDecimals: "7", defCapAt: "-2"}, []string{defScale, defDecimals, defCapAt}},
		{"a cap in words alone", metrics.KindCount, map[string]string{defNumerator: "event:a", defCap: "At most 3."}, []string{defCap}},
		{"floor", metrics.KindRatio, map[string]string{defNumerator: "event:a", defDenominator: "starts", defFloor: "-1"}, []string{defFloor}},
		{"level", metrics.KindQuantile, map[string]string{defNumerator: "startup_ms", defDenominator: "timed_starts", defLevel: "95"}, []string{defLevel}},
		{"window", metrics.KindRetention, map[string]string{defWindow: "return_0_3"}, []string{defWindow}},
		{"one step", metrics.KindFunnel, map[string]string{"steps[1]": "starts"}, []string{"steps[0]"}},
		{"no step", metrics.KindFunnel, map[string]string{"steps[1]": "starts", "steps[3]": "sales"}, []string{"steps[3]"}},
		{"twice", metrics.KindFunnel, map[string]string{"steps[1]": "event:a", "steps[3]": "event:a"}, []string{"steps[0]"}},
		{"lengths", metrics.KindRetention, map[string]string{fieldName: long, defPitfalls: long, fieldUnit: strings.Repeat("x", metrics.MaxUnitBytes+1)}, []string{fieldName, fieldUnit, defPitfalls}},
		{"key", metrics.KindRetention, map[string]string{fieldKey: "A key", defTiers: "BA"}, []string{fieldKey, defTiers}},
		{"no letters", metrics.KindRetention, map[string]string{fieldName: "放送"}, []string{fieldKey}},
		{"role", metrics.KindRetention, map[string]string{defRole: "trust"}, []string{defRole}},
		{"no kind", "sum", map[string]string{}, nil},
	} {
		form := filled(c.kind, c.fields)
		_, faults := ReadMetric(form)
		if len(faults) == 0 {
			t.Errorf("%s is accepted", c.name)
			continue
		}
		view := DefineView{Base: "/define-metric", Form: form, Faults: faults}
		var at []string
		for _, f := range newDefinePage(view).Faults {
			at = append(at, f.Field)
		}
		if diff := cmp.Diff(c.at, at); diff != "" {
			t.Errorf("%s: %v at (-want +got):\n%s", c.name, faults, diff)
		}
		page := renderPage(t, func(r *Renderer) pageWriter { return bind(r.Define, view) })
		sent := sentBy(page)
		for name, value := range c.fields {
			if got := sent.Get(name); got != value && name != defRole {
				t.Errorf("%s: the page has %q in %s, want %q", c.name, got, name, value)
			}
		}
	}
}

// At their limits texts are accepted.
func TestMetricFormLimits(t *testing.T) {
	t.Parallel()
	most := strings.Repeat("x", metrics.MaxTextBytes)
	form := filled(metrics.KindMean, map[string]string{
		defNumerator: "event:a", fieldName: most, defDescription: most, defPitfalls: most, defCap: most, defCapAt: "1", fieldUnit: strings.Repeat("x", metrics.MaxUnitBytes), defDecimals: "6",
	})
	if d, faults := ReadMetric(form); faults != nil || len(d.Name) != metrics.MaxTextBytes || len(d.Key) > experiment.MaxKeyBytes {
		t.Errorf("at the limits: %v", faults)
	}
	form.Set(defPitfalls, strings.Repeat("x", metrics.MaxDefinitionBytes))
	if _, faults := ReadMetric(form); len(faults) != 1 || faults[0].Code != experiment.CodeTooLarge {
		t.Errorf("a definition that is too large: %v", faults)
	}
}

// Scales are written as people would, and mean what they did.
func TestScaleText(t *testing.T) {
	t.Parallel()
	for x, want := range map[float64]string{1: "1", 100: "100", 0.001: "0.001", 2.7777777777777776e-7: "1/3600000", 1. / 3: "1/3", 0.123456789: "0.123456789", 1e-300: "1e-300", 5e-324: "5e-324"} {
		if got := scaleText(x); got != want {
			t.Errorf("scaleText(%v) = %q, want %q", x, got, want)
		}
	}
}

// Another kind takes what somebody wrote with it, and proposes the rest.
func TestSwitchMetricKind(t *testing.T) {
	t.Parallel()
	form := filled(metrics.KindMean, map[string]string{defNumerator: "event:a", fieldUnit: "EUR", ParamVersionOf: "k", ParamFromVersion: "3"})
	form = SwitchMetricKind(form, metrics.KindFunnel)
	for name, want := range map[string]string{
		fieldName: "A name, v2", defNumerator: "event:a", fieldUnit: "EUR", defScale: "100", defDenominator: "", defOrder: "strict", ParamVersionOf: "k", ParamFromVersion: "3",
	} {
		if got := form.Get(name); got != want {
			t.Errorf("as a funnel %s is %q, want %q", name, got, want)
		}
	}
	form.Del(defOrder)
	form = SwitchMetricKind(SwitchMetricKind(form, metrics.KindRetention), metrics.KindQuantile)
	for name, want := range map[string]string{defNumerator: "event:a", defWindow: "day", defScale: "0.001", defLevel: "0.5", fieldUnit: "EUR"} {
		if got := form.Get(name); got != want {
			t.Errorf("as a quantile %s is %q, want %q", name, got, want)
		}
	}
}

// FuzzReadMetric reads forms without harm, and what they describe comes back out of the
// form that it is shown in.
func FuzzReadMetric(f *testing.F) {
	for _, text := range ownMetrics {
		d := ownMetricOf(f, text)
		f.Add(MetricForm(&d).Encode())
	}
	f.Add("kind=ratio&scale=1/3600000&numerator=event:a")
	f.Fuzz(func(t *testing.T, text string) {
		form, err := url.ParseQuery(text)
		if err != nil || strings.Contains(text, "%0D") || strings.Contains(text, "%0d") || strings.Contains(text, "\r") { // line ends are made one kind
			return
		}
		first, faults := ReadMetric(form)
		if len(faults) > 0 {
			return
		}
		again, faults := ReadMetric(MetricForm(&first))
		if diff := cmp.Diff(first, again); diff != "" || faults != nil {
			t.Errorf("%q: %v (-first +again):\n%s", text, faults, diff)
		}
	})
}

var quantityRow = regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| (.*) \\| .* \\|$")

// The page says of each quantity what docs/metrics.md says, which is made of the program.
func TestQuantityWords(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(docs), "## Base quantities")
	var want strings.Builder
	for _, m := range quantityRow.FindAllStringSubmatch(table, -1) {
		want.WriteString(m[1] + "\t" + strings.ReplaceAll(m[2], "`", "") + "\n")
	}
	if *update {
		if err := os.WriteFile("quantities.txt", []byte(want.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want.String(), quantityLines); diff != "" {
		t.Errorf("run with -update and review (-want +got):\n%s", diff)
	}
	for q := range metrics.Quantity(metrics.QuantityCount) {
		if quantityWords()[q.String()] == "" {
			t.Errorf("nothing is said of %s", q)
		}
	}
}

// defineSamples renders the page on which metrics are defined: before anything is
// chosen, of kinds, with a preview, with faults, and with names that want to be more.
func defineSamples(r *Renderer, chrome Chrome) map[string]pageWriter {
	own := []metrics.Definition{}
	for _, text := range ownMetrics {
		if d, err := metrics.ParseDefinition([]byte(text)); err == nil {
			own = append(own, d)
		}
	}
	page := func(form url.Values, edit func(*DefineView)) pageWriter {
		v := DefineView{Chrome: chrome, Base: "/define-metric", Catalogue: "/catalogue", Form: form, Metrics: own}
		if form != nil {
			_, v.Faults = ReadMetric(form)
		}
		if edit != nil {
			edit(&v)
		}
		return bind(r.Define, v)
	}
	known, _ := metrics.Lookup("watch_hours_per_viewer")
	known.Version = 2
	shown := previewOf("watch_hours_per_viewer", 1.32, 3.1, 1.7)
	preview := func(v *DefineView) {
		v.Preview = &MetricView{
			Metric: shown.Metric, Unit: experiment.UnitViewer, Preview: shown.Preview, From: []string{"a", "b"}, Since: launchNow.AddDate(0, 0, -7),
			Costs: []MetricCost{{MDE: 0.005}, {MDE: 0.1}},
		}
	}
	nothing := func(v *DefineView) { v.Faults = nil }
	out := map[string]pageWriter{
		"/define-metric":         page(nil, nil),
		"/define-metric/version": page(NewVersionForm(&known), preview),
		"/define-metric/faults": page(filled(metrics.KindFunnel, map[string]string{"steps[1]": "sales", defDirection: "", defTiers: "BA", fieldName: ""}), func(v *DefineView) {
			v.Faults = append(v.Faults, experiment.Invalidf("", "It says what version 3 says already."))
		}),
		"/define-metric/hostile": page(filled(metrics.KindRatio, map[string]string{
			fieldName: "<img src=x>" + strings.Repeat("w", 90), defDescription: strings.Repeat("ذراع ", 60), defNumerator: "event:" + strings.Repeat("u", 90),
			ParamVersionOf: strings.Repeat("k", 64), ParamFromVersion: `"><script>`,
		}), nil),
	}
	for _, k := range metricKinds() {
		out["/define-metric/"+string(k.kind)] = page(NewMetricForm(k.kind), nothing)
	}
	return out
}

func TestDefinePage(t *testing.T) {
	t.Parallel()
	samples := defineSamples(renderer(t), Chrome{})
	wants := map[string][]string{
		"/define-metric":         {"Choose a kind", `href="/define-metric?kind=mean_of_ratios"`, "is 1 for every outcome."},
		"/define-metric/funnel":  {`name="order" value="strict" checked`, "Steps must happen in this order", `name="steps[5]"`, `<option value="event:follow">`, `aria-current="true">Funnel`},
		"/define-metric/ratio":   {`list="list-below"`, "Unit floor", `name="cap_at"`, `<option value="stall_base_ms">is play time plus stall_ms`},
		"/define-metric/version": {"This makes version 3.", "Store version 3", "keep the version that they have", "1.32 h", "To find a lift of", `name="version_of" value="watch_hours_per_viewer"`},
		"/define-metric/faults":  {"Nothing was stored.", `<a href="#steps%5b1%5d">Step 2</a>`, `value="sales"`, "It says what version 3 says already.", `<details open>`},
		"/define-metric/hostile": {"&lt;img", "&lt;script"},
	}
	lacks := map[string][]string{
		"/define-metric": {"<form"}, "/define-metric/funnel": {`name="cap_at"`, `name="numerator"`, `role="alert"`}, "/define-metric/quantile": {`name="cap_at"`, `name="unit_floor"`},
		"/define-metric/version": {`name="key"`},
	}
	pages := map[string]string{}
	for path, render := range samples {
		var buf bytes.Buffer
		if err := render(&buf); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		checkPage(t, buf.String())
		pages[path] = buf.String()
	}
	for path := range pages {
		for _, want := range wants[path] {
			if !strings.Contains(pages[path], want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
		for _, lack := range lacks[path] {
			if strings.Contains(pages[path], lack) {
				t.Errorf("%s has %q", path, lack)
			}
		}
	}
}
