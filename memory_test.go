package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/internal/pgtest"
)

// What TestManyExperimentsStaySmall does, and its bars.
const (
	memoryEnv         = "SPLITCAST_MEMORY"
	memoryExperiments = 5_000
	memoryBatch       = 250 // experiments of one publish, so that no document is too large
	memoryPublishes   = 20
	memoryWatch       = 8 * time.Second // the self-check and a run of the job fall into it
	maxResident       = 80 << 20
	maxReady          = time.Second
)

// TestManyExperimentsStaySmall starts the program over 5,000 experiments with
// audiences and reads what of it is resident: some seconds after the start, and
// after publishes. It builds the program, because a test's own binary is larger.
func TestManyExperimentsStaySmall(t *testing.T) {
	if os.Getenv(memoryEnv) == "" {
		t.Skip("set " + memoryEnv + "=1, or run `make memory`: it takes a minute")
	}
	needPostgres(t)
	binary := filepath.Join(t.TempDir(), "splitcast")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	dsn, data := pgtest.New(t), t.TempDir()
	empty, stop, _ := startMeasured(t, binary, dsn, data)
	_, most := empty.watchResident(t, memoryWatch/4)
	t.Logf("without experiments: at most %.1f MB resident", mb(most))
	for from := 0; from < memoryExperiments; from += memoryBatch {
		publish(t, empty, manyExperiments(from, from+memoryBatch, 1))
	}
	stop()

	r, stop, ready := startMeasured(t, binary, dsn, data)
	defer stop()
	last, most := r.watchResident(t, memoryWatch)
	t.Logf("ready after %v; after %v %.1f MB resident, at most %.1f MB", ready, memoryWatch, mb(last), mb(most))
	if most > maxResident || ready > maxReady {
		t.Errorf("%.1f MB resident, ready after %v; want at most %.1f MB and %v", mb(most), ready, mb(maxResident), maxReady)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	var slowest time.Duration
	for n := range memoryPublishes {
		publish(t, r, strings.Replace(manyExperiments(0, 1, n+2), "exp-0000", "canary", 1))
		began := time.Now()
		if n == 0 {
			r.awaitFlag(t, client, "canary")
		}
		if err := r.awaitCanary(t.Context(), client, n+2); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
	}
	last, most = r.watchResident(t, memoryWatch)
	t.Logf("after %d publishes, each applied within %v: %.1f MB resident, at most %.1f MB", memoryPublishes, slowest, mb(last), mb(most))
	if most > maxResident {
		t.Errorf("after publishes %.1f MB resident, want at most %.1f MB", mb(most), mb(maxResident))
	}
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

// manyExperiments returns a document of experiments with an audience of three
// alternatives each.
func manyExperiments(from, to, value int) string {
	var b strings.Builder
	b.WriteString("experiments:\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, `  - {key: exp-%04d, name: Experiment %d, unit: viewer, hypothesis: "A smaller safety factor raises bitrate without more stalls.",
     audience: {any: [{all: [{attr: country, op: in, values: [DE, FR, JP, BR]}, {attr: platform, op: eq, value: ios}]},
       {all: [{attr: app_build, op: ge, value: %d}, {attr: subscriber, op: eq, value: true}]},
       {attr: player, op: in, values: [hls.js, dash.js, shaka]}]},
     arms: [{key: control, weight: 1, value: %d}, {key: treatment, weight: 1, value: %d}],
     plan: {primary: [stall_ratio], secondary: [bitrate], guardrails: [{metric: start_success, margin: 0.005}], units: 400000}, status: running}
`, i, i, 5000+i, value, value)
	}
	return b.String()
}

// startMeasured starts the program, and returns how long it took to be ready.
func startMeasured(t *testing.T, binary, dsn, data string) (r *replica, stop func(), ready time.Duration) {
	t.Helper()
	addr := freeAddress(t)
	c := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "serve", "--addr", addr, "--data", data, "--database-url", dsn, "--bootstrap-token", testToken)
	c.Stderr = t.Output()
	began := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			end(c)
		}
	}
	t.Cleanup(stop)
	r = &replica{url: "http://" + addr, pid: c.Process.Pid}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := awaitServer(ctx, r.url); err != nil {
		t.Fatal(err)
	}
	return r, stop, time.Since(began)
}

// watchResident reads the resident memory for a while, and returns what was read
// last and the most.
func (r *replica) watchResident(t *testing.T, lasting time.Duration) (last, most int64) {
	t.Helper()
	end := time.After(lasting)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		last = r.resident(t)
		most = max(most, last)
		select {
		case <-end:
			return last, most
		case <-tick.C:
		}
	}
}
