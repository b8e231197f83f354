package web

import (
	"slices"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
)

// The fields of the form that decides.
const (
	ParamAction = "action"
	ParamReason = "reason"
)

// The actions that the form asks for: a status to go to, or one of these.
const (
	ActionLaunch  = "launch"
	ActionPause   = "pause"
	ActionResume  = "resume"
	ActionStop    = "stop"
	ActionShip    = "ship"
	ActionRemove  = "remove"
	ActionRestart = "restart"
	ActionArchive = "archive"
)

// decidePart is the drawer of decisions: what may be done with the experiment now.
type decidePart struct {
	Base      string
	Decisions []decision
	Open      bool
}

// decision is one form.
type decision struct {
	Action, Title, Text, Button string
	Arms                        []option // to choose from; none: no choice
	Main                        bool     // what the verdict speaks for
	Warning                     string   // what the verdict says against it
	Elsewhere                   string   // address that the form posts to without a reason; empty: Base
	Ask                         string   // address that asks for a review of it; empty: it needs none
	// What was sent and not accepted, and why; Error is of no field.
	Reason, ReasonError, ArmError, Error string
}

// reviewed are the actions that a second person approves, where launches need one.
func reviewed(action string) (experiment.ReviewAction, bool) {
	switch action {
	case ActionLaunch:
		return experiment.ReviewLaunch, true
	case ActionShip:
		return experiment.ReviewShip, true
	case ActionRestart:
		return experiment.ReviewRestart, true
	}
	return "", false
}

// review lets decisions that need a second person ask for one. What somebody was
// asked about goes on where the review stands, but for another arm to ship.
func (p *decidePart) review(v *ReviewView) {
	if p == nil || v == nil {
		return
	}
	p.Decisions = slices.DeleteFunc(p.Decisions, func(d decision) bool {
		action, needed := reviewed(d.Action)
		return needed && action != experiment.ReviewShip && v.asked(action)
	})
	for i := range p.Decisions {
		d := &p.Decisions[i]
		if _, needed := reviewed(d.Action); needed {
			d.Ask, d.Button = v.Base, "Ask for a review"
			d.Text += " Another person approves it first."
			if r := v.latest(); r != nil && r.State.Open() {
				d.Text += " The review that is open is void then."
			}
		}
	}
}

// anchor returns the address, on the page, of the form that the verdict speaks for. A
// browser opens the drawer that holds it. It is empty when there is none.
func (p *decidePart) anchor() string {
	if p == nil {
		return ""
	}
	for _, d := range p.Decisions {
		if d.Main {
			return "#why-" + d.Action
		}
	}
	return ""
}

// newDecide lists what may be done, most likely first. nil: nothing.
func newDecide(r *report.Report, base string) *decidePart {
	if base == "" {
		return nil
	}
	p := &decidePart{Base: base}
	h := &r.Head
	add := func(d decision) { p.Decisions = append(p.Decisions, d) }
	switch h.Status {
	case experiment.StatusDraft:
		p.Open = true
		add(decision{
			Action: ActionLaunch, Title: "Launch", Button: "Launch", Main: true,
			Text: "Units are assigned within a second. The plan is hashed now: a later change makes a new version, and both stay visible.",
		})
	case experiment.StatusRunning:
		add(shipDecision(r))
		add(stopDecision(r))
		add(decision{
			Action: ActionPause, Title: "Pause", Button: "Pause",
			Text: "Everyone gets control's value until it is resumed. Outcomes of units that were exposed still come in.",
		})
		add(restartDecision())
	case experiment.StatusPaused:
		add(decision{Action: ActionResume, Title: "Resume", Button: "Resume", Main: true, Text: "Units get the arms that they had."})
		add(shipDecision(r))
		add(stopDecision(r))
	case experiment.StatusStopped:
		if h.ShippedArm != "" {
			add(decision{
				Action: ActionRemove, Title: "Take back", Button: "Serve control", Text: "Everyone gets control's value instead of the shipped arm.",
			})
		} else {
			add(shipDecision(r))
		}
		add(restartDecision())
		add(archiveDecision())
	case experiment.StatusArchived:
		return nil
	}
	if h.Status == experiment.StatusDraft {
		add(decision{
			Title: "Change", Button: "Open the wizard", Elsewhere: base + EditPath,
			Text: "Metrics, audience, size and traffic, with what follows from them. It stays this experiment.",
		})
		add(archiveDecision())
	}
	if h.MeasuresHoldout != "" {
		p.Decisions = programmeDecisions(p.Decisions, h.MeasuresHoldout)
	}
	return p
}

// programmeDecisions are those of an experiment that measures a holdout. Its arms are
// the holdout's units, whatever comes of it: nothing is shipped or drawn again, and no
// verdict of it speaks for stopping.
func programmeDecisions(all []decision, holdout string) []decision {
	all = slices.DeleteFunc(all, func(d decision) bool { return d.Action == ActionShip || d.Action == ActionRestart })
	for i := range all {
		switch d := &all[i]; d.Action {
		case ActionStop:
			d.Title, d.Button, d.Main = "Stop measuring", "Stop measuring", false // no verdict asks for it
			d.Text = "Nobody new is measured, and what ran and shipped is served as before. What was measured stays, and holdout " + holdout + " may then change its size or end."
		case ActionPause:
			d.Text = "Nobody new is measured until it is resumed, and what ran and shipped is served as before. Outcomes of units that were exposed still come in."
		case ActionResume:
			d.Text, d.Main = "New units are measured again.", false
		}
	}
	return all
}

// shipDecision offers the arm that the verdict is about.
func shipDecision(r *report.Report) decision {
	d := decision{
		Action: ActionShip, Title: "Ship", Button: "Ship to everyone", Main: r.Verdict.State == report.VerdictShip,
		Text: "Stops the experiment and serves one arm to every unit of its type, whatever its audience; held-out units keep control.",
	}
	if !d.Main {
		d.Warning = "The rule says: " + verdictWordingOf(r.Head.Status, r.Verdict.State).Word + "."
	}
	best := r.Verdict.Arm
	for i := range r.Head.Arms {
		a := &r.Head.Arms[i]
		if a.Dropped {
			continue
		}
		d.Arms = append(d.Arms, option{Value: a.Key, Text: armLabel(&r.Head, a.Key), Selected: a.Key == best || best == "" && i == 1})
	}
	return d
}

func stopDecision(r *report.Report) decision {
	return decision{
		Action: ActionStop, Title: "Stop", Button: "Stop", Main: r.Verdict.State == report.VerdictRollBack || r.Verdict.State == report.VerdictStopNoEffect,
		Text: "Everyone gets control's value, for good. What was learnt stays; a restart would draw every unit again.",
	}
}

func restartDecision() decision {
	return decision{
		Action: ActionRestart, Title: "Restart", Button: "Restart",
		Text: "Draws every unit again with a new salt, as a new version. Do it when the split was broken and the cause is mended.",
	}
}

func archiveDecision() decision {
	return decision{Action: ActionArchive, Title: "Archive", Button: "Archive", Text: "Takes it off the list. Nothing is deleted."}
}
