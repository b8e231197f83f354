package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// wizard is a person who fills in the launch wizard without JavaScript.
type wizard struct {
	*bench
	header map[string]string
}

func newWizard(t *testing.T) *wizard {
	t.Helper()
	b := newBench(t)
	return &wizard{b, map[string]string{"Cookie": b.signIn(t), "Content-Type": "application/x-www-form-urlencoded"}}
}

// post sends a form and returns where it leads.
func (w *wizard) post(t *testing.T, path string, form url.Values) (to string, a answer) {
	t.Helper()
	a = w.send(t, scenario{method: "POST", path: path, header: w.header, body: form.Encode()})
	return a.header.Get("Location"), a
}

func (w *wizard) get(t *testing.T, path string) answer {
	t.Helper()
	return w.send(t, scenario{method: "GET", path: path, header: w.header})
}

// firstStep is the form of a change to the interface.
func firstStep(name string) url.Values {
	return url.Values{
		"change": {"ui"}, "name": {name}, "go": {"next"},
		"arms[0].key": {"control"}, "arms[0].weight": {"1"}, "arms[0].value": {"1"},
		"arms[1].key": {"treatment"}, "arms[1].weight": {"1"}, "arms[1].value": {"2"},
	}
}

// begin makes a draft of a change to the interface and returns its address.
func (w *wizard) begin(t *testing.T, name string) string {
	t.Helper()
	to, a := w.post(t, pathLaunch, firstStep(name))
	draft, ok := strings.CutSuffix(to, "/metrics")
	if a.status != http.StatusSeeOther || !ok || !strings.HasPrefix(draft, pathLaunch+"/") {
		t.Fatalf("the first step = %d to %q: %s", a.status, to, a.body)
	}
	return draft
}

// What the wizard launches is what the API shows, and its draft is gone.
func TestLaunchByWizard(t *testing.T) {
	t.Parallel()
	w := newWizard(t)
	draft := w.begin(t, "Launched by form")
	if page := w.get(t, draft+"/metrics").body; !strings.Contains(page, `<option value="watch_hours_per_viewer" selected>`) {
		t.Error("the proposal of the change is not chosen")
	}
	if to, _ := w.post(t, draft+"/traffic", url.Values{"slots": {"10"}, "ramp": {""}, "layer": {"pages"}, "go": {"next"}}); to != draft+"/review" {
		t.Errorf("traffic leads to %q", to)
	}
	review := w.get(t, draft+"/review")
	for _, want := range []string{"No telemetry of such units lately", "It has no hypothesis and no owner", "key: launched-by-form", "Launch with"} {
		if !strings.Contains(review.body, want) {
			t.Errorf("the review lacks %q: %s", want, review.body)
		}
	}
	to, a := w.post(t, draft+"/review", url.Values{"go": {"launch"}})
	if a.status != http.StatusSeeOther || to != "/experiments/launched-by-form" {
		t.Fatalf("launch = %d to %q: %s", a.status, to, a.body)
	}
	e, err := w.db.Get(t.Context(), "launched-by-form")
	if err != nil || e.Status != "running" || e.Change != experiment.ChangeUI || e.Plan.Units != 100_000 || experiment.CountSlots(e.SlotRanges) != 1_000 {
		t.Errorf("made %+v, %v", e, err)
	}
	if got := w.get(t, draft+"/review"); got.status != http.StatusNotFound {
		t.Errorf("the draft is still there: %d", got.status)
	}
	if n := w.count(t, `select count(*) from audit_log where subject = 'launched-by-form' and detail->>'reason' like '%no hypothesis%'`); n != 1 {
		t.Errorf("the audit log says %d times what was known", n)
	}
}

