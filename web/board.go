package web

import (
	"fmt"
	"html/template"
	"strconv"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// board is a group of rows on one axis.
type board struct {
	Axis    template.HTML
	Rows    []boardRow
	Margins bool // the rows have margins
	Legend  bool // this board explains the marks for all
	Planned bool // planned looks decide its rows
	File    *downloadPart
}

// boardRow is one metric of one treatment arm.
type boardRow struct {
	Anchor     string
	Name       string
	Arm        string // empty when there is only one treatment
	Again      bool   // the row above is of the same metric
	Nothing    bool   // no unit has a value: there is nothing to draw or to compare
	Unit       string // of the metric and its window
	URL        string // shows the row's interval over looks
	State      wording
	Since      string
	Evidence   string
	Margin     string
	Lift       string
	Difference string
	Forest     template.HTML
	Control    string
	Treatment  string
	ControlN   string
	TreatmentN string
	Precision  *precisionPart
	Spark      template.HTML
	Range      string // what the interval says, in words, and where it holds
	Refusal    string
	How        *howPart
	Beware     []string     // how the number says the opposite when it is made another way
	Comments   *commentMark // nil: nobody said anything
	CommentURL string       // empty: the reader may not
}

// precisionPart is how far the interval has narrowed.
type precisionPart struct {
	Reached string // a fraction for the progress element
	Text    string
	Units   string
}

// detail is how much of each row a page affords. 200 KB hold 80 rows when each
// costs at most 2 KB.
type detail struct {
	sparkPoints int
	segments    int
	looks       int  // of the funnel
	shared      bool // definitions and methods stand once, at the end of the page
}

// fullDetailRows is how many rows a page may have that shows everything of each.
const fullDetailRows = 32

// fullSegments is how many segments a page lists that has room for them.
const fullSegments = 24

// newDetail returns what a page of n rows affords.
func newDetail(n int) detail {
	if n <= fullDetailRows {
		return detail{sparkPoints: chart.MaxSparkPoints, segments: fullSegments, looks: chart.MaxPoints}
	}
	return detail{sparkPoints: 6, segments: 8, looks: chart.MaxPoints / 2, shared: true}
}

// boardInput is what a board is made from.
type boardInput struct {
	Rows     []report.Row
	Links    linker
	Several  bool // there are several treatments, so rows name theirs
	Withheld bool // the data are not trusted: rows claim nothing
	Detail   detail
}

// newBoard prepares a board; one without rows when the plan has no such metrics.
func newBoard(in boardInput) (board, error) {
	if len(in.Rows) == 0 {
		return board{}, nil
	}
	forest, err := boardForest(in.Rows, in.Withheld)
	if err != nil {
		return board{}, err
	}
	forest.Share("grid-" + string(in.Rows[0].Role))
	b := board{Axis: markup(forest.Axis())}
	for i := range in.Rows {
		row, err := newBoardRow(in, &in.Rows[i])
		if err != nil {
			return board{}, err
		}
		row.Forest = markup(forest.Row(i))
		row.Again = i > 0 && in.Rows[i].Metric.Key == in.Rows[i-1].Metric.Key
		b.Margins = b.Margins || row.Margin != ""
		b.Rows = append(b.Rows, row)
	}
	return b, nil
}

// boardForest puts the rows of a board on one axis.
func boardForest(rows []report.Row, withheld bool) (*chart.Forest, error) {
	drawn := make([]chart.Row, len(rows))
	for i := range rows {
		drawn[i] = forestRow(&rows[i], withheld)
	}
	group := chart.NewForest
	if rows[0].Role == report.RoleGuardrail {
		group = chart.NewMarginForest
	}
	forest, err := group(drawn)
	if err != nil {
		return nil, fmt.Errorf("draw %s rows: %w", rows[0].Role, err)
	}
	return forest, nil
}

// markup marks a drawing of package chart as safe: it escapes all text itself.
func markup(svg string) template.HTML {
	return template.HTML(svg) //nolint:gosec // see above
}

// forestRow turns a row to the axis on which right is better.
func forestRow(r *report.Row, withheld bool) chart.Row {
	row := chart.Row{Words: r.Words, State: stateOf(r, withheld).Class}
	if r.Margin != nil {
		margin := -*r.Margin
		row.Margin = &margin
	}
	if r.Effect == nil {
		return row
	}
	e := r.Effect
	row.Estimate = &e.Chart.Estimate
	row.Anytime = &chart.Interval{Lo: e.Chart.Lower, Hi: e.Chart.Upper}
	row.Fixed = &chart.Interval{Lo: e.Chart.FixedLower, Hi: e.Chart.FixedUpper}
	if g := r.GroupSequential; g != nil {
		row.Fixed = nil // the bar is what decides, or there is none yet
		if i := g.Interval; i != nil {
			row.Estimate, row.Fixed = &i.Chart.Estimate, &chart.Interval{Lo: i.Chart.Lower, Hi: i.Chart.Upper}
		}
	}
	// The numbers at open ends keep the sign that the page prints elsewhere.
	lo, hi := e.Lower, e.Upper
	if r.Metric.Direction < 0 {
		lo, hi = hi, lo
	}
	row.LoText, row.HiText = signedPct(lo, e.Decimals), signedPct(hi, e.Decimals)
	return row
}

// stateOf words the state of a row; when the data are not trusted it claims
// nothing.
func stateOf(r *report.Row, withheld bool) wording {
	if withheld {
		return wording{"Withheld", chart.Withheld}
	}
	return rowWording(r.State, r.Role)
}

// newBoardRow prepares one row without its forest.
func newBoardRow(in boardInput, r *report.Row) (boardRow, error) {
	row := boardRow{
		Anchor: r.Metric.Key + "-" + r.ArmKey,
		Name:   r.Metric.Name, URL: in.Links.funnel(r.Metric.Key, r.ArmKey),
		State:   stateOf(r, in.Withheld),
		Control: r.Control.Text, Treatment: r.Treatment.Text,
		ControlN: count(r.Control.N), TreatmentN: count(r.Treatment.N),
		Unit: r.Metric.Unit,
		How:  newHow(r, in.Detail.shared),
	}
	row.Nothing = r.Effect == nil && r.Refusal != nil && r.Control.N+r.Treatment.N == 0
	if in.Several {
		row.Arm = r.ArmName
	}
	if r.Margin != nil {
		row.Margin = share(*r.Margin)
	}
	if !in.Withheld {
		row.Since = since(r)
		// Odds below 1 : 1 are evidence of nothing and would only be read as some.
		if r.Evidence != nil && r.Evidence.LogE > 0 {
			row.Evidence = evidence(r)
		}
	}
	if r.Refusal != nil {
		row.Refusal = tight(r.Refusal.Message)
	}
	row.Range = rangeOf(r, in.Detail.shared)
	if r.Effect != nil {
		row.Lift = tight(r.Effect.Text)
	}
	if r.Absolute != nil {
		row.Difference = r.Absolute.Text
	}
	if g := r.GroupSequential; g != nil && g.Interval != nil {
		row.Lift, row.Difference = tight(g.Interval.Text), ""
		if !in.Detail.shared { // the range says it, too
			row.Difference = "at planned look " + count(g.Interval.Planned)
		}
	}
	if !in.Withheld {
		row.Beware = beware(r)
	}
	row.Precision = newPrecision(r)
	spark, err := sparkline(r, row.State.Class, in.Detail.sparkPoints)
	row.Spark = spark
	return row, err
}

// beware tells how a number says the opposite when it is made another way.
func beware(r *report.Row) []string {
	var out []string
	if r.PerUnit != nil && !r.PerUnit.Agrees {
		out = append(out, tight(r.PerUnit.Note))
	}
	if r.Uncapped != nil && !r.Uncapped.Agrees {
		out = append(out, tight(r.Uncapped.Note))
	}
	return out
}

// since says since when a row has its state, when that is worth knowing.
func since(r *report.Row) string {
	switch {
	case r.State == report.StateUnknown || r.State == report.StateUnproven:
		return ""
	case r.Role == report.RoleGuardrail && r.FirstHarm > 0:
		return "first at look " + count(r.FirstHarm)
	case r.SinceLook > 0:
		return "since look " + count(r.SinceLook)
	}
	return ""
}

// evidence words the odds against what the row hopes to rule out.
func evidence(r *report.Row) string {
	if r.Role == report.RoleGuardrail {
		return "odds " + r.Evidence.Text + " against no harm"
	}
	return "odds " + r.Evidence.Text + " against no effect"
}

// newPrecision words how narrow the interval is.
func newPrecision(r *report.Row) *precisionPart {
	if r.Precision == nil {
		return nil
	}
	return &precisionPart{
		Reached: strconv.FormatFloat(r.Precision.Reached, 'f', 2, 64),
		Text:    "±" + share(r.Precision.HalfWidth) + " of ±" + share(r.Precision.Target),
		Units:   count(r.Units),
	}
}

// sparkline draws the interval of a row over its looks; empty before the first.
func sparkline(r *report.Row, state chart.State, points int) (template.HTML, error) {
	series := funnelPoints(r.Series)
	if len(series) == 0 {
		return "", nil
	}
	words := "Interval at looks " + count(series[0].Look) + " to " + count(series[len(series)-1].Look)
	svg, err := chart.Sparkline(words, state, chart.Thin(series, points))
	if err != nil {
		return "", fmt.Errorf("draw the looks of %s: %w", r.Metric.Key, err)
	}
	return markup(svg), nil
}
