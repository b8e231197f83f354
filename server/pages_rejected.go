package server

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

// rejectForm shows the report again with what was written in one of its forms, and
// what is wrong with it. What no form can mend is a page of its own.
func (s *Server) rejectForm(w http.ResponseWriter, r *http.Request, form string, err error) {
	faults := experiment.Faults(err)
	if len(faults) == 0 {
		s.problemPage(w, r, err)
		return
	}
	view, failed := s.reportView(formPage(r, form))
	if failed != nil {
		s.problemPage(w, r, err)
		return
	}
	view.Events = "" // news would take the place of what was written
	view.Rejected = &web.Rejected{Form: form, Faults: faults, Sent: r.PostForm}
	s.page(w, r, rejectedStatus(faults), func(b *bytes.Buffer) error { return s.pages.Report(b, view) })
}

// rejectedStatus is the status of a form that is shown again with what is wrong with
// it: the request is one, and what it says is not right.
func rejectedStatus(faults experiment.Errors) int {
	if status := statusOf(faults[0].Code); status != http.StatusBadRequest {
		return status
	}
	return http.StatusUnprocessableEntity
}

// formPage returns the request of the page that a form was on: its look and choices,
// without a segment, which has no forms. Decisions are of the newest look.
func formPage(r *http.Request, form string) *http.Request {
	q := url.Values{}
	if from, err := url.Parse(cameFrom(r)); err == nil && from.Path == pathExperiments+"/"+chi.URLParam(r, "key") {
		q = from.Query()
	}
	q.Del(web.ParamSegment)
	if form == web.FormDecide {
		q.Del(web.ParamLook)
	} else if look, err := strconv.Atoi(r.PostForm.Get(web.ParamLook)); err == nil && look > 0 {
		q.Set(web.ParamLook, strconv.Itoa(look))
	}
	page := r.Clone(r.Context())
	page.URL.RawQuery = q.Encode()
	return page
}

// toReport leads from where a form of a report posts to, to the report itself: links
// of a page that was answered there are relative.
func toReport(w http.ResponseWriter, r *http.Request) {
	to := url.URL{Path: pathExperiments + "/" + chi.URLParam(r, "key"), RawQuery: r.URL.RawQuery}
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}
