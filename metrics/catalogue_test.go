package metrics_test

import (
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

func TestBuiltinCatalogue(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"watch_hours_per_viewer", "start_success", "exit_before_start", "startup_first_p50", "startup_first_p95",
		"stall_ratio", "stalled_session_rate", "bitrate", "live_latency_mean", "telemetry_coverage", "start_time_known",
	} {
		if !metrics.Known(key) {
			t.Errorf("Known(%q) = false", key)
		}
	}
	if metrics.Known("no_such_metric") {
		t.Error("Known(no_such_metric) = true")
	}
	if got, want := len(metrics.All()), 45; got != want {
		t.Errorf("All() has %d metrics, want %d", got, want)
	}
}

func TestQuantityNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for q := range metrics.Quantity(metrics.QuantityCount) {
		name := q.String()
		if name == "" || name == "?" || seen[name] {
			t.Errorf("quantity %d has the name %q", q, name)
		}
		seen[name] = true
		if back, ok := metrics.ParseQuantity(name); !ok || back != q {
			t.Errorf("ParseQuantity(%q) = %v, %v", name, back, ok)
		}
	}
	if _, ok := metrics.ParseQuantity("?"); ok {
		t.Error("ParseQuantity took ?")
	}
}

const validMetric = `{"key":"m","version":1,"name":"M","description":"d","kind":"ratio","numerator":"stall_ms",
	"denominator":"stall_base_ms","direction":-1,"unit":"%","scale":100,"decimals":2,"window":"day","tiers":"AB","role":"goal"}`

func TestParseCatalogueNamesTheField(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ field, from, to string }{
		{"key", `"key":"m"`, `"key":"M!"`},
		{"version", `"version":1`, `"version":0`},
		{"name", `"name":"M"`, `"name":""`},
		{"kind", `"kind":"ratio"`, `"kind":"sum"`},
		{"numerator", `"stall_ms"`, `"stall_base_ms"`},
		{"level", `"direction":-1`, `"direction":-1,"level":0.5`},
		{"level", `"kind":"ratio"`, `"kind":"quantile"`},
		{"denominator", `"kind":"ratio"`, `"kind":"mean"`},
		{"direction", `"direction":-1`, `"direction":2`},
		{"scale", `"scale":100`, `"scale":0`},
		{"decimals", `"decimals":2`, `"decimals":7`},
		{"window", `"window":"day"`, `"window":"week"`},
		{"tiers", `"AB"`, `"BA"`},
		{"role", `"goal"`, `"hero"`},
		{"cap", `"unit":"%"`, `"unit":"%","cap":"5 minutes"`},
	} {
		doc := `{"metrics":[` + strings.Replace(validMetric, test.from, test.to, 1) + `]}`
		_, err := metrics.ParseCatalogue([]byte(doc))
		faults := experiment.Faults(err)
		if len(faults) == 0 || faults[0].Field != "metrics[0]."+test.field {
			t.Errorf("ParseCatalogue with %s = %v, want a fault of metrics[0].%s", test.to, err, test.field)
		}
	}
	for _, doc := range []string{
		``, `{`, `{"metrics":[]}`, `{"metrics":[` + validMetric + `,` + validMetric + `]}`,
		`{"metrics":[` + validMetric + `]} {}`,
		`{"metrics":[` + strings.Replace(validMetric, `"stall_ms"`, `"stall_msec"`, 1) + `]}`,
		`{"metrics":[` + strings.Replace(validMetric, `"unit"`, `"units"`, 1) + `]}`,
	} {
		if _, err := metrics.ParseCatalogue([]byte(doc)); err == nil {
			t.Errorf("ParseCatalogue(%.60q) took it", doc)
		}
	}
}

func TestCatalogueVersions(t *testing.T) {
	t.Parallel()
	second := strings.Replace(strings.Replace(validMetric, `"version":1`, `"version":2`, 1), `"M"`, `"M again"`, 1)
	c, err := metrics.ParseCatalogue([]byte(`{"metrics":[` + validMetric + `,` + second + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := c.Lookup("m"); !ok || d.Version != 2 || d.Name != "M again" {
		t.Errorf("Lookup(m) = %+v, %v; want version 2", d, ok)
	}
	if d, ok := c.LookupVersion("m", 1); !ok || d.Name != "M" {
		t.Errorf("LookupVersion(m, 1) = %+v, %v", d, ok)
	}
	if _, ok := c.LookupVersion("m", 3); ok {
		t.Error("LookupVersion(m, 3) found it")
	}
	if got := c.All(); len(got) != 1 || got[0].Version != 2 {
		t.Errorf("All() = %+v, want version 2 alone", got)
	}
}

func FuzzParseCatalogue(f *testing.F) {
	f.Add([]byte(`{"metrics":[` + validMetric + `]}`))
	f.Add([]byte(`{"metrics":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := metrics.ParseCatalogue(data)
		if err != nil {
			if code, ok := experiment.CodeOf(err); !ok || code != experiment.CodeInvalid {
				t.Errorf("ParseCatalogue(%q) = %v, which is not an error of the input", data, err)
			}
			return
		}
		for _, d := range c.All() {
			if !experiment.ValidKey(d.Key) || !(d.Scale > 0) {
				t.Errorf("ParseCatalogue(%q) took %+v", data, d)
			}
		}
	})
}

func TestPlanFaultsNameTheField(t *testing.T) {
	t.Parallel()
	plan := experiment.Plan{
		Primary: []string{"stall_ratio", "live_hours_per_broadcaster"}, Secondary: []string{"go_live_success", "no_such_metric"},
		Guardrails: []experiment.Guardrail{{Metric: "ingest_starvation_ratio", Margin: 0.01}},
	}
	var fields []string
	for _, fault := range metrics.Builtin().PlanFaults(experiment.UnitViewer, &plan) {
		fields = append(fields, fault.Field)
	}
	if got, want := strings.Join(fields, " "), "plan.primary[1] plan.secondary[0] plan.guardrails[0].metric"; got != want {
		t.Errorf("PlanFaults(viewer) are of %q, want %q", got, want)
	}
	if faults := metrics.Builtin().PlanFaults(experiment.UnitBroadcaster, &plan); len(faults) > 0 {
		t.Errorf("PlanFaults(broadcaster) = %v", faults)
	}
}
