package web

import (
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// sampleReviews are reviews in each state: of a launch, a change and a ship.
func sampleReviews() []experiment.Review {
	at := saidAt.Add(-time.Hour)
	start := saidAt.Add(48 * time.Hour)
	target := experiment.Spec{
		Key: "abr-safety-75", Unit: experiment.UnitViewer, Slots: 2_000, StartAt: &start, StopAt: &start, IgnoreHoldouts: "It is about them",
		Arms: []experiment.Arm{
			{Key: "control", Weight: 1, Value: []byte(`{"safety":0.8}`)},
			{Key: "treatment", Name: "Safety <0.75>", Weight: 2, Value: []byte(`{"safety":` + strings.Repeat("0", 80) + `}`)},
		},
		Audience: &experiment.Audience{All: []experiment.Audience{
			{Attr: "player", Op: experiment.OpIn, Values: []experiment.Scalar{{V: "hls.js"}, {V: "dash.js"}}},
			{Any: []experiment.Audience{{Attr: "kids", Op: experiment.OpPresent}, {Not: &experiment.Audience{Op: experiment.OpInList, List: "partners"}}}},
		}},
		Requires:  []experiment.Requirement{{Experiment: "new-player", Arms: []string{"b", "c"}}},
		Overrides: map[string]string{"qa": "treatment"},
		Plan:      experiment.Plan{Primary: []string{"stall_ratio"}, Guardrails: []experiment.Guardrail{{Metric: "start_success", Margin: 0.005}}}.WithDefaults(),
		Status:    experiment.StatusRunning,
	}
	launch := experiment.Review{
		ID: 1, Experiment: target.Key, Proposal: experiment.Proposal{Action: experiment.ReviewLaunch}, Digest: strings.Repeat("0af3", 16), Target: target,
		State: experiment.ReviewWaiting, Note: "Please look at <the> arms.", Reviewer: "bob", AskedAt: at, AskedBy: "ana", Author: "cy",
	}
	change := launch
	change.ID, change.Action, change.State, change.DecidedBy, change.DecidedAt, change.Comment = 2, experiment.ReviewChange, experiment.ReviewApproved, "bob", &saidAt, "Good <b>"
	change.Spec, change.Note, change.Reviewer = &target, "", ""
	change.Changes = []experiment.Change{
		{Path: "slots", From: []byte("1000"), To: []byte("2000")},
		{Path: "arms[1].value", From: []byte(`{"safety":0.7}`), To: target.Arms[1].Value},
		{Path: "plan.end", To: []byte(`"2026-12-20"`)},
		{Path: "owner", From: []byte(`"ana"`)},
	}
	ship := launch
	ship.ID, ship.Action, ship.Arm, ship.State, ship.DecidedBy, ship.DecidedAt, ship.Comment = 3, experiment.ReviewShip, "treatment", experiment.ReviewRefused, "bob", &saidAt, "Too soon"
	return []experiment.Review{launch, change, ship}
}

// reviewedReport is a report with a review as the newest, read by a person.
func reviewedReport(rep report.Report, person string, reviews ...experiment.Review) ReportView {
	v := reportView(rep)
	v.Review = &ReviewView{Base: v.Decide + "/reviews", Reviews: reviews, Person: person, Metrics: metrics.All()}
	return v
}

// reviewSamples are experiments with a review, by path.
func reviewSamples(r *Renderer, chrome Chrome) map[string]pageWriter {
	all := sampleReviews()
	draft, one := reports()["no_data"], reports()["one_look"]
	draft.Head.Status = experiment.StatusDraft
	out := map[string]pageWriter{}
	for path, view := range map[string]ReportView{
		"/reviewed/waiting": reviewedReport(draft, "bob", all[0]), "/reviewed/approved": reviewedReport(one, "ana", all[1], all[2], all[0]),
	} {
		view.Chrome = chrome
		out[path] = bind(r.Report, view)
	}
	return out
}

func TestReviewOnReport(t *testing.T) {
	t.Parallel()
	all := sampleReviews()
	rep := sample(t, "quality")
	draft := rep
	draft.Head.Status = experiment.StatusDraft
	void := all[0]
	void.State = experiment.ReviewVoided
	for name, c := range map[string]struct {
		view       ReportView
		has, lacks []string
	}{
		"nobody asked": {reviewedReport(draft, "ana"), []string{"Ask for a review", `/reviews"`, "Another person approves it first"}, []string{`id="panel-review"`}},
		"waiting, the asker": {
			reviewedReport(draft, "ana", all[0]),
			[]string{"waiting for review", "ana asked bob", "Ana asked for this review; it takes another person."},
			[]string{`value="approve"`, `id="why-launch"`},
		},
		"waiting, the editor": {reviewedReport(draft, "CY", all[0]), []string{"edited this draft last"}, []string{`value="approve"`}},
		"waiting, another": {
			reviewedReport(draft, "bob", all[0]), []string{
				`value="approve"`, `value="changes"`, "Safety &lt;0.75&gt;", "weight 2", "Stall ratio", "(player is one of hls.js, dash.js and (kids is there or not the unit in list partners))",
				"new-player: b or c", "ignored: It is about them", "by itself, if it is approved by then", "0af30af3",
			}, []string{"<the>"},
		},
		"approved": {
			reviewedReport(rep, "ana", all[1], all[0], void),
			[]string{"Publish the change", "approved it", "Good &lt;b&gt;", "Slots, of 10,000", "Plan: end", "2026-12-20", "Earlier reviews", "The review that is open is void then"},
			[]string{`value="approve"`},
		},
		"refused":  {reviewedReport(rep, "ana", all[2]), []string{"requested changes", "Too soon", "who is held out keeps control"}, []string{`value="publish"`}},
		"voided":   {reviewedReport(rep, "ana", void), []string{"void: it was changed"}, []string{"What will be"}},
		"not here": {reportView(rep), nil, []string{"Ask for a review", `id="panel-review"`}},
	} {
		page := renderReport(t, c.view)
		checkPage(t, page)
		for _, want := range c.has {
			if !strings.Contains(page, want) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
		for _, not := range c.lacks {
			if strings.Contains(page, not) {
				t.Errorf("%s: the page holds %q", name, not)
			}
		}
	}
	past := reviewedReport(rep, "bob", all[0])
	past.Latest++
	if page := renderReport(t, past); strings.Contains(page, `id="panel-review"`) {
		t.Error("a replay of the past asks for a review")
	}
}
