package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
)

// csvHeader names the columns; numbers are fractions and base units at full
// precision, never the rounded texts of the page.
var csvHeader = []string{
	"experiment", "version", "look", "watermark", "role", "metric", "metric_version", "arm",
	"dimension", "value", "control_value", "treatment_value", "unit", "control_n", "treatment_n",
	"lift", "lower", "upper", "fixed_lower", "fixed_upper", "difference", "difference_lower", "difference_upper",
	"state", "margin", "log_e", "p", "min_p", "refusal",
	"planned_look", "planned_at_look", "planned_lift", "planned_lower", "planned_upper", "planned_p", "planned_refusal",
}

// WriteCSV writes one line for each row and segment of the report. A cell that
// is empty is not known. Texts that a spreadsheet would take for a formula are
// preceded by an apostrophe.
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvHeader); err != nil {
		return err
	}
	for _, rows := range [][]Row{r.Primary, r.Guardrails, r.Secondary} {
		for i := range rows {
			if err := out.Write(r.csvRow(&rows[i])); err != nil {
				return err
			}
		}
	}
	for i := range r.Segments.Rows {
		if err := out.Write(r.csvSegment(&r.Segments.Rows[i])); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// csvLine is a line by column, in the order of csvHeader.
type csvLine []string

func (l *csvLine) text(values ...string) {
	for _, v := range values {
		if v != "" && strings.ContainsRune("=+-@\t\r", rune(v[0])) {
			v = "'" + v
		}
		*l = append(*l, v)
	}
}

func (l *csvLine) integer(values ...int64) {
	for _, v := range values {
		*l = append(*l, strconv.FormatInt(v, 10))
	}
}

func (l *csvLine) float(values ...float64) {
	for _, v := range values {
		*l = append(*l, strconv.FormatFloat(v, 'g', -1, 64))
	}
}

// known writes the number, or an empty cell.
func (l *csvLine) known(v *float64) {
	if v == nil {
		*l = append(*l, "")
		return
	}
	l.float(*v)
}

func (l *csvLine) blank(n int) {
	for range n {
		*l = append(*l, "")
	}
}

func (l *csvLine) effect(e *Effect) {
	if e == nil {
		l.blank(5)
		return
	}
	l.float(e.Estimate, e.Lower, e.Upper, e.FixedLower, e.FixedUpper)
}

// csvStart writes the columns that all lines begin with, up to watermark.
func (r *Report) csvStart() csvLine {
	var l csvLine
	l.text(r.Head.Key)
	l.integer(int64(r.Head.Version), int64(r.Head.Look))
	if r.Head.Watermark == nil {
		l.blank(1)
		return l
	}
	l.text(r.Head.Watermark.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
	return l
}

func (r *Report) csvRow(row *Row) []string {
	l := r.csvStart()
	l.text(string(row.Role), row.Metric.Key)
	l.integer(int64(row.Metric.Version))
	l.text(row.ArmKey)
	l.blank(2)
	l.known(row.Control.Value)
	l.known(row.Treatment.Value)
	l.text(row.Metric.Unit)
	l.integer(row.Control.N, row.Treatment.N)
	l.effect(row.Effect)
	if a := row.Absolute; a != nil {
		l.float(a.Difference, a.Lower, a.Upper)
	} else {
		l.blank(3)
	}
	l.text(string(row.State))
	l.known(row.Margin)
	if e := row.Evidence; e != nil {
		l.float(e.LogE, e.P, e.MinP)
	} else {
		l.blank(3)
	}
	l.refusal(row.Refusal)
	l.planned(row.GroupSequential)
	return l
}

// planned writes what decides a row of a group-sequential plan; blanks elsewhere.
func (l *csvLine) planned(g *GroupSequential) {
	if g == nil {
		l.blank(plannedColumns)
		return
	}
	if i := g.Interval; i != nil {
		l.integer(int64(i.Planned), int64(i.Look))
		l.float(i.Estimate, i.Lower, i.Upper)
	} else {
		l.blank(plannedColumns - 2)
	}
	l.known(g.P)
	l.refusal(g.Refusal)
}

// plannedColumns are those at the end, of planned looks.
const plannedColumns = 7

func (r *Report) csvSegment(s *Segment) []string {
	l := r.csvStart()
	l.text(string(s.Role), s.MetricKey)
	l.blank(1)
	l.text(s.ArmKey, s.Dimension, s.Value)
	l.known(s.Control.Value)
	l.known(s.Treatment.Value)
	l.blank(1)
	l.integer(s.Control.N, s.Treatment.N)
	l.effect(s.Effect)
	l.blank(3)
	l.text(string(s.State))
	l.blank(4)
	l.refusal(s.Refusal)
	l.blank(plannedColumns)
	return l
}

func (l *csvLine) refusal(r *Refusal) {
	if r == nil {
		l.blank(1)
		return
	}
	l.text(r.Code)
}
