package web

import (
	"strings"
	"testing"
)

// TestNeverBlank shows each state in which a reader does not find all numbers: what
// is so, since when or until when, and what to do.
func TestNeverBlank(t *testing.T) {
	t.Parallel()
	all := variants(t)
	for name, want := range map[string][]string{
		"state_scheduled": {"Scheduled: starts on", "until the start", "2 days", "first look may be expected by", "planned to stop"},
		"collecting":      {"Collecting: no window has closed yet", "exposed in Control"},
		"no_data":         {"Waiting for the first exposure", "A service asks for the flag"},
		"state_no_metric": {"No metric: units come in", "Does it name the same units?", "Is anyone hurt?"},
		"state_late_data": {"Still to come: 250 units are within their window", "never counted again"},
		"state_stale":     {"Stale: results are 7 h behind", "Is anyone hurt?"},
		"unknown_metric":  {"1 metric could not be computed", "metric_of_tomorrow", "Did it help?"},
		"no_number":       {"could not be computed"},
		"status_stopped":  {"The report stays as it was at the last look"},
		"status_archived": {"Archived"},
		"shipped":         {"Treatment ships"},
	} {
		r, ok := all[name]
		if !ok {
			t.Fatalf("there is no variant %q", name)
		}
		page := renderReport(t, reportView(r))
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s lacks %q", name, w)
			}
		}
	}
	for _, name := range []string{"typical", "ship"} {
		if page := renderReport(t, reportView(all[name])); strings.Contains(page, "awaited") {
			t.Errorf("%s, in which all is well, awaits something", name)
		}
	}
}
