package postgres

import (
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// lookAt is a look with a total cell and one of a dimension.
func lookAt(number int) metrics.Look {
	pair := stats.PairMoments{N: int64(number), MeanY: float64(number) / 3, MeanX: 1}
	return metrics.Look{
		Number: number, At: jobStart.Add(time.Duration(number) * time.Minute), Watermark: jobStart,
		Arms: []metrics.ArmCounts{{Arm: 0, Exposed: int64(number)}, {Arm: 1}},
		Cells: []metrics.Cell{
			{Metric: "stall_ratio", MetricVersion: 1, Pair: pair},
			{Metric: "stall_ratio", MetricVersion: 1, Dimension: "country", Value: "DE", Pair: pair},
		},
	}
}

func (s jobStore) appendLooks(t *testing.T, exp *experiment.Experiment, from, to int) {
	t.Helper()
	for number := from; number <= to; number++ {
		_, err := s.Look(t.Context(), exp, func(tx metrics.LookTx) error { return tx.AppendLook(t.Context(), lookAt(number)) })
		if err != nil {
			t.Fatalf("Look: %v", err)
		}
	}
}

func TestLooks(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "read", experiment.UnitViewer)
	other := s.launch(t, "other", experiment.UnitViewer)
	s.appendLooks(t, &exp, 1, 5)
	s.appendLooks(t, &other, 1, 2)
	totals := func(number int) metrics.Look {
		l := lookAt(number)
		l.Cells = slices.DeleteFunc(l.Cells, func(c metrics.Cell) bool { return !c.IsTotal() })
		return l
	}
	for _, test := range []struct {
		name    string
		version int
		numbers []int
		want    []metrics.Look
	}{
		{"of the past, in any order", exp.Version, []int{4, 2, 2}, []metrics.Look{totals(2), totals(4)}},
		{"the newest with its dimensions", exp.Version, []int{1, 5}, []metrics.Look{totals(1), lookAt(5)}},
		{"that do not exist", exp.Version, []int{0, -1, 6}, nil},
		{"none", exp.Version, nil, nil},
		{"of another version", exp.Version + 1, []int{1}, nil},
	} {
		got, err := s.Looks(t.Context(), exp.ID, test.version, test.numbers)
		if err != nil {
			t.Errorf("%s: Looks: %v", test.name, err)
		}
		if diff := gocmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: Looks differ (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestLooksLimit(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	if _, err := s.Looks(t.Context(), 1, 1, make([]int, MaxLooks)); err != nil {
		t.Errorf("Looks of %d numbers: %v", MaxLooks, err)
	}
	_, err := s.Looks(t.Context(), 1, 1, make([]int, MaxLooks+1))
	wantCode(t, "Looks of one more", err, experiment.CodeTooLarge)
}

func TestNewestLooks(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "read", experiment.UnitViewer)
	other := s.launch(t, "other", experiment.UnitViewer)
	s.launch(t, "without", experiment.UnitViewer)
	if mark, ok, err := s.NewestLook(t.Context(), exp.ID, exp.Version); ok || err != nil {
		t.Errorf("NewestLook before the first = %v, %v, %v; want none", mark, ok, err)
	}
	s.appendLooks(t, &exp, 1, 3)
	s.appendLooks(t, &other, 1, 1)
	want := map[Run]LookMark{
		{exp.ID, exp.Version}:     {Number: 3, At: lookAt(3).At},
		{other.ID, other.Version}: {Number: 1, At: lookAt(1).At},
	}
	got, err := s.NewestLooks(t.Context())
	if err != nil {
		t.Fatalf("NewestLooks: %v", err)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("NewestLooks differ (-want +got):\n%s", diff)
	}
	mark, ok, err := s.NewestLook(t.Context(), exp.ID, exp.Version)
	if diff := gocmp.Diff(want[Run{exp.ID, exp.Version}], mark); diff != "" || !ok || err != nil {
		t.Errorf("NewestLook = %v, %v, %v; want look 3", mark, ok, err)
	}
}

// Counts folds the differences that exposures leave, and a look that is not
// committed folds nothing.
func TestCountsFold(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "folded", experiment.UnitViewer)
	for i := range 10 {
		s.exposeUnits(t, &exp, 2*i, 2*i+2)
	}
	const rows = `select count(*) from exposure_counts`
	before := count(t, s.DB, rows)
	want := []metrics.ArmCounts{{Arm: 0, Exposed: 10}, {Arm: 1, Exposed: 10}}
	for _, committed := range []bool{false, true} {
		_, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
			got, err := tx.Counts(t.Context(), jobStart)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("Counts differ (-want +got):\n%s", diff)
			}
			if err == nil && !committed {
				err = errDryRun
			}
			return err
		})
		if (err == nil) != committed {
			t.Fatalf("Look: %v", err)
		}
		got, err := s.ArmCounts(t.Context(), &exp)
		if err != nil {
			t.Fatalf("ArmCounts: %v", err)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("ArmCounts differ (-want +got):\n%s", diff)
		}
		if n := count(t, s.DB, rows); !committed && n != before || committed && n != len(want) {
			t.Errorf("committed %v: %d rows of counts, %d before", committed, n, before)
		}
	}
}

func TestFirstLooks(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "read", experiment.UnitViewer)
	other := s.launch(t, "other", experiment.UnitViewer)
	s.appendLooks(t, &exp, 1, 5)
	s.appendLooks(t, &other, 1, 9)
	minute := func(m float64) time.Time { return jobStart.Add(time.Duration(m * float64(time.Minute))) }
	got, err := s.FirstLooks(t.Context(), exp.ID, exp.Version, []time.Time{minute(5), minute(2.5), minute(-9), minute(3), minute(5.1)})
	if err != nil {
		t.Fatalf("FirstLooks: %v", err)
	}
	if want := []int{5, 3, 1, 3, 0}; !slices.Equal(got, want) {
		t.Errorf("FirstLooks = %v, want %v", got, want)
	}
	if got, err := s.FirstLooks(t.Context(), exp.ID, exp.Version+1, []time.Time{minute(0)}); err != nil || !slices.Equal(got, []int{0}) {
		t.Errorf("FirstLooks of another version = %v, %v", got, err)
	}
	if got, err := s.FirstLooks(t.Context(), exp.ID, exp.Version, make([]time.Time, MaxLooks)); err != nil || len(got) != MaxLooks {
		t.Errorf("FirstLooks of %d times: %d, %v", MaxLooks, len(got), err)
	}
	_, err = s.FirstLooks(t.Context(), exp.ID, exp.Version, make([]time.Time, MaxLooks+1))
	wantCode(t, "FirstLooks of one more", err, experiment.CodeTooLarge)
}
