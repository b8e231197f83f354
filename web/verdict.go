package web

import (
	"fmt"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// verdictPart is the strip at the top.
type verdictPart struct {
	State      wording
	Sentence   string
	Glance     []glancePart
	Action     string
	Decide     string // leads to the form that does what the rule speaks for; empty: none
	Reasons    []reasonPart
	Rule       string           // sums the reasons up
	Arms       []armVerdictPart // the other treatments
	DataAsOf   stamp
	Lag        string
	Look       string
	Units      string
	Planned    string
	Progress   float64
	Percent    string
	PlanHash   string
	PlanFull   string
	PlanIntact bool
	End        string
	Looks      *plannedPart // nil: the plan has no planned looks
}

// reasonPart is one clause of the rule.
type reasonPart struct {
	Mark, Text string
	Class      chart.State
}

// armVerdictPart is the verdict on one of several treatments.
type armVerdictPart struct {
	Sentence string
	State    wording
}

// newVerdict prepares the strip.
func newVerdict(r *report.Report) verdictPart {
	h := &r.Head
	p := verdictPart{
		State: verdictWordingOf(h.Status, r.Verdict.State), Sentence: tight(r.Verdict.Sentence), Action: tight(r.Verdict.Action),
		DataAsOf: newStamp(h.Watermark, clockFormat), Lag: span(h.LagSec),
		Units: count(h.Units), Planned: count(h.NOpt), Progress: min(1, h.Progress), Percent: wholePct(h.Progress),
		PlanHash: shortHash(h.PlanHash), PlanFull: h.PlanHash, PlanIntact: h.PlanIntact,
		Looks: newPlanned(r), Glance: newGlance(r),
	}
	if h.Look > 0 {
		p.Look = count(h.Look)
	}
	if h.End != nil {
		p.End = h.End.Format(dayFormat)
	}
	holds := 0
	for _, c := range r.Verdict.Reasons {
		class := chart.NotProven
		if c.Met == report.MetYes {
			class = calm
			holds++
		}
		p.Reasons = append(p.Reasons, reasonPart{Mark: metMark(c.Met), Text: tight(c.Text), Class: class})
	}
	p.Rule = fmt.Sprintf("The rule: %d of %s", holds, plural(len(p.Reasons), "clause holds", "clauses hold"))
	if r.Verdict.State == report.VerdictUntrustworthy {
		p.Rule = "What is broken"
	}
	if len(r.Verdict.Arms) > 1 {
		p.Rule = strings.Replace(p.Rule, ":", " for "+armLabel(h, r.Verdict.Arm)+":", 1)
		for _, a := range r.Verdict.Arms {
			if a.Arm != r.Verdict.Arm { // whose sentence is that of the verdict
				p.Arms = append(p.Arms, newArmVerdict(a, armLabel(h, a.Arm), h.Status))
			}
		}
	}
	return p
}

// newArmVerdict prepares the verdict on one arm; its sentence names the arm.
func newArmVerdict(a report.ArmVerdict, label string, status experiment.Status) armVerdictPart {
	sentence := tight(a.Sentence)
	if !strings.Contains(sentence, label) {
		sentence = label + ": " + sentence
	}
	return armVerdictPart{Sentence: sentence, State: verdictWordingOf(status, a.State)}
}

// armLabel returns the name of an arm by its key.
func armLabel(h *report.Head, key string) string {
	for _, a := range h.Arms {
		if a.Key == key {
			return a.Label()
		}
	}
	return key
}
