package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/web"
)

// definition is the form of a metric with what its kind proposes.
func definition(kind metrics.Kind, fields ...string) url.Values {
	form := web.NewMetricForm(kind)
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return form
}

// What the form defines is in the catalogue, as the API would have stored it and with
// the same entry in the audit log.
func TestDefineByForm(t *testing.T) {
	t.Parallel()
	w := newWizard(t)
	if page := w.get(t, pathCatalogue).body; !strings.Contains(page, `href="`+pathDefine+`">Define a metric`) || !strings.Contains(page, `data-url="`+pathDefine+`"`) {
		t.Error("neither the catalogue nor the palette leads to the form")
	}
	if page := w.get(t, pathDefine+"?kind=funnel").body; !strings.Contains(page, `name="steps[5]"`) {
		t.Errorf("the form of a funnel = %s", page)
	}
	ratio := definition(metrics.KindRatio, "name", "First minute", "description", "Share of plays of a minute.", "numerator", "engaged_attempts",
		"denominator", "play_attempts", "direction", "1", "decimals", "0", "go", web.GoDefine)
	funnel := definition(metrics.KindFunnel, "name", "Path", "description", "Of viewers who started, those who chat and then follow.", "steps[0]", "starts",
		"steps[1]", "measure:chat", "steps[2]", "event:follow", "direction", "1", "go", web.GoDefine)
	for key, form := range map[string]url.Values{"first_minute": ratio, "path": funnel} {
		if to, a := w.post(t, pathDefine, form); a.status != http.StatusSeeOther || to != pathCatalogue+"/"+key {
			t.Fatalf("define %s = %d to %q: %s", key, a.status, to, a.body)
		}
	}
	c, err := w.db.Catalogue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := c.Lookup("path"); got.Order != metrics.OrderStrict || len(got.Steps) != 3 || got.Version != 1 || got.Tiers != "ABCD" {
		t.Errorf("the funnel is %+v", got)
	}
	w.play(t, []scenario{
		{name: "what the API would have stored", method: "POST", path: apiPath + "/metrics", as: "write", body: ownMetric, status: 200, has: []string{`"unchanged"`}},
		{name: "the catalogue", method: "GET", path: pathCatalogue, header: w.header, status: 200, has: []string{"First minute", "Path"}},
		{name: "its page", method: "GET", path: pathCatalogue + "/path", header: w.header, status: 200, has: []string{"Edit as a new version", pathDefine + "?metric=path"}},
		{name: "of a built-in one", method: "GET", path: pathCatalogue + "/stall_ratio", header: w.header, status: 200, has: []string{"Define one like it"}},
		{name: "like it", method: "GET", path: pathDefine + "?metric=stall_ratio", header: w.header, status: 200, has: []string{`value="stall_ms"`, `name="key" type="text" value=""`}, lacks: []string{"version_of"}},
		{name: "unknown", method: "GET", path: pathDefine + "?metric=happiness", header: w.header, status: 404, has: []string{"happiness"}},
		{name: "no kind", method: "GET", path: pathDefine + "?kind=sum", header: w.header, status: 200, has: []string{"Choose a kind"}},
	})
	if n := w.count(t, `select count(*) from audit_log where action = 'metric.create' and subject in ('path', 'first_minute') and actor = (select created_by from metric_definitions where key = 'path')`); n != 2 {
		t.Errorf("the audit log has %d entries, want 2", n)
	}
}

