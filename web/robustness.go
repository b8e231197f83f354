package web

import (
	"cmp"
	"slices"

	"github.com/splitcast/splitcast/report"
)

// robustPart is whether rows say the same when their numbers are made another way.
type robustPart struct {
	Summary string
	Rows    []robustRow
	More    int // rows that are not listed; all of their variants are unchanged
}

// robustRow is one row of the report with its variants.
type robustRow struct {
	Name, Arm string
	Summary   string
	Lines     []robustLine
}

// robustLine is one variant.
type robustLine struct {
	Name, Text string
	State      wording
	Same       bool
	Opposite   string // what it means that the estimate has the other sign; empty: it has not
}

// maxRobustRows bounds the rows that are listed although nothing changes in them.
const maxRobustRows = 8

// newRobust prepares the list, rows in which something changes first; nil when
// nothing was computed another way.
func newRobust(r *report.Report) *robustPart {
	summary := report.Summary(r.Robustness)
	if summary == "" {
		return nil
	}
	p := &robustPart{Summary: summary}
	rows := slices.Clone(r.Robustness)
	slices.SortStableFunc(rows, func(x, y report.Robustness) int {
		return cmp.Compare(y.Changed(), x.Changed())
	})
	withheld := r.Verdict.State == report.VerdictUntrustworthy
	for i := range rows {
		x := &rows[i]
		if i >= maxRobustRows && x.Changed() == 0 {
			p.More++
			continue
		}
		row := robustRow{Name: x.MetricName, Summary: report.Summary(rows[i : i+1])}
		if len(r.Head.Arms) > 2 {
			row.Arm = r.Head.Arms[x.Arm].Label()
		}
		for _, v := range x.Variants {
			state := stateOf(&report.Row{State: v.State, Role: x.Role}, withheld)
			line := robustLine{Name: v.Name, Text: tight(v.Text), State: state, Same: v.Same}
			if !withheld { // then nothing is claimed of either
				line.Opposite = tight(v.Note)
			}
			row.Lines = append(row.Lines, line)
		}
		p.Rows = append(p.Rows, row)
	}
	return p
}
