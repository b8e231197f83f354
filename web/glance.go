package web

import (
	"fmt"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// glancePart answers one of the questions with which a reader comes, in a word and a
// line, and leads to where it is told at length.
type glancePart struct {
	Question, URL string
	Word, Text    string
	Class         chart.State
}

// newGlance answers whether the report can be trusted, whether anybody is hurt and
// whether it helped, of the arm that decided the verdict; nil before the first look.
func newGlance(r *report.Report) []glancePart {
	if r.Head.Look == 0 {
		return nil
	}
	out := []glancePart{glanceTrust(r.Trust), glanceHarm(r), glanceHelp(r)}
	if r.Verdict.State == report.VerdictUntrustworthy {
		for i := range out[1:] {
			out[1+i].Word, out[1+i].Text, out[1+i].Class = "Not said", "while the data are not trusted", chart.Withheld
		}
	}
	return out
}

// glanceTrust counts the checks.
func glanceTrust(checks []report.Check) glancePart {
	p := glancePart{Question: "Can I trust it?", URL: "#trust", Class: chart.Withheld}
	titles := make(map[report.CheckState][]string)
	for _, c := range checks {
		titles[c.State] = append(titles[c.State], c.Title)
	}
	ok := len(titles[report.CheckOK])
	switch {
	case len(titles[report.CheckFail]) > 0:
		p.Word, p.Text = "No", "broken: "+firstNames(titles[report.CheckFail])
	case len(titles[report.CheckWarn]) > 0:
		p.Word, p.Text = "Look first", "at: "+firstNames(titles[report.CheckWarn])
	case ok == len(checks):
		p.Word, p.Text, p.Class = "Yes", fmt.Sprintf("all %d checks hold", ok), calm
	default:
		p.Word, p.Text, p.Class = "So far", fmt.Sprintf("%d of %d checks hold, the others are not known yet", ok, len(checks)), chart.NotProven
	}
	return p
}

// glanceHarm sums the guardrails and segments up.
func glanceHarm(r *report.Report) glancePart {
	p := glancePart{Question: "Is anyone hurt?", URL: "#harm", Class: chart.NotProven}
	rows := rowsOf(r.Guardrails, r.Verdict.Arm)
	safe := namesIn(rows, report.StateSafe)
	harmed := append(namesIn(rows, report.StateBreached, report.StateHarmed), namesIn(rowsOf(r.Primary, r.Verdict.Arm), report.StateWorse)...)
	segment := ""
	for i := range r.Segments.Rows {
		if s := &r.Segments.Rows[i]; s.Flagged && s.ArmKey == r.Verdict.Arm && rowWording(s.State, s.Role).Class == chart.Worse {
			segment = dimensionWord(s.Dimension) + " " + s.Value
			break
		}
	}
	switch {
	case len(harmed) > 0:
		p.Word, p.Text, p.Class = "Yes", firstNames(harmed), chart.Worse
	case segment != "":
		p.Word, p.Text, p.Class, p.URL = "In a part", segment, chart.Worse, "#where"
	case len(rows) == 0:
		p.Word, p.Text, p.URL = "Not known", "no guardrail was planned", "#benefit"
	case len(safe) == len(rows):
		p.Word, p.Text, p.Class = "No", plural(len(rows), "guardrail", "guardrails")+" proven within the margin", chart.Better
	default:
		p.Word, p.Text = "Not proven yet", fmt.Sprintf("%d of %s proven within the margin", len(safe), plural(len(rows), "guardrail", "guardrails"))
	}
	return p
}

// glanceHelp sums the primary metrics up.
func glanceHelp(r *report.Report) glancePart {
	p := glancePart{Question: "Did it help?", URL: "#benefit", Class: chart.NotProven}
	rows := rowsOf(r.Primary, r.Verdict.Arm)
	worse := namesIn(rows, report.StateWorse)
	better := namesIn(rows, report.StateBetter)
	switch {
	case len(worse) > 0:
		p.Word, p.Text, p.Class = "No", "worse: "+firstNames(worse), chart.Worse
	case len(better) > 0:
		p.Word, p.Text, p.Class = "Yes", firstNames(better), chart.Better
	case r.Verdict.State == report.VerdictStopNoEffect || r.Verdict.State == report.VerdictProgrammeNoGain:
		p.Word, p.Text = "Not enough", "an effect of "+share(r.Head.MDE)+" is not to be expected any more"
	case len(namesIn(rows, report.StateUnknown)) == len(rows):
		p.Word, p.Text = "Not known yet", "no interval of a primary metric yet"
	default:
		p.Word, p.Text = "Not proven", "the intervals allow both"
	}
	return p
}

// rowsOf returns the rows of an arm, in their order.
func rowsOf(rows []report.Row, arm string) []*report.Row {
	var out []*report.Row
	for i := range rows {
		if rows[i].ArmKey == arm {
			out = append(out, &rows[i])
		}
	}
	return out
}

// namesIn returns the names of the rows in one of the states, with their change.
func namesIn(rows []*report.Row, states ...report.State) []string {
	var out []string
	for _, r := range rows {
		if !slices.Contains(states, r.State) {
			continue
		}
		name := r.Metric.Name
		switch {
		case r.GroupSequential != nil && r.GroupSequential.Interval != nil:
			name += " " + tight(r.GroupSequential.Interval.Text)
		case r.Effect != nil:
			name += " " + tight(r.Effect.Text)
		}
		out = append(out, name)
	}
	return out
}

// maxGlanced bounds the names of one line.
const maxGlanced = 2

// firstNames lists the first names, and how many more there are.
func firstNames(names []string) string {
	if more := len(names) - maxGlanced; more > 0 {
		return strings.Join(names[:maxGlanced], ", ") + ", " + count(more) + " more"
	}
	return strings.Join(names, ", ")
}
