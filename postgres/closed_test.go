package postgres

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// readClosed returns the units whose window closed up to ten days after jobStart
// with what take makes of each.
func readClosed[T any](t *testing.T, s jobStore, exp *experiment.Experiment, w metrics.Window, take func(*metrics.Closed) T) []T {
	t.Helper()
	var out []T
	_, err := s.Look(t.Context(), exp, func(tx metrics.LookTx) error {
		return tx.Closed(t.Context(), metrics.Reading{Window: w, UpTo: jobStart.Add(240 * time.Hour)}, func(c *metrics.Closed) error {
			out = append(out, take(c))
			return nil
		})
	})
	if err != nil {
		t.Fatalf("Look: %v", err)
	}
	return out
}

// Sessions are read without what metrics.Observe does not look at: an outcome
// must be the same as from whole sessions.
func TestClosedReadsWhatObserveNeeds(t *testing.T) {
	t.Parallel()
	const units = 400
	s := openJobStore(t)
	exp := s.launch(t, "fields", experiment.UnitViewer)
	s.exposeUnits(t, &exp, 0, units)
	r := rand.New(rand.NewPCG(3, 4))
	var sessions []telemetry.Session
	whole := map[string][]telemetry.Session{}
	for i := range 2 * units {
		session := randomSession(r, i, fmt.Sprintf("u%05d", r.IntN(units)))
		sessions = append(sessions, session)
		whole[session.ViewerID] = append(whole[session.ViewerID], session)
	}
	if err := s.MergeSessions(t.Context(), sessions); err != nil {
		t.Fatalf("MergeSessions: %v", err)
	}
	for _, w := range metrics.Windows() {
		got := readClosed(t, s, &exp, w, func(c *metrics.Closed) metrics.Outcome { return metrics.Observe(c, w) })
		var want []metrics.Outcome
		for i := range units {
			c := metrics.Closed{Unit: fmt.Sprintf("u%05d", i), Arm: i % 2, ExposedAt: jobStart, ClosesAt: w.ClosesAt(jobStart, jobStart)}
			c.Sessions = whole[c.Unit]
			want = append(want, metrics.Observe(&c, w))
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("window %s: outcomes differ from those of whole sessions (-want +got):\n%s", w, diff)
		}
	}
}

