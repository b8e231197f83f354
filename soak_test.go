package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/splitcast/splitcast/internal/pgtest"
)

// What a soak does. SPLITCAST_SOAK is how long, such as 1h.
const (
	soakDefault     = 6 * time.Second
	soakExperiments = 20
	soakUnits       = 10_000
	soakRate        = 5_000 // evaluations a second, of all replicas
	soakShortRate   = 500   // of a run among other tests
	soakWorkers     = 32
	// soakSettled is when caches are full and pools have grown, or a quarter of a
	// shorter soak. From then on the resident memory of a replica may grow by
	// soakGrowth: garbage collection breathes by less.
	soakSettled = 5 * time.Minute
	soakGrowth  = 64 << 20
	// soakTold bounds the failed evaluations that are told; all are counted.
	soakTold = 10
	// soakApplied bounds how long a publish may take to reach a replica, even
	// when a notice is lost: the poll finds it.
	soakApplied = 5 * time.Second
)

// replica is a server in a process of its own.
type replica struct {
	url string
	pid int
}

// TestSoak evaluates on two replicas at a steady rate while a configuration is
// published every second: no request may fail, each publish must reach both
// replicas, and memory must not grow. `make soak` does it for an hour.
func TestSoak(t *testing.T) {
	needPostgres(t)
	lasting, rate := soakDefault, soakShortRate
	if text := os.Getenv("SPLITCAST_SOAK"); text != "" {
		var err error
		if lasting, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		rate = soakRate
	}
	dsn := pgtest.New(t)
	clock := newOffsetClock(t)
	replicas := []*replica{startReplica(t, dsn, clock), startReplica(t, dsn, clock)}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: soakWorkers}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	var document strings.Builder
	document.WriteString("experiments:\n")
	for i := range soakExperiments {
		fmt.Fprintf(&document, "  - {key: soak-%d, unit: viewer, arms: [{key: a, weight: 1, value: false}, {key: b, weight: 2, value: true}], plan: {primary: [stall_ratio]}, status: running}\n", i)
	}
	publish(t, replicas[0], document.String())

	for _, r := range replicas {
		r.awaitFlag(t, client, fmt.Sprintf("soak-%d", soakExperiments-1))
	}

	ctx, cancel := context.WithTimeout(t.Context(), lasting)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	var evaluations, failed atomic.Int64
	pace := time.Second / time.Duration(rate)
	began := time.Now()
	for worker := range soakWorkers {
		g.Go(func() error {
			// Who is late catches up: each evaluation has its own time.
			for n := worker; sleep(ctx, time.Until(began.Add(time.Duration(n)*pace))) == nil; n += soakWorkers {
				path := fmt.Sprintf("/ofrep/v1/evaluate/flags/soak-%d", n%soakExperiments)
				if _, err := replicas[n%len(replicas)].evaluate(ctx, client, path, "viewer-"+strconv.Itoa(n%soakUnits)); err != nil && ctx.Err() == nil {
					if failed.Add(1) <= soakTold {
						t.Errorf("evaluation %d: %v", evaluations.Load(), err)
					}
					continue
				}
				evaluations.Add(1)
			}
			return nil
		})
	}
	var applied []time.Duration
	g.Go(func() error { return publishEverySecond(ctx, t, client, replicas, &applied) })
	settled := make([]int64, len(replicas))
	g.Go(func() error {
		_ = sleep(ctx, min(soakSettled, lasting/4))
		for i, r := range replicas {
			settled[i] = r.resident(t)
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("%d evaluations in %v, %.0f a second; %d failed", evaluations.Load(), took.Round(time.Second), float64(evaluations.Load())/took.Seconds(), failed.Load())
	tellGrowth(t, replicas, settled, min(soakSettled, lasting/4))
	tellApplied(t, applied, len(replicas))
}

// tellGrowth tells how much memory each replica held after a while, and now.
func tellGrowth(t *testing.T, replicas []*replica, settled []int64, after time.Duration) {
	t.Helper()
	for i, r := range replicas {
		now := r.resident(t)
		t.Logf("replica %d: %.1f MB resident after %v, %.1f MB at the end", i, mb(settled[i]), after, mb(now))
		if now > settled[i]+soakGrowth {
			t.Errorf("replica %d grew from %.1f to %.1f MB", i, mb(settled[i]), mb(now))
		}
	}
}

// tellApplied tells how long publishes took to reach replicas.
func tellApplied(t *testing.T, applied []time.Duration, replicas int) {
	t.Helper()
	if len(applied) == 0 {
		t.Fatal("nothing was published")
	}
	slices.Sort(applied)
	t.Logf("%d publishes, from the answer until each replica serves them: p50 %v, p99 %v, at most %v", len(applied)/replicas,
		applied[len(applied)/2], applied[len(applied)*99/100], applied[len(applied)-1])
}

// publishEverySecond publishes a new value each second and notes how long after
// the answer each replica serves it.
func publishEverySecond(ctx context.Context, t *testing.T, client *http.Client, replicas []*replica, applied *[]time.Duration) error {
	for n := 1; ctx.Err() == nil; n++ {
		publish(t, replicas[0], fmt.Sprintf(`experiments:
  - {key: canary, unit: viewer, arms: [{key: a, weight: 1, value: %d}, {key: b, weight: 1, value: %d}], plan: {primary: [stall_ratio]}, status: running}`, n, n))
		began := time.Now()
		for _, r := range replicas {
			if err := r.awaitCanary(ctx, client, n); err != nil {
				return err
			}
			*applied = append(*applied, time.Since(began))
		}
		_ = sleep(ctx, time.Second-time.Since(began))
	}
	return nil
}

// awaitFlag waits until the replica knows a flag.
func (r *replica) awaitFlag(t *testing.T, client *http.Client, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		_, err := r.evaluate(ctx, client, "/ofrep/v1/evaluate/flags/"+key, "viewer-1")
		if err == nil {
			return
		}
		if sleep(ctx, 20*time.Millisecond) != nil {
			t.Fatal(err)
		}
	}
}

// awaitCanary waits until the replica serves the n-th publish, or the soak ends.
func (r *replica) awaitCanary(ctx context.Context, client *http.Client, n int) error {
	began := time.Now()
	for ctx.Err() == nil {
		value, err := r.evaluate(ctx, client, "/ofrep/v1/evaluate/flags/canary", "viewer-1")
		if string(value) == strconv.Itoa(n) {
			return nil
		}
		if took := time.Since(began); took > soakApplied {
			return fmt.Errorf("publish %d has not reached %s after %v: %s, %w", n, r.url, took, value, err)
		}
		_ = sleep(ctx, time.Millisecond)
	}
	return nil
}

// publish applies a document.
func publish(t *testing.T, r *replica, document string) {
	t.Helper()
	c := remote{Server: r.url, Token: testToken}
	if err := c.call(t.Context(), http.MethodPost, "/api/v1/experiments", "application/yaml", []byte(document), &struct{}{}); err != nil {
		t.Error(err)
	}
}

func startReplica(t *testing.T, dsn string, clock offsetClock) *replica {
	t.Helper()
	addr := freeAddress(t)
	c := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	c.Env = append(crashEnv(dsn, addr, t.TempDir(), clock), crashRoleEnv+"="+crashServer)
	c.Stderr = t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(c) })
	r := &replica{url: "http://" + addr, pid: c.Process.Pid}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := awaitServer(ctx, r.url); err != nil {
		t.Fatal(err)
	}
	return r
}

// evaluate returns the value of a flag.
func (r *replica) evaluate(ctx context.Context, client *http.Client, path, unit string) (json.RawMessage, error) {
	body := fmt.Appendf(nil, `{"context":{"targetingKey":%q,"country":"DE","player":"hls.js"}}`, unit)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var flag struct{ Value json.RawMessage }
	if err := json.Unmarshal(answer, &flag); err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s%s: %s: %s", r.url, path, resp.Status, answer)
	}
	return flag.Value, nil
}

var residentLine = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// resident returns the resident memory of the replica in bytes, 0 where the
// system does not tell.
func (r *replica) resident(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.pid))
	if err != nil {
		return 0
	}
	match := residentLine.FindSubmatch(status)
	if match == nil {
		t.Fatalf("no resident memory in %s", status)
	}
	kB, err := strconv.ParseInt(string(match[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kB << 10
}
