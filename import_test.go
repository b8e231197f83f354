package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/splitcast/splitcast/intake"
	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/report"
)

const importDocument = `
experiments:
  - key: elsewhere
    unit: viewer
    arms: [{key: control, weight: 1, value: false}, {key: treatment, weight: 1, value: true}]
    plan: {primary: [watch_hours_per_viewer, start_success], units: 6000, covariates: "off"}
    status: running
`

// importPlatform runs an experiment that takes imports.
func importPlatform(t *testing.T) (p *platform, at []string) {
	t.Helper()
	p = startTestPlatform(t, pgtest.New(t))
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	})
	at = []string{"--server", p.url(), "--token", testToken}
	if _, err := commandLine(t, append([]string{"apply", "-f", writeDocument(t, importDocument)}, at...)...); err != nil {
		t.Fatal(err)
	}
	return p, at
}

// look runs the job shortly after now.
func (p *platform) look(t *testing.T) {
	t.Helper()
	if _, err := p.job.RunOnce(context.WithoutCancel(t.Context()), time.Now().Add(10*time.Second)); err != nil {
		t.Fatal(err)
	}
}

func reportOf(t *testing.T, at []string) report.Report {
	t.Helper()
	text, err := commandLine(t, append([]string{"report", "elsewhere", "--json"}, at...)...)
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// importRowsText are viewers of two arms with the time they watched and whether
// playing began; some lack one of the two.
func importRowsText(n int) string {
	rng := rand.New(rand.NewPCG(8, 9))
	var b strings.Builder
	b.WriteString("viewer,group,watch_ms,ok,country,note\n")
	for i := range n {
		watch, ok := fmt.Sprint(int(3e6*rng.ExpFloat64())), "0"
		if rng.Float64() < 0.8+0.05*float64(i%2) {
			ok = "1"
		}
		if i/2%10 == 7 {
			ok = "NA"
		}
		fmt.Fprintf(&b, "v%d,%s,%s,%s,DE,x\n", i, []string{"control", "treatment"}[i%2], watch, ok)
	}
	return b.String()
}

func writeRows(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if strings.HasSuffix(name, ".gz") {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		text = packed.String()
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var outcomeFlags = []string{"--unit", "viewer", "--arm", "group", "--field", "value:start_success=ok"}

// The report of imported outcomes has the numbers that analyze has of the same file.
func TestImportedReportAgreesWithAnalyze(t *testing.T) {
	t.Parallel()
	p, at := importPlatform(t)
	// A unit in two arms is in no number of either.
	file := writeRows(t, "rows.csv.gz", importRowsText(5_000)+"both,control,1,1,DE,x\nboth,treatment,1,1,DE,x\n")
	printed, err := commandLine(t, append(append([]string{"import", "elsewhere", file}, outcomeFlags...), at...)...)
	if err != nil || !strings.Contains(printed, "5002 rows, 5002 accepted, 0 there before, 0 rejected") {
		t.Fatalf("import = %q, %v", printed, err)
	}
	p.look(t)
	r := reportOf(t, at)
	card := analyze(t, file, "--unit", "viewer", "--arm", "group", "--planned", "6000", "--alpha", "0.025",
		"--metric", "watch_ms:mean", "--metric", "ok:proportion")
	for i, metric := range []string{"watch_hours_per_viewer", "start_success"} {
		row, want := r.Primary[i], card.Metrics[i].Comparisons[0].Lift
		if row.Metric.Key != metric || row.Effect == nil || want.Fixed == nil || want.Sequence == nil {
			t.Fatalf("%s: report %+v (%+v), analyze %+v", metric, row.Effect, row.Refusal, want)
		}
		got := row.Effect
		for name, pair := range map[string][2]float64{
			"lift": {got.Estimate, want.Fixed.Estimate}, "se": {got.SE, want.Fixed.SE},
			"lower": {got.Lower, want.Sequence.Lower}, "upper": {got.Upper, want.Sequence.Upper},
			"lower of one look": {got.FixedLower, want.Fixed.Lower}, "upper of one look": {got.FixedUpper, want.Fixed.Upper},
			"log e": {row.Evidence.LogE, want.Sequence.LogE},
		} {
			if !(math.Abs(pair[0]-pair[1]) <= 1e-9) {
				t.Errorf("%s, %s: report %.12g, analyze %.12g", metric, name, pair[0], pair[1])
			}
		}
		if n := card.Metrics[i].Arms; row.Control.N != n[0].N || row.Treatment.N != n[1].N {
			t.Errorf("%s: report of %d and %d units, analyze of %d and %d", metric, row.Control.N, row.Treatment.N, n[0].N, n[1].N)
		}
	}
	for i, arm := range r.Head.Arms {
		if arm.Exposed != 2_500 || arm.Imported != 2_500 || r.Head.Arms[0].Crossed != 1 {
			t.Errorf("arm %d = %+v, want 2500 units, all imported, and one crossed in all", i, arm)
		}
	}
	for _, c := range r.Trust {
		if c.State == report.CheckFail {
			t.Errorf("check %s of sound data = %+v", c.Key, c)
		}
	}
}

// An import that broke off goes on where it was, and one that is repeated changes
// nothing.
func TestImportGoesOn(t *testing.T) {
	t.Parallel()
	p, at := importPlatform(t)
	text := importRowsText(5_000) + "vx,control,what,1,DE,x\nvy,nobody,5,1,DE,x\n,control,5,1,DE,x\nshort,control\nv0,control,5,1,DE,x\n"
	file := writeRows(t, "rows.csv", text)
	command := append(append([]string{"import", "elsewhere", file}, outcomeFlags...), at...)
	// The server is told to stop taking rows in the middle.
	middle := append(append([]string{"import", "elsewhere", file}, outcomeFlags...), "--server", brokenAfter(t, p.url(), 1), "--token", testToken)
	if printed, err := commandLine(t, middle...); err == nil || !strings.Contains(err.Error(), "stopped after row 2000 of 5005") {
		t.Fatalf("an import to a server that ends = %q, %v", printed, err)
	}
	rewriteTarget(t, file+".cursor", p.url())
	const summary = "5005 rows, 5000 accepted, 0 there before, 5 rejected"
	if printed, err := commandLine(t, command...); err != nil || !strings.Contains(printed, summary) {
		t.Fatalf("going on = %q, %v, want %q", printed, err, summary)
	}
	rejected, err := os.ReadFile(file + ".rejected")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"line":5002,"column":"watch_ms","reason":"\"what\" is not a finite number","row":{`,
		`{"line":5003,"column":"group","reason":"experiment elsewhere has no arm \"nobody\"","row":{`,
		`{"line":5004,"column":"viewer","reason":"the unit is missing","row":{`,
		`{"line":5005,"reason":"the row has 2 values for 6 columns","row":{`,
		`{"line":5006,"column":"viewer","reason":"an outcome of the window day is there with other numbers; it is never changed","row":{`,
	} {
		if !strings.Contains(string(rejected), want) {
			t.Errorf("the rejected rows lack %s:\n%s", want, rejected)
		}
	}
	if printed, err := commandLine(t, command...); err != nil || !strings.Contains(printed, "was imported before") {
		t.Errorf("the same again = %q, %v", printed, err)
	}
	p.look(t)
	before := reportOf(t, at)
	const again = "5005 rows, 0 accepted, 5000 there before, 5 rejected"
	if printed, err := commandLine(t, append(command, "--restart")...); err != nil || !strings.Contains(printed, again) {
		t.Errorf("from the beginning = %q, %v, want %q", printed, err, again)
	}
	p.look(t)
	after := reportOf(t, at)
	if after.Head.Look != before.Head.Look || after.Head.Units != before.Head.Units {
		t.Errorf("a repeated import made look %d of %d units out of look %d of %d", after.Head.Look, after.Head.Units, before.Head.Look, before.Head.Units)
	}
	other := append([]string{"import", "elsewhere", file, "--arm", "country"}, append(outcomeFlags[:2:2], at...)...)
	if _, err := commandLine(t, other...); err == nil || !strings.Contains(err.Error(), "--restart") {
		t.Errorf("another reading with the same cursor: %v, want a refusal", err)
	}
}

// Sessions and exposures of the past become outcomes when the import is closed.
func TestImportOfSessions(t *testing.T) {
	t.Parallel()
	p, at := importPlatform(t)
	began := time.Now().Add(-30 * 24 * time.Hour).UTC().Truncate(time.Second)
	var exposures, sessions strings.Builder
	exposures.WriteString("unit,arm,at\n")
	for i := range 400 {
		arm := []string{"control", "treatment"}[i%2]
		fmt.Fprintf(&exposures, "v%d,%s,%s\n", i, arm, began.Format(time.RFC3339))
		played := 600_000 + 1_000*(i%50) + 30_000*(i%2)
		fmt.Fprintf(&sessions, `{"session_id":"s%d","viewer_id":"v%d","at":%d,"mono_ms":900000,"play_requested":true,"first_frame_ms":700,"play_ms":%d,"stall_ms":0,"stall_n":0,"seek_stall_ms":0}`+"\n",
			i, i, began.Add(time.Minute).Unix(), played)
	}
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{writeRows(t, "s.ndjson", sessions.String()), "--what", "sessions"}, "400 rows, 400 accepted, 0 there before, 0 rejected"},
		{[]string{writeRows(t, "x.csv", exposures.String()), "--what", "exposures", "--close"}, "outcomes were made of sessions; 0 windows are not over yet"},
		{[]string{"--close"}, "0 outcomes were made of sessions"},
	} {
		printed, err := commandLine(t, append(append([]string{"import", "elsewhere"}, step.args...), at...)...)
		if err != nil || !strings.Contains(printed, step.want) {
			t.Fatalf("import %q = %q, %v, want %q", step.args, printed, err, step.want)
		}
	}
	p.look(t)
	r := reportOf(t, at)
	watch, start := r.Primary[0], r.Primary[1]
	if watch.Control.Value == nil || start.Control.Value == nil {
		t.Fatalf("report = %+v, %+v, want values", watch, start)
	}
	near(t, "hours watched in control", *watch.Control.Value, (600_000+24_000)/3.6e6, 1e-9)
	near(t, "hours watched in treatment", *watch.Treatment.Value, (600_000+25_000+30_000)/3.6e6, 1e-9)
	near(t, "share of starts in control, per cent", *start.Control.Value, 100, 1e-9)
	// The clock closes no window of them: nobody is counted twice, days later either.
	if _, err := p.job.RunOnce(context.WithoutCancel(t.Context()), time.Now().Add(20*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if later := reportOf(t, at); later.Head.Look != r.Head.Look {
		t.Errorf("look %d came of itself after look %d", later.Head.Look, r.Head.Look)
	}
}

// Events of the past are in the outcomes that are made when the import is closed; an
// import that is repeated adds none.
func TestImportOfEvents(t *testing.T) {
	t.Parallel()
	p, at := importPlatform(t)
	const definition = `{"key":"tips","name":"Tips","description":"Tips a viewer.","kind":"mean","numerator":"value:tip","denominator":"units","direction":1,"unit":"n"}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url()+"/api/v1/metrics", strings.NewReader(definition))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("define a metric = %s, %v", resp.Status, err)
	}
	document := strings.NewReplacer("start_success", "tips", "key: elsewhere", "key: tipped").Replace(importDocument)
	if _, err := commandLine(t, append([]string{"apply", "-f", writeDocument(t, document)}, at...)...); err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-30 * 24 * time.Hour).UTC().Truncate(time.Second)
	var exposures, events strings.Builder
	exposures.WriteString("unit,arm,at\n")
	events.WriteString("unit,name,id,at,value\n")
	for i := range 400 {
		fmt.Fprintf(&exposures, "v%d,%s,%s\n", i, []string{"control", "treatment"}[i%2], began.Format(time.RFC3339))
		fmt.Fprintf(&events, "v%d,tip,1,%d,%d\nv%d,tip,2,%d,100\n", i, began.Add(time.Hour).Unix(), 1+i%2, i, began.Add(-time.Hour).Unix())
	}
	rows := writeRows(t, "events.csv", events.String())
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{rows, "--what", "events"}, "800 rows, 800 accepted, 0 there before, 0 rejected"},
		{[]string{rows, "--what", "events", "--restart"}, "800 rows, 0 accepted, 800 there before, 0 rejected"},
		{[]string{writeRows(t, "x.csv", exposures.String()), "--what", "exposures", "--close"}, "outcomes were made of sessions; 0 windows are not over yet"},
	} {
		printed, err := commandLine(t, append(append([]string{"import", "tipped"}, step.args...), at...)...)
		if err != nil || !strings.Contains(printed, step.want) {
			t.Fatalf("import %q = %q, %v, want %q", step.args, printed, err, step.want)
		}
	}
	p.look(t)
	text, err := commandLine(t, append([]string{"export", "tipped", "--format", "csv"}, at...)...)
	if err != nil {
		t.Fatal(err)
	}
	if ones, twos := strings.Count(text, `""value:tip"":1}`), strings.Count(text, `""value:tip"":2}`); ones != 200 || twos != 200 {
		t.Errorf("%d viewers tipped 1 and %d tipped 2, want 200 of each: %.600s", ones, twos, text)
	}
}

// What units did before the exposure adjusts the effects; a custom quantity that no
// metric needs is refused with its line and column.
func TestImportOfThePast(t *testing.T) {
	t.Parallel()
	p, at := importPlatform(t)
	document := strings.NewReplacer(`"off"`, "7d", "key: elsewhere", "key: adjusted").Replace(importDocument)
	if _, err := commandLine(t, append([]string{"apply", "-f", writeDocument(t, document)}, at...)...); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 2))
	var rows strings.Builder
	rows.WriteString("unit,arm,watch_ms,past:watch_ms,event:follow\n")
	for i := range 2_000 {
		past := 1e6 + 4e6*rng.Float64()
		fmt.Fprintf(&rows, "v%d,%s,%.0f,%.0f,\n", i, []string{"control", "treatment"}[i%2], past+1e5*rng.Float64(), past)
	}
	rows.WriteString("slip,control,5,5,1\n")
	file := writeRows(t, "rows.csv", rows.String())
	printed, err := commandLine(t, append([]string{"import", "adjusted", file}, at...)...)
	if err != nil || !strings.Contains(printed, "2001 rows, 2000 accepted, 0 there before, 1 rejected") {
		t.Fatalf("import = %q, %v", printed, err)
	}
	rejected, err := os.ReadFile(file + ".rejected")
	const want = `{"line":2002,"column":"event:follow","reason":"no metric of the plan needs it in window day","row":{`
	if err != nil || !strings.HasPrefix(string(rejected), want) {
		t.Errorf("the rejected rows are %q, %v; want %s", rejected, err, want)
	}
	p.look(t)
	text, err := commandLine(t, append([]string{"report", "adjusted", "--json"}, at...)...)
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	row := &r.Primary[0]
	if row.Metric.Key != "watch_hours_per_viewer" || row.Adjusted == nil || row.Adjusted.Reduction < 0.9 {
		t.Errorf("%s is adjusted by %+v, want nine tenths of the variance gone", row.Metric.Key, row.Adjusted)
	}
}

// brokenAfter returns the address of a server that passes as many batches on to
// another and then answers none.
func brokenAfter(t *testing.T, url string, batches int64) string {
	t.Helper()
	var seen atomic.Int64
	target, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen.Add(1) > batches {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(ts.Close)
	return ts.URL
}

// rewriteTarget makes a cursor hold for the server behind the broken one.
func rewriteTarget(t *testing.T, path, url string) {
	t.Helper()
	c, err := intake.ReadCursor(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(c.Target, " ")
	c.Target = url + " " + rest
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
}
