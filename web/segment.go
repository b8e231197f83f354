package web

import (
	"fmt"
	"strings"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// ParamSegment is the query parameter that restricts the boards to one segment: its
// dimension and its value, parted by the first colon.
const ParamSegment = "segment"

// segmentPart is the report of one segment: the boards of the metrics that are kept by
// segment. No verdict follows from it, and none is shown.
type segmentPart struct {
	Title, Dimension string
	Units            string
	Level            string
	Back             string
	Reason           string // why there are no rows; empty when there are
	Others           []viewLink
}

// segmentName writes a segment as the query has it.
func segmentName(dimension, value string) string { return dimension + ":" + value }

// segment returns the address of the report of a segment; an empty name is that of
// everybody.
func (l linker) segment(name, fragment string) string {
	l.choice.Segment = name
	return l.url(fragment)
}

// everywhere returns the address that shows a metric in all segments.
func (l linker) everywhere(metric string) string {
	l.choice.Where, l.choice.Dimension = metric, ""
	return l.url("where")
}

// newSegment prepares the head of the segment that the reader chose; nil for none.
func newSegment(r *report.Report, choice Choice, links linker) *segmentPart {
	if choice.Segment == "" {
		return nil
	}
	dimension, value, _ := strings.Cut(choice.Segment, ":")
	p := &segmentPart{
		Title: dimensionWord(dimension) + ": " + value, Dimension: dimensionWord(dimension), Back: links.segment("", "where"),
		Level: "Each interval may err with a chance of " + share(r.Segments.Alpha) + ", so that all segments, metrics and looks together keep to that of the plan",
	}
	var units int64
	seen := map[string]bool{}
	for i := range r.Segments.Rows {
		s := &r.Segments.Rows[i]
		if s.Dimension != dimension {
			continue
		}
		if !seen[s.Value] {
			seen[s.Value] = true
			p.Others = append(p.Others, viewLink{
				Text: s.Value, URL: links.segment(segmentName(s.Dimension, s.Value), "segment"), Current: s.Value == value,
			})
		}
		if s.Value == value {
			units = max(units, s.Units)
		}
	}
	p.Units = plural(units, "unit", "units")
	if !seen[value] {
		p.Reason = "There is no such segment at this look."
		if r.Segments.Reason != "" {
			p.Reason = tight(r.Segments.Reason)
		}
	}
	return p
}

// segmentRows returns the rows of the segment that belong to a board: the numbers of
// the segment under what the board's rows say of metric, arm and margin.
func segmentRows(r *report.Report, of []report.Row, choice Choice) []report.Row {
	var out []report.Row
	for i := range of {
		for j := range r.Segments.Rows {
			s := &r.Segments.Rows[j]
			if segmentName(s.Dimension, s.Value) != choice.Segment || s.MetricKey != of[i].Metric.Key || s.Arm != of[i].Arm || s.Role != of[i].Role {
				continue
			}
			row := report.Row{
				Metric: of[i].Metric, Role: s.Role, Arm: s.Arm, ArmKey: s.ArmKey, ArmName: of[i].ArmName, Margin: of[i].Margin,
				Control: s.Control, Treatment: s.Treatment, Effect: s.Effect, Refusal: s.Refusal, State: s.State, Units: s.Units, Words: s.Words,
			}
			row.Explain = report.Explain{Definition: of[i].Explain.Definition, Method: of[i].Explain.Method, Alpha: r.Segments.Alpha}
			out = append(out, row)
		}
	}
	return out
}

// segmentBoard prepares a board of a segment. Whether a guardrail is within its margin
// is not asked of a segment, so what is not proven is not waited for.
func segmentBoard(in boardInput) (board, error) {
	b, err := newBoard(in)
	if err != nil {
		return board{}, err
	}
	for i := range b.Rows {
		row, from := &b.Rows[i], &in.Rows[i]
		if from.State == report.StateUnproven && !in.Withheld {
			row.State = wording{"Not proven", chart.NotProven}
		}
		row.How = segmentHow(from)
		row.URL = in.Links.everywhere(from.Metric.Key)
	}
	return b, nil
}

// segmentHow derives a number of a segment: its sums stand in the report, its moments
// do not.
func segmentHow(r *report.Row) *howPart {
	p := &howPart{Anchor: "metric-" + r.Metric.Key}
	p.define(r)
	p.Level = "error at most " + sig(r.Explain.Alpha) + " over all looks"
	for _, arm := range []struct {
		key string
		of  *report.Value
	}{{"Control", &r.Control}, {r.ArmKey, &r.Treatment}} {
		sums := fmt.Sprintf("n %s · sum of numerators %s · sum of denominators %s", count(arm.of.N), sig(arm.of.Numerator), sig(arm.of.Denominator))
		moments := "standard error not known"
		if arm.of.SE != nil {
			moments = "standard error " + sig(*arm.of.SE)
		}
		p.Arms = append(p.Arms, howArm{Key: arm.key, Sums: sums, Moments: moments})
	}
	if r.Effect != nil {
		p.Variance = sig(r.Effect.SE * r.Effect.SE)
	}
	return p
}

// addSegment replaces the boards of everybody by those of the segment.
func (p *reportPage) addSegment(r *report.Report, choice Choice, links linker) error {
	detail := newDetail(0)
	for _, b := range []struct {
		to   *board
		rows []report.Row
	}{{&p.Harm, r.Guardrails}, {&p.Primary, r.Primary}} {
		var err error
		*b.to, err = segmentBoard(boardInput{
			Rows: segmentRows(r, b.rows, choice), Links: links, Several: len(r.Head.Arms) > 2,
			Withheld: r.Verdict.State == report.VerdictUntrustworthy, Detail: detail,
		})
		if err != nil {
			return err
		}
	}
	p.Harm.Legend = len(p.Harm.Rows) > 0
	p.Primary.Legend = !p.Harm.Legend
	var err error
	p.Where, err = newWhere(r, choice, links, detail.segments)
	return err
}
