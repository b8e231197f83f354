package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/stats"
	"github.com/splitcast/splitcast/web/chart"
)

// newStates returns all that stands in the way of what a reader came for: what is
// awaited first, then what went wrong, then what is still to come.
func newStates(r *report.Report) []statePart {
	var out []statePart
	for _, p := range []*statePart{newState(r), unmeasuredState(r), failedState(r), staleState(&r.Head), openState(&r.Head)} {
		if p != nil {
			out = append(out, *p)
		}
	}
	return out
}

// scheduledState says when a draft starts by itself.
func scheduledState(h *report.Head) *statePart {
	wait := metrics.WindowFirst.Span() + metrics.WindowFirst.Grace()
	p := &statePart{
		Title: "Scheduled: starts on " + h.StartAt.UTC().Format(clockFormat), Class: chart.NotProven,
		Text: fmt.Sprintf("Nobody is assigned before. The plan is hashed at the start; the first look may be expected by %s, when the first windows have closed.",
			h.StartAt.Add(wait+time.Minute).UTC().Format(clockFormat)),
		Counts: []countPart{{Name: "until the start", Value: span(int64(h.StartAt.Sub(h.BuiltAt).Seconds()))}},
	}
	if h.StopAt != nil {
		p.Counts = append(p.Counts, countPart{Name: "planned to stop", Value: h.StopAt.UTC().Format(clockFormat)})
	}
	return p
}

// unmeasuredState says that the windows of the primary metrics close and no unit has
// any of them: units and telemetry do not meet.
func unmeasuredState(r *report.Report) *statePart {
	if !r.Unmeasured() {
		return nil
	}
	closed := r.Head.Closed(r.Primary[0].Metric.Window)
	return &statePart{
		Title: "No metric: units come in, but none of them has a primary metric", Class: chart.Withheld,
		Text:   fmt.Sprintf("%s closed, and in none of them was the metric observed. Either the telemetry of these units does not arrive, or it names other units.", plural(closed, "window has", "windows have")),
		Counts: []countPart{{Name: "units exposed", Value: count(r.Head.Units)}, {Name: "windows closed", Value: count(closed)}, {Name: "with a primary metric", Value: "0"}},
		Checklist: []stepPart{
			{Title: "Does telemetry arrive at all?", Text: "The telemetry page shows records a second by player, and what was rejected and why."},
			{Title: "Does it name the same units?", Text: "The unit id of exposures and of heartbeats must be the same text. CMCD names the unit, or a session that an exposure named."},
			{Title: "Do these players observe the metric?", Text: "A player that cannot report stalls has no stall metric. The catalogue says which telemetry tiers each metric needs."},
		},
	}
}

// failedState names the metrics whose numbers could not be computed although there
// are data; the others are shown.
func failedState(r *report.Report) *statePart {
	var failed []string
	for _, rows := range [][]report.Row{r.Primary, r.Guardrails, r.Secondary} {
		for i := range rows {
			row := &rows[i]
			if row.Refusal == nil || !isFailure(row.Refusal.Code) {
				continue
			}
			if line := row.Metric.Name + ": " + tight(row.Refusal.Message); !slices.Contains(failed, line) {
				failed = append(failed, line)
			}
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &statePart{
		Title: plural(len(failed), "metric", "metrics") + " could not be computed", Class: chart.Withheld,
		Text: strings.Join(failed, " ") + " The others are shown, and no number of them is affected.",
	}
}

// isFailure reports whether a refusal means that something is broken, not that it is
// too early.
func isFailure(code string) bool {
	switch code {
	case report.CodeUnknownMetric, string(stats.NonFinite), string(stats.InvalidArgument):
		return true
	}
	return false
}

// staleState says how far results are behind, of an experiment that still runs.
func staleState(h *report.Head) *statePart {
	if h.Status != experiment.StatusRunning || h.Watermark == nil || h.LagSec < int64(report.StaleAfter.Seconds()) {
		return nil
	}
	return &statePart{
		Title: "Stale: results are " + span(h.LagSec) + " behind", Class: chart.Withheld,
		Text: fmt.Sprintf("Nothing that happened since %s is in them; what is shown stays right as of then. Either the metrics job does not run, or it waits for exposures that are not written yet: the telemetry page says which.",
			h.Watermark.UTC().Format(clockFormat)),
	}
}

// openState says what late data may still add, and that it changes nothing else.
func openState(h *report.Head) *statePart {
	if h.Look == 0 || h.Status == experiment.StatusDraft || h.Status == experiment.StatusArchived {
		return nil
	}
	var open int64
	for _, a := range h.Arms {
		open += max(0, a.Exposed-max(a.ClosedDay, 0))
	}
	if open == 0 {
		return nil
	}
	day := metrics.WindowDay
	return &statePart{
		Title: "Still to come: " + plural(open, "unit is", "units are") + " within their window", Class: chart.NotProven, Brief: true,
		Text: fmt.Sprintf("A window of %.0f hours closes %.0f hour later, so that late telemetry is in it. What is counted is never counted again: telemetry that comes even later changes no number here.",
			day.Span().Hours(), day.Grace().Hours()),
	}
}