// Faults keep a person in the step, never the input out of the draft.
func TestLaunchWizardKeepsFaults(t *testing.T) {
	t.Parallel()
	w := newWizard(t)
	if _, a := w.post(t, pathLaunch, url.Values{"name": {"No kind"}, "arms[0].value": {"{"}, "arms[0].key": {"c"}}); a.status != http.StatusBadRequest ||
		!strings.Contains(a.body, "No kind") || !strings.Contains(a.body, "must be JSON") {
		t.Errorf("a first step with faults = %d: %s", a.status, a.body)
	}
	draft := w.begin(t, "Faulty")
	if to, _ := w.post(t, draft+"/power", url.Values{"plan.mde": {"much"}, "go": {"next"}}); to != draft+"/power" {
		t.Errorf("a step with a fault leads on to %q", to)
	}
	if page := w.get(t, draft+"/power").body; !strings.Contains(page, `value="much"`) || !strings.Contains(page, "must be a number") {
		t.Errorf("the step does not show what was typed and why it is wrong: %s", page)
	}
	if to, _ := w.post(t, draft+"/power", url.Values{"plan.mde": {"much"}, "go": {"change"}}); to != draft+"/change" {
		t.Errorf("the way back leads to %q", to)
	}
	to, a := w.post(t, draft+"/review", url.Values{"go": {"launch"}})
	if a.status != http.StatusConflict || to != "" || !strings.Contains(a.body, "Must be a number") {
		t.Errorf("launch with a fault = %d to %q: %s", a.status, to, a.body)
	}
	if to, _ := w.post(t, draft+"/power", url.Values{"plan.mde": {"2"}, "go": {"save"}}); to != draft+"/power" {
		t.Errorf("save leads to %q", to)
	}
	if to, a := w.post(t, draft+"/review", url.Values{"go": {"draft"}}); to != "/experiments/faulty" {
		t.Errorf("store = %d to %q: %s", a.status, to, a.body)
	}
	if e, err := w.db.Get(t.Context(), "faulty"); err != nil || e.Status != experiment.StatusDraft {
		t.Errorf("stored %+v, %v", e.Status, err)
	}
}

// What only the database knows stands in the checklist too.
func TestLaunchWizardSeesConflicts(t *testing.T) {
	t.Parallel()
	w := newWizard(t)
	w.apply(t, `{"experiments":[{"key":"full","unit":"viewer","layer":"pages","slots":9500,"status":"running",
		"arms":[{"key":"a","weight":1,"value":1},{"key":"b","weight":1,"value":2}],"plan":{"primary":["bitrate"]}}]}`)
	draft := w.begin(t, "abr") // the key of an experiment of the bench
	w.post(t, draft+"/traffic", url.Values{"slots": {"10"}, "ramp": {""}, "layer": {"pages"}, "go": {"save"}})
	if page := w.get(t, draft+"/traffic").body; !strings.Contains(page, "500 free slots") || !strings.Contains(page, `href="/experiments/full"`) {
		t.Errorf("the layer is not shown as full: %s", page)
	}
	page := w.get(t, draft+"/review").body
	for _, want := range []string{"The key is taken", "The layer has no room", "disabled"} {
		if !strings.Contains(page, want) {
			t.Errorf("the review lacks %q", want)
		}
	}
	w.apply(t, `{"freezes":[{"key":"final","from":"2026-11-01T00:00:00Z","to":"2026-12-01T00:00:00Z","reason":"the final"}]}`)
	w.post(t, draft+"/change", url.Values{"change": {"ui"}, "name": {"abr"}, "key": {"other"}, "go": {"save"}})
	w.post(t, draft+"/traffic", url.Values{"slots": {"5"}, "ramp": {""}, "layer": {"pages"}, "go": {"save"}})
	_, a := w.post(t, draft+"/review", url.Values{"go": {"launch"}})
	if a.status == http.StatusSeeOther {
		t.Error("it was launched")
	}
}

// A draft is its owner's, whoever knows the address, and drafts are listed.
func TestLaunchDraftsArePrivate(t *testing.T) {
	t.Parallel()
	w := newWizard(t)
	draft := w.begin(t, "Mine")
	if page := w.get(t, pathLaunch).body; !strings.Contains(page, "Go on with a draft") || !strings.Contains(page, draft+"/review") {
		t.Error("the draft is not offered")
	}
	path, err := w.srv.LoginPath(t.Context(), "ben")
	if err != nil {
		t.Fatal(err)
	}
	cookie, _, _ := strings.Cut(w.openLink(t, path).header.Get("Set-Cookie"), ";")
	other := &wizard{w.bench, map[string]string{"Cookie": cookie, "Content-Type": w.header["Content-Type"]}}
	if got := other.get(t, draft+"/review"); got.status != http.StatusNotFound || strings.Contains(got.body, "Mine") {
		t.Errorf("somebody else sees it: %d", got.status)
	}
	if _, a := other.post(t, draft+"/change", url.Values{"name": {"Theirs"}}); a.status != http.StatusNotFound {
		t.Errorf("somebody else changes it: %d", a.status)
	}
	other.post(t, draft, nil)
	if got := w.get(t, draft+"/review"); got.status != http.StatusOK {
		t.Errorf("somebody else discarded it: %d", got.status)
	}
	if to, _ := w.post(t, draft, nil); to != pathLaunch || w.get(t, draft+"/review").status != http.StatusNotFound {
		t.Errorf("it cannot be discarded; to %q", to)
	}
	if got := w.get(t, draft+"/nowhere"); got.status != http.StatusNotFound {
		t.Errorf("a step that is not there = %d", got.status)
	}
	for range postgres.MaxLaunchDrafts {
		w.begin(t, "One of many")
	}
	if _, a := w.post(t, pathLaunch, firstStep("One too many")); a.status != http.StatusConflict || !strings.Contains(a.body, "discard one first") {
		t.Errorf("a draft too many = %d: %s", a.status, a.body)
	}
}

