package web

import (
	"fmt"
	"html/template"
	"slices"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// funnelPart is the interval of one row over its looks.
type funnelPart struct {
	Name, Arm string
	State     wording
	SVG       template.HTML
	Options   []option // of the metric
	Arms      []option // empty when there is one treatment
	Hidden    []hidden
	Margin    bool
	MDE       string
	Range     string
	Rows      []lookRow
	Planned   []plannedRow // of a group-sequential plan
	File      *downloadPart
	Thinned   string // how many looks are not in the chart and table; empty: none
}

// option is one choice of a form.
type option struct {
	Value, Text string
	Selected    bool
}

// lookRow is one look in the table beneath the chart.
type lookRow struct {
	Look                  int
	URL                   string
	At                    string
	N                     string
	Lift                  string
	Lower, Upper          string
	FixedLower, FixedHigh string
	Current               bool
}

// newFunnel prepares the chart of the chosen row with at most limit looks; one
// without options when the plan has no metrics.
func newFunnel(r *report.Report, choice Choice, links linker, limit int) (funnelPart, error) {
	rows := slices.Concat(r.Primary, r.Guardrails, r.Secondary)
	row := chosen(rows, choice)
	if row == nil {
		return funnelPart{}, nil
	}
	withheld := r.Verdict.State == report.VerdictUntrustworthy
	p := funnelPart{
		Name: row.Metric.Name, Arm: row.ArmName, State: stateOf(row, withheld),
		Hidden: links.kept(ParamMetric, ParamArm), Margin: row.Margin != nil,
	}
	p.options(rows, row, &r.Head)
	points := funnelPoints(row.Series)
	f := chart.Funnel{
		Title: "Interval of " + row.Metric.Name + " over " + plural(len(row.Series), "look", "looks"), Desc: row.Words, State: p.State.Class,
		Points: chart.Thin(points, limit), LowerIsBetter: row.Metric.Direction < 0,
		Planned: plannedMarks(row),
	}
	sign := 1.0
	if row.Metric.Direction < 0 {
		sign = -1
	}
	if row.Margin != nil {
		margin := -sign * *row.Margin
		f.Margin = &margin
	} else if r.Head.MDE > 0 {
		mde := sign * r.Head.MDE
		f.MDE, p.MDE = &mde, share(r.Head.MDE)
	}
	svg, err := f.SVG()
	if err != nil {
		return funnelPart{}, fmt.Errorf("draw the looks of %s: %w", row.Metric.Key, err)
	}
	p.SVG = markup(svg)
	if missing := r.Head.Look - len(f.Points); missing > 0 {
		p.Thinned = plural(missing, "look is", "looks are")
	}
	p.Range, p.Planned = rangeOf(row, false), plannedRows(row, links, withheld)
	if limit < chart.MaxPoints {
		p.Planned = chart.Thin(p.Planned, crowdedPlanned)
	}
	p.table(row, links, limit, r.Head.Look)
	return p, nil
}

// chosen returns the row that the reader asked for, the first of its metric when
// the arm is unknown, the first of all when the metric is.
func chosen(rows []report.Row, choice Choice) *report.Row {
	var ofMetric *report.Row
	for i := range rows {
		if rows[i].Metric.Key != choice.Metric {
			continue
		}
		if rows[i].ArmKey == choice.Arm {
			return &rows[i]
		}
		if ofMetric == nil {
			ofMetric = &rows[i]
		}
	}
	if ofMetric == nil && len(rows) > 0 {
		return &rows[0]
	}
	return ofMetric
}

// options lists the metrics and treatments to choose from.
func (p *funnelPart) options(rows []report.Row, row *report.Row, h *report.Head) {
	seen := map[string]bool{}
	for i := range rows {
		m := &rows[i].Metric
		if !seen[m.Key] {
			seen[m.Key] = true
			p.Options = append(p.Options, option{Value: m.Key, Text: m.Name, Selected: m.Key == row.Metric.Key})
		}
	}
	if len(h.Arms) <= 2 {
		return
	}
	for _, a := range h.Arms[1:] {
		p.Arms = append(p.Arms, option{Value: a.Key, Text: a.Label(), Selected: a.Key == row.ArmKey})
	}
}

// table lists the looks that the chart shows, with the numbers of the chart.
func (p *funnelPart) table(row *report.Row, links linker, limit, current int) {
	decimals := 2
	if row.Effect != nil {
		decimals = row.Effect.Decimals
	}
	var known []report.Point
	for _, pt := range row.Series {
		if pt.Band != nil {
			known = append(known, pt)
		}
	}
	for _, pt := range chart.Thin(known, limit) {
		b := pt.Band
		p.Rows = append(p.Rows, lookRow{
			Look: pt.Look, URL: links.at(pt.Look), At: pt.At.UTC().Format(shortFormat), N: count(pt.N),
			Lift:  signedPct(b.Estimate, decimals),
			Lower: signedPct(b.Lower, decimals), Upper: signedPct(b.Upper, decimals),
			FixedLower: signedPct(b.FixedLower, decimals), FixedHigh: signedPct(b.FixedUpper, decimals),
			Current: pt.Look == current,
		})
	}
}

// funnelPoints returns the looks at which a row had an interval.
func funnelPoints(series []report.Point) []chart.Point {
	var out []chart.Point
	for _, p := range series {
		if p.Band == nil {
			continue
		}
		out = append(out, chart.Point{
			Look: p.Look, At: p.At, Estimate: p.Band.Estimate,
			Anytime: chart.Interval{Lo: p.Band.Lower, Hi: p.Band.Upper},
			Fixed:   &chart.Interval{Lo: p.Band.FixedLower, Hi: p.Band.FixedUpper},
		})
	}
	return out
}
