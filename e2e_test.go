package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/splitcast/splitcast/postgres/private"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/simulate"
)

// testRuntime is the process that a command sees in a test.
func testRuntime(t *testing.T, ctx context.Context) (*runtime, *bytes.Buffer) {
	t.Helper()
	out := &bytes.Buffer{}
	return &runtime{ctx: ctx, out: out, errs: out, log: slog.New(slog.NewTextHandler(t.Output(), nil))}, out
}

// reachableDir returns an empty folder that the user of a private PostgreSQL
// can reach; t.TempDir is closed to others.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "splitcast")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// needPostgres skips, or fails where PostgreSQL must be present, when a private
// server cannot run.
func needPostgres(t *testing.T) {
	t.Helper()
	if _, err := private.Version(t.Context(), ""); err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("SPLITCAST_REQUIRE_POSTGRES") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// raceDays is how much is played under the race detector, which looks for
// races, not for truths: `make check` plays the two weeks without it.
const raceDays = 2

// TestDemoTellsTheTruth plays the demo's two weeks through the real endpoints
// and asks the reports for what the simulator knows. It also counts: what the
// world was told is stored is stored, to the unit.
func TestDemoTellsTheTruth(t *testing.T) {
	needPostgres(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rt, _ := testRuntime(t, ctx)
	data := reachableDir(t)
	from := time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC) // any fixed day: the same viewers come every time
	state, err := json.Marshal(demoState{Seed: 1, Epoch: from, Clock: from, Token: "demo_of_the_end_to_end_test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "demo.json"), state, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := demoCmd{storage: storage{Data: data}, Addr: "127.0.0.1:0", Days: demoDays}
	begin := time.Now()
	d, err := cmd.start(rt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.driver.Close()
		if err := d.p.close(); err != nil {
			t.Error(err)
		}
	})
	var first time.Duration // until a report held data
	runJob := d.driver.RunJob
	d.driver.RunJob = func(ctx context.Context) error {
		err := runJob(ctx)
		if first == 0 && d.line.looks > 0 {
			first = time.Since(begin)
		}
		return err
	}
	days := demoDays
	if raceEnabled {
		days = raceDays
	}
	if err := d.driver.CatchUp(ctx, from, from.AddDate(0, 0, days)); err != nil {
		t.Fatal(err)
	}
	if err := d.runJob(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("first report after %.1f s, two weeks after %.1f s: %d sessions, %d looks",
		first.Seconds(), time.Since(begin).Seconds(), d.driver.Sent().Sessions, d.line.looks)

	checkReplay(t, d)
	checkCounts(t, d)
	if raceEnabled {
		return // the verdicts need two weeks
	}
	truths := map[string]simulate.Truth{}
	for _, truth := range d.driver.World.Truths() {
		truths[truth.Experiment] = truth
	}
	for _, e := range simulate.Document().Experiments {
		r := fetchReport(t, d, e.Key, 0)
		t.Logf("%s: %s: %s", e.Key, r.Verdict.State, r.Verdict.Sentence)
		checkVerdict(t, &r)
		if r.Verdict.State != report.VerdictUntrustworthy {
			checkIntervals(t, &r, truths[e.Key])
		}
	}
	checkSwitched(t, d)
}

// checkSwitched asserts what chat and broadcasters do, which only their switches say.
func checkSwitched(t *testing.T, d *demo) {
	t.Helper()
	on := demoSwitches()
	for _, want := range []struct {
		key, metric string
		lift        float64
	}{
		{simulate.KeyHighlights, simulate.MetricChat, on.Social.Effect},
		{simulate.KeyIngest, "ingest_starvation_ratio", -on.Broadcasts.Effect},
	} {
		r := fetchReport(t, d, want.key, 0)
		t.Logf("%s: %s: %s", want.key, r.Verdict.State, r.Verdict.Sentence)
		if r.Verdict.State != report.VerdictShip {
			t.Errorf("%s: verdict %s: %s", want.key, r.Verdict.State, r.Verdict.Sentence)
		}
		if e := rowOf(t, r.Primary, want.metric).Effect; e == nil || want.lift < e.Lower || want.lift > e.Upper {
			t.Errorf("%s: %s: %+v, want %+.2f within", want.key, want.metric, e, want.lift)
		}
	}
}

func fetchReport(t *testing.T, d *demo, key string, look int) report.Report {
	t.Helper()
	var r report.Report
	if err := json.Unmarshal(fetchRawReport(t, d, key, look), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func fetchRawReport(t *testing.T, d *demo, key string, look int) json.RawMessage {
	t.Helper()
	var raw json.RawMessage
	path := fmt.Sprintf("/api/v1/experiments/%s/report?look=%d", key, look)
	c := remote{Server: d.p.url(), Token: d.state.Token}
	if err := c.call(t.Context(), http.MethodGet, path, "", nil, &raw); err != nil {
		t.Fatal(err)
	}
	return raw
}

// checkVerdict asserts the five truths.
func checkVerdict(t *testing.T, r *report.Report) {
	t.Helper()
	want := map[string]report.VerdictState{
		simulate.KeyFastStart:    report.VerdictShip,
		simulate.KeyAACheck:      report.VerdictKeepRunning,
		simulate.KeyLowLatency:   report.VerdictRollBack,
		simulate.KeyTVAppRewrite: report.VerdictUntrustworthy,
		simulate.KeyABRBuffer:    report.VerdictHold,
	}[r.Head.Key]
	if r.Verdict.State != want {
		t.Errorf("%s: verdict %s, want %s: %s", r.Head.Key, r.Verdict.State, want, r.Verdict.Sentence)
	}
	switch r.Head.Key {
	case simulate.KeyAACheck:
		for _, row := range append(r.Primary, r.Secondary...) {
			if row.State != report.StateUnproven {
				t.Errorf("%s: %s is %s in an A/A test", r.Head.Key, row.Metric.Key, row.State)
			}
		}
	case simulate.KeyLowLatency:
		if s := rowOf(t, r.Guardrails, "stalled_session_rate").State; s != report.StateBreached {
			t.Errorf("%s: stalled_session_rate is %s, want breached", r.Head.Key, s)
		}
	case simulate.KeyTVAppRewrite:
		for _, c := range r.Trust {
			if c.Key == report.CheckBalance && c.State != report.CheckFail {
				t.Errorf("%s: the split of exposed units is %s, want fail", r.Head.Key, c.State)
			}
		}
	case simulate.KeyABRBuffer:
		if s := rowOf(t, r.Primary, "stalled_session_rate").State; s != report.StateBetter {
			t.Errorf("%s: stalled_session_rate is %s, want better on average", r.Head.Key, s)
		}
		harmed := false
		for _, s := range r.Segments.Rows {
			harmed = harmed || s.Dimension == "net_class" && s.Value == simulate.Net3G.String() && s.State == report.StateWorse
		}
		if !harmed {
			t.Errorf("%s: no segment net_class 3g is flagged as harmed", r.Head.Key)
		}
	}
}

func rowOf(t *testing.T, rows []report.Row, metric string) report.Row {
	t.Helper()
	for _, r := range rows {
		if r.Metric.Key == metric {
			return r
		}
	}
	t.Fatalf("there is no row of %s", metric)
	return report.Row{}
}

// checkIntervals asserts that the intervals hold the simulator's truth. World,
// salts and looks come from the seed, so that a run which passes passes again.
func checkIntervals(t *testing.T, r *report.Report, truth simulate.Truth) {
	t.Helper()
	checked := 0
	for _, rows := range [][]report.Row{r.Guardrails, r.Primary, r.Secondary} {
		for _, row := range rows {
			want, ok := truth.Effect(row.Metric.Key, "")
			if !ok || row.Effect == nil {
				continue
			}
			checked++
			if lift := want.Lift(); lift < row.Effect.Lower || lift > row.Effect.Upper {
				t.Errorf("%s: %s is %+.4f in truth, the report says %+.4f to %+.4f", r.Head.Key, row.Metric.Key, lift, row.Effect.Lower, row.Effect.Upper)
			}
		}
	}
	if checked == 0 {
		t.Errorf("%s: no interval could be compared with the truth", r.Head.Key)
	}
}

// checkReplay asserts that a past look is the same however often it is asked.
func checkReplay(t *testing.T, d *demo) {
	t.Helper()
	a, b := fetchReport(t, d, simulate.KeyFastStart, 5), fetchReport(t, d, simulate.KeyFastStart, 5)
	a.Head.BuiltAt, b.Head.BuiltAt = time.Time{}, time.Time{}
	a.Head.LagSec, b.Head.LagSec = 0, 0
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	if errX != nil || errY != nil || !bytes.Equal(x, y) || a.Head.Look != 5 {
		t.Errorf("look %d differs between two readings", a.Head.Look)
	}
}

// checkCounts asserts that the database holds the units that the world was
// told are stored, by experiment and arm.
func checkCounts(t *testing.T, d *demo) {
	t.Helper()
	sent := d.driver.Sent()
	experiments, err := d.p.db.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range experiments {
		e := &experiments[i]
		counts, err := d.p.db.ArmCounts(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range counts {
			arm := e.Arms[c.Arm].Key
			if got, want := c.Exposed+c.Crossed, sent.Units[e.Key][arm]; got != want {
				t.Errorf("%s, %s: %d units are stored, %d were acknowledged", e.Key, arm, got, want)
			}
		}
	}
	if sent.Heartbeats == 0 || sent.CMCD == 0 {
		t.Errorf("sent %d heartbeats and %d CMCD records, want some of both", sent.Heartbeats, sent.CMCD)
	}
}
