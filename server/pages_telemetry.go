package server

import (
	"bytes"
	"net/http"
	"strconv"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

// The windows of the telemetry page, in minutes, as those of the API.
const (
	defaultHealthMinutes = 60
	maxHealthMinutes     = 1440
)

// telemetryPage shows what GET /api/v1/telemetry/health answers.
func (s *Server) telemetryPage(w http.ResponseWriter, r *http.Request) {
	minutes := defaultHealthMinutes
	if text := r.URL.Query().Get("minutes"); text != "" {
		var err error
		if minutes, err = strconv.Atoi(text); err != nil || minutes < 1 || minutes > maxHealthMinutes {
			s.problemPage(w, r, experiment.Invalidf("minutes", "must be a number of minutes, 1 to %d", maxHealthMinutes))
			return
		}
	}
	h, err := s.telemetryHealth(r.Context(), time.Duration(minutes)*time.Minute)
	if err != nil {
		s.problemPage(w, r, err)
		return
	}
	view := newTelemetryView(&h)
	view.Chrome, view.Base, view.Server, view.Keys = s.chrome(r), pathTelemetry, s.address(r), pathSettings
	s.page(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Telemetry(b, view) })
}

func newTelemetryView(h *telemetryHealth) web.TelemetryView {
	v := web.TelemetryView{
		At: h.At, Minutes: h.Minutes, RecordsPerSec: h.RecordsPerSec, Unfolded: h.Unfolded.Sessions,
		RejectedSince: h.At.Add(-time.Duration(h.Minutes) * time.Minute).Truncate(24 * time.Hour),
	}
	if h.Unfolded.OldestMs != nil {
		oldest := time.UnixMilli(*h.Unfolded.OldestMs).UTC()
		v.UnfoldedSince = &oldest
	}
	for _, n := range h.Queued {
		v.Queued += n
	}
	for _, x := range h.Rates {
		v.Rates = append(v.Rates, web.TelemetryRate{Minute: x.Minute, Source: x.Source, Accepted: x.Accepted, Refused: x.Refused})
	}
	for _, x := range h.Sessions {
		v.Sources = append(v.Sources, web.TelemetrySource{
			Tier: x.Tier.String(), Player: x.Player, Version: x.PlayerVersion, Sessions: x.Sessions, Started: x.Started,
			Clocked: x.Clocked, Late: x.Late, LagP95Ms: x.LagP95Ms,
		})
	}
	for _, x := range h.Rejections {
		v.Rejections = append(v.Rejections, web.TelemetryRejection{
			Source: x.Source, Reason: x.Reason, Field: x.Field, Whole: x.Whole, Player: x.Player, Version: x.PlayerVersion, Count: x.Count,
		})
	}
	for _, x := range h.Experiments {
		v.Results = append(v.Results, web.TelemetryResults{
			Experiment: x.Experiment, URL: pathExperiments + "/" + x.Experiment, Look: x.Look, Watermark: x.Watermark, Waiting: x.Waiting,
		})
	}
	return v
}
