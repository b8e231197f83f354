package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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
	memoryPublishes   = 60
	memoryWatch       = 8 * time.Second // the self-check and a run of the job fall into it
	maxResident       = 80 << 20
	maxReady          = time.Second
)

// TestManyExperimentsStaySmall starts the program over 5,000 experiments with
// audiences and reads what of it is resident: some seconds after the start, and
// after publishes, which a second server has to follow. It builds the program,
// because a test's own binary is larger.
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
	t.Logf("ready after %v; after %v %.1f MB resident (%s), at most %.1f MB", ready, memoryWatch, mb(last), r.residentParts(t), mb(most))
	if most > maxResident || ready > maxReady {
		t.Errorf("%.1f MB resident, ready after %v; want at most %.1f MB and %v", mb(most), ready, mb(maxResident), maxReady)
	}
	other, stopOther, _ := startMeasured(t, binary, dsn, t.TempDir())
	defer stopOther()
	publishMany(t, r, other)
	last, most = r.watchResident(t, memoryWatch)
	t.Logf("after %d publishes, %.1f MB resident (%s), at most %.1f MB", memoryPublishes, mb(last), r.residentParts(t), mb(most))
	if most > maxResident {
		t.Errorf("after publishes %.1f MB resident, want at most %.1f MB", mb(most), mb(maxResident))
	}
}

// publishMany publishes at one server, once a second, and tells how long after the
// answer another serves each change. TestSoak has the bar of that.
func publishMany(t *testing.T, at, other *replica) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second}
	canary := func(n int) { publish(t, at, strings.Replace(manyExperiments(0, 1, n), "exp-0000", "canary", 1)) }
	canary(1)
	other.awaitFlag(t, client, "canary")
	var most int64
	var applied, answered []time.Duration
	pace := time.NewTicker(time.Second)
	defer pace.Stop()
	for n := range memoryPublishes {
		<-pace.C
		asked := time.Now()
		canary(n + 2)
		answered = append(answered, time.Since(asked))
		began := time.Now()
		if err := other.awaitCanary(t.Context(), client, n+2); err != nil {
			t.Fatal(err)
		}
		applied = append(applied, time.Since(began))
		most = max(most, at.resident(t), other.resident(t))
	}
	slices.Sort(applied)
	slices.Sort(answered)
	middle, last := memoryPublishes/2, memoryPublishes*99/100
	t.Logf("publishes: answered after p50 %v, p99 %v; the other server applied them after p50 %v, p99 %v more; at most %.1f MB resident meanwhile",
		answered[middle], answered[last], applied[middle], applied[last], mb(most))
}

var residentPart = regexp.MustCompile(`Rss(Anon|File):\s+(\d+) kB`)

// residentParts says how much of the resident memory is the program's own, and how
// much is its file, which the kernel can drop and load again.
func (r *replica) residentParts(t *testing.T) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.pid))
	if err != nil {
		return "parts unknown"
	}
	var parts []string
	for _, m := range residentPart.FindAllSubmatch(status, -1) {
		kB, err := strconv.ParseInt(string(m[2]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, fmt.Sprintf("%s %.1f MB", strings.ToLower(string(m[1])), mb(kB<<10)))
	}
	return strings.Join(parts, ", ")
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
