package web

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

// A segment alone: its boards, the way back, and nothing that speaks of everybody.
func TestSegmentPage(t *testing.T) {
	t.Parallel()
	v := reportView(sample(t, "segment_harm"))
	v.Choice = Choice{Segment: "net_class:3g", Metric: "stall_ratio"}
	page := renderReport(t, v)
	checkPage(t, page)
	golden(t, "report-segment.html", segmentParts(page))
	for _, want := range []string{
		`Only <bdi>Network: 3g</bdi>`, "Exploratory: no verdict follows from this", "Exploratory: only <bdi>Network: 3g</bdi>",
		`href="?metric=stall_ratio#where">← Back to everybody`, `href="?metric=stall_ratio&amp;segment=net_class%3Alte#segment"`,
		`<input type="hidden" name="segment" value="net_class:3g">`, "Can I trust it?", "sum of numerators",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, absent := range []string{`id="panel-verdict"`, `id="panel-decide"`, `id="looks"`, `id="comments"`, "chart=harm", "Not yet proven safe", "Comment on this row"} {
		if strings.Contains(page, absent) {
			t.Errorf("the page of a segment has %q", absent)
		}
	}
}

// segmentParts are the panels of the page of a segment that are its own.
func segmentParts(page string) string {
	return strings.Join(regexp.MustCompile(`(?s)<section [^>]*id="panel-(?:segment|harm|benefit)".*?</section>`).FindAllString(page, -1), "\n")
}

// The numbers of a segment's boards are those of the report's segments.
func TestSegmentRows(t *testing.T) {
	t.Parallel()
	r := sample(t, "segment_harm")
	choice := Choice{Segment: "net_class:3g"}
	found := 0
	for _, rows := range [][]report.Row{r.Primary, r.Guardrails} {
		for _, row := range segmentRows(&r, rows, choice) {
			for _, s := range r.Segments.Rows {
				if s.Dimension == "net_class" && s.Value == "3g" && s.MetricKey == row.Metric.Key {
					found++
					if row.Effect != s.Effect || row.State != s.State || row.Control.N != s.Control.N || row.Explain.Alpha != r.Segments.Alpha {
						t.Errorf("%s: %+v, want the numbers of %+v", row.Metric.Key, row, s)
					}
				}
			}
		}
	}
	if want := len(r.Primary) + len(r.Guardrails); found != want {
		t.Errorf("%d rows, want %d", found, want)
	}
}

// What is not there says so, and leads back.
func TestSegmentsThatAreNotThere(t *testing.T) {
	t.Parallel()
	past, ok := reporttest.Fixtures()["typical"].At(12)
	if !ok {
		t.Fatal("fixture typical has no look 12")
	}
	for _, tt := range []struct {
		name    string
		r       report.Report
		segment string
		want    string
	}{
		{"unknown value", sample(t, "typical"), "net_class:6g", "There is no such segment at this look."},
		{"unknown dimension", sample(t, "typical"), "mood:<b>good</b>", "There is no such segment at this look."},
		{"no colon", sample(t, "typical"), "nonsense", "There is no such segment at this look."},
		{"a look of the past", report.Build(past), "net_class:3g", "The cells by dimension of this look were not read."},
	} {
		v := reportView(tt.r)
		v.Choice.Segment = tt.segment
		page := renderReport(t, v)
		checkPage(t, page)
		for _, want := range []string{tt.want, "Back to everybody"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %q", tt.name, want)
			}
		}
	}
	v := reportView(sample(t, "no_data"))
	v.Choice.Segment = "net_class:3g"
	if page := renderReport(t, v); strings.Contains(page, "panel-segment") {
		t.Error("a report without looks has segments")
	}
}

// A segment of data that are not trusted claims nothing.
func TestSegmentIsWithheld(t *testing.T) {
	t.Parallel()
	v := reportView(sample(t, "srm"))
	v.Choice.Segment = "net_class:3g"
	page := renderReport(t, v)
	_, main, _ := strings.Cut(page, "<main")
	body := legend.ReplaceAllString(main, "")
	for _, absent := range []string{"is-better", "is-worse", ">Better<", `class="b1`, `class="b2`, `class="w1`, `class="w2`} {
		if strings.Contains(body, absent) {
			t.Errorf("a report that cannot be trusted claims %q", absent)
		}
	}
}

// The map shows every segment of an arm, and what is proven of it in words.
func TestMapOfSegments(t *testing.T) {
	t.Parallel()
	r := sample(t, "segment_harm")
	m := newMap(&r, Choice{}, linker{}, false)
	if m == nil || len(m.Rows) != 15 || len(m.Metrics) != 3 || m.Metrics[0] != "Stall ratio" || m.Arm != "" {
		t.Fatalf("map %+v, want 15 segments and 3 metrics, the primary one first", m)
	}
	worse := 0
	for _, row := range m.Rows {
		for _, c := range row.Cells {
			if c.Word == "Worse" || c.Word == "Breached" || c.Word == "Harmed" {
				worse++
				if row.Value != "3g" || c.Class != "w2 on" || row.URL != "?segment=net_class%3A3g#segment" {
					t.Errorf("row %+v has the cell %+v, want harm in 3g alone", row, c)
				}
			}
		}
	}
	if worse != 1 {
		t.Errorf("%d cells are worse, want 1", worse)
	}
	few := r
	few.Segments.Rows = slices.Clone(r.Segments.Rows)
	for i := range few.Segments.Rows {
		if few.Segments.Rows[i].Value == "KR" {
			few.Segments.Rows[i].Effect = nil
		}
	}
	if m := newMap(&few, Choice{}, linker{}, false); len(m.Rows) != 14 || m.Empty != "1 segment has" || m.More != "" {
		t.Errorf("without estimates in KR: %d rows, %q, %q", len(m.Rows), m.Empty, m.More)
	}
	six := sample(t, "six_arms")
	if m := newMap(&six, Choice{Arm: "treatment-3"}, linker{}, false); m.Arm != "Treatment 3" {
		t.Errorf("map of the arm %q, want the one chosen", m.Arm)
	}
	if one := sample(t, "one_look"); newMap(&one, Choice{}, linker{}, false) != nil {
		t.Error("a report in which no segment has an estimate has a map")
	}
	if newMap(&r, Choice{}, linker{}, true) != nil {
		t.Error("a crowded page has a map")
	}
}
