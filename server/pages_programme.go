package server

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web"
)

// maxLibrary is how many conclusions the library shows: older ones are found by
// searching.
const maxLibrary = 100

// maxSearchBytes bounds the text of a search: longer than any question.
const maxSearchBytes = 200

// conclusionsPage searches what was learnt.
func (s *Server) conclusionsPage(w http.ResponseWriter, r *http.Request) {
	query := strings.TrimSpace(r.URL.Query().Get(web.ParamQuery))
	if len(query) > maxSearchBytes {
		s.problemPage(w, r, experiment.Errorf(experiment.CodeTooLarge, web.ParamQuery, "search for at most %d bytes", maxSearchBytes))
		return
	}
	found, err := s.conclusions(r.Context(), query, maxLibrary)
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	view := web.ConclusionsView{
		Chrome: s.chrome(r), Base: pathConclusions, Query: query, Conclusions: found, Limit: maxLibrary, Programme: pathProgramme,
	}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Conclusions(b, view) })
}

// conclusions returns those found, after those of experiments stopped since were
// kept.
func (s *Server) conclusions(ctx context.Context, query string, limit int) ([]web.Conclusion, error) {
	if err := s.conclude(ctx); err != nil {
		return nil, err
	}
	stored, err := s.db.Conclusions(ctx, query, limit)
	out := make([]web.Conclusion, len(stored))
	for i := range stored {
		out[i] = newConclusion(&stored[i])
	}
	return out, err
}

func newConclusion(c *postgres.Conclusion) web.Conclusion {
	out := web.Conclusion{
		Key: c.Key, Name: c.Name, URL: pathExperiments + "/" + c.Key, Version: c.Version, Hypothesis: c.Hypothesis, Owner: c.Owner,
		Unit: c.Unit, Design: c.Design, Verdict: report.VerdictState(c.Verdict), Sentence: c.Sentence, Look: c.Look, LookedAt: c.LookedAt,
		Shipped: c.Shipped, Removed: c.Removed, DecidedAt: c.DecidedAt, DecidedBy: c.DecidedBy, Reasons: c.Reasons,
	}
	if c.Current && c.Look > 0 { // a report shows the looks of the newest version
		out.FrozenURL = out.URL + "?look=" + strconv.Itoa(c.Look)
	}
	for _, f := range c.Findings {
		out.Findings = append(out.Findings, web.Finding{
			Metric: f.Metric, Name: f.Name, Role: report.Role(f.Role), Direction: f.Direction, Arm: f.Arm, ArmName: f.ArmName,
			State: report.State(f.State), Known: f.Known, Estimate: f.Estimate, Lower: f.Lower, Upper: f.Upper, SE: f.SE,
			Text: f.Text, Range: f.Range, Units: f.Units,
		})
	}
	return out
}

// programmePage counts what was learnt and shows the holdouts.
func (s *Server) programmePage(w http.ResponseWriter, r *http.Request) {
	conclusions, err := s.conclusions(r.Context(), "", postgres.MaxConclusions)
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	all, err := s.db.List(r.Context())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	holdouts, err := s.db.Holdouts(r.Context())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	view := web.ProgrammeView{Chrome: s.chrome(r), Conclusions: conclusions, Library: pathConclusions, Metrics: pathCatalogue}
	for i := range all {
		if all[i].Status == experiment.StatusRunning {
			view.Running++
		}
	}
	for _, h := range holdouts {
		shown := newHoldout(h, all)
		if shown.Measures, err = s.measures(r.Context(), h.Key, all); err != nil {
			s.problemPage(w, r, err)
			return
		}
		view.Holdouts = append(view.Holdouts, shown)
	}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Programme(b, view) })
}

// newHoldout is a holdout with the experiments on its units that go on.
func newHoldout(h experiment.Holdout, all []experiment.Experiment) web.HoldoutView {
	out := web.HoldoutView{Key: h.Key, Unit: h.Unit, Slots: h.Slots, Ended: h.Ended}
	if h.Ended {
		return out
	}
	for i := range all {
		e := &all[i]
		if e.Unit != h.Unit || e.MeasuresHoldout == h.Key || e.Status != experiment.StatusRunning && e.Status != experiment.StatusPaused {
			continue
		}
		link := web.Link{Text: e.Key, URL: pathExperiments + "/" + e.Key}
		if e.IgnoreHoldouts != "" {
			out.Ignores = append(out.Ignores, web.HoldoutIgnored{Link: link, Reason: e.IgnoreHoldouts})
			continue
		}
		out.Honours = append(out.Honours, link)
	}
	return out
}

// maxMeasures bounds the measurements of a holdout that are shown, the newest
// first: each needs its newest report.
const maxMeasures = 12

// measures returns the experiments that measured a holdout.
func (s *Server) measures(ctx context.Context, holdout string, all []experiment.Experiment) ([]web.HoldoutMeasure, error) {
	var began []*experiment.Experiment
	for i := range all {
		if e := &all[i]; e.MeasuresHoldout == holdout && e.StartedAt != nil && e.Status != experiment.StatusArchived {
			began = append(began, e)
		}
	}
	slices.SortFunc(began, func(x, y *experiment.Experiment) int {
		return cmp.Or(y.StartedAt.Compare(*x.StartedAt), strings.Compare(x.Key, y.Key))
	})
	var out []web.HoldoutMeasure
	for _, e := range began[:min(len(began), maxMeasures)] {
		rep, _, err := s.reports.build(ctx, e, 0, s.now())
		if err != nil {
			return nil, err
		}
		out = append(out, web.HoldoutMeasure{Link: web.Link{Text: cmp.Or(e.Name, e.Key), URL: pathExperiments + "/" + e.Key}, Report: &rep})
	}
	return out, nil
}
