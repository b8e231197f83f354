package web

import (
	"strings"
	"testing"
)

// The probabilities of repeated testing are those of Armitage, McPherson and
// Rowe (1969), table 2: 5 % at 1 look, 8.3 at 2, 14.2 at 5, 37.4 at 100. The
// sequence stays below what is promised.
func TestLearnPeekingFigure(t *testing.T) {
	t.Parallel()
	f, err := peekingFigure()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"1": "5.0\u00a0%", "2": "8.3\u00a0%", "5": "14.2\u00a0%", "100": "37.4\u00a0%"}
	for _, row := range f.Table {
		if w, ok := want[row[0]]; ok && row[1] != w {
			t.Errorf("at %s looks an ordinary test finds something in %s, want %s", row[0], row[1], w)
		}
		if !strings.HasPrefix(row[2], "below 0.1") && (len(row[2]) > len("4.9\u00a0%") || row[2] >= "5") {
			t.Errorf("at %s looks the sequence errs in %s, want below 5 %%", row[0], row[2])
		}
	}
}

// On a full link with fair shares the test shows the same gain at every share,
// and nobody gains when everybody has it.
func TestLearnInterferenceFigure(t *testing.T) {
	t.Parallel()
	f, err := interferenceFigure()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range f.Table {
		if row[3] != "+100\u00a0%" {
			t.Errorf("with a share of %s the test shows %s, want +100 %%", row[0], row[3])
		}
	}
	if last := f.Table[len(f.Table)-1]; last[1] != "+1\u00a0%" {
		t.Errorf("with nearly everybody treated, treatment has %s", last[1])
	}
}

func TestLearnPages(t *testing.T) {
	t.Parallel()
	for topic, want := range map[string]string{
		"": "Choosing the unit", LearnUnit: "Views of a viewer", LearnPeeking: "37.4", LearnGuardrails: "proven safe", LearnInterference: "Switchback", LearnInterval: "100,000 viewers",
	} {
		page := renderPage(t, func(r *Renderer) pageWriter { return bind(r.Learn, LearnView{Topic: topic}) })
		if !strings.Contains(page, want) {
			t.Errorf("the page about %q lacks %q", topic, want)
		}
		if ValidLearnTopic(topic) != (topic != "") {
			t.Errorf("ValidLearnTopic(%q) = %v", topic, topic == "")
		}
		golden(t, "learn"+strings.TrimSuffix("-"+topic, "-")+".html", page)
	}
}
