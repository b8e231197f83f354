package server

import (
	"net/http"

	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/telemetry"
)

// postBroadcasts is POST /v1/broadcasts: cumulative ingest health of broadcasts
// as a JSON array, one object or NDJSON, answered after the commit. Repeating a
// batch changes nothing.
func (s *Server) postBroadcasts(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r, telemetry.MaxBodyBytes)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	records, rejected, err := telemetry.DecodeBroadcasts(body, r.Header.Get("Content-Type"))
	if err == nil {
		err = s.ingest.broadcasts.Submit(r.Context(), telemetry.FoldBroadcasts(records, s.now().UnixMilli()))
	}
	if err != nil {
		s.problem(w, r, err)
		return
	}
	s.count(sourceBroadcast, len(records), rejected)
	writeIngest(w, len(records), entriesOf(rejected))
}

// postEvents is POST /v1/events: named events of units as a JSON array, one
// object or NDJSON, answered after the commit. Repeating a batch changes
// nothing: each event counts once by its id.
func (s *Server) postEvents(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r, telemetry.MaxBodyBytes)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	recvMs := s.now().UnixMilli()
	events, rejected, err := telemetry.DecodeUnitEvents(body, r.Header.Get("Content-Type"), recvMs)
	if err == nil {
		rows := make([]postgres.ReceivedEvent, len(events))
		for i := range events {
			rows[i] = postgres.ReceivedEvent{RecvMs: recvMs, UnitEvent: events[i]}
		}
		err = s.ingest.unitEvents.Submit(r.Context(), rows)
	}
	if err != nil {
		s.problem(w, r, err)
		return
	}
	s.count(sourceEvent, len(events), rejected)
	writeIngest(w, len(events), entriesOf(rejected))
}
