package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/metrics/storetest"
	"github.com/splitcast/splitcast/telemetry"
)

// jobStart is when the experiments of these tests begin.
var jobStart = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// jobStore is a database with what the conformance suite needs to fill and read it.
type jobStore struct {
	*DB
}

func openJobStore(t testing.TB) jobStore {
	t.Helper()
	return jobStore{open(t)}
}

func (s jobStore) Launch(ctx context.Context, spec experiment.Spec) (experiment.Experiment, error) {
	applied, err := s.Apply(ctx, []experiment.Spec{spec}, ApplyOptions{Actor: "test", Now: jobStart, KnownMetric: anyMetric})
	if err != nil {
		return experiment.Experiment{}, err
	}
	return applied[0].Experiment, nil
}

func (s jobStore) Expose(ctx context.Context, recordedAt time.Time, exposures []experiment.Exposure) error {
	rows := make([]ExposureRow, len(exposures))
	for i := range exposures {
		exp, err := s.Get(ctx, exposures[i].Experiment)
		if err != nil {
			return err
		}
		info := assignment.Info{Key: exp.Key, ID: exp.ID, Version: exp.Version, Unit: exp.Unit}
		for _, arm := range exp.Arms {
			info.Arms = append(info.Arms, arm.Key)
		}
		if rows[i], err = ResolveExposure(&info, &exposures[i]); err != nil {
			return err
		}
	}
	return s.InsertExposures(ctx, func() time.Time { return recordedAt }, rows)
}

func (s jobStore) Report(ctx context.Context, sessions []telemetry.Session) error {
	return s.MergeSessions(ctx, sessions)
}

func (s jobStore) ReportBroadcasts(ctx context.Context, parts []telemetry.Broadcast) error {
	return s.MergeBroadcasts(ctx, parts)
}

func (s jobStore) ReportEvents(ctx context.Context, events []storetest.Event) error {
	received := make([]ReceivedEvent, len(events))
	for i, e := range events {
		received[i] = ReceivedEvent{RecvMs: e.RecvMs, UnitEvent: e.UnitEvent}
	}
	return s.InsertUnitEvents(ctx, received)
}

func (s jobStore) Import(ctx context.Context, exp *experiment.Experiment, importedAt time.Time, w metrics.Window, outcomes []metrics.Outcome) error {
	units := make([]ImportedUnit, len(outcomes))
	for i := range outcomes {
		o := &outcomes[i]
		units[i] = ImportedUnit{ExposureRow: ExposureRow{
			ExperimentID: exp.ID, Version: exp.Version, UnitType: exp.Unit, Unit: o.Unit, Arm: o.Arm, At: o.ExposedAt, Imported: ImportOutcomes,
		}, Outcomes: map[metrics.Window]*metrics.Measured{w: {Quantities: o.Quantities, Custom: o.Custom, Covariates: o.Covariates}}}
	}
	_, err := s.ImportUnits(ctx, func() time.Time { return importedAt }, "ana", exp, units)
	return err
}

func (s jobStore) Outcomes(ctx context.Context, exp *experiment.Experiment, w metrics.Window) ([]metrics.Outcome, error) {
	var out []metrics.Outcome
	err := eachRow(ctx, s.sql, func(rows *sql.Rows) error {
		var o metrics.Outcome
		var quantities, dims, covariates, custom []byte
		if err := rows.Scan(&o.Unit, &o.Arm, &o.ExposedAt, &o.ClosesAt, &quantities, &dims, &covariates, &custom, &o.Suspected); err != nil {
			return err
		}
		if err := json.Unmarshal(quantities, &o.Quantities); err != nil {
			return fmt.Errorf("quantities: %w", err)
		}
		if err := json.Unmarshal(dims, &o.Dims); err != nil {
			return fmt.Errorf("dims: %w", err)
		}
		if covariates != nil {
			var pairs []float64
			if err := json.Unmarshal(covariates, &pairs); err != nil {
				return fmt.Errorf("covariates: %w", err)
			}
			o.Covariates = metrics.Covariates{Known: true, History: pairs[0] == 1}
			for i := 1; i < len(pairs); i += 2 {
				o.Covariates.Quantities[int(pairs[i])] = pairs[i+1]
			}
		}
		if custom != nil {
			if err := json.Unmarshal(custom, &o.Custom); err != nil {
				return fmt.Errorf("custom: %w", err)
			}
		}
		out = append(out, o)
		return nil
	}, `
		select unit_id, arm, exposed_at, closes_at, array_to_json(quantities::float8[]), array_to_json(dims), array_to_json(covariates), custom, suspected
		from outcomes where experiment_id = $1 and version = $2 and win = $3
		order by closes_at, unit_id`, exp.ID, exp.Version, string(w))
	return out, err
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Exercise(t, func(t *testing.T) storetest.Subject { return openJobStore(t) })
}

