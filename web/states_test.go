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
		"state_no_metric": {"No metric: units come in", "Does it name the same units?", "Is anyone hurt?", "Mend what is between the units and their telemetry"},
		"state_late_data": {"Still to come: 250 units are within their window", "never counted again"},
		"state_stale":     {"Stale: results are 7 h behind", "Is anyone hurt?"},
		"unknown_metric":  {"1 metric could not be computed", "metric_of_tomorrow", "Did it help?"},
		"no_number":       {"could not be computed"},
		"status_draft":    {"This experiment is a draft", "Not launched"},
		"status_stopped":  {"The report stays as it was at the last look", "Not decided", "run it again"},
		"status_archived": {"Archived", "Not decided"},
		"shipped":         {"Treatment ships", "↑ It helped", "Nothing: Treatment is shipped."},
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
	// What is over or has not begun is told neither to run on nor to wait.
	for _, name := range []string{"status_stopped", "status_archived", "shipped", "status_draft", "state_scheduled"} {
		page := renderReport(t, reportView(all[name]))
		for _, never := range []string{"Keep running", "At this pace", "Wait:", "Not decided yet", "Still collecting", ">as fixed at launch"} {
			if launched := all[name].Head.PlanHash != ""; strings.Contains(page, never) && !(launched && never == ">as fixed at launch") {
				t.Errorf("%s says %q", name, never)
			}
		}
	}
	// In the first day of every experiment units have closed no window of a day yet: that
	// is no fault of anything.
	if page := renderReport(t, reportView(all["state_first_day"])); strings.Contains(page, "No metric") || !strings.Contains(page, "Collecting") {
		t.Error("on its first day a report says that its metrics are missing")
	}
	for _, name := range []string{"typical", "ship"} {
		if page := renderReport(t, reportView(all[name])); strings.Contains(page, "awaited") {
			t.Errorf("%s, in which all is well, awaits something", name)
		}
	}
}
