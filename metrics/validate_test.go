package metrics_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

const ownMetric = `{"key":"m","name":"M","description":"d","kind":"ratio","numerator":"stall_ms",
	"denominator":"stall_sessions","direction":-1,"unit":"s","scale":0.001}`

func TestParseDefinition(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, from, to string }{
		{"as it is", "", ""},
		{"capped", `"unit":"s"`, `"unit":"s","cap":"At most a minute.","cap_at":60000`},
		{"with a floor", `"unit":"s"`, `"unit":"s","unit_floor":2`},
		{"a mean", `"kind":"ratio","numerator":"stall_ms"`, `"kind":"mean","window":"first","numerator":"stall_ms"`},
		{"a mean of ratios", `"ratio"`, `"mean_of_ratios"`},
		{"a quantile", `"ratio"`, `"quantile","level":0.9`},
		{"a proportion", `"kind":"ratio","numerator":"stall_ms"`, `"kind":"proportion","window":"first","numerator":"stalled_sessions"`},
	} {
		doc := strings.Replace(ownMetric, test.from, test.to, 1)
		d, err := metrics.ParseDefinition([]byte(doc))
		if err != nil {
			t.Errorf("%s: ParseDefinition = %v", test.name, err)
			continue
		}
		if d.Version != 1 || d.Tiers != "AB" || d.Role != metrics.RoleDiagnostic || d.Window == "" {
			t.Errorf("%s: defaults = %+v", test.name, d)
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var back metrics.Definition
		if err := json.Unmarshal(text, &back); err != nil || !cmp.Equal(d, back) {
			t.Errorf("%s: stored and read it is %+v, %v", test.name, back, err)
		}
	}
	for _, whole := range []string{
		`{"key":"c","name":"C","description":"d","kind":"count","numerator":"distinct_starts","denominator":"units","unit":"n"}`,
		`{"key":"r","name":"R","description":"d","kind":"retention","numerator":"returned","denominator":"units","unit":"%","window":"return_d7"}`,
		`{"key":"f","name":"F","description":"d","kind":"funnel","steps":["units","attempts","starts","play_sessions","engaged_attempts"],"unit":"%","scale":100}`,
	} {
		if _, err := metrics.ParseDefinition([]byte(whole)); err != nil {
			t.Errorf("ParseDefinition(%s) = %v", whole, err)
		}
	}
}

