package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// Limits of telemetry bodies, unpacked.
const (
	maxHeartbeatBody = telemetry.MaxBodyBytes
	// maxCMCDBody is two hundred times what players send: hls.js and dash.js
	// post 5 records of about 400 bytes, more after an outage.
	maxCMCDBody = telemetry.MaxBodyBytes
)

// Sources of telemetry, as counted.
const (
	sourceHeartbeat = "heartbeat"
	sourceCMCD      = "cmcd"
)

func (s *Server) ingestRoutes(r chi.Router) {
	r.Group(func(r chi.Router) {
		r.Use(ingestCORS)
		r.Options("/v1/*", func(http.ResponseWriter, *http.Request) {}) // answered by ingestCORS
		r.Post("/v1/exposures", s.postExposures)
		r.Post("/v1/exposures/{key}", s.postExposures) // beacons of browsers carry no header
		r.With(s.require(experiment.ScopeIngest)).Post("/v1/heartbeats", s.postHeartbeats)
		r.Post("/v1/cmcd/{key}", s.postCMCD)
	})
}

// ingestCORS lets players on any page report: the credential is the key,
// never a cookie, so the origin proves nothing.
func ingestCORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "Retry-After")
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Methods", "POST")
		h.Set("Access-Control-Allow-Headers", "Authorization, X-API-Key, Content-Type, Content-Encoding")
		h.Set("Access-Control-Max-Age", "7200") // the longest that Chromium honours
		w.WriteHeader(http.StatusNoContent)
	})
}

// postHeartbeats is POST /v1/heartbeats: a JSON array, one object or NDJSON,
// answered after the commit. Repeating a batch changes nothing.
func (s *Server) postHeartbeats(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r, maxHeartbeatBody)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	hbs, rejected, err := telemetry.DecodeHeartbeats(body, r.Header.Get("Content-Type"))
	if err != nil {
		s.problem(w, r, err)
		return
	}
	if len(hbs) > 0 {
		if err := s.ingest.heartbeats(r.Context(), telemetry.FoldBatch(hbs, s.now().UnixMilli())); err != nil {
			s.problem(w, r, err)
			return
		}
	}
	s.count(sourceHeartbeat, len(hbs), rejected)
	writeIngest(w, len(hbs), entriesOf(rejected))
}

// postCMCD is POST /v1/cmcd/{key}: CMCD v2 event records, one a line. Every
// batch that was read is answered 204 after its commit, also when single
// values or records were dropped: CTA-5004-B section 6 wants them ignored, and
// a player that is told of an error sends the same again.
func (s *Server) postCMCD(w http.ResponseWriter, r *http.Request) {
	key, err := s.authorize(r, chi.URLParam(r, "key"), experiment.ScopeIngest)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	body, err := readBody(r, maxCMCDBody)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	records, rejected, err := telemetry.DecodeCMCD(body)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	recvMs := s.now().UnixMilli()
	for i := range records {
		records[i].RecvMs = recvMs
	}
	if len(records) > 0 {
		if err := s.ingest.records(r.Context(), key.ID, records); err != nil {
			s.problem(w, r, err)
			return
		}
	}
	s.count(sourceCMCD, len(records), rejected)
	w.WriteHeader(http.StatusNoContent)
}

// count adds a batch to the counters, on this server and for all of them.
func (s *Server) count(source string, accepted int, rejected []telemetry.Rejection) {
	s.stats.records.WithLabelValues(source, "accepted").Add(float64(accepted))
	whole := 0
	for i := range rejected {
		if rejected[i].Whole {
			whole++
		}
		s.stats.rejections.WithLabelValues(source, string(rejected[i].Reason)).Inc()
	}
	s.stats.records.WithLabelValues(source, "rejected").Add(float64(whole))
	s.ingest.rejections(source, rejected)
}

func entriesOf(rejected []telemetry.Rejection) []rejectedEntry {
	if len(rejected) == 0 {
		return nil
	}
	out := make([]rejectedEntry, len(rejected))
	for i := range rejected {
		out[i] = rejectedEntry{rejected[i].Index, rejected[i].Field, rejected[i].Message}
	}
	return out
}
