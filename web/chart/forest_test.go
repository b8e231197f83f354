package chart

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// row is an ordinary comparison: estimate with a one-look and an anytime interval.
func row(estimate, half float64) Row {
	return Row{
		Words:    fmt.Sprintf("lift %g", estimate),
		State:    NotProven,
		Estimate: new(estimate),
		Fixed:    &Interval{estimate - half, estimate + half},
		Anytime:  &Interval{estimate - 1.6*half, estimate + 1.6*half},
		LoText:   fmt.Sprintf("%.1f%%", 100*(estimate-1.6*half)),
		HiText:   fmt.Sprintf("%.1f%%", 100*(estimate+1.6*half)),
	}
}

// draw returns the axis and all rows, a drawing a line.
func draw(t *testing.T, rows []Row) string {
	t.Helper()
	f, err := NewForest(rows)
	if err != nil {
		t.Fatalf("NewForest: %v", err)
	}
	out := f.Axis() + "\n"
	for i := range rows {
		out += f.Row(i) + "\n"
	}
	wellFormed(t, out)
	return out
}

// wellFormed checks that markup is XML and that no coordinate is NaN or Inf.
func wellFormed(t *testing.T, markup string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader("<all>" + markup + "</all>"))
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("not well formed: %v\n%s", err, markup)
		}
		el, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range el.Attr {
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("<%s %s=%q>", el.Name.Local, a.Name.Local, a.Value)
			}
			if a.Name.Local == "style" {
				t.Errorf("<%s> has a style attribute, which the content policy refuses", el.Name.Local)
			}
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs; run with -update and review (-want +got):\n%s", name, diff)
	}
}

func TestForestGolden(t *testing.T) {
	t.Parallel()
	better := row(0.031, 0.008)
	better.State = Better
	worse := row(-0.021, 0.006)
	worse.State = Worse
	guard := row(-0.002, 0.004)
	guard.Margin = new(-0.01)
	wide := row(0.01, 0.4)
	tests := []struct {
		name string
		rows []Row
	}{
		{"forest-plain.svg", []Row{better, worse, row(0.004, 0.007)}},
		{"forest-margin.svg", []Row{guard, row(0.003, 0.003)}},
		{"forest-wider-than-axis.svg", []Row{better, wide, worse}},
		{"forest-unbounded.svg", []Row{better, {
			Words: "not bounded below", State: NotProven, Estimate: new(0.01),
			Anytime: &Interval{math.Inf(-1), 0.03}, LoText: "no bound", HiText: "+3%",
		}}},
		{"forest-refused.svg", []Row{better, {Words: "Bitrate: not observed by this player", State: NotProven}}},
		{"forest-empty.svg", []Row{{Words: "no data yet", State: NotProven}}},
		{"forest-tiny.svg", []Row{row(1e-6, 4e-7), row(-2e-6, 5e-7)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			golden(t, tt.name, draw(t, tt.rows))
		})
	}
}

func TestMarginForestGolden(t *testing.T) {
	t.Parallel()
	small, large, breached := row(0.001, 0.002), row(-0.02, 0.03), row(-0.031, 0.006)
	small.Margin, large.Margin, breached.Margin = new(-0.005), new(-0.1), new(-0.01)
	breached.State = Worse
	rows := []Row{breached, small, large}
	f, err := NewMarginForest(rows)
	if err != nil {
		t.Fatal(err)
	}
	out := f.Axis() + "\n"
	for i := range rows {
		out += f.Row(i) + "\n"
	}
	wellFormed(t, out)
	golden(t, "forest-in-margins.svg", out)
	edges := regexp.MustCompile(`class="wall-edge" d="M([0-9.]+) `).FindAllStringSubmatch(out, -1)
	if len(edges) != 3 || edges[0][1] != edges[1][1] || edges[1][1] != edges[2][1] {
		t.Errorf("the walls stand at %v, want one place", edges)
	}
	if *small.Margin != -0.005 {
		t.Error("the caller's row was changed")
	}
}

func TestMarginForestRefusesRowsWithoutMargin(t *testing.T) {
	t.Parallel()
	for name, margin := range map[string]*float64{"absent": nil, "zero": new(0.0), "a gain": new(0.01), "NaN": new(math.NaN())} {
		r := row(0.01, 0.01)
		r.Margin = margin
		var bad *ValueError
		if _, err := NewMarginForest([]Row{r}); !errors.As(err, &bad) {
			t.Errorf("%s: NewMarginForest error = %v, want a ValueError", name, err)
		}
	}
}

func TestForestZeroIsAlwaysVisible(t *testing.T) {
	t.Parallel()
	zero := regexp.MustCompile(`class="zero" d="M([0-9.]+) `)
	for _, rows := range [][]Row{
		{row(0.5, 0.01)},
		{row(-0.5, 0.01)},
		{row(1e-6, 1e-8)},
		{row(-1e-7, 1e-9)},
		{row(0, 0)},
		{{Words: "none"}},
		{row(12, 3), row(0.001, 0.001)},
	} {
		out := draw(t, rows)
		found := zero.FindAllStringSubmatch(out, -1)
		if len(found) != len(rows) {
			t.Fatalf("%d zero lines for %d rows:\n%s", len(found), len(rows), out)
		}
		for _, m := range found {
			x, err := strconv.ParseFloat(m[1], 64)
			if err != nil || x < 40 || x > 960 {
				t.Errorf("zero at %s of 1000, want it clear of the frame", m[1])
			}
		}
	}
}