func TestParseDefinitionNamesTheField(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ field, from, to string }{
		{"key", `"key":"m"`, `"key":"m.per_unit"`},
		{"key", `"key":"m"`, `"key":"M"`},
		{"name", `"name":"M"`, `"name":""`},
		{"name", `"name":"M"`, `"name":5`},
		{"unit", `"unit":"s"`, `"unit":""`},
		{"kind", `"ratio"`, `"harmonic"`},
		{"numerator", `"numerator":"stall_ms",`, ``},
		{"numerator", `"stall_ms"`, `"stall"`},
		{"numerator", `"stall_ms"`, `"stall_sessions"`},
		{"denominator", `"denominator":"stall_sessions",`, ``},
		{"denominator", `"stall_sessions"`, `"sessions"`},
		{"denominator", `"stall_sessions"`, `"rung_ms"`},
		{"denominator", `"ratio"`, `"mean"`},
		{"numerator", `"ratio","numerator":"stall_ms"`, `"proportion","window":"first","numerator":"stall_ms"`},
		{"numerator", `"ratio","numerator":"stall_ms"`, `"count","window":"first","numerator":"stall_ms"`},
		{"window", `"ratio"`, `"retention"`},
		{"window", `"unit":"s"`, `"unit":"s","window":"return_d1"`},
		{"window", `"unit":"s"`, `"unit":"s","window":"week"`},
		{"level", `"ratio"`, `"quantile"`},
		{"level", `"ratio"`, `"quantile","level":1`},
		{"steps", `"ratio"`, `"ratio","steps":["attempts","starts"]`},
		{"cap", `"unit":"s"`, `"unit":"s","cap_at":5`},
		{"cap", `"unit":"s"`, `"unit":"s","cap":"five"`},
		{"cap_at", `"unit":"s"`, `"unit":"s","cap":"five","cap_at":-5`},
		{"cap_at", `"ratio"`, `"quantile","level":0.5,"cap":"five","cap_at":5`},
		{"unit_floor", `"unit":"s"`, `"unit":"s","unit_floor":-1`},
		{"numerator", `"stall_ms"`, `"event:Bad Name"`},
		{"numerator", `"stall_ms"`, `"events:follow"`},
		{"denominator", `"numerator":"stall_ms"`, `"numerator":"event:follow"`}, // over sessions of other quantities
		{"denominator", `"stall_sessions"`, `"event:follow"`},                   // what sessions tell over what they do not
		{"numerator", `"ratio","numerator":"stall_ms"`, `"count","numerator":"value:tip"`},
		{"window", `"ratio"`, `"retention","window":"return_0_3"`},
		{"window", `"ratio"`, `"retention","window":"return_1_29"`},
		{"window", `"ratio"`, `"retention","window":"return_3_2"`},
		{"window", `"ratio"`, `"retention","window":"return_01_2"`},
		{"numerator", `"ratio","numerator":"stall_ms"`, `"retention","window":"return_1_28","numerator":"measure:chat"`},
		{"of", `"ratio","numerator":"stall_ms"`, `"ratio","of":"viewer","numerator":"stream_measure:scenes"`},
		{"of", `"unit":"s"`, `"unit":"s","of":"crowd"`},
		{"key", `"key":"m"`, `"key":"m.step2"`},
		{"from_step", `"unit":"s"`, `"unit":"s","from_step":1`},
		{"uncapped", `"unit":"s"`, `"unit":"s","cap":"c","uncapped":{"numerator":"stall_ms_uncapped","denominator":"stall_sessions"}`},
		{"role", `"unit":"s"`, `"unit":"s","role":"trust"`},
		{"scale", `0.001`, `-1`},
		{"", `"unit"`, `"units"`},
	} {
		doc := strings.Replace(ownMetric, test.from, test.to, 1)
		_, err := metrics.ParseDefinition([]byte(doc))
		named := false
		for _, f := range experiment.Faults(err) {
			named = named || f.Field == test.field
		}
		if !named {
			t.Errorf("ParseDefinition with %s = %v, want a fault of %q", test.to, err, test.field)
		}
	}
	funnel := `{"key":"f","name":"F","description":"d","kind":"funnel","steps":[%],"unit":"%","scale":100}`
	for _, steps := range []string{
		``, `"units"`, `"attempts","play_ms"`, `"starts","attempts"`, `"attempts","severe_sessions"`,
		`"units","attempts","starts","play_sessions","stall_sessions","longest_stall_sessions","severe_sessions"`,
	} {
		if _, err := metrics.ParseDefinition([]byte(strings.Replace(funnel, "%", steps, 1))); err == nil {
			t.Errorf("ParseDefinition took a funnel of %s", steps)
		}
	}
}

// The steps of funnels of units are in order unless a definition says otherwise.
func TestParseDefinitionOrder(t *testing.T) {
	t.Parallel()
	const head = `{"key":"f","name":"F","description":"d","unit":"%","scale":100,"kind":`
	const ofUnits, ofSessions = head + `"funnel","steps":["starts","event:follow"]`, head + `"funnel","steps":["attempts","starts"]`
	const noFunnel = head + `"count","numerator":"event:follow","denominator":"units"`
	for _, test := range []struct {
		doc   string
		order metrics.Order
		fault bool
	}{
		{ofUnits + `}`, metrics.OrderStrict, false},
		{ofUnits + `,"order":"strict"}`, metrics.OrderStrict, false},
		{ofUnits + `,"order":"any"}`, metrics.OrderAny, false},
		{ofUnits + `,"order":"none"}`, "", true},
		{ofSessions + `}`, "", false},
		{ofSessions + `,"order":"strict"}`, "", true},
		{noFunnel + `}`, "", false},
		{noFunnel + `,"order":"any"}`, "", true},
	} {
		d, err := metrics.ParseDefinition([]byte(test.doc))
		if faults := experiment.Faults(err); test.fault != (len(faults) == 1 && faults[0].Field == "order") || !test.fault && (err != nil || d.Order != test.order) {
			t.Errorf("ParseDefinition(%s) = order %q, %v; want %q, fault of order %v", test.doc, d.Order, err, test.order, test.fault)
		}
	}
}

