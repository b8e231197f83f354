package server

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
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
	sourceLog       = "request_log"
	sourceBroadcast = "broadcast"
	sourceEvent     = "event"
)

func (s *Server) ingestRoutes(r chi.Router) {
	r.Group(func(r chi.Router) {
		r.Use(ingestCORS)
		r.Options("/v1/*", func(http.ResponseWriter, *http.Request) {}) // answered by ingestCORS
		r.Post("/v1/exposures", s.postExposures)
		r.Post("/v1/exposures/{key}", s.postExposures) // beacons of browsers carry no header
		r.With(s.require(experiment.ScopeIngest)).Post("/v1/heartbeats", s.postHeartbeats)
		r.Post("/v1/cmcd/{key}", s.postCMCD)
		r.Post("/v1/request-logs", s.postRequestLogs)
		r.With(s.require(experiment.ScopeIngest)).Post("/v1/broadcasts", s.postBroadcasts)
		r.With(s.require(experiment.ScopeIngest)).Post("/v1/events", s.postEvents)
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
	hbs, stopped := dropStopped(s.ingest, hbs, ofHeartbeat)
	rejected = append(rejected, stopped...)
	if len(hbs) > 0 {
		if err := s.ingest.heartbeats(r.Context(), telemetry.FoldBatch(hbs, s.now().UnixMilli())); err != nil {
			s.problem(w, r, err)
			return
		}
	}
	s.count(sourceHeartbeat, len(hbs), rejected)
	if len(hbs) == 0 && len(stopped) > 0 {
		s.problem(w, r, errStopped)
		return
	}
	writeIngest(w, len(hbs), entriesOf(rejected))
}

// postCMCD is POST /v1/cmcd/{key}: CMCD v2 event records, one a line. Every
// batch that was read is answered 204 after its commit, also when single
// values or records were dropped: CTA-5004-B section 6 wants them ignored, and
// a player that is told of an error sends the same again. 410 ends the reports
// of a session that was told to stop, or of a key that was revoked.
//
// The query may say who plays, which no key of CMCD does: player and
// player_version.
func (s *Server) postCMCD(w http.ResponseWriter, r *http.Request) {
	key, err := s.authorizePlayer(r, chi.URLParam(r, "key"))
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
	rejected = s.sentBy(r, records, rejected)
	records, stopped := dropStopped(s.ingest, records, ofRecord)
	rejected = append(rejected, stopped...)
	if len(records) > 0 {
		if err := s.ingest.records(r.Context(), key.ID, records); err != nil {
			s.problem(w, r, err)
			return
		}
	}
	s.count(sourceCMCD, len(records), rejected)
	if len(records) == 0 && len(stopped) > 0 {
		s.problem(w, r, errStopped)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// authorizePlayer is authorize for players, which a revoked key ends.
func (s *Server) authorizePlayer(r *http.Request, secret string) (*experiment.APIKey, error) {
	key, err := s.authorize(r, secret, experiment.ScopeIngest)
	if err != nil && key == nil && s.live.revoked(postgres.HashSecret(secret)) {
		return nil, errRevoked
	}
	return key, err
}

// sentBy notes when the records came and who sent them. A name that is none is
// a value dropped.
func (s *Server) sentBy(r *http.Request, records []telemetry.Record, rejected []telemetry.Rejection) []telemetry.Rejection {
	recvMs := s.now().UnixMilli()
	var player, version string
	if r.URL.RawQuery != "" {
		query := r.URL.Query()
		player, version = query.Get("player"), query.Get("player_version")
	}
	if !telemetry.ValidPlayer(player) || !telemetry.ValidPlayer(version) {
		player, version = "", ""
		rejected = append(rejected, telemetry.Rejection{Field: "player", Reason: telemetry.ReasonRange, Message: "the value is dropped"})
	}
	for i := range records {
		records[i].RecvMs, records[i].Player, records[i].PlayerVersion = recvMs, player, version
	}
	for i := range rejected {
		rejected[i].Player, rejected[i].PlayerVersion = player, version
	}
	return rejected
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
	s.ingest.count(source, accepted, whole, rejected)
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
