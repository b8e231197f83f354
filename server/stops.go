package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/telemetry"
)

// errStopped answers a player that has nothing to tell that would be taken:
// CTA-5004-B section 6 lets a receiver end the reports of a session by 410.
var errStopped = experiment.Errorf(experiment.CodeGone, "", "the session was told to stop reporting")

// errRevoked answers a player that reports with a key that was in use once.
// Players cannot do anything about it but stop.
var errRevoked = experiment.Errorf(experiment.CodeGone, "", "the ingest key was revoked; stop reporting")

// stopped reports whether the player of a session is told to stop.
func (g *ingest) stopped(session string) bool {
	_, ok := (*g.stops.Load())[session]
	return ok
}

// readStops learns of stops that any server was told of. While the database is
// away the last list stays.
func (g *ingest) readStops(ctx context.Context) {
	list, err := g.db.Stops(ctx, g.now())
	if err != nil {
		g.log.Warn("stops not read; the last list stays", "error", err)
		return
	}
	stops := make(map[string]struct{}, len(list))
	for i := range list {
		stops[list[i].SessionID] = struct{}{}
	}
	g.stops.Store(&stops)
}

// dropStopped takes out the records of sessions that are told to stop. The
// rejections say so of each record; who sent it is in identify.
func dropStopped[T any](g *ingest, records []T, identify func(*T) telemetry.Rejection) (kept []T, rejected []telemetry.Rejection) {
	if len(*g.stops.Load()) == 0 {
		return records, nil
	}
	kept = slices.DeleteFunc(records, func(r T) bool {
		rejection := identify(&r)
		if !g.stopped(rejection.SessionID) {
			return false
		}
		rejection.Reason, rejection.Message, rejection.Whole = telemetry.ReasonStopped, errStopped.Message, true
		rejected = append(rejected, rejection)
		return true
	})
	return kept, rejected
}

func ofHeartbeat(hb *telemetry.Heartbeat) telemetry.Rejection {
	return telemetry.Rejection{Index: hb.Index, SessionID: hb.SessionID, Player: hb.Player, PlayerVersion: hb.PlayerVersion}
}

func ofRecord(r *telemetry.Record) telemetry.Rejection {
	return telemetry.Rejection{Index: r.Index, SessionID: r.SID, Player: r.Player, PlayerVersion: r.PlayerVersion}
}

type stopInput struct {
	Body struct {
		SessionID string `json:"session_id" minLength:"1" maxLength:"128" doc:"the id that the player reports: session_id of heartbeats, sid of CMCD"`
		Note      string `json:"note,omitempty" maxLength:"200"`
	}
}

type stopList struct {
	Body struct {
		Stops []postgres.Stop `json:"stops"`
	}
}

type stopID struct {
	Session string `path:"session" maxLength:"128"`
}

// stopAPI lets administrators stop the reports of a session, and let it go on.
func (s *Server) stopAPI(api huma.API) {
	serve(s, api, operation(http.MethodGet, "/telemetry/stops", "list-stops",
		fmt.Sprintf("The sessions that are told to stop reporting, for %d hours each", int(postgres.StopLife.Hours())), experiment.ScopeRead), experiment.ScopeRead,
		func(ctx context.Context, _ string, _ *struct{}) (*stopList, error) {
			out := &stopList{}
			var err error
			out.Body.Stops, err = s.db.Stops(ctx, s.now())
			return out, err
		})
	serve(s, api, operation(http.MethodPost, "/telemetry/stops", "stop-session", "Tell the player of a session to stop reporting", experiment.ScopeAdmin), experiment.ScopeAdmin,
		func(ctx context.Context, who string, in *stopInput) (*struct{}, error) {
			if err := s.db.StopSession(ctx, in.Body.SessionID, in.Body.Note, who, s.now()); err != nil {
				return nil, err
			}
			s.ingest.readStops(ctx) // at once, here
			return nil, nil         //nolint:nilnil // answered 204
		})
	serve(s, api, operation(http.MethodDelete, "/telemetry/stops/{session}", "resume-session", "Let a session report again", experiment.ScopeAdmin), experiment.ScopeAdmin,
		func(ctx context.Context, who string, in *stopID) (*struct{}, error) {
			if err := s.db.ResumeSession(ctx, in.Session, who, s.now()); err != nil {
				return nil, err
			}
			s.ingest.readStops(ctx)
			return nil, nil //nolint:nilnil // answered 204
		})
}
