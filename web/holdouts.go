package web

import (
	"fmt"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
)

// HoldoutView is a holdout with who honours it, and what was measured by it.
type HoldoutView struct {
	Key      string
	Unit     experiment.UnitType
	Slots    int // of experiment.TotalSlots
	Ended    bool
	Honours  []Link // running and paused experiments on its units
	Ignores  []HoldoutIgnored
	Measures []HoldoutMeasure
}

// HoldoutIgnored is an experiment that takes held-out units nevertheless.
type HoldoutIgnored struct {
	Link
	Reason string
}

// HoldoutMeasure is an experiment that measures the holdout.
type HoldoutMeasure struct {
	Link
	Report *report.Report
}

// programmeHoldout is a holdout ready for the template.
type programmeHoldout struct {
	Key, Size, State string
	Honours          []Link
	Ignores          []HoldoutIgnored
	Measures         []programmeMeasure
	Document         string // that measures it; empty: it has ended, or is measured
}

// programmeMeasure is the effect of the programme, as one experiment measured it.
type programmeMeasure struct {
	Link
	Since                 stamp
	Status, Units         string
	Metric                string // empty: nothing was looked at yet
	Held, Others          string
	Lift, Range, Withheld string
	State                 wording
}

func newProgrammeHoldout(h *HoldoutView) programmeHoldout {
	out := programmeHoldout{
		Key: h.Key, Size: slotShare(h.Slots) + " of all " + string(h.Unit) + "s", State: "in force", Honours: h.Honours, Ignores: h.Ignores,
	}
	for _, m := range h.Measures {
		out.Measures = append(out.Measures, newProgrammeMeasure(m))
	}
	switch {
	case h.Ended:
		out.State = "ended"
	case len(h.Measures) == 0:
		out.Document = measureDocument(h)
	}
	return out
}

func newProgrammeMeasure(m HoldoutMeasure) programmeMeasure {
	r := m.Report
	out := programmeMeasure{
		Link: m.Link, Since: newStamp(r.Head.StartedAt, listFormat), Status: statusWord(r.Head.Status),
		Units: plural(r.Head.Units, string(r.Head.Unit), string(r.Head.Unit)+"s"),
	}
	if len(r.Primary) == 0 || r.Head.Look == 0 {
		return out
	}
	row := &r.Primary[0]
	withheld := r.Verdict.State == report.VerdictUntrustworthy
	out.Metric, out.State = row.Metric.Name, stateOf(row, withheld)
	switch {
	case withheld:
		out.Withheld = r.Verdict.Sentence
	case row.Effect == nil:
		if row.Refusal != nil {
			out.Withheld = tight(row.Refusal.Message)
		}
	default:
		out.Held, out.Others = row.Control.Text, row.Treatment.Text
		out.Lift, out.Range = tight(row.Effect.Text), tight(row.Effect.Range)
	}
	return out
}

// measureDocument is an experiment that measures the holdout, to begin with.
func measureDocument(h *HoldoutView) string {
	metric := "bitrate"
	if h.Unit == experiment.UnitViewer {
		metric = "watch_hours_per_viewer"
	}
	return fmt.Sprintf(`experiments:
  - key: %[1]s-measured
    unit: %[2]s
    measures_holdout: %[1]s
    arms:
      - {key: held-out, weight: %[3]d, value: false}
      - {key: programme, weight: %[4]d, value: true}
    plan: {primary: [%[5]s], units: 100000}
    status: running
`, h.Key, h.Unit, h.Slots, experiment.TotalSlots-h.Slots, metric)
}
