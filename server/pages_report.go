package server

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

// chartPolicy lets a chart that is a file of its own have its style within, and
// nothing else: it is a picture, no page.
const chartPolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

// reportView reads the report that a request asks for.
func (s *Server) reportView(r *http.Request) (web.ReportView, error) {
	look, err := readLook(r)
	if err != nil {
		return web.ReportView{}, err
	}
	exp, err := s.db.Get(r.Context(), chi.URLParam(r, "key"))
	if err != nil {
		return web.ReportView{}, err
	}
	rep, latest, err := s.reports.build(r.Context(), &exp, look, s.now())
	if err != nil {
		return web.ReportView{}, err
	}
	links, err := s.shareLinks(r.Context(), exp.Key)
	if err != nil {
		return web.ReportView{}, err
	}
	comments, err := s.db.Comments(r.Context(), exp.ID)
	if err != nil {
		return web.ReportView{}, err
	}
	review, err := s.reviewView(r, &exp)
	if err != nil {
		return web.ReportView{}, err
	}
	page, api := pathExperiments+"/"+exp.Key, apiPath+"/experiments/"+exp.Key
	view := web.ReportView{
		Chrome: s.chrome(r), Report: &rep, Latest: latest, Experiments: pathExperiments, Review: review,
		Decide: page, Choice: web.ReadChoice(r.URL.Query()), Charts: page + "/chart.svg",
		JSON: api + "/report", CSV: api + "/report.csv", Notebook: api + "/notebook", Outcomes: api + "/outcomes", Share: page + "/shares",
		Comment: page + "/comments", Events: page + "/events",
		Serving: &web.Serving{Outlook: exp.Outlook(), RemoteOnly: s.flagd.remoteOnly(exp.Key)},
	}
	for _, c := range comments {
		view.Comments = append(view.Comments, web.CommentView{
			ID: c.ID, Version: c.Version, Look: c.Look, Metric: c.Metric, Arm: c.Arm, Author: c.Author, At: c.At, Text: c.Text,
		})
	}
	for _, l := range links {
		view.Shares = append(view.Shares, web.ShareView{ID: l.ID, URL: l.Path, Look: l.Look, By: l.CreatedBy, At: l.CreatedAt, Expires: l.ExpiresAt})
	}
	return view, nil
}

// reportPage shows a report, or leads programs to the same as JSON.
func (s *Server) reportPage(w http.ResponseWriter, r *http.Request) {
	view, err := s.reportView(r)
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	if strings.HasPrefix(r.Header.Get("Accept"), "application/json") {
		to := view.JSON
		if look := r.URL.Query().Get(web.ParamLook); look != "" { // the API knows none of the page's other parameters
			to += "?" + url.Values{web.ParamLook: {look}}.Encode()
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Report(b, view) })
}

// chartFile sends one chart of a report as a file.
func (s *Server) chartFile(w http.ResponseWriter, r *http.Request) {
	view, err := s.reportView(r)
	s.sendChart(w, r, view, err)
}

// sendChart sends the chart that the request names, or the problem in the way.
func (s *Server) sendChart(w http.ResponseWriter, r *http.Request, view web.ReportView, err error) {
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	name := r.URL.Query().Get(web.ParamChart)
	svg, ok, err := s.pages.ChartSVG(view, name)
	if err == nil && !ok {
		err = experiment.Errorf(experiment.CodeNotFound, web.ParamChart, "this report has no chart %q", name)
	}
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", chartPolicy)
	h.Set("Content-Type", "image/svg+xml")
	h.Set("Content-Disposition", `inline; filename="`+view.Report.Head.Key+"-"+name+`.svg"`)
	_, _ = w.Write([]byte(svg)) // the reader is gone when this fails
}

// readLook returns the look that the query asks for; 0 is the newest.
func readLook(r *http.Request) (int, error) {
	text := r.URL.Query().Get("look")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, experiment.Invalidf("look", "must be the number of a look, from 1")
	}
	return n, nil
}
