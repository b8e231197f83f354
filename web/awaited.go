package web

import (
	"fmt"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// statePart says why there is not (or no more) to see, and what is awaited.
type statePart struct {
	Title, Text string
	Checklist   []stepPart // what to check, in order
	Counts      []countPart
	Class       chart.State
	Brief       bool // a note, not a panel
}

// stepPart is one step of a checklist.
type stepPart struct{ Title, Text, Code string }

// countPart is one live number.
type countPart struct{ Name, Value string }

// newState returns what is awaited or why nothing more comes; nil for a report
// of a running experiment that has looks.
func newState(r *report.Report) *statePart {
	h := &r.Head
	switch {
	case h.Status == experiment.StatusDraft && h.StartAt != nil && h.StartAt.After(h.BuiltAt):
		return scheduledState(h)
	case h.Status == experiment.StatusDraft:
		return &statePart{
			Title: "This experiment is a draft", Class: chart.NotProven,
			Text: "Nobody is assigned yet. Set status: running in its document and apply it: the plan is hashed at that moment and cannot be edited unseen afterwards.",
		}
	case h.Status == experiment.StatusPaused:
		return &statePart{
			Title: "Paused", Class: chart.NotProven,
			Text: "New units get no arm while an experiment is paused. Units that were exposed before still complete their windows, so the numbers may move for a while.",
		}
	case h.Status == experiment.StatusStopped || h.Status == experiment.StatusArchived:
		return stoppedState(h)
	case h.Units == 0:
		return unexposedState(h)
	case h.Look == 0:
		return collectingState(h)
	}
	return nil
}

// stoppedState says what is served now.
func stoppedState(h *report.Head) *statePart {
	p := &statePart{Title: statusWord(h.Status), Class: chart.NotProven}
	if h.ShippedArm != "" {
		p.Title += ": " + armLabel(h, h.ShippedArm) + " ships"
		p.Text = fmt.Sprintf("Every unit is served the arm %q, except those that are held out. The report stays as it was at the last look.", h.ShippedArm)
		return p
	}
	p.Text = "No unit is assigned any more. The report stays as it was at the last look."
	return p
}

// unexposedState leads along the way of an exposure, for the first step that
// does not happen is the cause.
func unexposedState(h *report.Head) *statePart {
	return &statePart{
		Title: "Waiting for the first exposure", Class: chart.NotProven,
		Text: "The experiment runs, but no unit has met it yet. Follow the way of an exposure; the first step that fails is the cause.",
		Checklist: []stepPart{
			{
				Title: "A service asks for the flag",
				Text:  "The answer must have the reason SPLIT. STATIC means that the unit is outside the audience or the slots, DISABLED that the experiment is paused, UNKNOWN that the request names no unit.",
				Code:  fmt.Sprintf("curl -s $SPLITCAST_SERVER/ofrep/v1/evaluate/flags/%s \\\n  -H \"Authorization: Bearer $SPLITCAST_TOKEN\" -H 'Content-Type: application/json' \\\n  -d '{\"context\": {\"targetingKey\": \"viewer-1\"}}'", h.Key),
			},
			{
				Title: "The exposure is logged",
				Text:  "A single evaluation logs it. A bulk evaluation does not, for it is a prefetch: the client posts to /v1/exposures at the moment of use.",
			},
			{
				Title: "Telemetry carries the same unit id",
				Text:  "Heartbeats name the unit, CMCD names it or a session that the exposure named. Otherwise units are exposed but their outcomes stay empty.",
			},
		},
	}
}

// collectingState says when the first look may be expected.
func collectingState(h *report.Head) *statePart {
	wait := metrics.WindowFirst.Span() + metrics.WindowFirst.Grace()
	p := &statePart{
		Title: "Collecting: no window has closed yet", Class: chart.NotProven,
		Text: fmt.Sprintf("A unit counts once, when its window closes: %.0f minutes after its exposure for start metrics, %.0f hours for the others. The first look follows within a minute of the first closed window.",
			wait.Minutes(), (metrics.WindowDay.Span() + metrics.WindowDay.Grace()).Hours()),
	}
	for _, a := range h.Arms {
		p.Counts = append(p.Counts, countPart{Name: "exposed in " + a.Label(), Value: count(a.Exposed)})
	}
	return p
}
