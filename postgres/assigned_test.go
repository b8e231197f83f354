package postgres

import (
	"bytes"
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// seenBy returns what a server has seen of units from..to in an arm.
func seenBy(arm, from, to int) AssignedSketch {
	var s assignment.Sketch
	s.Reserve()
	for i := from; i < to; i++ {
		s.Add(uint64(i))
	}
	return AssignedSketch{ExperimentID: 7, Version: 2, Arm: arm, Registers: s.AppendBytes(nil)}
}

// Several servers that have seen units in common store them at once, again and
// again: each unit counts once.
func TestMergeAssigned(t *testing.T) {
	t.Parallel()
	db := open(t)
	var wg sync.WaitGroup
	errs := make(chan error, 100)
	for server := range 4 {
		wg.Go(func() {
			for range 5 {
				seen := []AssignedSketch{seenBy(1, 500*server, 500*server+1000), seenBy(0, 0, 100)}
				errs <- db.MergeAssigned(t.Context(), seen, testNow)
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	var registers []byte
	if err := db.sql.GetContext(t.Context(), &registers, `select registers from assigned_units where (experiment_id, version, arm) = (7, 2, 1)`); err != nil {
		t.Fatal(err)
	}
	if want := seenBy(1, 0, 2500); !bytes.Equal(registers, want.Registers) {
		t.Error("what is stored is not what all servers have seen")
	}
	exp := experiment.Experiment{ID: 7, Version: 2}
	got, err := db.AssignedUnits(t.Context(), &exp)
	if err != nil {
		t.Fatal(err)
	}
	for i, exact := range []float64{100, 2500} {
		if i >= len(got) || math.Abs(float64(got[i].About)/exact-1) > 0.05 {
			t.Fatalf("AssignedUnits = %+v, want about 100 and 2500", got)
		}
		got[i].About = 0
	}
	want := []metrics.AssignedUnits{{Arm: 0, ErrorPct: assignment.SketchErrorPct}, {Arm: 1, ErrorPct: assignment.SketchErrorPct}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("AssignedUnits (-want +got):\n%s", diff)
	}
	exp.Version = 3
	if got, err := db.AssignedUnits(t.Context(), &exp); err != nil || len(got) != 0 {
		t.Errorf("AssignedUnits of another version = %v, %v", got, err)
	}
}

func TestMergeAssignedLimits(t *testing.T) {
	t.Parallel()
	db := open(t)
	var full []AssignedSketch
	for i := range MaxAssignedBatch {
		full = append(full, seenBy(i, i, i+1))
	}
	if err := db.MergeAssigned(t.Context(), full, testNow); err != nil {
		t.Errorf("MergeAssigned of a full batch = %v", err)
	}
	wantCode(t, "one sketch too many", db.MergeAssigned(t.Context(), append(full, seenBy(0, 0, 1)), testNow), experiment.CodeTooLarge)
	if n := count(t, db, `select count(*) from assigned_units`); n != MaxAssignedBatch {
		t.Errorf("%d rows, want %d", n, MaxAssignedBatch)
	}
	if err := db.MergeAssigned(t.Context(), nil, testNow); err != nil {
		t.Errorf("MergeAssigned of nothing = %v", err)
	}
	short := seenBy(0, 0, 1)
	short.Registers = short.Registers[1:]
	if err := db.MergeAssigned(t.Context(), []AssignedSketch{short}, testNow); err == nil {
		t.Error(fmt.Sprint("a sketch of ", len(short.Registers), " registers was stored"))
	}
}
