package web

import (
	"fmt"
	"html/template"
	"math"
	"strconv"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/web/chart"
)

// The ways to look at a distribution.
const (
	ViewShift  = "" // how each quantile moved
	ViewShares = "cdf"
	ViewTail   = "tail"
)

// valuesPart is how the whole distribution of a quantity moved.
type valuesPart struct {
	Name, Words string
	Withheld    bool
	SVG         template.HTML
	Views       []viewLink
	View        string
	Options     []option
	Arms        []option
	Hidden      []hidden
	Zone        string
	Refusal     string
	Counts      string
	Level       string // how sure the band is
	File        *downloadPart
	Tip         string // how the tooltip tells a row of the table
	Head        []string
	Rows        []valuesRow
}

// viewLink is one way to look.
type viewLink struct {
	Text, URL string
	Current   bool
}

// valuesRow is one line of the table beneath the chart.
type valuesRow struct{ Cells []string }

// newValues prepares the distribution that the reader chose; nil when the plan has
// none.
func newValues(r *report.Report, choice Choice, links linker) (*valuesPart, error) {
	d := chosenDistribution(r.Distributions, choice)
	if d == nil {
		return nil, nil //nolint:nilnil // a report without quantiles has no such part, which is no fault
	}
	p := &valuesPart{
		Name: d.Metrics[0], Words: d.Words, Withheld: r.Verdict.State == report.VerdictUntrustworthy,
		Hidden: links.kept(ParamValues, ParamArm), View: choice.View,
		Counts: count(d.Control) + " units of control, " + count(d.Treatment) + " of treatment",
		Level:  "Error at most " + share(d.Alpha) + " over all places and looks together",
	}
	if p.Withheld {
		p.Words = "The data are not trusted, so nothing is claimed here."
	}
	p.options(r, d)
	if d.Refusal != nil {
		p.Refusal, p.Words = tight(d.Refusal.Message), ""
		return p, nil
	}
	for _, v := range []struct{ text, view string }{{"Change of each quantile", ViewShift}, {"Cumulative shares", ViewShares}, {"Tail", ViewTail}} {
		p.Views = append(p.Views, viewLink{Text: v.text, URL: links.view(v.view), Current: v.view == choice.View})
	}
	var svg string
	var err error
	switch choice.View {
	case ViewShares, ViewTail:
		svg, err = p.shares(r, d)
	default:
		p.View, p.Views[0].Current = ViewShift, true
		svg, err = p.shift(d)
	}
	if err != nil {
		return nil, fmt.Errorf("draw the distribution of %s: %w", d.MetricKey, err)
	}
	p.SVG = markup(svg)
	return p, nil
}

// chosenDistribution returns the distribution asked for, the first of its metric
// when the arm is unknown, the first of all when the metric is.
func chosenDistribution(all []report.Distribution, choice Choice) *report.Distribution {
	var ofMetric *report.Distribution
	for i := range all {
		if all[i].MetricKey != choice.Values {
			continue
		}
		if all[i].ArmKey == choice.Arm {
			return &all[i]
		}
		if ofMetric == nil {
			ofMetric = &all[i]
		}
	}
	if ofMetric != nil || len(all) == 0 {
		return ofMetric
	}
	choice.Values = all[0].MetricKey
	return chosenDistribution(all, choice)
}

func (p *valuesPart) options(r *report.Report, shown *report.Distribution) {
	seen := map[string]bool{}
	for i := range r.Distributions {
		d := &r.Distributions[i]
		if !seen[d.MetricKey] {
			seen[d.MetricKey] = true
			p.Options = append(p.Options, option{Value: d.MetricKey, Text: d.Metrics[0], Selected: d.MetricKey == shown.MetricKey})
		}
	}
	if len(r.Head.Arms) <= 2 {
		return
	}
	for _, a := range r.Head.Arms[1:] {
		p.Arms = append(p.Arms, option{Value: a.Key, Text: a.Label(), Selected: a.Key == shown.ArmKey})
	}
}

