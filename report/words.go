package report

import (
	"fmt"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// rowWords says a row in one sentence, for a reader who cannot see the chart.
func rowWords(r *Row, arm string) string {
	head := r.Metric.Name + ", " + arm + ": "
	if g := r.GroupSequential; g != nil {
		var said string
		if g.Interval == nil {
			said = "not decided. " + r.undecided()
		} else {
			said = g.Interval.Text + ", " + g.Interval.Range + " " + g.Interval.Label() + ": " + stateWords(r) + "."
		}
		if r.Effect != nil {
			said += " Valid at any look: " + r.Effect.Text + ", " + r.Effect.Range + "."
		}
		return head + said
	}
	if r.Effect == nil {
		return head + "no estimate. " + r.Refusal.Message + anyLookWords(r)
	}
	return head + r.Effect.Text + ", " + r.Effect.Range + " at any look: " + stateWords(r) + "." + anyLookWords(r)
}

// anyLookWords says of a goal that its plan's planned looks do not decide it.
func anyLookWords(r *Row) string {
	if !r.AnyLook {
		return ""
	}
	return " Quantiles are not decided at planned looks."
}

// stateWords says what a row proves. It never says that nothing is there.
func stateWords(r *Row) string {
	switch r.State {
	case StateBetter:
		return "proven better"
	case StateWorse:
		return "proven worse"
	case StateChanged:
		return "proven different"
	case StateSafe:
		return "proven within the margin of " + marginWords(r)
	case StateHarmed:
		return "proven worse, perhaps by more than the margin of " + marginWords(r)
	case StateBreached:
		return "proven worse than the margin of " + marginWords(r)
	}
	if r.Margin != nil {
		return "not yet proven within the margin of " + marginWords(r)
	}
	return "better and worse are both possible"
}

func marginWords(r *Row) string { return planned(*r.Margin) }

// effectWords says an effect within a sentence.
func effectWords(e *Effect) string { return e.Text + " (" + e.Range + " at any look)" }

// spendingWords names how a plan spends alpha.
func spendingWords(s experiment.Spending) string {
	switch s {
	case experiment.SpendingPocock:
		return "Lan and DeMets' spending after Pocock"
	case experiment.SpendingKimDeMets:
		return "Kim and DeMets' spending, alpha t²"
	case experiment.SpendingOBrienFleming:
	}
	return "Lan and DeMets' spending after O'Brien and Fleming"
}

func definitionWords(d *metrics.Definition) string {
	switch d.Kind {
	case metrics.KindMean, metrics.KindCount:
		return fmt.Sprintf("mean of %s over units with %s", d.Numerator, d.Denominator)
	case metrics.KindRetention:
		return fmt.Sprintf("share of units with %s in window %s", d.Numerator, d.Window)
	case metrics.KindMeanOfRatios:
		return fmt.Sprintf("mean over units of %s / %s", d.Numerator, d.Denominator)
	case metrics.KindProportion:
		return fmt.Sprintf("share of units with %s that have %s", d.Denominator, d.Numerator)
	case metrics.KindQuantile:
		return fmt.Sprintf("quantile %g over units of %s / %s", d.Level, d.Numerator, d.Denominator)
	case metrics.KindFunnel:
		if d.OfUnits() {
			order := "in any order"
			if d.Order == metrics.OrderStrict {
				order = "one after the other"
			}
			return fmt.Sprintf("share of units with %s that went on through every step, %s, to %s", d.Denominator, order, d.Numerator)
		}
	}
	return fmt.Sprintf("sum(%s) / sum(%s)", d.Numerator, d.Denominator)
}

// methodWords says how the interval of a row was computed.
func methodWords(q *question) string {
	var variance string
	switch q.definition.Kind.Estimator() {
	case metrics.KindMean:
		variance = "sample variance of units"
	case metrics.KindProportion:
		variance = "variance p(1-p)"
	case metrics.KindQuantile:
		variance = "variance from order statistics of a log-bucket histogram"
	default:
		variance = "variance of the residual y - Rx over units (delta method, Deng et al. 2018)"
	}
	if q.clustered() {
		variance = fmt.Sprintf("variance of the residual y - Rx over %ss, over the square of what the largest one's may leave (CR3 at the largest share that the moments allow)", q.unit)
	}
	if q.floored() {
		variance += ", at least that of both arms pooled"
	}
	sides := "two-sided"
	if q.guardrail {
		sides = "one bound a side, each with alpha"
	}
	sequence := "asymptotic confidence sequence (Waudby-Smith et al. 2024), " + sides
	if q.clustered() {
		sequence += fmt.Sprintf(", as wide as Student's t has it with the effective number of %ss", q.unit)
	}
	return strings.Join([]string{"log-ratio of treatment to control", variance, sequence}, "; ")
}
