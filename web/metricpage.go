package web

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/planning"
)

// MetricView is one metric of the catalogue, with how it was lately.
type MetricView struct {
	Chrome
	Base      string // path of this page
	Catalogue string // path of the catalogue
	Edit      Link   // to the form with the definition in it; no URL: there is none
	Metric    metrics.Definition
	Versions  []MetricVersion // oldest first; one of a built-in metric
	Unit      experiment.UnitType
	// Preview is of control arms since Since; From are their experiments.
	Preview   metrics.Preview
	From      []string
	Since     time.Time
	Truncated bool
	Costs     []MetricCost // none with CostRefusal
	// CostRefusal says why no sample size is known.
	CostRefusal string
}

// MetricVersion says when a version of a metric was made, and by whom.
type MetricVersion struct {
	Version int
	At      time.Time
	By      string // empty: it is built in
}

// MetricCost is what finding a lift costs two equal arms.
type MetricCost struct {
	MDE   float64
	Rules []planning.Cost
}

// metricPage is the page ready for the template.
type metricPage struct {
	Chrome
	Base, Catalogue string
	Edit            Link
	Metric          catalogueMetric
	Units           []option
	Lead, Refusal   string
	Value, Note     string
	Facts           []metricFact
	Costs           []metricCostRow
	CostRefusal     string
	AnyLookOnly     bool // planned looks do not decide it
	Steps           []metricStep
	Versions        []metricVersionRow
}

// metricFact is a number of the preview with what it means; Warn: beware.
type metricFact struct {
	Name, Value, Uncapped, Meaning string
	Warn                           bool
}

type metricCostRow struct{ Lift, Sequential, GroupSequential, Fixed string }

type metricStep struct {
	Name, Total, Share string
	Part               float64
}

type metricVersionRow struct {
	Version, By string
	At          stamp
}

func newMetricPage(v MetricView) metricPage {
	p := metricPage{Chrome: v.Chrome, Base: v.Base, Catalogue: v.Catalogue, Edit: v.Edit, Metric: newCatalogueMetric(&v.Metric), CostRefusal: v.CostRefusal, AnyLookOnly: !v.Metric.AtPlannedLooks()}
	for _, u := range []experiment.UnitType{experiment.UnitViewer, experiment.UnitDevice, experiment.UnitBroadcaster, experiment.UnitSession} {
		p.Units = append(p.Units, option{Value: string(u), Text: string(u) + "s", Selected: u == v.Unit})
	}
	for _, version := range v.Versions {
		p.Versions = append(p.Versions, metricVersionRow{strconv.Itoa(version.Version), version.By, newStamp(&version.At, dayFormat)})
	}
	p.preview(&v)
	for _, c := range v.Costs {
		row := metricCostRow{Lift: sharePct(c.MDE), Sequential: "–", GroupSequential: "–", Fixed: "–"}
		for i := range c.Rules {
			switch units := count(c.Rules[i].Units); c.Rules[i].Rule {
			case "sequential":
				row.Sequential = units
			case "group_sequential":
				row.GroupSequential = units
			case "fixed":
				row.Fixed = units
			}
		}
		p.Costs = append(p.Costs, row)
	}
	for i, s := range v.Preview.Steps {
		p.Steps = append(p.Steps, metricStep{
			Name: strconv.Itoa(i+1) + ". " + v.Metric.Steps[i].String(), Total: count(int64(s.Total + 0.5)), Share: sharePct(s.Share), Part: s.Share,
		})
	}
	return p
}

// preview fills in the numbers of the last days.
func (p *metricPage) preview(v *MetricView) {
	d, shape, plain := &v.Metric, &v.Preview.Shape, &v.Preview.Uncapped
	if v.Preview.Units == 0 || shape.Value == nil {
		p.Refusal = "No " + string(v.Unit) + " of the last " + plural(metrics.PreviewDays, "day", "days") + " has a value yet"
		if shape.Refusal != "" && v.Preview.Units > 0 {
			p.Refusal += ": " + strings.TrimSuffix(shape.Refusal, ".")
		}
		p.Refusal += ". The preview reads the control arms of experiments whose windows closed."
		return
	}
	p.Value = strconv.FormatFloat(*shape.Value, 'f', d.Decimals, 64) + " " + d.Unit
	p.Lead = "of " + plural(v.Preview.Units, string(v.Unit), string(v.Unit)+"s") + " in the control arms of " +
		plural(len(v.From), "experiment", "experiments") + " since " + v.Since.UTC().Format(dayFormat) + "."
	if v.Truncated {
		p.Lead += " There were more; the newest were read."
	}
	add := func(name, value, uncapped, meaning string, warn bool) {
		if !d.Capped() {
			uncapped = ""
		}
		p.Facts = append(p.Facts, metricFact{name, value, uncapped, meaning, warn})
	}
	add("Variance of a unit", number(shape.Variance), number(plain.Variance), "in the metric's unit, squared: what one unit adds", false)
	add("Spread", spreadOf(shape), spreadOf(plain), "standard deviation over the value: the sample size grows with its square", false)
	total := v.Preview.Units + v.Preview.Missing
	add("Without a value", sharePct(float64(v.Preview.Missing)/float64(total)), "", "of units: not observed, or too little to count", false)
	add("Zero", sharePct(float64(v.Preview.Zeros)/float64(v.Preview.Units)), "", "of units with a value", false)
	add("The top 1 % hold", percentOf(shape.TopShare), percentOf(plain.TopShare), "of the total", false)
	heavy := shape.TailIndex != nil && *shape.TailIndex <= endlessTail
	meaning := "of Hill, from the top 1 %: how fast the tail falls"
	switch {
	case heavy && d.Capped():
		heavy, meaning = false, "at 2 or less a few units decide the mean; the cap keeps its variance finite"
	case heavy:
		meaning = "at 2 or less a few units decide the mean, however many come: take a cap"
	}
	add("Tail index", number(shape.TailIndex), number(plain.TailIndex), meaning, heavy)
}

// endlessTail is the tail index at which the variance of a mean has no limit.
const endlessTail = 2

// number formats a number that may not be known.
func number(v *float64) string {
	if v == nil {
		return "not known"
	}
	return strconv.FormatFloat(*v, 'g', 4, 64)
}

func percentOf(v *float64) string {
	if v == nil {
		return "not known"
	}
	return sharePct(*v)
}

// spreadOf is the coefficient of variation.
func spreadOf(s *metrics.Shape) string {
	if s.Refusal != "" || s.Arm.Value == 0 {
		return "not known"
	}
	return strconv.FormatFloat(math.Sqrt(s.Arm.Variance)/math.Abs(s.Arm.Value), 'g', 3, 64) + " ×"
}
