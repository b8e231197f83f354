package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"
	"time"

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
	return openJobStoreAt(t, pgtest.New(t))
}

func openJobStoreAt(t testing.TB, dsn string) jobStore {
	t.Helper()
	db, err := Open(t.Context(), dsn)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return jobStore{db}
}

// FoldSessions folds nothing: the suite reports sessions.
func (jobStore) FoldSessions(context.Context, time.Time) (int, error) { return 0, nil }

func (s jobStore) Launch(ctx context.Context, spec experiment.Spec) (experiment.Experiment, error) {
	known := func(string) bool { return true }
	applied, err := s.Apply(ctx, []experiment.Spec{spec}, ApplyOptions{Actor: "test", Now: jobStart, KnownMetric: known})
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
		if rows[i], err = ResolveExposure(&exp, &exposures[i]); err != nil {
			return err
		}
	}
	return s.InsertExposures(ctx, func() time.Time { return recordedAt }, rows)
}

func (s jobStore) Report(ctx context.Context, sessions []telemetry.Session) error {
	return s.MergeSessions(ctx, sessions)
}

func (s jobStore) Outcomes(ctx context.Context, exp *experiment.Experiment, w metrics.Window) ([]metrics.Outcome, error) {
	var out []metrics.Outcome
	err := eachRow(ctx, s.sql, func(rows *sql.Rows) error {
		var o metrics.Outcome
		var quantities, dims []byte
		if err := rows.Scan(&o.Unit, &o.Arm, &o.ExposedAt, &o.ClosesAt, &quantities, &dims); err != nil {
			return err
		}
		if err := json.Unmarshal(quantities, &o.Quantities); err != nil {
			return fmt.Errorf("quantities: %w", err)
		}
		if err := json.Unmarshal(dims, &o.Dims); err != nil {
			return fmt.Errorf("dims: %w", err)
		}
		out = append(out, o)
		return nil
	}, `
		select unit_id, arm, exposed_at, closes_at, array_to_json(quantities), array_to_json(dims)
		from outcomes where experiment_id = $1 and version = $2 and win = $3
		order by closes_at, unit_id`, exp.ID, exp.Version, string(w))
	return out, err
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Exercise(t, func(t *testing.T) storetest.Subject { return openJobStore(t) })
}
