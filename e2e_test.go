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

// playDemo plays the first days of the demo through the real endpoints, and settles
// what has closed by then.
func playDemo(t *testing.T, days int) *demo {
	t.Helper()
	needPostgres(t)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
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
	if err := d.driver.CatchUp(ctx, from, from.AddDate(0, 0, days)); err != nil {
		t.Fatal(err)
	}
	if err := d.runJob(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("first report after %.1f s, %d days after %.1f s: %d sessions, %d looks",
		first.Seconds(), days, time.Since(begin).Seconds(), d.driver.Sent().Sessions, d.line.looks)
	return d
}

// TestDemoCounts plays two days of the demo: what the world was told is stored is
// stored, to the unit. It is for the race detector, which looks for races and not for
// truths: they need two weeks (see TestDemoTellsTheTruth).
func TestDemoCounts(t *testing.T) {
	t.Parallel()
	d := playDemo(t, 2)
	checkReplay(t, d)
	checkCounts(t, d)
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