// launch makes a running experiment of units of a type.
func (s jobStore) launch(t testing.TB, key string, unit experiment.UnitType) experiment.Experiment {
	t.Helper()
	spec := specOf(key, "", 0)
	spec.Unit = unit
	spec.Normalize()
	exp, err := s.Launch(t.Context(), spec)
	if err != nil {
		t.Fatalf("Launch: %v", err)
	}
	return exp
}

// exposeUnits exposes units u00000 and so on in turn to both arms, all at jobStart.
func (s jobStore) exposeUnits(t testing.TB, exp *experiment.Experiment, from, to int) {
	t.Helper()
	var rows []ExposureRow
	flush := func() {
		expose(t, s.DB, jobStart, rows...)
		rows = rows[:0]
	}
	for i := from; i < to; i++ {
		rows = append(rows, ExposureRow{
			ExperimentID: exp.ID, Version: exp.Version, UnitType: exp.Unit, Unit: fmt.Sprintf("u%05d", i), Arm: i % 2, At: jobStart,
		})
		if len(rows) == experiment.MaxExposureBatch {
			flush()
		}
	}
	flush()
}

// jobOf looks at one experiment.
func jobOf(s metrics.Store, exp *experiment.Experiment) *metrics.Job {
	return &metrics.Job{Store: s, Experiments: func(_ context.Context, after string) ([]experiment.Experiment, error) {
		if after != "" {
			return nil, nil
		}
		return []experiment.Experiment{*exp}, nil
	}}
}

func outcomeOf(unit string, arm int, exposed time.Time, w metrics.Window) metrics.Outcome {
	return metrics.Outcome{Unit: unit, Arm: arm, ExposedAt: exposed, ClosesAt: w.ClosesAt(exposed, exposed)}
}

// nothingWritten fails the test if a look left a trace.
func nothingWritten(t *testing.T, s jobStore) {
	t.Helper()
	for _, table := range []string{"outcomes", "outcome_counts", "looks", "cells", "dimension_cells"} {
		if n := count(t, s.DB, `select count(*) from `+table); n != 0 {
			t.Errorf("%s has %d rows of a look that was not committed", table, n)
		}
	}
}

// The connection dies between the outcomes and the commit: nothing is left, the
// lock is free, and the next run counts everybody once.
func TestLookConnectionLost(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "lost", experiment.UnitViewer)
	s.exposeUnits(t, &exp, 0, 100)
	ran, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
		outcome := outcomeOf("u00000", 0, jobStart, metrics.WindowFirst)
		if err := tx.AppendOutcomes(t.Context(), metrics.WindowFirst, 1, []metrics.Outcome{outcome}); err != nil {
			t.Errorf("AppendOutcomes: %v", err)
		}
		ended := count(t, s.DB, `
			select count(pg_terminate_backend(pid, 10000)) from pg_locks
			where locktype = 'advisory' and classid = $1 and database = (select oid from pg_database where datname = current_database())`,
			lockClassLook)
		if ended != 1 {
			t.Errorf("ended %d connections, want 1", ended)
		}
		return tx.AppendLook(t.Context(), metrics.Look{Number: 1, At: jobStart, Watermark: jobStart})
	})
	wantCode(t, "Look", err, experiment.CodeUnavailable)
	if ran {
		t.Error("Look says it ran")
	}
	nothingWritten(t, s)
	sum, err := jobOf(s, &exp).RunOnce(t.Context(), jobStart.Add(48*time.Hour))
	if err != nil || sum.First != 100 || sum.Day != 100 {
		t.Errorf("RunOnce afterwards = %+v, %v; want 100 outcomes of each window", sum, err)
	}
}

