package web

import (
	"net/url"
	"slices"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// ParamChart names the chart of a download.
const ParamChart = "chart"

// The charts that can be downloaded.
const (
	ChartHarm      = "harm"
	ChartPrimary   = "primary"
	ChartSecondary = "secondary"
	ChartLooks     = "looks"
	ChartValues    = "values"
	ChartWhere     = "where"
)

// ChartSVG returns a chart of a report as a file of its own, as the reader's
// choices have it; ok is false for a chart that there is not, or that has nothing
// to show.
func (r *Renderer) ChartSVG(v ReportView, name string) (svg string, ok bool, err error) {
	rep, links := v.Report, linker{choice: v.Choice}
	withheld := rep.Verdict.State == report.VerdictUntrustworthy
	several := len(rep.Head.Arms) > 2
	switch name {
	case ChartHarm:
		return boardSheet("Is anyone hurt? "+rep.Head.Name, rep.Guardrails, several, withheld)
	case ChartPrimary:
		return boardSheet("Primary metrics: "+rep.Head.Name, rep.Primary, several, withheld)
	case ChartSecondary:
		return boardSheet("Secondary metrics: "+rep.Head.Name, rep.Secondary, several, withheld)
	case ChartLooks:
		p, err := newFunnel(rep, v.Choice, links, chart.MaxPoints)
		return standalone(p.Name+" by look: "+rep.Head.Name, string(p.SVG), err)
	case ChartValues:
		p, err := newValues(rep, v.Choice, links)
		if p == nil {
			return "", false, err
		}
		return standalone(p.Name+" and all quantiles: "+rep.Head.Name, string(p.SVG), err)
	case ChartWhere:
		return whereSheet(rep, v.Choice, withheld)
	}
	return "", false, nil
}

func standalone(title, svg string, err error) (string, bool, error) {
	if svg == "" || err != nil {
		return "", false, err
	}
	return chart.Standalone(title, svg), true, nil
}

// boardSheet draws the rows of a board with their names.
func boardSheet(title string, rows []report.Row, several, withheld bool) (string, bool, error) {
	if len(rows) == 0 {
		return "", false, nil
	}
	forest, err := boardForest(rows, withheld)
	if err != nil {
		return "", false, err
	}
	names := make([]chart.RowName, len(rows))
	for i := range rows {
		names[i] = chart.RowName{Name: rows[i].Metric.Name, Under: stateOf(&rows[i], withheld).Word}
		if rows[i].Effect != nil {
			names[i].Under += ", " + tight(rows[i].Effect.Text)
		}
		if several {
			names[i].Name = rows[i].ArmName + ": " + names[i].Name
		}
	}
	svg, err := forest.Sheet(title, names)
	return svg, err == nil, err
}

// whereSheet draws the segments that the page shows.
func whereSheet(r *report.Report, choice Choice, withheld bool) (string, bool, error) {
	if len(r.Segments.Rows) == 0 {
		return "", false, nil
	}
	var p wherePart
	metric := p.options(r.Segments.Rows, choice)
	shown := slices.DeleteFunc(slices.Clone(r.Segments.Rows), func(s report.Segment) bool { return !matches(s, metric, choice) })
	shown = shown[:min(len(shown), newDetail(1).segments)]
	forest, err := whereForest(shown, withheld)
	if err != nil || len(shown) == 0 {
		return "", false, err
	}
	names := make([]chart.RowName, len(shown))
	for i, s := range shown {
		names[i] = chart.RowName{Name: dimensionWord(s.Dimension) + ": " + s.Value, Under: s.MetricName + ", " + s.ArmKey}
	}
	svg, err := forest.Sheet("Exploratory, no verdict follows: "+r.Head.Name, names)
	return svg, err == nil, err
}

// downloadPart offers a chart as a file.
type downloadPart struct{ Name, URL string }

// download returns what offers a chart; nil when nothing is offered.
func (l linker) download(base, name string) *downloadPart {
	if base == "" {
		return nil
	}
	q := url.Values{ParamChart: {name}}
	for _, f := range l.query() {
		q.Set(f.Name, f.Value)
	}
	return &downloadPart{Name: name, URL: base + "?" + q.Encode()}
}
