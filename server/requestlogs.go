package server

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// logAnswer tells a sender of logs what became of them.
type logAnswer struct {
	ingestAnswer
	WithoutCMCD int `json:"without_cmcd"` // lines that carried none
}

// postRequestLogs is POST /v1/request-logs: lines of a delivery network's log
// as a JSON array or NDJSON, each {query, headers, recv_ms}, answered after the
// commit. Repeating a batch changes nothing: a line's own recv_ms, not the time
// of the request, says when it was.
func (s *Server) postRequestLogs(w http.ResponseWriter, r *http.Request) {
	key, err := s.authorize(r, secretOf(r), experiment.ScopeIngest)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	body, err := readBody(r, telemetry.MaxBodyBytes)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	log, err := telemetry.DecodeRequestLogs(body, r.Header.Get("Content-Type"), s.now().UnixMilli())
	if err != nil {
		s.problem(w, r, err)
		return
	}
	records, stopped := dropStopped(s.ingest, log.Records, ofRecord)
	rejected := slices.Concat(log.Rejected, stopped)
	if len(records) > 0 {
		if err := s.ingest.records(r.Context(), key.ID, records); err != nil {
			s.problem(w, r, err)
			return
		}
	}
	s.count(sourceLog, len(records), rejected)
	if len(records)+log.WithoutCMCD == 0 {
		writeIngest(w, 0, entriesOf(rejected))
		return
	}
	b, err := json.Marshal(logAnswer{ingestAnswer{len(records), entriesOf(rejected)}, log.WithoutCMCD})
	if err != nil {
		panic("strings and numbers always marshal: " + err.Error())
	}
	writeJSONBytes(w, http.StatusOK, b)
}
