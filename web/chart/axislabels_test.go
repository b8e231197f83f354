package chart

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestAxisLabelsKeepApart checks, for rows of any size, that no two labels overlap on the
// narrowest axis, that the line of no difference has its 0, and that none is cut.
func TestAxisLabelsKeepApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(anyRow), 1, 6).Draw(t, "rows")
		forest := NewForest
		if rapid.Bool().Draw(t, "margins") {
			forest = NewMarginForest
			for i := range rows {
				margin := -rapid.Float64Range(1e-4, 0.5).Draw(t, "margin")
				rows[i].Margin = &margin
			}
		}
		f, err := forest(rows)
		if err != nil {
			t.Fatalf("forest: %v", err)
		}
		labels := f.labels()
		if labels[0].text != "0" || !apart(labels) {
			t.Fatalf("labels %+v", labels)
		}
		for _, l := range labels {
			if lo, hi := l.extent(); lo < -20 || hi > 120 {
				t.Fatalf("%+v reaches from %v to %v per cent", l, lo, hi)
			}
		}
	})
}

// TestAxisLabelsOfAMargin gives the texts of axes that were crowded on paper: walls at a
// quarter and at seven tenths of the width.
func TestAxisLabelsOfAMargin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		lo, hi float64 // of the interval, in margins
		want   []string
	}{
		{"wall in the middle", -3.9, 4.2, []string{"0", "margin", "2\u00a0×", "4\u00a0×"}},
		{"wall beside the 0", -6.7, 0.8, []string{"0", "margin", "6\u00a0×", "4\u00a0×"}},
		{"wall at the edge", -0.99, 0.76, []string{"0", "margin", "0.5\u00a0×", "0.5\u00a0×"}},
	} {
		margin, at := -0.01, (test.lo+test.hi)/2*0.01
		f, err := NewMarginForest([]Row{{Estimate: &at, Margin: &margin, Anytime: &Interval{test.lo * 0.01, test.hi * 0.01}}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range f.labels() {
			got = append(got, l.text)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: labels %q of %v, want %q", test.name, got, f.ticks, test.want)
		}
	}
}
