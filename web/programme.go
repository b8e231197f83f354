package web

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/stats"
	"github.com/splitcast/splitcast/web/chart"
)

// ProgrammeView is what experimenting as a whole has brought.
type ProgrammeView struct {
	Chrome
	Holdouts    []HoldoutView
	Conclusions []Conclusion // all that are counted
	Running     int          // experiments now
	Library     string       // address of the conclusions
	Metrics     string       // address of the catalogue
}

// programmePage is the view ready for the template.
type programmePage struct {
	Chrome
	Library, Metrics string
	Facts            []telemetryFact
	Holdouts         []programmeHoldout
	Finished         int
	Effects          template.HTML
	EffectsWords     string
	Outcomes         []programmeOutcome
	Shrunk           []programmeShrunk
	Unshrunk         string // why no metric can be shrunk
}

type programmeOutcome struct {
	Fill         chart.Fill
	Name, Number string
}

// programmeShrunk are the wins on one metric, as measured and as expected.
type programmeShrunk struct {
	Metric, Words string
	Rows          []shrunkRow
}

type shrunkRow struct{ Name, URL, Measured, Expected, Range string }

// outcomePart is an outcome as a part of the histogram.
type outcomePart struct {
	outcome Outcome
	name    string
	fill    chart.Fill
}

// programmeOutcomes are the outcomes in the order of the stack.
var programmeOutcomes = []outcomePart{
	{OutcomeShipped, "Shipped", chart.FillBetter},
	{OutcomeRemoved, "Shipped, then removed", chart.FillB},
	{OutcomeHarmful, "Stopped: it hurt", chart.FillWorse},
	{OutcomeNoEffect, "Stopped: no effect worth having", chart.FillF},
	{OutcomeOpen, "Stopped: not proven", chart.FillC},
	{OutcomeVoid, "Stopped: nothing can be said", chart.FillWithheld},
}

const (
	// winLevel is the confidence of the interval of the win rate.
	winLevel = 0.95
	// effectColumns is how many columns the histogram has on either side of zero.
	effectColumns = 8
)

func newProgrammePage(v ProgrammeView) (programmePage, error) {
	// A measurement is of all that ran and shipped: it is no part of what it measures.
	v.Conclusions = slices.DeleteFunc(slices.Clone(v.Conclusions), func(c Conclusion) bool { return c.Outcome() == OutcomeMeasured })
	p := programmePage{Chrome: v.Chrome, Library: v.Library, Metrics: v.Metrics, Finished: len(v.Conclusions)}
	for i := range v.Holdouts {
		p.Holdouts = append(p.Holdouts, newProgrammeHoldout(&v.Holdouts[i]))
	}
	if err := p.facts(&v); err != nil {
		return p, err
	}
	if p.Finished == 0 {
		return p, nil
	}
	if err := p.effects(v.Conclusions); err != nil {
		return p, err
	}
	err := p.shrink(v.Conclusions)
	return p, err
}

// facts are the numbers at the top.
func (p *programmePage) facts(v *ProgrammeView) error {
	outcomes := make(map[Outcome]int, len(programmeOutcomes))
	judged, won := 0, 0
	for i := range v.Conclusions {
		c := &v.Conclusions[i]
		outcomes[c.Outcome()]++
		if !slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.Role == report.RolePrimary && f.Known }) || !c.trusted() {
			continue
		}
		judged++
		if slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.Role == report.RolePrimary && f.State == report.StateBetter }) {
			won++
		}
	}
	for _, o := range programmeOutcomes {
		if n := outcomes[o.outcome]; n > 0 {
			p.Outcomes = append(p.Outcomes, programmeOutcome{o.fill, o.name, count(n)})
		}
	}
	add := func(name, value, note string) {
		p.Facts = append(p.Facts, telemetryFact{name, value, note, calm})
	}
	add("Running", count(v.Running), "experiments now")
	add("Over", count(p.Finished), "stopped or shipped; "+count(outcomes[OutcomeVoid])+" of them without a number that can be believed")
	add("Shipped", count(outcomes[OutcomeShipped]), plural(outcomes[OutcomeRemoved], "more was", "more were")+" shipped and removed")
	if judged == 0 {
		add("Win rate", "–", "no experiment has been judged on a primary metric yet")
		return nil
	}
	in, err := stats.Proportion{Successes: int64(won), Trials: int64(judged)}.Interval(stats.Wilson, winLevel)
	if err != nil {
		return fmt.Errorf("win rate: %w", err)
	}
	add("Win rate", wholeShare(float64(won)/float64(judged)), fmt.Sprintf("%s of %s with a primary metric proven better; between %s and %s, if the next are like these",
		count(won), count(judged), wholeShare(in.Lower), wholeShare(in.Upper)))
	add("Stopped for harm", count(outcomes[OutcomeHarmful]), "viewers spared: a proof of harm is worth as much as a win")
	return nil
}

// wholeShare formats a fraction as a whole percentage, rounded.
func wholeShare(v float64) string {
	return strconv.FormatFloat(100*v, 'f', 0, 64) + "\u00a0%"
}