// randomSession is a session in which every field that a metric could read is
// set at random, each the way around that matters.
func randomSession(r *rand.Rand, i int, viewer string) telemetry.Session {
	yes := func() bool { return r.IntN(2) == 0 }
	frame := int64(r.IntN(20_000))
	s := telemetry.Session{
		SessionID: fmt.Sprintf("session-%d", i), Identity: telemetry.Identity{ViewerID: viewer},
		Tier: telemetry.TierA, FirstRecvMs: jobStart.UnixMilli() + int64(r.IntN(40*60_000)) + int64(r.IntN(2)*r.IntN(40))*3_600_000,
		PlayRequested: yes(), Started: yes(), StartSeq: 1, Ended: yes(),
		Last: telemetry.Mark{Seq: 5, MonoMs: int64(r.IntN(5_000))},
	}
	if s.Started && yes() {
		s.FirstFrameMs = &frame
	}
	if yes() {
		s.FatalCode = `an "odd, (code)\` + "\t"
	}
	c := &s.Counters
	for _, n := range countersOf(c) {
		*n = r.Int64N(1_000_000)
	}
	c.Observed = telemetry.Observed(r.IntN(1 << 9)) //nolint:gosec // a few bits
	return s
}

// A page that is exactly full, and one that is full but for one unit, with all
// windows closing in the same moment.
func TestClosedPages(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "pages", experiment.UnitViewer)
	from := 0
	for _, units := range []int{closedPageSize - 1, closedPageSize, closedPageSize + 1} {
		s.exposeUnits(t, &exp, from, units)
		from = units
		got := readClosed(t, s, &exp, metrics.WindowFirst, func(c *metrics.Closed) string { return c.Unit })
		if len(got) != units {
			t.Fatalf("Closed of %d units returned %d", units, len(got))
		}
		for i, unit := range got {
			if want := fmt.Sprintf("u%05d", i); unit != want {
				t.Fatalf("unit %d is %s, want %s", i, unit, want)
			}
		}
		_, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
			after, err := tx.Aftermath(t.Context(), time.Time{}, jobStart.AddDate(0, 0, 9), nil)
			if awaited := after[0].Awaited + after[1].Awaited; awaited != int64(units) {
				t.Errorf("Aftermath counts %d units of %d", awaited, units)
			}
			// The look's own connection was heard of since the last page was read.
			const waiting = `select count(*) from pg_stat_activity where datname = current_database() and query = $1 and state = 'idle in transaction'`
			var awake int
			if err := s.sql.GetContext(t.Context(), &awake, waiting, lookGoesOn); err != nil || awake != 1 {
				t.Errorf("%d connections of a look are awake, want 1; %v", awake, err)
			}
			return err
		})
		if err != nil {
			t.Fatalf("Aftermath: %v", err)
		}
	}
}

// Each type of unit is joined by its own column, all by links, and no session
// twice.
func TestClosedUnitTypes(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	session := func(id string, identity telemetry.Identity) telemetry.Session {
		return telemetry.Session{SessionID: id, Identity: identity, Tier: telemetry.TierA, FirstRecvMs: jobStart.UnixMilli() + 1}
	}
	err := s.MergeSessions(t.Context(), []telemetry.Session{
		session("s-viewer", telemetry.Identity{ViewerID: "u"}),
		session("s-device", telemetry.Identity{DeviceID: "u"}),
		session("s-broadcaster", telemetry.Identity{BroadcasterID: "u"}),
		session("u", telemetry.Identity{}),
		session("s-linked", telemetry.Identity{ViewerID: "u", DeviceID: "u", BroadcasterID: "u"}),
	})
	if err != nil {
		t.Fatalf("MergeSessions: %v", err)
	}
	for _, test := range []struct {
		unit experiment.UnitType
		want string
	}{
		{experiment.UnitViewer, "s-linked s-viewer"},
		{experiment.UnitDevice, "s-device s-linked"},
		{experiment.UnitBroadcaster, "s-broadcaster s-linked"},
		{experiment.UnitSession, "s-linked u"},
		{experiment.UnitBlock, "s-linked"},
	} {
		exp := s.launch(t, "of-"+string(test.unit), test.unit)
		row := exposure("u", 0, jobStart)
		row.ExperimentID, row.UnitType, row.Session = exp.ID, test.unit, "s-linked"
		mustExec(t, s.DB, `truncate session_links`) // the first link stays
		expose(t, s.DB, jobStart, row)
		got := readClosed(t, s, &exp, metrics.WindowFirst, func(c *metrics.Closed) string {
			var ids []string
			for i := range c.Sessions {
				ids = append(ids, c.Sessions[i].SessionID)
			}
			return strings.Join(slices.Sorted(slices.Values(ids)), " ")
		})
		if diff := gocmp.Diff([]string{test.want}, got); diff != "" {
			t.Errorf("%s: sessions differ (-want +got):\n%s", test.unit, diff)
		}
	}
}

// A unit that crosses after its window closed has an outcome there, whenever the
// job runs, and none in the windows that close later.
func TestClosedCrossedLate(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "crossed", experiment.UnitViewer)
	row := func(arm int, at time.Time) ExposureRow {
		r := exposure("u", arm, at)
		r.ExperimentID = exp.ID
		return r
	}
	expose(t, s.DB, jobStart, row(0, jobStart))
	later := jobStart.Add(metrics.FirstSpan + metrics.FirstGrace + time.Second)
	expose(t, s.DB, later, row(1, later))
	sum, err := jobOf(s, &exp).RunOnce(t.Context(), jobStart.Add(48*time.Hour))
	if err != nil {
		t.Fatalf("RunOnce: %v", err)
	}
	if sum.First != 1 || sum.Day != 0 || sum.Excluded != 1 {
		t.Errorf("RunOnce = %+v, want an outcome of the first window alone", sum)
	}
	counts, err := s.ArmCounts(t.Context(), &exp)
	if err != nil {
		t.Fatalf("ArmCounts: %v", err)
	}
	want := []metrics.ArmCounts{{Arm: 0, Crossed: 1, ClosedFirst: 1}, {Arm: 1}}
	if diff := gocmp.Diff(want, counts); diff != "" {
		t.Errorf("ArmCounts differ (-want +got):\n%s", diff)
	}
}

// The cost of a page must not grow with the tables: no plan reads a whole one.
func TestClosedPlans(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	for unit := range unitColumns {
		for _, w := range metrics.Windows() {
			plan := explainClosed(t, s.DB, unit, w, 0) + explainClosed(t, s.DB, unit, w, 14)
			if strings.Contains(plan, "Seq Scan") || strings.Contains(plan, "Hash") {
				t.Errorf("%s, %s: the plan reads a whole table:\n%s", unit, w, plan)
			}
			if want := "exposures_closes"; !strings.Contains(plan, want) {
				t.Errorf("%s, %s: the plan does not use %s:\n%s", unit, w, want, plan)
			}
		}
	}
}

func explainClosed(t *testing.T, db *DB, unit experiment.UnitType, w metrics.Window, historyDays int) string {
	t.Helper()
	r := closedReader{exp: &experiment.Experiment{ID: 1, Version: 1, Spec: experiment.Spec{Unit: unit}}, window: w, historyDays: historyDays}
	args := r.arguments(closedPlace{at: jobStart}, closedPlace{at: jobStart.Add(time.Hour)})
	var lines []string
	err := db.inConnTx(t.Context(), func(tx *connTx) error {
		if _, err := tx.ExecContext(t.Context(), planClosed); err != nil {
			return err
		}
		return tx.SelectContext(t.Context(), &lines, `explain `+closedQuery(unit, w, historyDays > 0, ""), args...)
	})
	if err != nil {
		t.Fatalf("explain: %v", err)
	}
	return strings.Join(lines, "\n")
}
