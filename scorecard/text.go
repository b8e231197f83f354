package scorecard

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the scorecard for people: trust first, then each metric.
func (s *Scorecard) WriteText(w io.Writer) error {
	var b strings.Builder
	s.writeHead(&b)
	for _, r := range s.Metrics {
		r.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *Scorecard) writeHead(b *strings.Builder) {
	randomised, clusters := "units", ""
	if s.Clusters > 0 {
		randomised, clusters = "clusters", fmt.Sprintf(" in %d clusters", s.Clusters)
	}
	fmt.Fprintf(b, "%d rows, %d units%s; control %s; intervals at %.4g %%\n\nSample ratio: %s\n",
		s.Rows, s.Units, clusters, s.Control, 100*(1-s.Alpha), s.Split.Words)
	rows(b, "arm\t"+randomised+"\texpected\tweight", len(s.Split.Arms), func(i int) string {
		a := s.Split.Arms[i]
		return fmt.Sprintf("%s\t%d\t%.1f\t%d", a.Arm, a.Units, a.Expected, a.Weight)
	})
	for _, warning := range s.Warnings {
		fmt.Fprintf(b, "! %s\n", warning)
	}
	for _, p := range s.Problems.First {
		column := ""
		if p.Column != "" {
			column = ", column " + p.Column
		}
		fmt.Fprintf(b, "  line %d%s: %s\n", p.Line, column, p.Reason)
	}
}

func (r Result) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s", r.Name)
	if r.CapValue != nil {
		fmt.Fprintf(b, " (values above %.6g count as that", *r.CapValue)
		if r.CapFromData {
			b.WriteString("; taken from these rows: valid for a fixed look only")
		}
		b.WriteString(")")
	}
	b.WriteString("\n")
	r.Table.write(b)
	if r.Uncapped != nil {
		b.WriteString("uncapped\n")
		r.Uncapped.write(b)
	}
	if r.Unadjusted != nil {
		b.WriteString("unadjusted\n")
		r.Unadjusted.write(b)
	}
}

func (t Table) write(b *strings.Builder) {
	rows(b, "arm\tn\tvalue\tsd\tse\tcapped", len(t.Arms), func(i int) string {
		a := t.Arms[i]
		if a.Refused != nil {
			return fmt.Sprintf("%s\t%d\t%s", a.Arm, a.N, a.Refused.Message)
		}
		sd := "-"
		if a.SD != nil {
			sd = fmt.Sprintf("%.6g", *a.SD)
		}
		return fmt.Sprintf("%s\t%d\t%.6g\t%s\t%.4g\t%d", a.Arm, a.N, *a.Mean, sd, *a.SE, a.Capped)
	})
	for _, c := range t.Comparisons {
		fmt.Fprintf(b, "%s against %s. %s\n%s", c.Treatment, c.Control, c.Words, c.Adjustment.words())
		scales := []Contrast{c.Difference, c.Lift}
		names := []string{"difference", "lift %"}
		note := c.Difference.SequenceRefused
		if note == nil {
			note = c.Lift.SequenceRefused
		}
		rows(b, "\testimate\tse\tz\tp (one look)\tinterval (one look)\tinterval (always)\tE\tp (always)", len(scales),
			func(i int) string { return names[i] + "\t" + scales[i].line(i == 1) })
		if note != nil {
			fmt.Fprintf(b, "  No always-valid interval: %s\n", note.Message)
		}
	}
}

// line prints one scale; of a relative one all but z, p and E are in per cent,
// and the standard error is that of the logarithm of the ratio.
func (c Contrast) line(relative bool) string {
	if c.Fixed == nil {
		return c.Refused.Message
	}
	factor := 1.0
	if relative {
		factor = 100
	}
	f := c.Fixed
	line := fmt.Sprintf("%+.5g\t%.4g\t%.3f\t%.3g\t%+.5g to %+.5g", factor*f.Estimate, factor*f.SE, f.Z, f.P,
		factor*f.Lower, factor*f.Upper)
	if c.Sequence == nil {
		return line + "\t-\t-\t-"
	}
	q := c.Sequence
	return line + fmt.Sprintf("\t%+.5g to %+.5g\t%s\t%.3g", factor*q.Lower, factor*q.Upper, eValue(q.LogE), q.P)
}

const columnGap = 2

// rows writes a table with aligned columns.
func rows(b *strings.Builder, head string, n int, row func(int) string) {
	w := tabwriter.NewWriter(b, 0, 0, columnGap, ' ', 0)
	fmt.Fprintln(w, "  "+head)
	for i := range n {
		fmt.Fprintln(w, "  "+row(i))
	}
	_ = w.Flush() // a strings.Builder takes everything
}

// words says in a line what a comparison was adjusted by; nothing when it was not.
func (a *Adjustment) words() string {
	if a == nil {
		return ""
	}
	line := "  adjusted"
	if a.Covariate != "" {
		line += " by " + a.Covariate
	}
	if a.Theta != nil {
		line += fmt.Sprintf(" (slope %.4g)", *a.Theta)
	}
	if a.Strata > 0 {
		line += fmt.Sprintf(" within %d strata", a.Strata)
	}
	if a.Merged > 0 {
		line += fmt.Sprintf(", %d small ones merged", a.Merged)
	}
	if a.Reduction != nil {
		line += fmt.Sprintf("; removes %.1f %% of the variance", 100**a.Reduction)
	}
	return line + "\n"
}
