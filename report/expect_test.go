package report

import (
	"math"
	"slices"
	"testing"
)

// expectedSegments are eleven segments of one metric and arm.
func expectedSegments() []Segment {
	var out []Segment
	for i, estimate := range []float64{-0.10, -0.02, 0.01, 0.05, 0, 0.03, -0.04, 0.02, 0.12, 0.06, -0.01} {
		se := []float64{0.02, 0.03, 0.01, 0.02, 0.05, 0.01, 0.04, 0.02, 0.03, 0.02, 0.06}[i]
		out = append(out, Segment{MetricKey: "m", Arm: 1, Effect: &Effect{Band: Band{Estimate: estimate}, SE: se}})
	}
	return out
}

// The expected effects are those of DerSimonian and Laird's prior, computed by hand in
// Python from the formulas of the paper.
func TestExpect(t *testing.T) {
	t.Parallel()
	rows := expectedSegments()
	expect(rows)
	for i, want := range map[int]float64{0: -0.08139375986916347, 4: 0.006735106872965563, 8: 0.0839078520071517} {
		if got := rows[i].Expected; got == nil || math.Abs(*got-want) > 1e-9 {
			t.Errorf("segment %d: expected %v, want %v", i, got, want)
		}
	}
	few := expectedSegments()[:9]
	expect(few)
	other := expectedSegments()
	other[3].Arm, other[4].Effect = 2, nil // nine are left
	expect(other)
	for _, s := range slices.Concat(few, other) {
		if s.Expected != nil {
			t.Errorf("too few segments expect %v", *s.Expected)
		}
	}
	alike := expectedSegments()
	for i := range alike {
		alike[i].Effect.Estimate = 0.03
	}
	expect(alike)
	for _, s := range alike {
		if math.Abs(*s.Expected-0.03) > 1e-12 {
			t.Errorf("segments that are alike expect %v, want 0.03", *s.Expected)
		}
	}
}
