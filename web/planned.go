package web

import (
	"slices"
	"strconv"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// plannedPart is how far the planned looks of a group-sequential plan are.
type plannedPart struct {
	Taken string // "4 of 5"
	Next  stamp  // empty after the last
	Bars  []barPart
}

// barPart is a share for a bar and in words.
type barPart struct{ Value, Text string }

// newBar prepares a bar with what it is a share of.
func newBar(fraction float64, of string) barPart {
	return barPart{strconv.FormatFloat(min(1, fraction), 'f', 3, 64), wholePct(fraction) + of}
}

// newPlanned prepares the schedule; nil for a plan without planned looks. Shares
// are those of the first primary metric, at its last planned look.
func newPlanned(r *report.Report) *plannedPart {
	looks := r.Head.PlannedLooks
	if looks == nil {
		return nil
	}
	taken := 0
	if n := len(looks.Taken); n > 0 {
		taken = looks.Taken[n-1].Planned
	}
	p := &plannedPart{Taken: count(taken) + " of " + count(looks.Of), Next: newStamp(looks.NextAt, clockFormat)}
	for i := range r.Primary {
		if g := r.Primary[i].GroupSequential; g != nil && g.Interval != nil {
			spent := g.Interval.AlphaSpent / r.Primary[i].Explain.Alpha
			p.Bars = []barPart{
				newBar(g.Interval.Information, " of the planned information"), newBar(spent, " of alpha spent"),
			}
			break
		}
	}
	return p
}

// crowdedPlanned is how many planned looks a page lists whose rows leave little room.
const crowdedPlanned = 5

// plannedRow is one planned look in the table beneath the funnel.
type plannedRow struct {
	Planned, Look, URL string
	At, N, Information string
	Lift, Lower, Upper string
	Bound, Spent       string
	State              wording
}

// plannedRows lists the planned looks of a row.
func plannedRows(r *report.Row, links linker, withheld bool) []plannedRow {
	if r.GroupSequential == nil {
		return nil
	}
	var out []plannedRow
	decimals := 2
	if r.Effect != nil {
		decimals = r.Effect.Decimals
	}
	for i := range r.GroupSequential.Looks {
		l := &r.GroupSequential.Looks[i]
		state := stateOf(&report.Row{State: l.State, Role: r.Role}, withheld)
		out = append(out, plannedRow{
			Planned: count(l.Planned) + " of " + count(l.Of), Look: count(l.Look), URL: links.at(l.Look),
			At: l.At.UTC().Format(shortFormat), N: count(l.N), Information: wholePct(l.Information),
			Lift: tight(l.Text), Lower: signedPct(l.Lower, decimals), Upper: signedPct(l.Upper, decimals),
			Bound: sig(l.Z), Spent: share(l.AlphaSpent), State: state,
		})
	}
	return out
}

// plannedMarks are the planned looks for the funnel.
func plannedMarks(r *report.Row) []chart.Planned {
	if r.GroupSequential == nil {
		return nil
	}
	var out []chart.Planned
	for _, l := range r.GroupSequential.Looks {
		out = append(out, chart.Planned{Look: l.Look, Interval: chart.Interval{Lo: l.Lower, Hi: l.Upper}})
	}
	return out
}

// rangeOf says what the interval that decides a row says, and where it holds;
// beside it what is valid at any look, unless the page is crowded and the whiskers
// have to say it alone.
func rangeOf(r *report.Row, crowded bool) string {
	anytime := ""
	if r.Effect != nil {
		anytime = r.Effect.Range + " at any look"
	}
	g := r.GroupSequential
	switch {
	case g == nil && r.AnyLook && anytime != "" && !crowded:
		return tight(anytime + ", which decides: planned looks do not decide quantiles")
	case g == nil:
		return tight(anytime)
	case g.Interval == nil:
		if anytime != "" {
			anytime = " Until then it does not decide, but is valid: " + r.Effect.Text + ", " + anytime
		}
		return tight(g.Refusal.Message + anytime)
	}
	if crowded {
		return tight(g.Interval.Range + " " + g.Interval.Label())
	}
	if anytime != "" {
		anytime = ", which decides. By now " + r.Effect.Text + ", " + anytime
	}
	return tight(g.Interval.Range + " " + g.Interval.Label() + anytime)
}

// hasPlanned reports whether planned looks decide some of the rows.
func hasPlanned(rows []report.Row) bool {
	return slices.ContainsFunc(rows, func(r report.Row) bool { return r.GroupSequential != nil })
}
