package planning

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/splitcast/splitcast/stats"
)

// ruleNames are the rules in words.
var ruleNames = map[stats.RuleKind]string{
	stats.RuleSequential:      "sequential: look whenever, stop at any time",
	stats.RuleGroupSequential: "group-sequential: look at planned times, fixed end",
	stats.RuleFixed:           "fixed: one look at the end",
}

// WriteText writes the result as tables for a terminal.
func (r *Result) WriteText(w io.Writer) error {
	var b strings.Builder
	q := &r.Request
	fmt.Fprintf(&b, "To find a lift of %s in a metric with %s:\n", percent(q.MDE), q.Baseline)
	fmt.Fprintf(&b, "power %s, alpha %s two-sided", percent(q.Power), percent(q.Alpha))
	if r.Comparisons > 1 {
		fmt.Fprintf(&b, " split over %d comparisons", r.Comparisons)
	}
	if r.DesignEffect != 1 {
		fmt.Fprintf(&b, ", design effect %.3g", r.DesignEffect)
	}
	b.WriteString(".\n\n")

	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "units\tper arm\tdays\tof fixed\t  rule\n")
	for _, c := range r.Rules {
		days := "?"
		if c.Days != nil {
			days = dayText(*c.Days)
		}
		arms := make([]string, len(c.Arms))
		for i, n := range c.Arms {
			arms[i] = group(n)
		}
		// A cell that no tab ends is not aligned.
		fmt.Fprintf(t, "%s\t%s\t%s\t×%.2f\t  %s\n", group(c.Units), strings.Join(arms, " + "), days, c.OverFixed, ruleName(c.Rule, q.Looks))
	}
	if len(r.Traffic) > 0 {
		fmt.Fprintf(t, "\ntraffic\tdays\t\t\t  %s, by the share of units that take part\n", kindWords(q.Method))
		for _, p := range r.Traffic {
			fmt.Fprintf(t, "%s\t%s\t\n", percent(p.Share), dayText(p.Days))
		}
	}
	if len(r.Detectable) > 0 {
		fmt.Fprintf(t, "\ndays\tlift\tunits\t\t  what a %s plan of so many days finds, with %s of the traffic\n", kindWords(q.Method), percent(q.Traffic))
		for _, p := range r.Detectable {
			fmt.Fprintf(t, "%d\t%s\t%s\t\n", p.Days, percent(p.MDE), group(p.Units))
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, c := range r.Rules {
		if c.Expected != nil {
			fmt.Fprintf(&b, "\nGroup-sequential stops at %s units on average when the lift is there, at %s without one.", group(*c.Expected), group(*c.ExpectedNone))
		}
	}
	b.WriteString("\nSequential is counted at its last look alone; looking before finds the effect more often, and sooner.\n")
	if q.Quantile {
		b.WriteString("Planned looks do not decide quantiles.\n")
	}
	if len(r.Traffic) == 0 {
		b.WriteString("Give the new units of a day (--units-per-day) to see days.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// String tells the baseline in words.
func (b Baseline) String() string {
	if b.Share != 0 {
		return "a share of " + percent(b.Share)
	}
	return fmt.Sprintf("mean %.4g and standard deviation %.4g a unit", b.Mean, b.SD)
}

func ruleName(kind stats.RuleKind, looks int) string {
	name := ruleNames[kind]
	if kind == stats.RuleGroupSequential {
		name += fmt.Sprintf(", %d looks", looks)
	}
	return name
}

// kindWords is a rule as an adjective.
func kindWords(kind stats.RuleKind) string {
	if kind == stats.RuleGroupSequential {
		return "group-sequential"
	}
	return string(kind)
}

func percent(x float64) string { return strconv.FormatFloat(100*x, 'g', 3, 64) + " %" }

func dayText(days float64) string {
	if days < 10 {
		return fmt.Sprintf("%.1f", days)
	}
	return fmt.Sprintf("%.0f", days)
}

// group writes a count with commas between thousands.
func group(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
