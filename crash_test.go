package main

import (
	"bytes"
	"context"
	"database/sql"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/metrics"
)

// crashPlan is how much a crash test sends and how long it kills.
type crashPlan struct {
	viewers int
	least   time.Duration // of killing while windows close
}

// TestNothingIsLostOrCountedTwice kills the server, the job and PostgreSQL with
// signal 9 again and again while telemetry is sent, shuffled, aborted and
// repeated, and while windows close. In the end the database must hold what the
// senders know to be true, to the unit. `make torture` does it for longer.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	plan := crashPlan{viewers: 400, least: 3 * time.Second}
	if os.Getenv("SPLITCAST_TORTURE") != "" {
		plan = crashPlan{viewers: 20_000, least: 3 * time.Minute}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Minute)
	defer cancel()
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // any bits
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))

	srv := pgtest.Server(t)
	dsn := pgtest.NewOn(t, srv)
	clock := newOffsetClock(t)
	v := startVictims(t, srv, dsn, clock)
	if err := awaitServer(ctx, v.url); err != nil {
		t.Fatal(err)
	}
	applyCrashExperiment(ctx, t, v)
	world := newCrashWorld(r, plan.viewers, clock.Now())
	everything := []string{crashServer, crashJob, crashPostgres}
	whileKilling(ctx, t, v, r, everything, func(ctx context.Context) { sendCrashWorld(ctx, t, v, world) })

	check := openCrashDatabase(t, dsn)
	for _, phase := range []struct {
		offset time.Duration
		win    metrics.Window
	}{{2 * time.Hour, metrics.WindowFirst}, {30 * time.Hour, metrics.WindowDay}} {
		clock.set(t, phase.offset)
		whileKilling(ctx, t, v, r, everything, func(ctx context.Context) {
			_ = sleep(ctx, plan.least) // kill on, even when all outcomes are there
			check.await(ctx, t, phase.win, plan.viewers)
		})
	}
	t.Logf("killed: %s", v)
	check.awaitAnswer(ctx, t)
	check.world(t, world)
}

// whileKilling runs do while processes are killed.
func whileKilling(ctx context.Context, t *testing.T, v *victims, r *rand.Rand, roles []string, do func(context.Context)) {
	t.Helper()
	killing, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		v.spread(killing, rand.New(rand.NewPCG(r.Uint64(), 1)), roles, 150*time.Millisecond, 1500*time.Millisecond)
	}()
	do(ctx)
	stop()
	<-ended
}

func applyCrashExperiment(ctx context.Context, t *testing.T, v *victims) {
	t.Helper()
	const document = `
experiments:
  - key: crash
    unit: viewer
    arms: [{key: control, weight: 1, value: false}, {key: treatment, weight: 1, value: true}]
    plan: {primary: [watch_hours_per_viewer], secondary: [stall_ratio]}
    status: running`
	c := remote{Server: v.url, Token: testToken}
	if err := c.call(ctx, http.MethodPost, "/api/v1/experiments", "application/yaml", []byte(document), &struct{}{}); err != nil {
		t.Fatal(err)
	}
}

// crashSenders is how many requests are under way at a time.
const crashSenders = 8

// sendCrashWorld returns when all requests have been acknowledged: first the
// exposures, since a session counts from its unit's exposure on.
func sendCrashWorld(ctx context.Context, t *testing.T, v *victims, w *crashWorld) {
	t.Helper()
	var first, then []crashRequest
	for _, x := range w.exposures {
		first = append(first, jsonRequest("/v1/exposures", x))
	}
	for _, x := range w.beats {
		then = append(then, jsonRequest("/v1/heartbeats", x))
	}
	for _, body := range w.records {
		then = append(then, crashRequest{"/v1/cmcd/" + testToken, "application/cmcd", bytes.TrimSpace(body)})
	}
	s := &crashSender{url: v.url, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: crashSenders}}}
	defer s.client.CloseIdleConnections()
	for _, requests := range [][]crashRequest{first, then} {
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(crashSenders)
		for i, req := range requests {
			g.Go(func() error { return s.deliver(ctx, rand.New(rand.NewPCG(uint64(i), 2)), req) })
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d requests were acknowledged after %d attempts", len(first)+len(then), s.attempts.Load())
}

// crashDatabase is what the database holds.
type crashDatabase struct{ *sql.DB }

func openCrashDatabase(t *testing.T, dsn string) crashDatabase {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return crashDatabase{db}
}

// await waits until all windows of a kind have an outcome.
func (d crashDatabase) await(ctx context.Context, t *testing.T, w metrics.Window, want int) {
	t.Helper()
	n := 0
	for n < want {
		// The database may be down; it is asked again.
		_ = d.QueryRowContext(ctx, `select count(*) from outcomes where win = $1`, w).Scan(&n)
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			t.Fatalf("%d of %d windows %s have an outcome: %v", n, want, w, err)
		}
	}
}

