package web

import (
	"slices"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/report"
)

// A number that says the opposite when every viewer weighs the same says so beside its
// row and in the list of other ways, unless nothing is claimed at all.
func TestOppositeSignsAreTold(t *testing.T) {
	t.Parallel()
	const note = "Pooled and per viewer disagree: +8.4 % over the sums of all viewers, −1.2 % for the average viewer. Both are proven."
	disagreeing := func(name string) report.Report {
		r := sample(t, name)
		r.Primary, r.Robustness = slices.Clone(r.Primary), slices.Clone(r.Robustness)
		r.Primary[0].PerUnit = &report.PerUnit{Uncapped: report.Uncapped{Effect: r.Primary[0].Effect, Note: note}}
		r.Robustness[0].Variants = []report.Variant{{Name: "every unit weighed alike", Text: "−1.2 %", State: report.StateBetter, Opposite: true, Note: note}}
		r.Robustness[0].Unchanged = 0
		return r
	}
	told := strings.ReplaceAll(tight(note), "+", "&#43;")
	page := renderReport(t, reportView(disagreeing("ship")))
	checkPage(t, page)
	for _, want := range []string{`<p class="beware"><b class="word is-trust">Beware</b> ` + told + "</p><details", "other sign</span> every unit weighed alike: " + tight("−1.2 %") + "<small>" + told} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page := renderReport(t, reportView(disagreeing("srm"))); strings.Contains(page, told) {
		t.Error("a report that cannot be trusted tells of opposite signs")
	}
}
