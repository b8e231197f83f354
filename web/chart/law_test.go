package chart

import (
	"math"
	"regexp"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// coordinate matches the places of strokes in a forest row.
var coordinate = regexp.MustCompile(`[MH](-?[0-9.]+)`)

// TestForestStaysWithinItsFrame draws rows of any size and checks what no row
// may break: every stroke lies within the frame, and the line of no difference
// is inside it.
func TestForestStaysWithinItsFrame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(anyRow), 1, 12).Draw(t, "rows")
		f, err := NewForest(rows)
		if err != nil {
			t.Fatalf("NewForest: %v", err)
		}
		if zero := f.scale.at(0); !(zero > 1 && zero < 99) {
			t.Fatalf("zero stands at %v per cent", zero)
		}
		for i := range rows {
			for _, m := range coordinate.FindAllStringSubmatch(f.Row(i), -1) {
				if x, err := strconv.ParseFloat(m[1], 64); err != nil || x < -9 || x > frameWidth {
					t.Fatalf("row %d has a stroke at %q: %s", i, m[1], f.Row(i))
				}
			}
		}
	})
}

// anyRow draws a row of any magnitude, some with open ends.
func anyRow(t *rapid.T) Row {
	scale := math.Pow(10, rapid.Float64Range(-12, 12).Draw(t, "power"))
	estimate := rapid.Float64Range(-1, 1).Draw(t, "estimate") * scale
	half := rapid.Float64Range(0, 3).Draw(t, "half") * scale
	r := Row{
		State:    rapid.SampledFrom([]State{Better, Worse, NotProven, Withheld, Changed}).Draw(t, "state"),
		Estimate: &estimate, Fixed: &Interval{estimate - half/2, estimate + half/2}, Anytime: &Interval{estimate - half, estimate + half},
	}
	if rapid.Bool().Draw(t, "open below") {
		r.Anytime.Lo = math.Inf(-1)
	}
	if rapid.Bool().Draw(t, "open above") {
		r.Anytime.Hi = math.Inf(1)
	}
	return r
}

// FuzzWords checks that words from outside never break out of a drawing.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"", "<script>", "]]>", "\x00\xff", "&amp;", "مدة البدء", "'\"", "\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, words string) {
		r := row(0.01, 0.004)
		r.Words, r.LoText, r.HiText = words, words, words
		wide := row(0.01, 9)
		wide.LoText, wide.HiText = words, words
		draw(t, []Row{r, r, r, wide})
		funnel(t, Funnel{Title: words, Desc: words, Points: series(2, 0.1, 0.1)})
	})
}
