package web

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// decidingSections are the parts of a report that planned looks change.
var decidingSections = regexp.MustCompile(`(?s)<section (?:class="card verdict|aria-labelledby="(?:benefit|looks)").*?</section>`)

// TestPlannedLooksPage holds what a page says between planned looks.
func TestPlannedLooksPage(t *testing.T) {
	t.Parallel()
	page := renderReport(t, reportView(sample(t, "group_sequential")))
	checkPage(t, page)
	parts := decidingSections.FindAllString(page, -1)
	if len(parts) != 3 {
		t.Fatalf("%d sections, want verdict, benefit and looks", len(parts))
	}
	golden(t, "report-planned.html", strings.Join(parts, "\n"))
	for _, want := range []string{
		"at planned look 4 of 5, which decides. By now", "of the planned information", "of alpha spent", "bar: decides; of the last planned look",
		"planned look: decides, until the next one", `class="planned"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if got := strings.Count(page, "bar: valid at one look only"); got != 1 { // that of the guardrails
		t.Errorf("%d boards have bars that hold at one look only, want 1", got)
	}
}

// Before the first planned look, rows have no bar and say when it comes.
func TestBeforePlannedLooksPage(t *testing.T) {
	t.Parallel()
	page := renderReport(t, reportView(sample(t, "group_sequential_waiting")))
	checkPage(t, page)
	parts := decidingSections.FindAllString(page, -1)
	const says = "The first of 5 planned looks is on 4 November 2026, 12:00 UTC. Until then it does not decide, but is valid"
	if benefit := normal(parts[1]); strings.Count(strings.ReplaceAll(benefit, "\u00a0", " "), says) != 4 || strings.Count(benefit, `class="bar"`) != 2 { // those of the legend
		t.Errorf("benefit:\n%s", benefit)
	}
	if strings.Contains(parts[2], `class="planned"`) {
		t.Error("the funnel has a planned look before there is one")
	}
	typical := renderReport(t, reportView(sample(t, "typical")))
	for _, absent := range []string{"lanned look", `class="planned"`} {
		if strings.Contains(typical, absent) {
			t.Errorf("a sequential report says %q", absent)
		}
	}
}

// The planner and the launch form take the method of the plan.
func TestMethodInForms(t *testing.T) {
	t.Parallel()
	query, err := url.ParseQuery("share=4&mde=5&method=group_sequential&looks=5&per_day=20000")
	if err != nil {
		t.Fatal(err)
	}
	p := newPlannerPage(PlannerView{Query: query})
	if !strings.Contains(p.Sentence, "at 5 planned looks") || p.Rules[0].Name != "Group-sequential" || !p.Rules[0].Main || p.Rules[1].Main ||
		!strings.Contains(p.Rules[0].Meaning, "on average when the lift is there") || !strings.Contains(p.Command, "--method=group_sequential") {
		t.Errorf("planner: %s %+v %s", p.Sentence, p.Rules[0], p.Command)
	}
	bad := newPlannerPage(PlannerView{Query: url.Values{paramShare: {"4"}, paramMethod: {"peeking"}}})
	if fault := bad.Design[2]; fault.Name != paramMethod || fault.Error == "" || bad.Answered {
		t.Errorf("planner with another method: %+v", fault)
	}

	form := NewLaunchForm(experiment.ChangeABR)
	for name, value := range map[string]string{
		fieldName: "planned", fieldRamp: rampNone, fieldMethod: "group_sequential", fieldLooks: "5", fieldEnd: "2026-12-24",
	} {
		form.Set(name, value)
	}
	spec, faults := ReadLaunch(form, launchNow)
	spec.Normalize()
	if err := spec.Validate(metrics.Known); err != nil || len(faults) > 0 || !spec.Plan.GroupSequential() || spec.Plan.Looks != 5 {
		t.Errorf("launch form: %+v, %v, %v", spec.Plan, faults, err)
	}
	form.Set(fieldMethod, "sequential")
	form.Del(fieldLooks)
	plain, _ := ReadLaunch(form, launchNow)
	form.Del(fieldMethod)
	without, _ := ReadLaunch(form, launchNow)
	plain.Normalize()
	without.Normalize()
	if plain.Plan.Hash() != without.Plan.Hash() {
		t.Error("the sequential method, chosen, gives another plan than none")
	}
}