// awaitAnswer waits until the database is up after its last killing.
func (d crashDatabase) awaitAnswer(ctx context.Context, t *testing.T) {
	t.Helper()
	for {
		err := d.PingContext(ctx)
		if err == nil {
			return
		}
		if sleep(ctx, 50*time.Millisecond) != nil {
			t.Fatal(err)
		}
	}
}

// world asserts that the database holds the truth.
func (d crashDatabase) world(t *testing.T, w *crashWorld) {
	t.Helper()
	for query, want := range map[string]int{
		`select count(*) from exposures where crossed_at is null`:    len(w.units),
		`select count(*) from exposures`:                             len(w.units),
		`select count(*) from sessions where not folded`:             len(w.sessions),
		`select count(*) from sessions where folded`:                 len(w.cmcd),
		`select count(*) from outcomes`:                              2 * len(w.units),
		`select count(distinct (win, unit_id)) from outcomes`:        2 * len(w.units),
		`select coalesce(sum(count), 0)::int from outcome_counts`:    2 * len(w.units),
		`select count(*) from cmcd_records`:                          sum(w.cmcd),
		`select count(distinct session_id) from cmcd_records`:        len(w.cmcd),
		`select coalesce(sum(exposed), 0)::int from exposure_counts`: len(w.units),
	} {
		var got int
		if err := d.QueryRowContext(t.Context(), query).Scan(&got); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	d.sessions(t, w)
	d.outcomes(t, w)
	d.cells(t, w)
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}

// rows calls scan for each row.
func (d crashDatabase) rows(t *testing.T, scan func(*sql.Rows) error, query string, args ...any) {
	t.Helper()
	rows, err := d.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

func (d crashDatabase) sessions(t *testing.T, w *crashWorld) {
	t.Helper()
	d.rows(t, func(rows *sql.Rows) error {
		var id string
		var seq, play, stall, stalls int64
		var ended bool
		if err := rows.Scan(&id, &seq, &play, &stall, &stalls, &ended); err != nil {
			return err
		}
		if last := w.sessions[id]; seq != last.Seq || play != last.PlayMs || stall != last.StallMs || stalls != last.StallN || !ended {
			t.Errorf("session %s: record %d, %d ms played, %d ms in %d stalls, ended %v; want %+v", id, seq, play, stall, stalls, ended, last)
		}
		return nil
	}, `select session_id, last_mark_seq, play_ms, stall_ms, stall_n, ended from sessions where not folded`)
}

func (d crashDatabase) outcomes(t *testing.T, w *crashWorld) {
	t.Helper()
	d.rows(t, func(rows *sql.Rows) error {
		var unit string
		var arm int
		var play, stall, stalls, starts int64
		if err := rows.Scan(&unit, &arm, &play, &stall, &stalls, &starts); err != nil {
			return err
		}
		if want := w.units[unit]; (crashUnit{arm, play, stall, stalls, starts}) != want {
			t.Errorf("outcome of %s: arm %d, %d ms played, %d ms in %d stalls, %d starts; want %+v", unit, arm, play, stall, stalls, starts, want)
		}
		return nil
	}, `select unit_id, arm, q[$1]::bigint, q[$2]::bigint, q[$3]::bigint, q[$4]::bigint
	    from outcomes, lateral (select quantities::float8[] as q) parsed where win = 'day'`, metrics.WatchMs+1, metrics.StallMs+1, metrics.Stalls+1, metrics.Starts+1)
}

// cells asserts that the newest look holds the sums of all units.
func (d crashDatabase) cells(t *testing.T, w *crashWorld) {
	t.Helper()
	var n, play [2]int64
	for _, u := range w.units {
		n[u.arm]++
		play[u.arm] += u.playMs
	}
	arms := 0
	d.rows(t, func(rows *sql.Rows) error {
		var arm int
		var units int64
		var mean float64
		if err := rows.Scan(&arm, &units, &mean); err != nil {
			return err
		}
		arms++
		if want := float64(play[arm]) / float64(n[arm]); units != n[arm] || math.Abs(mean-want) > 1e-9*want {
			t.Errorf("arm %d: the mean of %d units is %v ms, want %v of %d", arm, units, mean, want, n[arm])
		}
		return nil
	}, `select arm, n, mean_y from cells
	    where metric = 'watch_hours_per_viewer' and not uncapped and look = (select max(number) from looks)`)
	if arms != len(n) {
		t.Errorf("the newest look has cells of %d arms, want %d", arms, len(n))
	}
}