// effects draws the leading effects by what became of the experiments.
func (p *programmePage) effects(all []Conclusion) error {
	type effect struct {
		size float64
		part int
	}
	var effects []effect
	var sizes []float64
	for i := range all {
		f := all[i].leading()
		if f == nil || f.Direction == 0 {
			continue
		}
		part := slices.IndexFunc(programmeOutcomes, func(o outcomePart) bool { return o.outcome == all[i].Outcome() })
		effects = append(effects, effect{f.facing().Estimate, part})
		sizes = append(sizes, math.Abs(f.facing().Estimate))
	}
	if len(effects) == 0 {
		return nil
	}
	slices.Sort(sizes)
	width := effectWidth(sizes[(len(sizes)-1)*9/10])
	c := chart.Columns{Title: "Effects on primary metrics when experiments were stopped", Whole: true, Columns: make([]chart.Column, 2*effectColumns)}
	for _, o := range programmeOutcomes {
		c.Fills = append(c.Fills, o.fill)
	}
	for i := range c.Columns {
		lo := float64(i-effectColumns) * width
		c.Columns[i].Values = make([]float64, len(c.Fills))
		c.Columns[i].Words = "between " + signedPct(lo, 2) + " and " + signedPct(lo+width, 2)
		switch i {
		case 0:
			c.Columns[i].Words = "worse than " + signedPct(lo+width, 2)
		case len(c.Columns) - 1:
			c.Columns[i].Words = "better than " + signedPct(lo, 2)
		}
		if i%4 == 0 {
			c.Columns[i].Label = "from " + signedPct(lo, pctDecimals(width))
		}
	}
	for _, e := range effects {
		at := min(len(c.Columns)-1, max(0, int(math.Floor(e.size/width))+effectColumns))
		c.Columns[at].Values[e.part]++
	}
	for i := range c.Columns {
		n := 0.0
		for _, v := range c.Columns[i].Values {
			n += v
		}
		c.Columns[i].Words += ": " + plural(int64(n), "experiment", "experiments")
	}
	p.EffectsWords = fmt.Sprintf("%s by the estimate of their first primary metric, turned so that right is better. The outermost columns hold all beyond them.",
		plural(len(effects), "experiment", "experiments"))
	c.Desc = p.EffectsWords
	svg, err := c.SVG()
	p.Effects = template.HTML(svg) //nolint:gosec // drawn by package chart, which escapes every text
	return err
}

// effectWidth returns a round width of a column, so that effects of the given
// size are within the columns.
func effectWidth(size float64) float64 {
	least := max(size/effectColumns, 1e-6)
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if least <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// pctDecimals is how many decimals tell multiples of a fraction apart in per cent.
func pctDecimals(width float64) int {
	return int(max(0, math.Ceil(-math.Log10(100*width)-1e-9)))
}

// shrink says what to expect of the wins on each metric that was judged often
// enough: their estimates, drawn towards what experiments usually do.
func (p *programmePage) shrink(all []Conclusion) error {
	past := map[string][]stats.PastEffect{}
	names, directions := map[string]string{}, map[string]int{}
	for i := range all {
		f := all[i].leading()
		if f == nil || f.SE <= 0 || f.Direction == 0 {
			continue
		}
		past[f.Metric] = append(past[f.Metric], f.past())
		names[f.Metric], directions[f.Metric] = f.Name, f.Direction
	}
	keys := make([]string, 0, len(past))
	for key := range past {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(past[b]), len(past[a])), strings.Compare(a, b))
	})
	for _, key := range keys {
		prior, err := stats.PriorOfPast(past[key])
		if refusal, ok := errors.AsType[*stats.Refusal](err); ok {
			if p.Unshrunk == "" {
				p.Unshrunk = names[key] + ": " + refusal.Message
			}
			continue
		}
		if err != nil {
			return err
		}
		shrunk := programmeShrunk{Metric: names[key], Words: fmt.Sprintf(
			"%s judged on it. Their true effects lie around %s, give or take %s, as far as their errors let one see.",
			plural(len(past[key]), "experiment was", "experiments were"), improvement(directions[key], prior.Mean), tight(share(math.Sqrt(prior.Variance))))}
		if shrunk.Rows, err = shrunkRows(all, key, prior); err != nil {
			return err
		}
		p.Shrunk = append(p.Shrunk, shrunk)
	}
	if len(p.Shrunk) > 0 {
		p.Unshrunk = ""
	}
	return nil
}

// past is the finding on the scale of the logarithm of the ratio, turned so that
// more is better.
func (f *Finding) past() stats.PastEffect {
	return stats.PastEffect{Estimate: float64(cmp.Compare(f.Direction, 0)) * math.Log1p(f.Estimate), Variance: f.SE * f.SE}
}

// improvement formats what past turned so that more is better, as the lift that
// the metric shows: a fall of 3.1 % is an improvement of 3.1 %.
func improvement(direction int, turned float64) string {
	if direction < 0 {
		return signedPct(-math.Expm1(-turned), 2)
	}
	return signedPct(math.Expm1(turned), 2)
}

func shrunkRows(all []Conclusion, metric string, prior stats.Prior) ([]shrunkRow, error) {
	var out []shrunkRow
	for i := range all {
		c := &all[i]
		f := c.leading()
		if f == nil || f.Metric != metric || f.SE <= 0 || c.Outcome() != OutcomeShipped {
			continue
		}
		past := f.past()
		row := shrunkRow{Name: cmp.Or(c.Name, c.Key), URL: c.URL, Measured: improvement(f.Direction, past.Estimate)}
		if prior.Variance == 0 { // all the same, as far as can be seen: the mean is the best guess of each
			row.Expected, row.Range = improvement(f.Direction, prior.Mean), "–"
			out = append(out, row)
			continue
		}
		post, err := stats.NewPosterior(stats.Effect{
			Estimate: past.Estimate, Variance: past.Variance, DF: math.Inf(1), N: max(f.Units, 2), Scale: stats.LogRatio,
		}, prior, winLevel, false)
		if err != nil {
			return nil, fmt.Errorf("expect of %s: %w", c.Key, err)
		}
		row.Expected = improvement(f.Direction, post.Mean)
		row.Range = improvement(f.Direction, post.Lower) + " to " + improvement(f.Direction, post.Upper)
		out = append(out, row)
	}
	return out, nil
}