func TestForestOpenEndHasArrowAndNumber(t *testing.T) {
	t.Parallel()
	rows := []Row{row(0.01, 0.004), row(0.02, 0.004), row(0.01, 0.8)}
	f, err := NewForest(rows)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 0, 2} {
		if got := strings.Count(f.Row(i), `class="arrow"`); got != want {
			t.Errorf("row %d has %d arrows, want %d", i, got, want)
		}
	}
	for _, want := range []string{"-127.0%", "129.0%"} {
		if !strings.Contains(f.Row(2), want) {
			t.Errorf("row 2 does not print its end %s", want)
		}
	}
}

func TestForestIntervalBeyondTheAxis(t *testing.T) {
	t.Parallel()
	// All of the last row lies to the right of the axis: one arrow, two numbers
	// would lie about where it ends.
	rows := []Row{row(0.01, 0.002), row(0.01, 0.002), row(0.01, 0.002), row(4, 0.1)}
	out := draw(t, rows)
	last := strings.Split(strings.TrimSpace(out), "\n")[4]
	if strings.Contains(last, `class="estimate"`) {
		t.Errorf("an estimate off the axis is drawn on it: %s", last)
	}
	if got := strings.Count(last, `class="arrow" x="100%"`); got == 0 {
		t.Errorf("no arrow to the right: %s", last)
	}
	if strings.Contains(last, `class="arrow" x="0"`) {
		t.Errorf("an arrow to the left: %s", last)
	}
}

func TestForestSharesOneAxis(t *testing.T) {
	t.Parallel()
	const count = 40
	rows := make([]Row, count)
	for i := range rows {
		rows[i] = row(0.001*float64(i-20), 0.004)
	}
	grid := regexp.MustCompile(`class="(?:grid|zero)" d="[^"]+"`)
	lines := strings.Split(strings.TrimSpace(draw(t, rows)), "\n")
	if len(lines) != count+1 {
		t.Fatalf("%d drawings, want %d", len(lines), count+1)
	}
	want := grid.FindAllString(lines[1], -1)
	for i, line := range lines[2:] {
		if diff := cmp.Diff(want, grid.FindAllString(line, -1)); diff != "" {
			t.Errorf("row %d has another grid than row 0: %s", i+1, diff)
		}
	}
}

func TestForestRefuses(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for name, r := range map[string]Row{
		"NaN estimate":      {Estimate: &nan},
		"infinite estimate": {Estimate: new(math.Inf(1))},
		"NaN margin":        {Margin: &nan},
		"NaN end":           {Anytime: &Interval{nan, 1}},
		"reversed":          {Fixed: &Interval{1, -1}},
		"nowhere":           {Anytime: &Interval{math.Inf(1), math.Inf(1)}},
	} {
		var bad *ValueError
		if _, err := NewForest([]Row{row(0, 1), r}); !errors.As(err, &bad) || bad.Index != 1 {
			t.Errorf("%s: NewForest error = %v, want a ValueError of item 1", name, err)
		}
	}
}

func TestForestLimit(t *testing.T) {
	t.Parallel()
	if _, err := NewForest(make([]Row, MaxRows)); err != nil {
		t.Errorf("NewForest of MaxRows: %v", err)
	}
	var limit *LimitError
	if _, err := NewForest(make([]Row, MaxRows+1)); !errors.As(err, &limit) || limit.Limit != MaxRows {
		t.Errorf("NewForest of MaxRows+1: %v, want a LimitError", err)
	}
}

func TestWordsAreEscaped(t *testing.T) {
	t.Parallel()
	r := row(0.01, 0.01)
	r.Words = "مدة البدء <script>\"&' \x00 \xff" + strings.Repeat(" very long name", 40)
	out := draw(t, []Row{r})
	if strings.Contains(out, "<script>") {
		t.Error("markup in words is not escaped")
	}
	if !strings.Contains(out, "مدة البدء &lt;script&gt;&#34;&amp;&#39; \uFFFD \uFFFD very long name") {
		t.Errorf("words are not kept: %s", out)
	}
}

func TestRowIsSmall(t *testing.T) {
	t.Parallel()
	// 80 rows make a report of 40 metrics and 3 arms, which has 200 KB for all.
	out := draw(t, []Row{row(0.0123, 0.0045), row(0.0311, 0.0082)})
	for _, line := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
		if len(line) > 600 {
			t.Errorf("a row has %d bytes, want at most 600:\n%s", len(line), line)
		}
	}
}

func BenchmarkForest40Rows(b *testing.B) {
	rows := make([]Row, 40)
	for i := range rows {
		rows[i] = row(0.001*float64(i-20), 0.004)
	}
	b.ReportAllocs()
	for b.Loop() {
		f, err := NewForest(rows)
		if err != nil {
			b.Fatal(err)
		}
		for i := range rows {
			_ = f.Row(i)
		}
	}
}