// PostgreSQL is killed between the outcomes and the commit.
func TestLookServerKilled(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t)
	s := jobStore{openAt(t, pgtest.NewOn(t, server))}
	exp := s.launch(t, "killed", experiment.UnitViewer)
	s.exposeUnits(t, &exp, 0, 100)
	_, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
		outcome := outcomeOf("u00000", 0, jobStart, metrics.WindowFirst)
		if err := tx.AppendOutcomes(t.Context(), metrics.WindowFirst, 1, []metrics.Outcome{outcome}); err != nil {
			t.Errorf("AppendOutcomes: %v", err)
		}
		if err := syscall.Kill(server.Pid(), syscall.SIGKILL); err != nil {
			t.Errorf("kill: %v", err)
		}
		_, _, err := tx.Last(t.Context())
		for err == nil { // until the backend has noticed
			_, _, err = tx.Last(t.Context())
		}
		return err
	})
	if err == nil {
		t.Error("Look on a killed server succeeded")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for s.Ping(ctx) != nil {
		if ctx.Err() != nil {
			t.Fatal("the server has not come back")
		}
	}
	nothingWritten(t, s)
	sum, err := jobOf(s, &exp).RunOnce(t.Context(), jobStart.Add(48*time.Hour))
	if err != nil || sum.First != 100 || sum.Day != 100 {
		t.Errorf("RunOnce afterwards = %+v, %v; want 100 outcomes of each window", sum, err)
	}
}

// Several processes run the job at once: each look is taken by one of them.
func TestLookManyJobs(t *testing.T) {
	t.Parallel()
	const units, jobs, rounds = 500, 4, 12
	dsn := pgtest.New(t)
	s := jobStore{openAt(t, dsn)}
	exp := s.launch(t, "shared", experiment.UnitViewer)
	s.exposeUnits(t, &exp, 0, units)
	var mu sync.Mutex
	var total metrics.Summary
	var all sync.WaitGroup
	for range jobs {
		job := jobOf(openAt(t, dsn), &exp)
		all.Go(func() {
			for round := range rounds {
				sum, err := job.RunOnce(t.Context(), jobStart.Add(time.Duration(round+1)*3*time.Hour))
				if err != nil {
					t.Errorf("RunOnce: %v", err)
				}
				mu.Lock()
				total.First += sum.First
				total.Day += sum.Day
				total.Looks += sum.Looks
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if total.First != units || total.Day != units || total.Looks != 2 {
		t.Errorf("%d jobs together wrote %d and %d outcomes in %d looks, want %d of each in 2",
			jobs, total.First, total.Day, total.Looks, units)
	}
	counts, err := s.ArmCounts(t.Context(), &exp)
	if err != nil {
		t.Fatalf("ArmCounts: %v", err)
	}
	want := []metrics.ArmCounts{
		{Arm: 0, Exposed: units / 2, ClosedFirst: units / 2, ClosedDay: units / 2},
		{Arm: 1, Exposed: units / 2, ClosedFirst: units / 2, ClosedDay: units / 2},
	}
	if diff := gocmp.Diff(want, counts); diff != "" {
		t.Errorf("ArmCounts differ (-want +got):\n%s", diff)
	}
}

func TestAppendOutcomesRefusesRepetition(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "once", experiment.UnitViewer)
	outcome := outcomeOf("u", 0, jobStart, metrics.WindowFirst)
	for _, test := range []struct {
		name  string
		calls [][]metrics.Outcome
	}{
		{"within a call", [][]metrics.Outcome{{outcome, outcome}}},
		{"in two calls of a look", [][]metrics.Outcome{{outcome}, {outcome}}},
	} {
		_, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
			for _, call := range test.calls {
				if err := tx.AppendOutcomes(t.Context(), metrics.WindowFirst, 1, call); err != nil {
					return err
				}
			}
			return nil
		})
		wantCode(t, test.name, err, experiment.CodeConflict)
		nothingWritten(t, s)
	}
}

// The facts of looks refuse every change, whoever asks.
func TestLooksAreAppendOnly(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "kept", experiment.UnitViewer)
	s.exposeUnits(t, &exp, 0, 10)
	if _, err := jobOf(s, &exp).RunOnce(t.Context(), jobStart.Add(time.Hour)); err != nil {
		t.Fatalf("RunOnce: %v", err)
	}
	partition := partitionOf(tableOutcomes, jobStart)
	for _, statement := range []string{
		`update outcomes set arm = 1 - arm`, `delete from outcomes`, `truncate outcomes`,
		`update ` + partition + ` set look = look + 1`, `delete from ` + partition, `truncate ` + partition,
		`update looks set at = watermark`, `delete from looks`, `truncate looks cascade`,
		`update cells set n = n + 1`, `delete from cells`, `truncate cells`,
	} {
		_, err := s.sql.ExecContext(t.Context(), statement)
		wantCode(t, statement, wrap("change", err), experiment.CodeConflict)
	}
	if n := count(t, s.DB, `select count(*) from outcomes`); n != 10 {
		t.Errorf("%d outcomes are left, want 10", n)
	}
}

