package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/internal/pgtest"
)

// testToken is the admin key of platforms in tests.
const testToken = "sk_of_the_command_tests"

// startTestPlatform runs a platform on a database of its own.
func startTestPlatform(t *testing.T, dsn string) *platform {
	t.Helper()
	p, err := startPlatform(t.Context(), platformConfig{
		storage: storage{Data: t.TempDir(), DatabaseURL: dsn}, Addr: "127.0.0.1:0",
		BootstrapToken: testToken, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// commandLine runs a command line as a person would and returns what it printed.
func commandLine(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out, io.Discard)
	return out.String(), err
}

const commandDocument = `
experiments:
  - key: abr-safety-75
    unit: viewer
    audience: {all: [{attr: player, op: in, values: [hls.js]}, {attr: app_version, op: semver_ge, value: 5.2.0}]}
    arms:
      - {key: control, weight: 1, value: {safety: 0.8}}
      - {key: treatment, weight: 1, value: {safety: 0.75}}
    plan:
      primary: [stall_ratio]
      guardrails: [{metric: start_success, margin: 0.005}]
      units: 400000
      end: 2026-12-20
    status: running
`

func writeDocument(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "doc.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestApplyAndReportCommands(t *testing.T) {
	p := startTestPlatform(t, pgtest.New(t))
	defer func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
	}()
	at := []string{"--server", p.url(), "--token", testToken}
	steps := []struct {
		name, document string
		flags          []string
		prints         []string
		fails          string
	}{
		{"dry run", commandDocument, []string{"--dry-run"}, []string{"created abr-safety-75 (version 1, running)", `+ arms[0].key: "control"`, "nothing was changed"}, ""},
		{"create", commandDocument, nil, []string{"created abr-safety-75 (version 1, running)"}, ""},
		{"again", commandDocument, nil, []string{"unchanged abr-safety-75"}, ""},
		{"other margin", strings.Replace(commandDocument, "0.005", "0.01", 1), nil, []string{"updated abr-safety-75 (version 2, running)", "~ plan.guardrails[0].margin: 0.005 -> 0.01"}, ""},
		{"unknown metric", strings.Replace(commandDocument, "stall_ratio", "joy", 1), nil, nil, `plan.primary[0]: "joy" is not in the metric catalogue`},
		{"misspelt field", strings.Replace(commandDocument, "guardrails", "guardrail", 1), nil, nil, "guardrail"},
		{"no YAML", "experiments: [", nil, nil, "nothing was applied"},
	}
	for _, s := range steps {
		args := append([]string{"apply", "-f", writeDocument(t, s.document)}, append(at, s.flags...)...)
		out, err := commandLine(t, args...)
		if s.fails != "" {
			if err == nil || !strings.Contains(err.Error(), s.fails) {
				t.Errorf("%s: error %v, want %q", s.name, err, s.fails)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		for _, want := range s.prints {
			if !strings.Contains(out, want) {
				t.Errorf("%s printed %q, want %q in it", s.name, out, want)
			}
		}
	}
	if out, err := commandLine(t, "probe", "--server", p.url()); err != nil || out != "ready\n" {
		t.Errorf("probe = %q, %v, want ready", out, err)
	}
	out, err := commandLine(t, append([]string{"report", "abr-safety-75", "--json"}, at...)...)
	if err != nil || !json.Valid([]byte(out)) {
		t.Errorf("report --json = %q, %v", out, err)
	}
	out, err = commandLine(t, append([]string{"report", "abr-safety-75"}, at...)...)
	if err != nil || !strings.Contains(out, "collecting") {
		t.Errorf("report = %q, %v, want a verdict", out, err)
	}
	if _, err := commandLine(t, append([]string{"report", "no-such"}, at...)...); err == nil || !strings.Contains(err.Error(), "no-such") {
		t.Errorf("report of nothing = %v, want an error that names it", err)
	}
	if _, err := commandLine(t, "report", "abr-safety-75", "--server", p.url(), "--token", "wrong"); err == nil || !strings.Contains(err.Error(), "not known") {
		t.Errorf("report with a wrong key = %v, want a refusal", err)
	}
}

func TestCommandLineItself(t *testing.T) {
	if out, err := commandLine(t, "version"); err != nil || strings.TrimSpace(out) == "" {
		t.Errorf("version = %q, %v", out, err)
	}
	if out, err := commandLine(t, "--help"); err != nil || !strings.Contains(out, "demo") {
		t.Errorf("--help = %q, %v, want the commands", out, err)
	}
	if out, err := commandLine(t, "probe", "--server", "http://127.0.0.1:1"); err == nil || out != "" {
		t.Errorf("probe of nothing = %q, %v, want a failure", out, err)
	}
	if _, err := commandLine(t, "serve", "--no-such-flag"); err == nil {
		t.Error("an unknown flag was accepted")
	}
}

// A server whose database is away at the start serves the last good
// configuration, and finds the database when it comes.
func TestServeWithoutItsDatabase(t *testing.T) {
	dsn := pgtest.New(t)
	p := startTestPlatform(t, dsn)
	var answer json.RawMessage
	r := remote{Server: p.url(), Token: testToken}
	if err := r.call(t.Context(), http.MethodPost, "/api/v1/experiments", "application/yaml", []byte(commandDocument), &answer); err != nil {
		t.Fatal(err)
	}
	data := p.cfg.Data
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	away, err := startPlatform(t.Context(), platformConfig{
		storage: storage{Data: data, DatabaseURL: "host=/nowhere dbname=none"}, Addr: "127.0.0.1:0", Now: time.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := away.close(); err != nil {
			t.Error(err)
		}
	}()
	r = remote{Server: away.url(), Token: testToken}
	var evaluated struct{ Variant string }
	body := []byte(`{"context":{"targetingKey":"viewer-1","player":"hls.js","app_version":"5.3.0","splitcast.expose":false}}`)
	if err := r.call(t.Context(), http.MethodPost, "/ofrep/v1/evaluate/flags/abr-safety-75", "application/json", body, &evaluated); err != nil || evaluated.Variant == "" {
		t.Errorf("evaluation without the database = %+v, %v", evaluated, err)
	}
	err = r.call(t.Context(), http.MethodPost, "/v1/heartbeats", "application/json", []byte(`[{"session_id":"s","seq":0,"kind":"start","viewer_id":"v"}]`), &answer)
	if err == nil {
		t.Error("a heartbeat was acknowledged without a database")
	}
}

// Ctrl-C ends the demo cleanly, and a second start goes on where it was.
func TestDemoStopsAndResumes(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	data := reachableDir(t)
	start := func() (clock time.Time, out string) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rt, buf := testRuntime(t, ctx)
		cmd := demoCmd{storage: storage{Data: data}, Addr: "127.0.0.1:0", Viewers: 500, Seed: 3, Days: 2}
		// The first word of progress is Ctrl-C.
		cmd.progress = func() { cancel() }
		if err := cmd.Run(rt); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(data, "demo.json"))
		if err != nil {
			t.Fatal(err)
		}
		var state demoState
		if err := json.Unmarshal(b, &state); err != nil {
			t.Fatal(err)
		}
		return state.Clock, buf.String()
	}
	first, out := start()
	if !strings.Contains(out, "goes on from here") {
		t.Errorf("the demo printed %q, want a farewell", out)
	}
	if second, _ := start(); second.Before(first) {
		t.Errorf("the second start ended at %v, before the first at %v", second, first)
	}
}
