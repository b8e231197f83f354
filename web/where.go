package web

import (
	"fmt"
	"html/template"
	"slices"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// wherePart is where the effect differs.
type wherePart struct {
	Reason     string
	Alpha      string
	Tested     string
	Worse      int      // flagged segments that are harmed
	Better     int      // flagged segments that gain
	Map        *mapPart // nil: no room, or nothing to show
	Axis       template.HTML
	Rows       []whereRow
	More       int // rows that match and are not shown
	Metrics    []option
	Dimensions []option
	Hidden     []hidden
	File       *downloadPart
}

// whereRow is one segment.
type whereRow struct {
	Dimension, Value   string
	URL                string // shows the segment alone
	Metric, Arm        string
	State              wording
	Harmed             bool // proven, so outlined
	Lift               string
	Control, Treatment string
	Units              string
	Forest             template.HTML
	Refusal            string
}

// newWhere prepares the table of segments, of at most limit rows: the flagged
// ones come first, and a form narrows the rest by metric and dimension.
func newWhere(r *report.Report, choice Choice, links linker, limit int) (*wherePart, error) {
	s := &r.Segments
	p := &wherePart{
		Reason: tight(s.Reason), Alpha: share(s.Alpha), Tested: plural(s.Tested, "comparison", "comparisons"),
		Hidden: links.kept(ParamWhere, ParamDimension),
	}
	if len(s.Rows) == 0 {
		return p, nil
	}
	p.Map = newMap(r, choice, links, limit < fullSegments)
	metric := p.options(s.Rows, choice)
	withheld := r.Verdict.State == report.VerdictUntrustworthy
	several := len(r.Head.Arms) > 2
	var shown []report.Segment
	for _, seg := range s.Rows {
		if seg.Flagged && !withheld {
			p.tally(seg.State)
		}
		if matches(seg, metric, choice) {
			shown = append(shown, seg)
		}
	}
	if len(shown) > limit {
		p.More = len(shown) - limit
		shown = shown[:limit]
	}
	err := p.draw(shown, links, several, withheld)
	return p, err
}

// tally counts a flagged segment.
func (p *wherePart) tally(s report.State) {
	switch rowWording(s, report.RoleSecondary).Class {
	case chart.Worse:
		p.Worse++
	case chart.Better:
		p.Better++
	}
}

// matches reports whether a segment is to be shown. What is flagged is shown
// whatever metric was chosen: a harmed segment must not hide behind a form.
func matches(s report.Segment, metric string, choice Choice) bool {
	if choice.Dimension != "" && s.Dimension != choice.Dimension {
		return false
	}
	return s.Flagged || s.MetricKey == metric
}

// options lists the metrics and dimensions, and returns the metric chosen.
func (p *wherePart) options(rows []report.Segment, choice Choice) string {
	var metrics, dimensions []option
	chosen := ""
	for _, s := range rows {
		if !slices.ContainsFunc(metrics, func(o option) bool { return o.Value == s.MetricKey }) {
			metrics = append(metrics, option{Value: s.MetricKey, Text: s.MetricName})
		}
		if !slices.ContainsFunc(dimensions, func(o option) bool { return o.Value == s.Dimension }) {
			dimensions = append(dimensions, option{Value: s.Dimension, Text: dimensionWord(s.Dimension), Selected: s.Dimension == choice.Dimension})
		}
		if s.MetricKey == choice.Where {
			chosen = s.MetricKey
		}
	}
	if chosen == "" {
		chosen = defaultWhere(rows)
	}
	for i := range metrics {
		metrics[i].Selected = metrics[i].Value == chosen
	}
	p.Metrics, p.Dimensions = metrics, dimensions
	return chosen
}

// defaultWhere returns the first primary metric, or the first of all.
func defaultWhere(rows []report.Segment) string {
	for _, s := range rows {
		if s.Role == report.RolePrimary {
			return s.MetricKey
		}
	}
	return rows[0].MetricKey
}

// whereForest puts segments on one axis.
func whereForest(shown []report.Segment, withheld bool) (*chart.Forest, error) {
	drawn := make([]chart.Row, len(shown))
	for i, s := range shown {
		r := report.Row{Words: s.Words, State: s.State, Role: s.Role, Effect: s.Effect, Metric: report.Metric{Direction: s.Direction}}
		drawn[i] = forestRow(&r, withheld)
	}
	forest, err := chart.NewForest(drawn)
	if err != nil {
		return nil, fmt.Errorf("draw segments: %w", err)
	}
	return forest, nil
}

// draw fills in the rows.
func (p *wherePart) draw(shown []report.Segment, links linker, several, withheld bool) error {
	forest, err := whereForest(shown, withheld)
	if err != nil {
		return err
	}
	forest.Share("grid-where")
	p.Axis = markup(forest.Axis())
	for i, s := range shown {
		row := whereRow{
			Dimension: dimensionWord(s.Dimension), Value: s.Value, Metric: s.MetricName,
			URL:     links.segment(segmentName(s.Dimension, s.Value), "segment"),
			State:   rowWording(s.State, report.RoleSecondary),
			Control: s.Control.Text, Treatment: s.Treatment.Text, Units: count(s.Units),
			Forest: markup(forest.Row(i)),
		}
		if withheld {
			row.State = wording{"Withheld", chart.Withheld}
		}
		row.Harmed = s.Flagged && row.State.Class == chart.Worse
		if several {
			row.Arm = s.ArmKey
		}
		if s.Effect != nil {
			row.Lift = tight(s.Effect.Text)
		}
		if s.Refusal != nil {
			row.Refusal = tight(s.Refusal.Message)
		}
		p.Rows = append(p.Rows, row)
	}
	return nil
}

// dimensionWord names a dimension for people.
func dimensionWord(d string) string {
	switch d {
	case "country":
		return "Country"
	case "device_class":
		return "Device class"
	case "os":
		return "Operating system"
	case "player":
		return "Player"
	case "player_version":
		return "Player version"
	case "net_class":
		return "Network"
	case "isp":
		return "Provider"
	}
	return d
}
