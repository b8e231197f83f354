package server

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

type healthInput struct {
	Minutes int `query:"minutes" minimum:"1" maximum:"1440" default:"60" doc:"how far to look back"`
}

type healthOutput struct{ Body telemetryHealth }

// telemetryHealth says whether telemetry comes in, from whom, and what is wrong
// with it.
type telemetryHealth struct {
	At      time.Time `json:"at"`
	Minutes int       `json:"minutes" doc:"the window"`

	RecordsPerSec float64                `json:"records_per_sec" doc:"accepted, over the last whole minute"`
	Rates         []postgres.IngestRate  `json:"rates" doc:"records by minute and source, newest first"`
	Sessions      []postgres.SourceShare `json:"sessions" doc:"sessions that began within the window by tier and player, with the lag of their newest records"`
	Tiers         map[string]int64       `json:"tiers" doc:"the same by tier"`
	Unfolded      postgres.Unfolded      `json:"unfolded" doc:"CMCD sessions with records that the job has not turned into a session yet"`
	Rejected      int64                  `json:"rejected" doc:"values and records that were not taken since the window's first day"`
	Rejections    []rejectionView        `json:"rejections" doc:"by day, source, reason, field (the key of CMCD), player and version, most first"`
	Queued        map[string]int         `json:"queued" doc:"records that wait on this server for their transaction, by kind"`
	Experiments   []postgres.Freshness   `json:"experiments" doc:"how far the results of experiments are behind, those that wait longest first"`
}

// rejectionView is a count of what was not taken.
type rejectionView struct {
	Day string `json:"day"`
	postgres.RejectionRow
	Count int64 `json:"count"`
}

// telemetryAPI serves the telemetry-health page.
func (s *Server) telemetryAPI(api huma.API) {
	serve(s, api, operation(http.MethodGet, "/telemetry/health", "get-telemetry-health", "What telemetry comes in, from whom, how late, and what is refused", experiment.ScopeRead), experiment.ScopeRead,
		func(ctx context.Context, _ string, in *healthInput) (*healthOutput, error) {
			body, err := s.telemetryHealth(ctx, time.Duration(in.Minutes)*time.Minute)
			return &healthOutput{body}, err
		})
	s.stopAPI(api)
}

func (s *Server) telemetryHealth(ctx context.Context, window time.Duration) (telemetryHealth, error) {
	now := s.now().UTC()
	h, err := s.db.Health(ctx, now, window)
	if err != nil {
		return telemetryHealth{}, err
	}
	fresh, err := s.db.Freshness(ctx, now)
	if err != nil {
		return telemetryHealth{}, err
	}
	out := telemetryHealth{
		Experiments: fresh,
		At:          now, Minutes: int(window.Minutes()), Rates: h.Rates, Sessions: h.Sessions, Tiers: map[string]int64{},
		Unfolded: h.Unfolded, Rejections: make([]rejectionView, len(h.Rejections)), Queued: s.ingest.queued(),
	}
	last := now.Truncate(time.Minute).Add(-time.Minute)
	for i := range h.Rates {
		if h.Rates[i].Minute.Equal(last) {
			out.RecordsPerSec += float64(h.Rates[i].Accepted) / time.Minute.Seconds()
		}
	}
	for i := range h.Sessions {
		out.Tiers[h.Sessions[i].Tier.String()] += h.Sessions[i].Sessions
	}
	for i, r := range h.Rejections {
		out.Rejected += r.Count
		out.Rejections[i] = rejectionView{r.Day.Format(time.DateOnly), r.RejectionRow, r.Count}
	}
	return out, nil
}
