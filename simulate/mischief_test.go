package simulate

import (
	"reflect"
	"testing"
	"time"
)

func TestMischiefIsHarmlessAndTheSameAgain(t *testing.T) {
	t.Parallel()
	w := tinyWorld(1)
	records, late, twice := 0, 0, 0
	for _, s := range append(w.Schedule(0), w.Schedule(1)...) {
		v := w.Visit(s)
		reports := w.View(&v, DefaultSettings(), SparseCadence).TakeAll()
		parcels := w.dispatch(&v, reports)
		if !reflect.DeepEqual(parcels, w.dispatch(&v, reports)) {
			t.Fatalf("another mischief of %s", v.ID)
		}
		arrived := map[int64]int{}
		for i, p := range parcels {
			arrived[p.Seq]++
			late += count(p.Due.After(p.At) && !p.Duplicate)
			twice += count(p.Duplicate)
			if p.First != (i == 0) || p.Due.Before(p.At) || p.Due.Sub(p.At) > 2*lateMostSec*time.Second {
				t.Fatalf("parcel %d of %s: %+v", i, v.ID, p)
			}
			if p.First && p.Due != p.At {
				t.Fatalf("the first report of %s is late", v.ID)
			}
		}
		if len(arrived) != len(reports) {
			t.Fatalf("%d of %d reports arrive", len(arrived), len(reports))
		}
		records += len(reports)
	}
	if !within(float64(twice), duplicateShare*float64(records), 0.5) || !within(float64(late), lateShare*float64(records), 0.5) {
		t.Errorf("of %d reports %d are late and %d arrive twice", records, late, twice)
	}
}
