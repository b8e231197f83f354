package web

import (
	"strconv"

	"github.com/splitcast/splitcast/report"
)

// tablePart is a small table: a heading for each column, and rows of texts.
type tablePart struct {
	Head []string
	Rows []tableRow
}

// tableRow is one line.
type tableRow struct {
	Name, Arm string
	State     *wording
	Cells     []string
	Sum       bool // the line is what the others add or multiply up to
}

// newStartup prepares what became of starts; nil when the report has nothing.
func newStartup(r *report.Report) *tablePart {
	if len(r.Startup) == 0 {
		return nil
	}
	withheld := r.Verdict.State == report.VerdictUntrustworthy
	p := &tablePart{Head: []string{"Control", "Treatment", "Difference at any look"}}
	for _, arm := range r.Startup {
		for _, f := range arm.Fates {
			state := stateOf(&report.Row{State: f.State, Role: f.Role}, withheld)
			row := tableRow{Name: f.MetricName, State: &state, Cells: []string{f.Control.Text, f.Treatment.Text, "not known yet"}}
			if len(r.Head.Arms) > 2 {
				row.Arm = r.Head.Arms[arm.Arm].Label()
			}
			switch {
			case f.Absolute != nil:
				row.Cells[2] = f.Absolute.Range
			case f.Refusal != nil:
				row.Cells[2] = tight(f.Refusal.Message)
			}
			p.Rows = append(p.Rows, row)
		}
	}
	return p
}

// stallsPart takes the stall time apart.
type stallsPart struct {
	Table   *tablePart
	Missing []string // metrics that the plan lacks; there is no table then
}

// newStalls prepares the factors of stall time; nil when the report has nothing.
func newStalls(r *report.Report) *stallsPart {
	if len(r.Stalls) == 0 {
		return nil
	}
	p := &stallsPart{Missing: r.Stalls[0].Missing}
	t := &tablePart{Head: []string{"Control", "Treatment", "Change", "Any look"}}
	for _, arm := range r.Stalls {
		for _, f := range arm.Factors {
			row := tableRow{
				Name: f.Name, Sum: f.Product,
				Cells: []string{factorText(f.Control, f.Unit), factorText(f.Treatment, f.Unit), signedOr(f.Change, "not known"), "as observed"},
			}
			if f.Range != "" {
				row.Cells[3] = tight(f.Range)
			}
			if len(r.Head.Arms) > 2 {
				row.Arm = r.Head.Arms[arm.Arm].Label()
			}
			t.Rows = append(t.Rows, row)
		}
	}
	if len(t.Rows) > 0 {
		p.Table = t
	}
	if p.Table == nil && len(p.Missing) == 0 {
		return nil
	}
	return p
}

// factorText formats a factor with three significant digits.
func factorText(v float64, unit string) string {
	s := strconv.FormatFloat(v, 'g', 3, 64)
	if unit == "n" {
		return s
	}
	return s + "\u00a0" + unit
}
