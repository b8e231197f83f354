package postgres

import (
	"sync"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

const countPartitions = `select count(*) from pg_inherits where inhparent = $1::regclass`

func TestEnsurePartitionsRange(t *testing.T) {
	t.Parallel()
	db := open(t)
	day := func(n int) time.Time { return jobStart.AddDate(0, 0, n) }
	for _, test := range []struct {
		name     string
		from, to time.Time
		wantDays int // 0: refused
	}{
		{"the day before", day(0), day(-1), 0},
		{"one day", day(0), day(0), 1},
		{"once more", day(0), day(0), 1},
		{"a day in another zone", day(0).In(time.FixedZone("", -14*3600)), day(0), 1},
		{"two days by a second", day(0).Truncate(24 * time.Hour).Add(-time.Second), day(0), 2},
		{"a day too many", day(1), day(1 + maxPartitionDays), 0},
	} {
		err := db.EnsurePartitions(t.Context(), test.from, test.to)
		if test.wantDays == 0 {
			wantCode(t, test.name, err, experiment.CodeInvalid)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		for _, table := range []string{tableOutcomes, tableCMCDRecords} {
			if n := count(t, db, countPartitions, table); n != test.wantDays {
				t.Errorf("%s: %s has %d partitions, want %d", test.name, table, n, test.wantDays)
			}
		}
	}
}

func TestEnsurePartitionsLimit(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := db.EnsurePartitions(t.Context(), jobStart, jobStart.AddDate(0, 0, maxPartitionDays-1)); err != nil {
		t.Fatalf("EnsurePartitions: %v", err)
	}
	if n := count(t, db, countPartitions, tableOutcomes); n != maxPartitionDays {
		t.Errorf("%d partitions, want %d", n, maxPartitionDays)
	}
}

// Many make the same days at once, while a look writes to the table.
func TestEnsurePartitionsConcurrently(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "busy", experiment.UnitViewer)
	_, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
		outcome := outcomeOf("u", 0, jobStart, metrics.WindowFirst)
		if err := tx.AppendOutcomes(t.Context(), metrics.WindowFirst, 1, []metrics.Outcome{outcome}); err != nil {
			return err
		}
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if err := s.EnsurePartitions(t.Context(), jobStart, jobStart.AddDate(0, 0, 5)); err != nil {
					t.Errorf("EnsurePartitions: %v", err)
				}
			})
		}
		all.Wait()
		outcome = outcomeOf("u", 0, jobStart.AddDate(0, 0, 3), metrics.WindowDay)
		return tx.AppendOutcomes(t.Context(), metrics.WindowDay, 1, []metrics.Outcome{outcome})
	})
	if err != nil {
		t.Fatalf("Look: %v", err)
	}
	if n := count(t, s.DB, countPartitions, tableOutcomes); n != 6 {
		t.Errorf("%d partitions, want 6", n)
	}
}

// A partition that somebody dropped is made again by the look after the one that
// misses it.
func TestAppendOutcomesAfterDroppedPartition(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "dropped", experiment.UnitViewer)
	appendOne := func() error {
		_, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
			outcome := outcomeOf("u", 0, jobStart, metrics.WindowFirst)
			return tx.AppendOutcomes(t.Context(), metrics.WindowFirst, 1, []metrics.Outcome{outcome})
		})
		return err
	}
	if err := appendOne(); err != nil {
		t.Fatalf("AppendOutcomes: %v", err)
	}
	mustExec(t, s.DB, `drop table `+partitionOf(tableOutcomes, jobStart))
	if err := appendOne(); err == nil {
		t.Error("AppendOutcomes without a partition succeeded")
	}
	if err := appendOne(); err != nil {
		t.Errorf("AppendOutcomes afterwards: %v", err)
	}
}