// A look waits for exposures that were recorded before it and are not committed
// yet: they are on its counts.
func TestLookWaitsForExposures(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "waits", experiment.UnitViewer)
	s.exposeUnits(t, &exp, 0, 2)
	slow, err := s.sql.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Rollback() }()
	if _, err := slow.ExecContext(t.Context(), `select pg_advisory_xact_lock_shared($1)`, lockExposures); err != nil {
		t.Fatal(err)
	}
	_, err = slow.ExecContext(t.Context(), `
		insert into exposures (experiment_id, version, unit_id, arm, at, recorded_at, override, attributes, first_closes_at)
		select experiment_id, version, 'slow', 0, at, recorded_at, override, attributes, first_closes_at
		from exposures limit 1`)
	if err != nil {
		t.Fatal(err)
	}
	looked := make(chan []metrics.ArmCounts, 1)
	go func() {
		defer close(looked)
		_, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
			counts, err := tx.Counts(t.Context(), jobStart)
			looked <- counts
			return err
		})
		if err != nil {
			t.Errorf("Look: %v", err)
		}
	}()
	for count(t, s.DB, `select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("the look does not wait")
		}
	}
	if err := slow.Commit(); err != nil {
		t.Fatal(err)
	}
	want := []metrics.ArmCounts{{Arm: 0, Exposed: 2}, {Arm: 1, Exposed: 1}}
	if diff := gocmp.Diff(want, <-looked); diff != "" {
		t.Errorf("Counts differ (-want +got):\n%s", diff)
	}
	<-looked // closed when the look has ended
}

// What each part of an outcome's text may hold comes back as it was.
func TestAppendOutcomesKeepsTexts(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "texts", experiment.UnitViewer)
	want := outcomeOf("a\\b\"c\td{e},'f'", 1, jobStart, metrics.WindowDay)
	want.Dims = [metrics.DimensionCount]string{"", "NULL", `\`, `"`, "a,b{c}", "tab\tline\nreturn\r", "größe \u2028"}
	want.Quantities[0], want.Quantities[1], want.Quantities[2] = maxExactInt, 1.0/3, -1e-300
	_, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
		return tx.AppendOutcomes(t.Context(), metrics.WindowDay, 1, []metrics.Outcome{want})
	})
	if err != nil {
		t.Fatalf("Look: %v", err)
	}
	got, err := s.Outcomes(t.Context(), &exp, metrics.WindowDay)
	if err != nil {
		t.Fatalf("Outcomes: %v", err)
	}
	if diff := gocmp.Diff([]metrics.Outcome{want}, got); diff != "" {
		t.Errorf("Outcomes differ (-want +got):\n%s", diff)
	}
}

func TestLookKeepsErrors(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "errors", experiment.UnitViewer)
	s.exposeUnits(t, &exp, 0, 3)
	stop := errors.New("stop")
	seen := 0
	_, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
		return tx.Closed(t.Context(), metrics.Reading{Window: metrics.WindowFirst, UpTo: jobStart.Add(time.Hour)}, func(*metrics.Closed) error {
			seen++
			return stop
		})
	})
	if !errors.Is(err, stop) || seen != 1 {
		t.Errorf("Look = %v after %d windows, want the callback's error after 1", err, seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Look(ctx, &exp, func(metrics.LookTx) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Look with an ended context = %v, want %v", err, context.Canceled)
	}
}
