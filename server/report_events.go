package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

// Limits of the streams that tell open report pages of new looks.
const (
	// maxReportStreams bounds the pages that are told: each asks the database for one
	// row of an index every reportPoll. Pages beyond it stay as they are.
	maxReportStreams = 500
	// reportPoll is how soon a page hears of a look: looks come once a minute.
	reportPoll = 3 * time.Second
	// reportStreamLife ends a stream, so that who signed out is not told for ever;
	// browsers connect again.
	reportStreamLife = time.Hour
)

// reportEvents tells an open report page when there is another look, or another
// status, than the page shows: server-sent events named "look" with the number.
func (s *Server) reportEvents(w http.ResponseWriter, r *http.Request) {
	exp, err := s.db.Get(r.Context(), chi.URLParam(r, "key"))
	if err != nil {
		s.problem(w, r, err)
		return
	}
	if s.reportStreams.Add(1) > maxReportStreams {
		s.reportStreams.Add(-1)
		s.problem(w, r, experiment.Errorf(experiment.CodeUnavailable, "", "all %d event streams are taken; reload the page instead", maxReportStreams))
		return
	}
	defer s.reportStreams.Add(-1)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	st := stream{w: w, ctl: http.NewResponseController(w)}
	_ = st.ctl.SetWriteDeadline(time.Time{}) // streams outlive the server's time limit for answers; send guards each write
	if st.send("retry: " + strconv.FormatInt(streamRetry.Milliseconds(), 10) + "\n\n") {
		s.followReport(r, &st, &exp)
	}
}

// followReport sends an event whenever what the page shows is no longer so, until
// the reader, the server or the life of the stream ends.
func (s *Server) followReport(r *http.Request, st *stream, exp *experiment.Experiment) {
	seen := r.URL.Query().Get(web.ParamSince)
	poll, beat, life := time.NewTicker(reportPoll), time.NewTicker(defaultHeartbeat), time.NewTimer(reportStreamLife)
	defer poll.Stop()
	defer beat.Stop()
	defer life.Stop()
	for {
		// While the database is away nothing is new.
		if now, err := s.reportMark(r, exp.Key); err == nil && now != seen {
			seen = now
			if !st.send("event: look\ndata: " + now + "\n\n") {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.done:
			return
		case <-life.C:
			return
		case <-beat.C:
			if !st.send(": alive\n\n") {
				return
			}
		case <-poll.C:
		}
	}
}

// reportMark says what a report is made from, in one word: version, look and status.
func (s *Server) reportMark(r *http.Request, key string) (string, error) {
	exp, err := s.db.Get(r.Context(), key)
	if err != nil {
		return "", err
	}
	mark, _, err := s.db.NewestLook(r.Context(), exp.ID, exp.Version)
	return web.LiveMark(exp.Version, mark.Number, exp.Status), err
}
