//go:build !race

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/simulate"
)

// worldRun is a simulated world that uses a real server over HTTP, with a job and
// a ledger of what is true.
type worldRun struct {
	t      *testing.T
	p      *platform
	c      remote
	dsn    string
	clock  *demoClock
	begin  time.Time
	driver *simulate.Driver
	ledger *simulate.Ledger
	jobs   []time.Time
}

const worldToken = "sk_of_the_world_test"

// newWorldRun starts a server and a world. Salts come from the seed, so that a
// run which passes passes again.
func newWorldRun(t *testing.T, o simulate.Options) *worldRun {
	t.Helper()
	w := &worldRun{t: t, dsn: pgtest.New(t), begin: time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC), ledger: simulate.NewLedger()}
	w.clock = newDemoClock(w.begin)
	rt, _ := testRuntime(t, t.Context())
	var err error
	w.p, err = startPlatform(t.Context(), platformConfig{
		storage: storage{Data: t.TempDir(), DatabaseURL: w.dsn}, Addr: "127.0.0.1:0",
		BootstrapToken: worldToken, Now: w.clock.Now, Salt: seededSalts(o.Seed), Log: rt.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Epoch = w.begin
	w.driver = &simulate.Driver{
		BaseURL: w.p.url(), Token: worldToken, World: simulate.NewWorld(o), Ledger: w.ledger, SetNow: w.clock.Set, RunJob: w.runJob,
	}
	t.Cleanup(func() {
		w.driver.Close()
		if err := w.p.close(); err != nil {
			t.Error(err)
		}
	})
	w.c = remote{Server: w.p.url(), Token: worldToken}
	return w
}

func (w *worldRun) runJob(ctx context.Context) error {
	now := w.clock.Now()
	w.jobs = append(w.jobs, now)
	_, err := w.p.job.RunOnce(ctx, now)
	return err
}

// apply launches the experiments of a document.
func (w *worldRun) apply(d experiment.Document) {
	w.t.Helper()
	body, err := json.Marshal(d)
	if err != nil {
		w.t.Fatal(err)
	}
	var answer json.RawMessage
	if err := w.c.call(w.t.Context(), http.MethodPost, "/api/v1/experiments", "application/json", body, &answer); err != nil {
		w.t.Fatal(err)
	}
}

// play lets the world live from one time after its beginning to another, and
// settles what has closed by then.
func (w *worldRun) play(from, to time.Duration) {
	w.t.Helper()
	if err := w.driver.CatchUp(w.t.Context(), w.begin.Add(from), w.begin.Add(to)); err != nil {
		w.t.Fatal(err)
	}
	if w.jobs[len(w.jobs)-1].Equal(w.clock.Now()) {
		return
	}
	if err := w.runJob(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// settled returns when the job fixed what closed at a moment; beyond all time if
// it has not.
func (w *worldRun) settled(closes time.Time) time.Time {
	for _, at := range w.jobs {
		if !at.Add(-metrics.WatermarkLag).Before(closes) {
			return at
		}
	}
	return time.Time{}
}

// units returns the units of an experiment of which a window of this length,
// grace included, was settled, by arm.
func (w *worldRun) units(key string, closes time.Duration) (out [2][]simulate.Unit) {
	for _, u := range w.ledger.Units(key, w.settled) {
		if !w.settled(u.At.Add(closes)).IsZero() && u.Exposed {
			out[armIndex(u.Arm)] = append(out[armIndex(u.Arm)], u)
		}
	}
	return out
}

func armIndex(key string) int {
	if key == simulate.ArmTreatment {
		return 1
	}
	return 0
}

func (w *worldRun) report(key string, look int) (r report.Report) {
	w.t.Helper()
	path := "/api/v1/experiments/" + key + "/report"
	if look > 0 {
		path += fmt.Sprintf("?look=%d", look)
	}
	if err := w.c.call(w.t.Context(), http.MethodGet, path, "", nil, &r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// health returns what the newest look says of both arms' units.
func (w *worldRun) health(key string) (out [2]metrics.ArmCounts) {
	w.t.Helper()
	e, err := w.p.db.Get(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	looks, err := w.p.db.Looks(w.t.Context(), e.ID, e.Version, []int{w.report(key, 0).Head.Look})
	if err != nil || len(looks) != 1 {
		w.t.Fatalf("%d looks, %v", len(looks), err)
	}
	copy(out[:], looks[0].Arms)
	return out
}

// counts returns the units of an experiment by arm, as of now.
func (w *worldRun) counts(key string) []metrics.ArmCounts {
	w.t.Helper()
	e, err := w.p.db.Get(w.t.Context(), key)
	if err != nil {
		w.t.Fatal(err)
	}
	counts, err := w.p.db.ArmCounts(w.t.Context(), &e)
	if err != nil {
		w.t.Fatal(err)
	}
	return counts
}

// sumOf adds a quantity up over units.
func sumOf(units []simulate.Unit, of func(*simulate.Unit) float64) (sum float64) {
	for i := range units {
		sum += of(&units[i])
	}
	return sum
}

// wantSums compares the sums of both arms of a row with what is true of its units.
func (w *worldRun) wantSums(r *report.Report, units [2][]simulate.Unit, metric string, numerator, denominator func(*simulate.Unit) float64) report.Row {
	w.t.Helper()
	row := rowOf(w.t, slices.Concat(r.Primary, r.Secondary, r.Guardrails), metric)
	for arm, got := range [2]report.Value{row.Control, row.Treatment} {
		y, x := sumOf(units[arm], numerator), sumOf(units[arm], denominator)
		if math.Abs(got.Numerator-y) > 1e-6*math.Abs(y) || math.Abs(got.Denominator-x) > 1e-6*math.Abs(x) || x == 0 {
			w.t.Errorf("%s of arm %d = %v / %v, in truth %v / %v", metric, arm, got.Numerator, got.Denominator, y, x)
		}
	}
	return row
}

// wantLift asserts that the interval of a row holds a lift.
func (w *worldRun) wantLift(row *report.Row, lift float64) {
	w.t.Helper()
	if e := row.Effect; e == nil || lift < e.Lower || lift > e.Upper {
		w.t.Errorf("%s: effect %+v (%+v), want the true lift %+.4f within", row.Metric.Key, row.Effect, row.Refusal, lift)
	}
}

// one is the denominator of a metric per unit.
func one(*simulate.Unit) float64 { return 1 }

// checkOf returns a trust check of a report.
func checkOf(t *testing.T, r *report.Report, key string) report.Check {
	t.Helper()
	for _, c := range r.Trust {
		if c.Key == key {
			return c
		}
	}
	t.Fatalf("there is no check %s", key)
	return report.Check{}
}

// outcomeRows returns everything that the outcomes of an experiment say but when
// they were made, a line each.
func (w *worldRun) outcomeRows(key string) []string {
	w.t.Helper()
	rows, err := openSQL(w.t, w.dsn).QueryContext(w.t.Context(), `
		select concat_ws('|', o.win, o.unit_id, o.arm, o.exposed_at, o.closes_at, o.quantities::text, o.dims::text, o.covariates::text, o.custom::text, o.suspected)
		from outcomes o join experiments e on e.id = o.experiment_id
		where e.key = $1 order by o.win, o.unit_id`, key)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, strings.TrimSpace(row))
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return out
}
