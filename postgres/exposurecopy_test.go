package postgres

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// randomExposures are rows of units below a number, each in every way that a row can be.
func randomExposures(r *rand.Rand, rows, units int) []ExposureRow {
	out := make([]ExposureRow, rows)
	for i := range out {
		u := r.IntN(units)
		x := exposure(fmt.Sprintf("u%05d", u), u%2, testNow.Add(time.Duration(r.IntN(3_600_000))*time.Millisecond))
		switch r.IntN(12) {
		case 0:
			x.Arm = 1 - x.Arm
		case 1:
			x.Override = true
		case 2:
			x.Crossed = true
		case 3:
			x.Session = fmt.Sprintf("s%d", r.IntN(rows))
		case 4:
			x.Attributes = map[string]string{"country": "F\"R,{}\\\t", "isp": "é\n"}
		case 5:
			x.At = x.At.Add(48 * time.Hour) // of the future
		default:
			x.Attributes = map[string]string{"country": "DE", "os": "tizen"}
		}
		out[i] = x
	}
	return out
}

// Copied batches, those that meet known units and are upserted after all, and batches
// that were never copied leave the same rows.
func TestCopiedExposuresAreThoseUpserted(t *testing.T) {
	t.Parallel()
	copied, upserted := open(t), open(t)
	r := rand.New(rand.NewPCG(5, 6))
	for n := range 40 {
		rows := randomExposures(r, exposureCopyLeast+r.IntN(3*exposureCopyLeast), 400*(n+1))
		if n < 3 { // of units that are new
			for i := range rows {
				rows[i].Unit = fmt.Sprintf("%s-%d", rows[i].Unit, n)
			}
		}
		at := minute(float64(60 + 10*n))
		expose(t, copied, at, rows...)
		switch {
		case n < 4 && copied.copying.pause.Load() != 0:
			t.Fatal("a batch of new units was not copied")
		case n == 4 && copied.copying.pause.Load() != exposureCopyPause:
			t.Fatal("a batch of known units did not end the copying")
		}
		// Any pieces of a batch, by unit, leave the same as the whole.
		slices.SortStableFunc(rows, func(a, b ExposureRow) int { return compareUnits(&a, &b) })
		for len(rows) > 0 {
			n := min(len(rows), exposureCopyLeast/2)
			for n < len(rows) && compareUnits(&rows[n-1], &rows[n]) == 0 {
				n++
			}
			expose(t, upserted, at, rows[:n]...)
			rows = rows[n:]
		}
	}
	got, want := storedExposures(t, copied), storedExposures(t, upserted)
	if len(want) == 0 {
		t.Fatal("nothing is stored")
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("exposures differ (-upserted +copied):\n%s", diff)
	}
	checkCounts(t, copied)
}

// Writers that copy the same units at once: who comes second upserts.
func TestCopiedExposuresConcurrently(t *testing.T) {
	t.Parallel()
	db := open(t)
	const writers, units = 4, 3 * exposureCopyLeast
	failed := make(chan error, writers)
	for w := range writers {
		rows := make([]ExposureRow, units)
		for i, u := range rand.New(rand.NewPCG(7, uint64(w))).Perm(units) {
			rows[i] = exposure(fmt.Sprintf("u%05d", u), u%2, testNow.Add(time.Duration(w)*time.Second))
		}
		go func() {
			failed <- db.InsertExposures(t.Context(), func() time.Time { return minute(2) }, rows)
		}()
	}
	for range writers {
		if err := <-failed; err != nil {
			t.Errorf("InsertExposures: %v", err)
		}
	}
	stored := storedExposures(t, db)
	if len(stored) != units {
		t.Errorf("%d units are stored, want %d", len(stored), units)
	}
	for _, x := range stored {
		if !x.At.Equal(testNow) || x.Crossed != nil {
			t.Errorf("%s is exposed at %v crossed %v, want the earliest, %v, and never", x.Unit, x.At, x.Crossed, testNow)
		}
	}
	checkCounts(t, db)
}

func TestExposureCopyingPauses(t *testing.T) {
	t.Parallel()
	var c exposureCopying
	if c.tries(exposureCopyLeast - 1) {
		t.Error("a batch below the least is copied")
	}
	if !c.tries(exposureCopyLeast) {
		t.Error("a batch of the least size is not copied")
	}
	c.met()
	for n := range exposureCopyPause {
		if c.tries(exposureCopyLeast) {
			t.Fatalf("batch %d after a known unit is copied", n)
		}
	}
	if !c.tries(exposureCopyLeast) {
		t.Error("copying never begins again")
	}
}