func TestParseDefinitionLimits(t *testing.T) {
	t.Parallel()
	padded := ownMetric + strings.Repeat(" ", metrics.MaxDefinitionBytes-len(ownMetric))
	if _, err := metrics.ParseDefinition([]byte(padded)); err != nil {
		t.Errorf("ParseDefinition at the limit = %v", err)
	}
	if _, err := metrics.ParseDefinition([]byte(padded + " ")); err == nil {
		t.Error("ParseDefinition took a byte too many")
	}
	if _, err := metrics.ParseDefinition([]byte(ownMetric + "{}")); err == nil {
		t.Error("ParseDefinition took two definitions")
	}
}

func FuzzParseDefinition(f *testing.F) {
	f.Add([]byte(ownMetric))
	f.Add([]byte(`{"kind":"funnel","steps":["units","attempts"]}`))
	f.Add([]byte(`{"numerator":["a"],"denominator":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := metrics.ParseDefinition(data)
		if err != nil {
			if code, ok := experiment.CodeOf(err); !ok || code != experiment.CodeInvalid && code != experiment.CodeTooLarge {
				t.Errorf("ParseDefinition(%q) = %v, which is not an error of the input", data, err)
			}
			return
		}
		spec := metrics.CellSpec{Definitions: append(metrics.All(), d), Arms: 2}
		if metrics.Known(d.Key) {
			return
		}
		if _, err := metrics.NewAccumulator(spec); err != nil {
			t.Errorf("NewAccumulator refuses what ParseDefinition took of %q: %v", data, err)
		}
	})
}

// TestWith lays people's metrics over the built-in ones.
func TestWith(t *testing.T) {
	t.Parallel()
	own, err := metrics.ParseDefinition([]byte(strings.Replace(ownMetric, `"m"`, `"bitrate"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	second := own
	second.Version, second.Name = 2, "M again"
	c := metrics.Builtin().With([]metrics.Definition{own, second})
	if d, ok := c.Lookup("bitrate"); !ok || d.Name != "M again" {
		t.Errorf("Lookup = %+v, %v; want people's second version", d, ok)
	}
	if d, ok := c.LookupVersion("bitrate", 1); !ok || d.Name != "M" {
		t.Errorf("LookupVersion 1 = %+v, %v; want people's, not the built-in one", d, ok)
	}
	if got := len(c.Versions("bitrate")); got != 2 {
		t.Errorf("%d versions, want 2", got)
	}
	if d, ok := c.LookupVersion(metrics.PerUnitKey("bitrate"), 2); !ok || d.Kind != metrics.KindMeanOfRatios || !d.Numerator.Is(metrics.StallMs) {
		t.Errorf("companion = %+v, %v", d, ok)
	}
	if _, ok := c.LookupVersion(metrics.PerUnitKey("start_success"), 1); ok {
		t.Error("a proportion has a companion")
	}
	if len(c.All()) != len(metrics.All()) || metrics.Builtin().With(nil) != metrics.Builtin() {
		t.Error("a metric that takes another's place adds none")
	}
}

// TestPlanDefinitions checks what an experiment measures.
func TestPlanDefinitions(t *testing.T) {
	t.Parallel()
	plan := experiment.Plan{
		Primary: []string{"stall_ratio"}, Secondary: []string{"start_success", "no_such_metric", "telemetry_coverage"},
		Versions: map[string]int{"stall_ratio": 1, "start_success": 9},
	}
	var got []string
	for _, d := range metrics.PlanDefinitions(&plan, metrics.Builtin()) {
		got = append(got, d.Key)
	}
	// There is no version 9 of start_success.
	want := []string{"stall_ratio", "stall_ratio.per_unit", "telemetry_coverage", "start_time_known"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("PlanDefinitions differ (-want +got):\n%s", diff)
	}
}