// shift draws how each quantile moved.
func (p *valuesPart) shift(d *report.Distribution) (string, error) {
	q := chart.QuantileShift{
		Title: "Change of each quantile: " + d.Metrics[0], Desc: p.Words, State: p.state(d),
		LowerIsBetter: d.Direction < 0, Zone: d.Zone, ZoneWords: zoneWords(d),
	}
	p.Zone = zoneWords(d)
	p.Head = []string{"Level", "Control, " + d.Unit, "Treatment, " + d.Unit, "Change", "From", "To", "Proven"}
	p.Tip = "{0}: {3}, {6}|from {4} to {5}, at all levels and looks|{1} " + d.Unit + " in control, {2} " + d.Unit + " in treatment"
	for i := range d.Levels {
		l := &d.Levels[i]
		point := chart.ShiftPoint{Level: l.Level, Estimate: l.Shift, Band: chart.Interval{Lo: math.Inf(-1), Hi: math.Inf(1)}}
		if l.Lower != nil {
			point.Band.Lo = *l.Lower
		}
		if l.Upper != nil {
			point.Band.Hi = *l.Upper
		}
		q.Levels = append(q.Levels, point)
		proven := "not proven"
		if side := l.Proven(); side != 0 && !p.Withheld {
			proven = sideWording(side, d.Direction).Word
		}
		p.Rows = append(p.Rows, valuesRow{[]string{
			report.LevelName(l.Level), plain(l.Control), plain(l.Treatment),
			signedOr(l.Shift, "not known"), signedOr(l.Lower, "open"), signedOr(l.Upper, "open"), proven,
		}})
	}
	return q.SVG()
}

// state is that of the curve: what is proven of some levels and of the other side
// of none.
func (p *valuesPart) state(d *report.Distribution) chart.State {
	if p.Withheld {
		return chart.Withheld
	}
	var sides [3]bool
	for i := range d.Levels {
		sides[1+d.Levels[i].Proven()] = true
	}
	switch {
	case sides[0] && sides[2]:
		return chart.Changed
	case sides[0]:
		return sideWording(-1, d.Direction).Class
	case sides[2]:
		return sideWording(1, d.Direction).Class
	}
	return chart.NotProven
}

// sideWording words a proven change to one side.
func sideWording(side, direction int) wording {
	switch side * direction {
	case 1:
		return wording{"better", chart.Better}
	case -1:
		return wording{"worse", chart.Worse}
	}
	return wording{"changed", chart.Changed}
}

func zoneWords(d *report.Distribution) string {
	if d.Guarded {
		return "within the margin of " + share(d.Zone)
	}
	return "less than the planned effect of " + share(d.Zone)
}

// shares draws the shares of both arms, or their tails.
func (p *valuesPart) shares(r *report.Report, d *report.Distribution) (string, error) {
	tail := p.View == ViewTail
	c := chart.Cumulative{
		Title: "Shares by value: " + d.Metrics[0], Desc: p.Words, Tail: tail, Unit: d.Unit,
		Names: [2]string{r.Head.Arms[0].Label(), r.Head.Arms[d.Arm].Label()},
	}
	p.Head = []string{"Value, " + d.Unit, "Control up to it", "±", "Treatment up to it", "±"}
	place := "up to"
	if tail {
		p.Head[1], p.Head[3] = "Control beyond it", "Treatment beyond it"
		place = "beyond"
	}
	p.Tip = "Share " + place + " {0} " + d.Unit + "|control {1} ± {2}|treatment {3} ± {4}"
	for _, s := range d.Shares {
		c.Points = append(c.Points, chart.CumulativePoint{
			Value: s.Value, Share: [2]float64{s.Control, s.Treatment}, Radius: [2]float64{s.ControlRadius, s.TreatmentRadius},
		})
		control, treatment := s.Control, s.Treatment
		if tail {
			control, treatment = 1-control, 1-treatment
		}
		p.Rows = append(p.Rows, valuesRow{[]string{
			plain(&s.Value), share(control), share(s.ControlRadius), share(treatment), share(s.TreatmentRadius),
		}})
	}
	return c.SVG()
}

// plain formats a value with four significant digits.
func plain(v *float64) string {
	if v == nil {
		return "not known"
	}
	return strconv.FormatFloat(*v, 'g', 4, 64)
}

// signedOr formats a change; or says what an absent one is.
func signedOr(v *float64, absent string) string {
	if v == nil {
		return absent
	}
	return signedPct(*v, 1)
}
