package server

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

// pathShared is where shared reports are read.
const pathShared = "/shared/"

// sharedView reads the frozen report that a link opens.
func (s *Server) sharedView(r *http.Request) (web.ReportView, error) {
	id, err := s.shares.open(r.Context(), chi.URLParam(r, "token"), s.wall())
	if err != nil {
		return web.ReportView{}, err
	}
	sh, packed, err := s.db.SharedReport(r.Context(), id, s.wall())
	if err != nil {
		return web.ReportView{}, err
	}
	rep, err := unpackReport(packed)
	if err != nil {
		return web.ReportView{}, err
	}
	return web.ReportView{
		Chrome: s.chrome(r), Report: &rep, Latest: sh.Look, Choice: web.ReadChoice(r.URL.Query()),
		Charts: pathShared + chi.URLParam(r, "token") + "/chart.svg",
		Frozen: &web.Frozen{At: sh.CreatedAt, Expires: sh.ExpiresAt},
	}, nil
}

// sharedReport shows a frozen report to whoever has its link; as JSON to those who
// could read the live one, too.
func (s *Server) sharedReport(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Robots-Tag", "noindex")
	view, err := s.sharedView(r)
	if strings.HasPrefix(r.Header.Get("Accept"), "application/json") {
		if err == nil {
			_, err = actor(r.Context(), experiment.ScopeRead)
		}
		var body []byte
		if err == nil {
			body, err = json.Marshal(view.Report)
		}
		if err != nil {
			s.problem(w, r, err)
			return
		}
		writeJSONBytes(w, http.StatusOK, body)
		return
	}
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Report(b, view) })
}

// sharedChart sends a chart of a frozen report.
func (s *Server) sharedChart(w http.ResponseWriter, r *http.Request) {
	view, err := s.sharedView(r)
	s.sendChart(w, r, view, err)
}

// sharing does what the form below a report asks for: it makes a link, or ends one.
func (s *Server) sharing(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
	if err := r.ParseForm(); err != nil {
		s.problemPage(w, r, formFault(err))
		return
	}
	key, who := chi.URLParam(r, "key"), s.web.GetString(r.Context(), sessionUser)
	var err error
	if id := r.PostForm.Get(web.ParamRevoke); id != "" {
		err = s.db.RevokeShare(r.Context(), key, id, who, s.wall())
	} else {
		err = s.shareByForm(r, key, who)
	}
	if err != nil {
		s.rejectForm(w, r, web.FormShare, err)
		return
	}
	http.Redirect(w, r, pathExperiments+"/"+key+"#share", http.StatusSeeOther)
}

func (s *Server) shareByForm(r *http.Request, key, who string) error {
	days, err := strconv.Atoi(r.PostForm.Get(web.ParamDays))
	if err != nil {
		return experiment.Invalidf(web.ParamDays, "must be a number of days")
	}
	look := 0
	if text := r.PostForm.Get(web.ParamLook); text != "" {
		if look, err = strconv.Atoi(text); err != nil {
			return experiment.Invalidf(web.ParamLook, "must be the number of a look")
		}
	}
	_, err = s.share(r.Context(), key, look, days, who)
	return err
}
