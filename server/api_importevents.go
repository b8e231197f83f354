package server

import (
	"context"

	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/telemetry"
)

// importEvents takes named events of the past: each is as if it had been received when
// it happened.
func (s *Server) importEvents(ctx context.Context, who string, in *importEventsInput) (*importOutput, error) {
	exp, err := s.importable(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	now := s.now()
	events, rejected, err := telemetry.DecodeImportedEvents(in.RawBody, "application/json", now.UnixMilli(), exp.Unit)
	if err != nil {
		return nil, err
	}
	out := &importOutput{}
	out.Body.Rejected = append([]rejectedEntry{}, entriesOf(rejected)...)
	taken := make([]postgres.ReceivedEvent, 0, len(events))
	for i := range events {
		if e := &events[i]; e.AtMs > now.UnixMilli() {
			out.Body.Rejected = append(out.Body.Rejected, rejectedEntry{e.Index, "at", "lies in the future"})
			continue
		}
		taken = append(taken, postgres.ReceivedEvent{RecvMs: events[i].AtMs, UnitEvent: events[i]})
	}
	s.count(sourceEvent, len(taken), rejected)
	if len(taken) == 0 {
		return out, nil
	}
	fresh, err := s.db.ImportUnitEvents(ctx, now, who, exp.Key, taken)
	if err != nil {
		return nil, err
	}
	out.Body.Accepted, out.Body.Repeated = fresh, len(taken)-fresh
	return out, nil
}
