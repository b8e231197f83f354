package web

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

func TestReadFilter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		query string
		want  Filter
	}{
		{"", Filter{}},
		{"status=running&q=abr", Filter{Status: experiment.StatusRunning, Query: "abr"}},
		{"status=flying&q=+abr+", Filter{Query: "abr"}},
		{"q=" + strings.Repeat("x", maxQueryBytes), Filter{Query: strings.Repeat("x", maxQueryBytes)}},
		{"q=" + strings.Repeat("x", maxQueryBytes+1), Filter{Query: strings.Repeat("x", maxQueryBytes)}},
		{"q=" + strings.Repeat("x", maxQueryBytes-1) + "é", Filter{Query: strings.Repeat("x", maxQueryBytes-1)}},
	}
	for _, tt := range tests {
		q, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, ReadFilter(q)); diff != "" {
			t.Errorf("ReadFilter(%q) differs (-want +got):\n%s", tt.query, diff)
		}
	}
}

func TestListShowsItsFilter(t *testing.T) {
	t.Parallel()
	v := sampleList(t)
	v.Filter = Filter{Status: experiment.StatusPaused, Query: `"quoted"`}
	var buf bytes.Buffer
	if err := renderer(t).Experiments(&buf, v); err != nil {
		t.Fatal(err)
	}
	page := buf.String()
	for _, want := range []string{
		`<option value="paused" selected>`, `value="&#34;quoted&#34;"`, "11 of 40 experiments",
		"Healthy", "Broken: ", "Verdict withheld", "No data yet",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
}

// A list has no room to say why a number cannot be believed, so it shows none.
func TestListWithholdsLifts(t *testing.T) {
	t.Parallel()
	for name, shown := range map[string]bool{"typical": true, "srm": false} {
		r := sample(t, name)
		row, err := newListRow(&ExperimentRow{Report: &r})
		if err != nil {
			t.Fatal(err)
		}
		if got := row.Lift != "" || row.Spark != ""; got != shown || row.Metric == "" {
			t.Errorf("%s shows the lift %q of %q, a chart of %d bytes", name, row.Lift, row.Metric, len(row.Spark))
		}
	}
}

func TestAwaited(t *testing.T) {
	t.Parallel()
	all := variants(t)
	for name, want := range map[string]string{
		"no_data": "Waiting for the first exposure", "collecting": "Collecting: no window has closed yet",
		"status_draft": "This experiment is a draft", "status_paused": "Paused", "status_stopped": "No unit is assigned any more",
		"shipped": "Treatment ships", "status_archived": "Archived",
	} {
		page := renderReport(t, reportView(all[name]))
		if !strings.Contains(page, want) {
			t.Errorf("report %s lacks %q", name, want)
		}
	}
	if page := renderReport(t, reportView(all["typical"])); strings.Contains(page, "awaited") {
		t.Error("a running experiment with looks waits for something")
	}
}