// An edited metric is a new version of itself, unless somebody else was faster, and
// nothing else is overwritten.
func TestEditMetricByForm(t *testing.T) {
	t.Parallel()
	w := newWizard(t)
	if a := w.send(t, scenario{method: "POST", path: apiPath + "/metrics", as: "write", body: ownMetric}); a.status != http.StatusOK {
		t.Fatal(a.body)
	}
	page := w.get(t, pathDefine+"?metric=first_minute").body
	for _, want := range []string{"This makes version 2", `name="version_of" value="first_minute"`, `name="from_version" value="1"`, `value="engaged_attempts"`, "keep the version that they have"} {
		if !strings.Contains(page, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	c, err := w.db.Catalogue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored, _ := c.Lookup("first_minute")
	form := web.NewVersionForm(&stored)
	form.Set("go", web.GoDefine)
	if _, a := w.post(t, pathDefine, form); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "what version 1 says already") {
		t.Errorf("unchanged = %d: %s", a.status, a.body)
	}
	form.Set("numerator", "starts")
	if _, a := w.post(t, pathDefine, form); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `id="h-denominator">starts is not observed where`) {
		t.Errorf("not observed together = %d: %s", a.status, a.body)
	}
	form.Set("denominator", "attempts")
	if to, a := w.post(t, pathDefine, form); to != pathCatalogue+"/first_minute" {
		t.Fatalf("a new version = %d to %q: %s", a.status, to, a.body)
	}
	form.Set("unit", "of 100")
	if _, a := w.post(t, pathDefine, form); a.status != http.StatusConflict || !strings.Contains(a.body, "Version 2 of first_minute was made meanwhile") || !strings.Contains(a.body, `value="of 100"`) {
		t.Errorf("a version on an old one = %d: %s", a.status, a.body)
	}
	for _, key := range []string{"first_minute", "stall_ratio"} {
		fresh := definition(metrics.KindRetention, "name", "Taken", "description", "d", "direction", "1", "key", key, "go", web.GoDefine)
		if _, a := w.post(t, pathDefine, fresh); a.status != http.StatusConflict || !strings.Contains(a.body, `id="h-key">`+key+" is taken") || !strings.Contains(a.body, `value="Taken"`) {
			t.Errorf("the key %s, which is taken = %d: %s", key, a.status, a.body)
		}
	}
	builtin := definition(metrics.KindRetention, "name", "n", "description", "d", "direction", "1", web.ParamVersionOf, "stall_ratio", web.ParamFromVersion, "1", "go", web.GoDefine)
	if _, a := w.post(t, pathDefine, builtin); a.status != http.StatusConflict || !strings.Contains(a.body, "built in") {
		t.Errorf("a version of a built-in metric = %d: %s", a.status, a.body)
	}
	if n := w.count(t, `select count(*) from metric_definitions`); n != 2 {
		t.Errorf("%d versions are stored, want 2", n)
	}
}

// A preview, another kind and faults store nothing, and lose nothing that was written.
func TestDefineFormStoresNothing(t *testing.T) {
	t.Parallel()
	w := newWizard(t)
	w.runJob(t, 2)
	before := w.rows(t)
	form := definition(metrics.KindProportion, "name", "Starters", "description", "d", "direction", "1", "numerator", "covered_attempts", "window", "first", "go", web.GoPreview)
	if _, a := w.post(t, pathDefine, form); a.status != http.StatusOK || !strings.Contains(a.body, "Preview: the last 7 days") || !strings.Contains(a.body, "Units that an experiment needs") {
		t.Errorf("preview = %d: %s", a.status, a.body)
	}
	form.Set("go", web.GoKind+"quantile")
	if _, a := w.post(t, pathDefine, form); a.status != http.StatusOK || !strings.Contains(a.body, `value="Starters"`) || !strings.Contains(a.body, `name="level"`) {
		t.Errorf("another kind = %d: %s", a.status, a.body)
	}
	form.Set("go", web.GoDefine)
	form.Set("direction", "")
	form.Set("scale", "much")
	if _, a := w.post(t, pathDefine, form); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `value="much"`) || !strings.Contains(a.body, `id="h-direction">choose one`) || !strings.Contains(a.body, `id="h-scale">must be a number`) {
		t.Errorf("faults = %d: %s", a.status, a.body)
	}
	if _, a := w.post(t, pathDefine, url.Values{"pitfalls": {strings.Repeat("x", maxFormBody)}}); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form that is too large = %d", a.status)
	}
	after := w.rows(t)
	for table, n := range after {
		if n != before[table] {
			t.Errorf("%s has %d rows, want %d", table, n, before[table])
		}
	}
}
