package server

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/web"
)

// Addresses of the pages about the platform rather than one experiment.
const (
	pathPlanner   = "/planner"
	pathCatalogue = "/catalogue" // /metrics is what Prometheus reads
	pathLayers    = "/layers"
	pathAudit     = "/audit"
	pathTelemetry = "/telemetry"
	pathLearn     = web.LearnPath

	pathConclusions = "/conclusions"
	pathProgramme   = "/programme"
)

// auditPageSize is how many entries a page of the audit log shows.
const auditPageSize = 50

// navigation lists the pages of the top bar.
var navigation = []web.Link{
	{Text: "Experiments", URL: pathExperiments, Key: "e"},
	{Text: "Conclusions", URL: pathConclusions, Key: "c"},
	{Text: "Programme", URL: pathProgramme, Key: "o"},
	{Text: "Metrics", URL: pathCatalogue, Key: "m"},
	{Text: "Planner", URL: pathPlanner, Key: "p"},
}

// furtherPages lists those of the menu beside it.
var furtherPages = []web.Link{
	{Text: "Telemetry", URL: pathTelemetry, Key: "t"},
	{Text: "Layers", URL: pathLayers, Key: "l"},
	{Text: "Audit", URL: pathAudit, Key: "a"},
	{Text: "Settings", URL: pathSettings, Key: "s"},
	{Text: "Learn", URL: pathLearn, Key: "h"},
}

// places are those that the palette leads to besides: they are within other pages.
func places() []web.Link {
	out := []web.Link{
		{Text: "New experiment", URL: pathLaunch},
		{Text: "Define a metric", URL: pathDefine},
		{Text: "Timeline", URL: pathExperiments + "?" + web.ParamView + "=" + web.ViewTimeline},
		{Text: "API keys", URL: pathSettings + "#" + web.SettingsKeys},
		{Text: "Freeze windows", URL: pathSettings + "#" + web.SettingsFreezes},
	}
	for _, topic := range web.LearnTopics() {
		out = append(out, web.Link{Text: "Learn: " + topic.Text, URL: topic.URL})
	}
	return out
}

// platformPages adds the pages; who asks has signed in.
func (s *Server) platformPages(r chi.Router) {
	r.Get(pathPlanner, s.plannerPage)
	r.Get(pathCatalogue, s.cataloguePage)
	r.Get(pathCatalogue+"/{key}", s.metricPage)
	r.Get(pathDefine, s.definePage)
	r.Post(pathDefine, s.defineByForm)
	r.Get(pathLayers, s.layersPage)
	r.Get(pathAudit, s.auditPage)
	r.Get(pathTelemetry, s.telemetryPage)
	r.Get(pathFind, s.find)
	s.settingsRoutes(r)
	r.Get(pathConclusions, s.conclusionsPage)
	r.Get(pathProgramme, s.programmePage)
	r.Get(pathLearn, s.learnPage)
	r.Get(pathLearn+"/{topic}", s.learnPage)
}

// timelinePage shows the experiments of the list by when they run.
func (s *Server) timelinePage(w http.ResponseWriter, r *http.Request, filter web.Filter, all []experiment.Experiment) {
	view := web.TimelineView{
		Chrome: s.chrome(r), Base: pathExperiments, New: pathLaunch, Filter: filter, Choice: web.ReadTimelineChoice(r.URL.Query()),
		Now: s.now().UTC(), Total: len(all),
	}
	var since time.Time // the first freeze there was
	if view.Choice.Days > 0 {
		since = view.Now.AddDate(0, 0, -view.Choice.Days)
	}
	var err error
	if view.Freezes, err = s.db.Freezes(r.Context(), since); err != nil {
		s.problemPage(w, r, err)
		return
	}
	for i := range all {
		if filter.Matches(&all[i]) {
			view.Experiments = append(view.Experiments, all[i])
		}
	}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Timeline(b, view) })
}

func (s *Server) plannerPage(w http.ResponseWriter, r *http.Request) {
	view := web.PlannerView{Chrome: s.chrome(r), Base: pathPlanner, Query: r.URL.Query()}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Planner(b, view) })
}

func (s *Server) cataloguePage(w http.ResponseWriter, r *http.Request) {
	catalogue, err := s.db.Catalogue(r.Context())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	conclusions, err := s.conclusions(r.Context(), "", postgres.MaxConclusions)
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	view := web.CatalogueView{Chrome: s.chrome(r), Define: pathDefine, Metrics: catalogue.All(), Conclusions: conclusions}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Catalogue(b, view) })
}

func (s *Server) layersPage(w http.ResponseWriter, r *http.Request) {
	layers, err := s.db.Layers(r.Context())
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	view := web.LayersView{Chrome: s.chrome(r)}
	for _, l := range layers {
		layer := web.LayerView{Key: l.Key, Unit: l.Unit, Free: l.Free}
		for _, o := range l.Owners {
			layer.Owners = append(layer.Owners, web.SlotOwner{
				Experiment: o.Experiment, Status: o.Status, URL: pathExperiments + "/" + o.Experiment, SlotRange: experiment.SlotRange{From: o.From, To: o.To},
			})
		}
		view.Layers = append(view.Layers, layer)
	}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Layers(b, view) })
}

func (s *Server) learnPage(w http.ResponseWriter, r *http.Request) {
	view := web.LearnView{Chrome: s.chrome(r), Topic: chi.URLParam(r, "topic")}
	if view.Topic != "" && !web.ValidLearnTopic(view.Topic) {
		s.problemPage(w, r, experiment.Errorf(experiment.CodeNotFound, "", "there is no page about %q", view.Topic))
		return
	}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Learn(b, view) })
}

func (s *Server) auditPage(w http.ResponseWriter, r *http.Request) {
	var before int64
	if text := r.URL.Query().Get("before"); text != "" {
		var err error
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			s.problemPage(w, r, experiment.Invalidf("before", "must be the number of an entry, from 1"))
			return
		}
	}
	entries, err := s.db.Audit(r.Context(), before, auditPageSize)
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	view := web.AuditView{Chrome: s.chrome(r)}
	for _, e := range entries {
		row := web.AuditEntry{ID: e.ID, At: e.At, Actor: e.Actor, Action: e.Action, Subject: e.Subject, Detail: e.Detail, Hash: e.Hash}
		if strings.HasPrefix(e.Action, "experiment.") || strings.HasPrefix(e.Action, "review.") {
			row.URL = pathExperiments + "/" + url.PathEscape(e.Subject)
		}
		view.Entries = append(view.Entries, row)
	}
	if n := len(entries); n == auditPageSize && entries[n-1].ID > 1 {
		view.Older = pathAudit + "?before=" + strconv.FormatInt(entries[n-1].ID, 10)
	}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Audit(b, view) })
}
