package chart

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func columns(t *testing.T, c Columns) string {
	t.Helper()
	out, err := c.SVG()
	if err != nil {
		t.Fatalf("SVG: %v", err)
	}
	wellFormed(t, out)
	return out + "\n"
}

func TestColumnsGolden(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Columns{
		"columns-none.svg": {Title: "Records", Fills: []Fill{FillA}, Columns: []Column{{Values: []float64{0}}}, None: "Nothing <came> in."},
		"columns-stacked.svg": {Title: "Records", Desc: "Three minutes.", Unit: "/s", Fills: []Fill{FillA, FillWorse}, Columns: []Column{
			{Label: "10:00", Words: "10:00 · 12,000/s", Values: []float64{12_000, 20}},
			{Words: "nothing", Values: []float64{0, 0}},
			{Label: "10:02", Words: "10:02", Values: []float64{31_250, 0}},
		}},
		"columns-whole.svg": {Title: "Experiments", Whole: true, Fills: []Fill{FillBetter}, Columns: []Column{
			{Label: "0", Words: "one", Values: []float64{1}}, {Label: "1", Words: "two", Values: []float64{2}},
		}},
	} {
		golden(t, name, columns(t, c))
	}
}

func TestColumnsRefuse(t *testing.T) {
	t.Parallel()
	var value *ValueError
	var limit *LimitError
	one := []Fill{FillA}
	for _, v := range []float64{math.NaN(), math.Inf(1), -1} {
		if _, err := (Columns{Fills: one, Columns: []Column{{Values: []float64{v}}}}).SVG(); !errors.As(err, &value) {
			t.Errorf("an amount of %v: %v", v, err)
		}
		if _, err := Strip("", []Part{{Value: v}}); !errors.As(err, &value) {
			t.Errorf("a part of %v: %v", v, err)
		}
	}
	if _, err := (Columns{Fills: one, Columns: []Column{{Values: []float64{1, 2}}}}).SVG(); !errors.As(err, &value) {
		t.Errorf("an amount without a part: %v", err)
	}
	for n, want := range map[int]bool{MaxColumns: false, MaxColumns + 1: true} {
		if _, err := (Columns{Fills: one, Columns: make([]Column, n)}).SVG(); errors.As(err, &limit) != want {
			t.Errorf("%d columns: %v", n, err)
		}
	}
	for n, want := range map[int]bool{MaxParts: false, MaxParts + 1: true} {
		if _, err := (Columns{Fills: make([]Fill, n)}).SVG(); errors.As(err, &limit) != want {
			t.Errorf("%d fills: %v", n, err)
		}
		if _, err := Strip("", make([]Part, n)); errors.As(err, &limit) != want {
			t.Errorf("%d parts: %v", n, err)
		}
	}
}

// Columns of any size are drawn, and no tall one leaves the frame.
func TestColumnsOfAnySize(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		scale := math.Pow(10, rapid.Float64Range(-9, 15).Draw(t, "power"))
		c := Columns{Fills: []Fill{FillA, FillB}}
		for _, v := range rapid.SliceOfN(rapid.Float64Range(0, 1), 1, MaxColumns).Draw(t, "amounts") {
			c.Columns = append(c.Columns, Column{Values: []float64{v * scale, scale * (1 - v)}})
		}
		out, err := c.SVG()
		if err != nil || strings.Contains(out, "NaN") || strings.Contains(out, `height="-`) || strings.Contains(out, `y="-`) {
			t.Fatalf("SVG: %v\n%s", err, out)
		}
	})
}

func TestStrip(t *testing.T) {
	t.Parallel()
	out, err := Strip("Tiers: A 75 %, D 25 %", []Part{{FillA, "A", 3}, {FillB, "B", 0}, {FillD, "<D>", 1}})
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, out)
	const want = `<rect class="hue-0" y="0" height="12" x="0%" width="75%"><title>A</title></rect>` +
		`<rect class="hue-3" y="0" height="12" x="75%" width="25%"><title>&lt;D&gt;</title></rect></svg>`
	if !strings.HasSuffix(out, want) {
		t.Errorf("Strip = %s, want the end %s", out, want)
	}
	if out, err := Strip("none", nil); err != nil || strings.Contains(out, "rect") {
		t.Errorf("a strip of nothing = %s, %v", out, err)
	}
}

func TestAmount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		v, step, top float64
		want         string
	}{
		{0, 1, 4, "0"},
		{0.5, 0.5, 2, "0.5"},
		{0.002, 0.001, 0.004, "0.002"},
		{1500, 500, 2000, "1500"},
		{5_000, 5_000, 20_000, "5\u00a0k"},
		{10_500, 500, 12_000, "10.5\u00a0k"},
		{3e7, 1e7, 4e7, "30\u00a0M"},
	} {
		if got := amount(tt.v, tt.step, tt.top); got != tt.want {
			t.Errorf("amount(%v, %v, %v) = %q, want %q", tt.v, tt.step, tt.top, got, tt.want)
		}
	}
}
