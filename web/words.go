package web

import (
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// wording is a state as the page shows it: a word, and the class of its colour.
type wording struct {
	Word  string
	Class chart.State
}

// calm is the class of a thing that is as it should be and wants no attention.
const calm chart.State = "calm"

// rowWording words the state of a row. What is not proven is said to be so, for
// an interval that allows both is not evidence of no effect.
func rowWording(s report.State, role report.Role) wording {
	switch s {
	case report.StateBetter:
		return wording{"Better", chart.Better}
	case report.StateWorse:
		return wording{"Worse", chart.Worse}
	case report.StateChanged:
		return wording{"Changed", chart.Changed}
	case report.StateSafe:
		return wording{"Safe", chart.Better}
	case report.StateHarmed:
		return wording{"Harmed", chart.Worse}
	case report.StateBreached:
		return wording{"Breached", chart.Worse}
	case report.StateUnproven:
		if role == report.RoleGuardrail {
			return wording{"Not yet proven safe", chart.NotProven}
		}
		return wording{"Not proven", chart.NotProven}
	case report.StateUnknown:
	}
	return wording{"Not known yet", chart.NotProven}
}

// verdictWordingOf words the state of a verdict on an experiment of a status: what has
// not begun or is over is told nothing to do.
func verdictWordingOf(status experiment.Status, s report.VerdictState) wording {
	w := verdictWording(s)
	switch status {
	case experiment.StatusDraft:
		if s == report.VerdictCollecting {
			w.Word = "Not launched"
		}
	case experiment.StatusStopped, experiment.StatusArchived:
		if word := overWord(s); word != "" {
			w.Word = word
		}
	case experiment.StatusRunning, experiment.StatusPaused:
	}
	return w
}

// overWord words what came of an experiment that is over; empty: as of one that runs.
func overWord(s report.VerdictState) string {
	switch s {
	case report.VerdictCollecting:
		return "Nothing was learnt"
	case report.VerdictKeepRunning:
		return "Not decided"
	case report.VerdictShip:
		return "↑ It helped"
	case report.VerdictRollBack:
		return "↓ It hurt"
	case report.VerdictHold:
		return "A segment is harmed"
	case report.VerdictStopNoEffect:
		return "No effect worth having"
	case report.VerdictUntrustworthy, report.VerdictProgrammeGain, report.VerdictProgrammeLoss, report.VerdictProgrammeMixed, report.VerdictProgrammeNoGain:
	}
	return ""
}

// verdictWording words the state of a verdict.
func verdictWording(s report.VerdictState) wording {
	switch s {
	case report.VerdictKeepRunning:
		return wording{"Keep running", chart.NotProven}
	case report.VerdictShip:
		return wording{"↑ Ship", chart.Better}
	case report.VerdictHold:
		return wording{"Hold: a segment is harmed", chart.Worse}
	case report.VerdictRollBack:
		return wording{"↓ Roll back", chart.Worse}
	case report.VerdictStopNoEffect:
		return wording{"Stop: no effect worth having", chart.NotProven}
	case report.VerdictUntrustworthy:
		return wording{"Verdict withheld", chart.Withheld}
	case report.VerdictProgrammeGain:
		return wording{"↑ The programme gained", chart.Better}
	case report.VerdictProgrammeLoss:
		return wording{"↓ The programme lost", chart.Worse}
	case report.VerdictProgrammeMixed:
		return wording{"↕ The programme gained and lost", chart.Worse}
	case report.VerdictProgrammeNoGain:
		return wording{"The programme gained nothing worth having", chart.NotProven}
	case report.VerdictCollecting:
	}
	return wording{"Collecting", chart.NotProven}
}

// checkWording words the state of a trust check.
func checkWording(s report.CheckState) wording {
	switch s {
	case report.CheckOK:
		return wording{"ok", calm}
	case report.CheckWarn:
		return wording{"look at this", chart.Withheld}
	case report.CheckFail:
		return wording{"broken", chart.Withheld}
	case report.CheckUnknown:
	}
	return wording{"not known yet", chart.NotProven}
}

// health is the worst of the checks in one word. Before the first look there is
// nothing that could be healthy.
func health(r *report.Report) wording {
	worst := wording{"No data yet", chart.NotProven}
	for _, c := range r.Trust {
		switch c.State {
		case report.CheckFail:
			return wording{"Broken: " + c.Title, chart.Withheld}
		case report.CheckWarn:
			if worst.Class != chart.Withheld {
				worst = wording{"Look at: " + c.Title, chart.Withheld}
			}
		case report.CheckOK:
			if worst.Class != chart.Withheld && r.Head.Look > 0 {
				worst = wording{"Healthy", calm}
			}
		case report.CheckUnknown:
		}
	}
	return worst
}

// metMark words whether a clause of the rule holds.
func metMark(m report.Met) string {
	switch m {
	case report.MetYes:
		return "✓ holds"
	case report.MetNo:
		return "✗ does not hold"
	case report.MetUnknown:
	}
	return "… not known yet"
}

// designWord names a design for people.
func designWord(d experiment.Design) string {
	switch d {
	case experiment.DesignAB:
		return "A/B"
	case experiment.DesignCluster:
		return "Cluster"
	case experiment.DesignSwitchback:
		return "Switchback"
	case experiment.DesignTwoSided:
		return "Two-sided"
	case experiment.DesignRelease:
		return "Release"
	}
	return string(d)
}

// statusWord names a status for people.
func statusWord(s experiment.Status) string {
	switch s {
	case experiment.StatusDraft:
		return "Draft"
	case experiment.StatusRunning:
		return "Running"
	case experiment.StatusPaused:
		return "Paused"
	case experiment.StatusStopped:
		return "Stopped"
	case experiment.StatusArchived:
		return "Archived"
	}
	return string(s)
}