// A form larger than the limit is refused; one of its size is not.
func TestLaunchFormIsBounded(t *testing.T) {
	t.Parallel()
	w := newWizard(t)
	draft := w.begin(t, "Bounded")
	for size, want := range map[int]int{maxLaunchForm: http.StatusSeeOther, maxLaunchForm + 1: http.StatusRequestEntityTooLarge} {
		a := w.send(t, scenario{method: "POST", path: draft + "/metrics", header: w.header, body: "x=" + strings.Repeat("a", size-2)})
		if a.status != want {
			t.Errorf("%d bytes = %d, want %d", size, a.status, want)
		}
	}
}

// A stored draft is opened from its page, changed step by step, and stored and
// launched as the same experiment; opening it twice makes no second draft.
func TestWizardChangesAStoredDraft(t *testing.T) {
	t.Parallel()
	w := newWizard(t)
	for _, path := range []string{pathExperiments, pathLaunch, pathExperiments + "/later"} {
		if page := w.get(t, path); !strings.Contains(page.body, `action="/experiments/later/edit"`) || strings.Contains(page.body, `action="/experiments/abr/edit"`) {
			t.Errorf("%s = %d offers what it should not, or not what it should", path, page.status)
		}
	}
	to, a := w.post(t, pathExperiments+"/later/edit", nil)
	draft, ok := strings.CutSuffix(to, "/review")
	if a.status != http.StatusSeeOther || !ok {
		t.Fatalf("edit = %d to %q: %s", a.status, to, a.body)
	}
	if again, _ := w.post(t, pathExperiments+"/later/edit", nil); again != to {
		t.Errorf("opened again = %q, want %q", again, to)
	}
	if page := w.get(t, to).body; strings.Contains(page, "The key is taken") || !strings.Contains(page, "key: later") {
		t.Errorf("the review of an opened draft: %s", page)
	}
	if page := w.get(t, draft+"/change").body; strings.Contains(page, `name="key"`) || !strings.Contains(page, `href="/experiments/later"`) {
		t.Error("the key can be changed, or the page does not say what is edited")
	}
	w.post(t, draft+"/metrics", url.Values{"plan.primary": {"bitrate"}, "go": {"save"}})
	w.post(t, draft+"/traffic", url.Values{"slots": {"25"}, "go": {"save"}})
	if to, a := w.post(t, draft+"/review", url.Values{"go": {"draft"}}); to != pathExperiments+"/later" {
		t.Fatalf("store = %d to %q: %s", a.status, to, a.body)
	}
	e, err := w.db.Get(t.Context(), "later")
	if err != nil || e.Status != experiment.StatusDraft || e.Plan.Primary[0] != "bitrate" || e.Slots != 2_500 || string(e.Arms[1].Value) != "true" {
		t.Errorf("stored %+v, %v", e.Spec, err)
	}
	to, _ = w.post(t, pathExperiments+"/later/edit", nil)
	draft = strings.TrimSuffix(to, "/review")
	w.apply(t, `{"experiments":[{"key":"later","name":"Changed elsewhere","unit":"viewer","status":"draft",
		"arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}}]}`)
	if _, a := w.post(t, draft+"/review", url.Values{"go": {"launch"}}); a.status != http.StatusConflict || !strings.Contains(a.body, "hanged elsewhere since it was opened") {
		t.Errorf("launching over somebody's change = %d: %s", a.status, a.body)
	}
	w.post(t, draft, nil)
	to, _ = w.post(t, pathExperiments+"/later/edit", nil)
	if to, a := w.post(t, to, url.Values{"go": {"launch"}}); to != pathExperiments+"/later" {
		t.Fatalf("launch = %d to %q: %s", a.status, to, a.body)
	}
	if e, err := w.db.Get(t.Context(), "later"); err != nil || e.Status != experiment.StatusRunning || e.Name != "Changed elsewhere" {
		t.Errorf("launched %+v, %v", e.Spec, err)
	}
	if n := w.count(t, "select count(*) from experiments where key like 'later%'"); n != 1 {
		t.Errorf("%d experiments of the draft, want 1", n)
	}
	if _, a := w.post(t, pathExperiments+"/later/edit", nil); a.status != http.StatusConflict {
		t.Errorf("editing what runs = %d", a.status)
	}
	if _, a := w.post(t, pathExperiments+"/nothing/edit", nil); a.status != http.StatusNotFound {
		t.Errorf("editing what is not there = %d", a.status)
	}
}
