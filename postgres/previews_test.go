package postgres

import (
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// TestPreviewMetric has a unit in two experiments, one in the treatment, one of
// last month, and one whose outcome was written before a quantity was invented.
func TestPreviewMetric(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	now := jobStart.AddDate(0, 0, 20)
	outcome := func(unit string, arm int, daysAgo int, engaged float64) metrics.Outcome {
		o := outcomeOf(unit, arm, now.AddDate(0, 0, -daysAgo), metrics.WindowDay)
		o.Quantities[metrics.PlayAttempts], o.Quantities[metrics.EngagedAttempts] = 4, engaged
		return o
	}
	look := func(key string, at time.Time, outcomes ...metrics.Outcome) experiment.Experiment {
		exp := s.launch(t, key, experiment.UnitViewer)
		_, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
			if err := tx.AppendOutcomes(t.Context(), metrics.WindowDay, 1, outcomes); err != nil {
				return err
			}
			return tx.AppendLook(t.Context(), metrics.Look{Number: 1, At: at, Watermark: at, Arms: []metrics.ArmCounts{}})
		})
		if err != nil {
			t.Fatalf("Look: %v", err)
		}
		return exp
	}
	look("newer", now, outcome("a", 0, 2, 1), outcome("b", 1, 2, 4), outcome("c", 0, 12, 4))
	older := look("older", now.Add(-time.Hour), outcome("a", 0, 3, 4), outcome("d", 0, 3, 2))
	look("ended", now.AddDate(0, 0, -9), outcome("e", 0, 3, 4))
	mustExec(t, s.DB, `
		insert into outcomes (day, experiment_id, version, win, unit_id, look, arm, exposed_at, closes_at, quantities, dims)
		select day, experiment_id, version, win, 'before', look, arm, exposed_at, closes_at, (quantities::float8[])[1:26]::text, dims
		from outcomes where unit_id = 'd' and experiment_id = $1`, older.ID)

	got, from, err := s.PreviewMetric(t.Context(), ownMetric(t, "A"), experiment.UnitViewer, now.AddDate(0, 0, -metrics.PreviewDays))
	if err != nil {
		t.Fatalf("PreviewMetric: %v", err)
	}
	if diff := gocmp.Diff([]string{"newer", "older"}, from.Experiments); diff != "" || from.Truncated {
		t.Errorf("experiments differ (-want +got):\n%s", diff)
	}
	// a counts once, with 1 of 4; d with 2 of 4; what was not observed is missing.
	if got.Units != 2 || got.Missing != 1 || got.Shape.Value == nil || *got.Shape.Value != 37.5 {
		t.Errorf("PreviewMetric = %+v, want 37.5 %% of 2 units and 1 missing", got)
	}
	if got, _, err := s.PreviewMetric(t.Context(), ownMetric(t, "A"), experiment.UnitDevice, now); err != nil || got.Units != 0 {
		t.Errorf("of devices = %+v, %v; want nothing", got, err)
	}
}

// BenchmarkPreviewMetric reads the most units that a preview reads.
func BenchmarkPreviewMetric(b *testing.B) {
	s := jobStore{open(b)}
	exp := s.launch(b, "bench", experiment.UnitViewer)
	now := jobStart.AddDate(0, 0, 7)
	_, err := s.Look(b.Context(), &exp, func(tx metrics.LookTx) error {
		for from := 0; from < maxPreviewUnits; from += 10_000 {
			outcomes := make([]metrics.Outcome, 10_000)
			for i := range outcomes {
				outcomes[i] = outcomeOf(fmt.Sprintf("u%07d", from+i), 0, jobStart, metrics.WindowDay)
				outcomes[i].Quantities[metrics.WatchUnits], outcomes[i].Quantities[metrics.WatchMs] = 1, float64(from+i)
			}
			if err := tx.AppendOutcomes(b.Context(), metrics.WindowDay, 1, outcomes); err != nil {
				return err
			}
		}
		return tx.AppendLook(b.Context(), metrics.Look{Number: 1, At: now, Watermark: now, Arms: []metrics.ArmCounts{}})
	})
	if err != nil {
		b.Fatal(err)
	}
	d, _ := metrics.Lookup("watch_hours_per_viewer")
	for b.Loop() {
		p, _, err := s.PreviewMetric(b.Context(), d, experiment.UnitViewer, jobStart)
		if err != nil || p.Units != maxPreviewUnits {
			b.Fatalf("PreviewMetric of %d units: %v", p.Units, err)
		}
	}
}
