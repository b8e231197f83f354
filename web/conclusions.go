package web

import (
	"cmp"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// ConclusionsView is the library of what was learnt.
type ConclusionsView struct {
	Chrome
	Base        string // path of this page
	Query       string
	Conclusions []Conclusion // those found, the last stopped first
	Limit       int          // how many are shown at most
	Programme   string       // address of the page that counts them
}

// Conclusion is what an experiment was found to do when it was stopped, and what
// was decided.
type Conclusion struct {
	Key, Name, URL string // of the report of now
	FrozenURL      string // of the report as of Look; empty: it cannot be shown any more
	Version        int
	Hypothesis     string
	Owner          string
	Unit           experiment.UnitType
	Design         experiment.Design
	Verdict        report.VerdictState
	Sentence       string
	Look           int // 0: there was none
	LookedAt       *time.Time
	Shipped        string // the arm; empty: none was
	Removed        bool   // it was taken back
	DecidedAt      time.Time
	DecidedBy      string
	Reasons        []string
	Findings       []Finding
}

// Finding is one metric of one arm at the look of the stop.
type Finding struct {
	Metric, Name string
	Role         report.Role
	Direction    int
	Arm, ArmName string
	State        report.State
	Known        bool // the numbers below are there
	Estimate     float64
	Lower, Upper float64 // fractions of control, valid at every look
	SE           float64 // of the logarithm of the ratio
	Text, Range  string
	Units        int64
}

// Outcome is what became of an experiment.
type Outcome string

// The outcomes.
const (
	OutcomeShipped  Outcome = "shipped"
	OutcomeRemoved  Outcome = "removed" // shipped, and taken back
	OutcomeHarmful  Outcome = "harmful" // not shipped, proven to hurt
	OutcomeNoEffect Outcome = "no_effect"
	OutcomeOpen     Outcome = "open"     // not shipped, nothing was proven
	OutcomeVoid     Outcome = "void"     // no look, or none that can be trusted
	OutcomeMeasured Outcome = "measured" // it compared a holdout with all that shipped, itself nothing to ship
)

// Outcome returns what became of the experiment. What was shipped was shipped,
// whatever the numbers said.
func (c *Conclusion) Outcome() Outcome {
	switch {
	case c.Removed:
		return OutcomeRemoved
	case c.Shipped != "":
		return OutcomeShipped
	case c.Look == 0 || !c.trusted():
		return OutcomeVoid
	case c.Verdict.OfProgramme():
		return OutcomeMeasured
	case c.Verdict == report.VerdictRollBack:
		return OutcomeHarmful
	case c.Verdict == report.VerdictStopNoEffect:
		return OutcomeNoEffect
	}
	return OutcomeOpen
}

// trusted reports whether the numbers may be shown.
func (c *Conclusion) trusted() bool { return c.Verdict != report.VerdictUntrustworthy }

// leading returns the primary finding of the arm that was shipped, or the first
// of those whose numbers are known; nil when there is none that can be shown.
func (c *Conclusion) leading() *Finding {
	if !c.trusted() {
		return nil
	}
	var first *Finding
	for i := range c.Findings {
		f := &c.Findings[i]
		if f.Role != report.RolePrimary || !f.Known {
			continue
		}
		if f.Arm == c.Shipped {
			return f
		}
		if first == nil {
			first = f
		}
	}
	return first
}

// facing returns the numbers turned so that more is better.
func (f *Finding) facing() report.Band {
	return report.Band{Estimate: f.Estimate, Lower: f.Lower, Upper: f.Upper}.Facing(f.Direction)
}

// moved reports whether the finding proves a difference from control.
func (f *Finding) moved() bool {
	switch f.State {
	case report.StateBetter, report.StateWorse, report.StateChanged, report.StateHarmed, report.StateBreached:
		return true
	case report.StateUnknown, report.StateUnproven, report.StateSafe:
	}
	return false
}

// outcomeWording words an outcome.
func outcomeWording(o Outcome, arm string) wording {
	switch o {
	case OutcomeShipped:
		return wording{"Shipped " + arm, chart.Better}
	case OutcomeRemoved:
		return wording{"Shipped " + arm + ", then removed", chart.Worse}
	case OutcomeHarmful:
		return wording{"Stopped: it hurt", chart.Worse}
	case OutcomeNoEffect:
		return wording{"Stopped: no effect worth having", chart.NotProven}
	case OutcomeVoid:
		return wording{"Stopped: nothing can be said", chart.Withheld}
	case OutcomeMeasured:
		return wording{"Measured the programme", chart.NotProven}
	case OutcomeOpen:
	}
	return wording{"Stopped: not proven", chart.NotProven}
}

// conclusionsPage is the library ready for the template.
type conclusionsPage struct {
	Chrome
	Base, Query, Programme string
	Shown                  string
	Full                   bool // more may have been found than are shown
	Axis                   template.HTML
	Conclusions            []conclusionCard
}

type conclusionCard struct {
	Name, Key, URL, Hypothesis, Facts string
	Outcome                           wording
	Against                           string // shipped although the verdict said otherwise
	Verdict                           wording
	Sentence                          string
	Decided                           stamp
	By                                string
	Reasons                           []string
	Primary                           []conclusionRow
	Others                            []conclusionRow // further metrics that moved
	Look, FrozenURL                   string
	LookedAt                          stamp
}

type conclusionRow struct {
	Name, Arm, Text, Range string
	State                  wording
	Chart                  template.HTML
}

// maxCardRows bounds the charts of one card, so that those of a page are within
// what a forest draws.
const maxCardRows = 4

func newConclusionsPage(v ConclusionsView) (conclusionsPage, error) {
	p := conclusionsPage{Chrome: v.Chrome, Base: v.Base, Query: v.Query, Programme: v.Programme, Full: v.Limit > 0 && len(v.Conclusions) >= v.Limit}
	p.Shown = plural(len(v.Conclusions), "conclusion", "conclusions")
	if p.Full {
		p.Shown = "The newest " + p.Shown
	}
	var rows []chart.Row
	type place struct{ card, row int }
	var places []place
	for i := range v.Conclusions {
		c := &v.Conclusions[i]
		card := newConclusionCard(c)
		for j := range c.Findings {
			f := &c.Findings[j]
			switch {
			case !c.trusted():
			case f.Role == report.RolePrimary && len(card.Primary) < maxCardRows:
				card.Primary = append(card.Primary, newConclusionRow(f, len(c.arms()) > 1))
				if f.Known && len(rows) < chart.MaxRows {
					rows, places = append(rows, findingRow(f)), append(places, place{i, len(card.Primary) - 1})
				}
			case f.Role != report.RolePrimary && f.moved():
				card.Others = append(card.Others, newConclusionRow(f, len(c.arms()) > 1))
			}
		}
		p.Conclusions = append(p.Conclusions, card)
	}
	forest, err := chart.NewForest(rows)
	if err != nil {
		return p, fmt.Errorf("draw conclusions: %w", err)
	}
	if len(rows) > 0 {
		p.Axis = template.HTML(forest.Axis()) //nolint:gosec // drawn by package chart, which escapes every text
	}
	for i, at := range places {
		p.Conclusions[at.card].Primary[at.row].Chart = template.HTML(forest.Row(i)) //nolint:gosec // as above
	}
	return p, nil
}

// arms returns the arms with findings.
func (c *Conclusion) arms() map[string]bool {
	out := map[string]bool{}
	for i := range c.Findings {
		out[c.Findings[i].Arm] = true
	}
	return out
}

func newConclusionCard(c *Conclusion) conclusionCard {
	o := c.Outcome()
	card := conclusionCard{
		Name: cmp.Or(c.Name, c.Key), Key: c.Key, URL: c.URL, Hypothesis: c.Hypothesis,
		Facts:   designWord(c.Design) + " · " + string(c.Unit),
		Outcome: outcomeWording(o, c.Shipped), Verdict: verdictWording(c.Verdict), Sentence: tight(c.Sentence),
		Decided: newStamp(&c.DecidedAt, dayFormat), By: c.DecidedBy, Reasons: c.Reasons,
		Look: "no look", FrozenURL: c.FrozenURL, LookedAt: newStamp(c.LookedAt, clockFormat),
	}
	if c.Owner != "" {
		card.Facts += " · " + c.Owner
	}
	if c.Version > 1 {
		card.Facts += " · version " + count(c.Version)
	}
	if c.Look > 0 {
		card.Look = "look " + count(c.Look)
	}
	if c.Shipped != "" && c.Verdict != report.VerdictShip {
		card.Against = "The verdict was: " + verdictWording(c.Verdict).Word
	}
	return card
}

func newConclusionRow(f *Finding, arms bool) conclusionRow {
	row := conclusionRow{Name: f.Name, Text: tight(f.Text), Range: tight(f.Range), State: rowWording(f.State, f.Role)}
	if arms {
		row.Arm = cmp.Or(f.ArmName, f.Arm)
	}
	if !f.Known {
		row.Range = "no numbers at this look"
	}
	return row
}

// findingRow is a finding as a forest draws it.
func findingRow(f *Finding) chart.Row {
	b, state := f.facing(), rowWording(f.State, f.Role)
	return chart.Row{
		Words: f.Name + ": " + f.Text + ", " + f.Range + " at any look; " + strings.ToLower(state.Word),
		State: state.Class, Estimate: &b.Estimate, Anytime: &chart.Interval{Lo: b.Lower, Hi: b.Upper},
		LoText: signedPct(b.Lower, 1), HiText: signedPct(b.Upper, 1),
	}
}
