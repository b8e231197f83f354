package chart

import (
	"fmt"
	"math"
	"strconv"
)

// MaxNodes bounds the places of a curve.
const MaxNodes = 64

// QuantileShift is how every quantile moved: a curve over the levels with a band
// that holds at all of them at once. Values are lifts as fractions, with the sign
// that the page prints.
type QuantileShift struct {
	Title, Desc   string
	State         State
	Levels        []ShiftPoint // rising
	LowerIsBetter bool
	Zone          float64 // changes smaller than this do not matter; 0: none is marked
	ZoneWords     string
}

// ShiftPoint is one level, such as 0.95. A band may have infinite ends.
type ShiftPoint struct {
	Level    float64
	Estimate *float64
	Band     Interval
}

// SVG draws the curve. Levels stand by their log-odds, which gives both tails the
// room that they need. It returns a *ValueError for a number that cannot be drawn
// and a *LimitError for more than MaxNodes.
func (q QuantileShift) SVG() (string, error) {
	if err := q.check(); err != nil {
		return "", err
	}
	var c canvas
	c.open("funnel curves-of is-"+string(q.State), funnelHeight, q.Title, q.Desc)
	if len(q.Levels) == 0 {
		return noCurve(&c), nil
	}
	f := q.frame()
	if q.Zone > 0 {
		f.zone(&c, q.Zone)
	}
	f.grid(&c)
	f.open(&c)
	f.band(&c, "band", func(i int) Interval { return q.Levels[i].Band })
	f.line(&c, "line", func(i int) *float64 { return q.Levels[i].Estimate })
	c.raw("</svg>")
	p := plot{y: f.y, ticks: f.ticks, step: f.ticks[1] - f.ticks[0]}
	p.numbers(&c, q.LowerIsBetter)
	p.lines(&c, nil, nil)
	if q.Zone > 0 && q.ZoneWords != "" {
		f.zoneWords(&c, q.Zone, q.ZoneWords)
	}
	f.marks(&c, []axisMark{{0.01, "p1"}, {0.1, "p10"}, {0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p99.9"}}, logOdds)
	f.cross(&c)
	return c.close(), nil
}

func (q QuantileShift) check() error {
	if len(q.Levels) > MaxNodes {
		return &LimitError{What: "levels", Got: len(q.Levels), Limit: MaxNodes}
	}
	if err := checkNumber(0, "zone", &q.Zone); err != nil {
		return err
	}
	for i := range q.Levels {
		l := &q.Levels[i]
		if !(l.Level > 0 && l.Level < 1) || i > 0 && l.Level <= q.Levels[i-1].Level {
			return &ValueError{Index: i, What: "level", Value: fmt.Sprint(l.Level)}
		}
		if err := checkNumber(i, "estimate", l.Estimate); err != nil {
			return err
		}
		if err := checkInterval(i, "band", &l.Band); err != nil {
			return err
		}
	}
	return nil
}

// frame returns the scales of the curve.
func (q QuantileShift) frame() frame {
	var e extent
	xs := make([]float64, len(q.Levels))
	for i := range q.Levels {
		l := &q.Levels[i]
		xs[i] = logOdds(l.Level)
		values := []float64{l.Band.Lo, l.Band.Hi}
		if l.Estimate != nil {
			values = append(values, *l.Estimate)
		}
		e.add(values...)
	}
	if q.Zone > 0 {
		e.values = append(e.values, q.Zone, -q.Zone)
	}
	f := newFrame(xs, e.fit(lookClip))
	f.ticks = f.y.ticks(7)
	return f
}

func logOdds(p float64) float64 { return math.Log(p / (1 - p)) }

// Cumulative is two distributions over their values, each with its band.
type Cumulative struct {
	Title, Desc string
	Tail        bool // the share above a value, by its logarithm, instead of the share up to it
	Unit        string
	Names       [2]string // control, treatment
	Points      []CumulativePoint
}

// CumulativePoint is the share of each arm at or below a value.
type CumulativePoint struct {
	Value  float64
	Share  [2]float64
	Radius [2]float64
}

// leastTail is the smallest share that a tail shows: one unit of a thousand.
const leastTail = 0.001

// SVG draws both distributions; values stand by their logarithm. It returns a
// *ValueError for a number that cannot be drawn and a *LimitError for more than
// MaxNodes.
func (d Cumulative) SVG() (string, error) {
	if err := d.check(); err != nil {
		return "", err
	}
	var c canvas
	c.open("funnel curves-of", funnelHeight, d.Title, d.Desc)
	if len(d.Points) < 2 {
		return noCurve(&c), nil
	}
	xs := make([]float64, len(d.Points))
	for i := range d.Points {
		xs[i] = math.Log(d.Points[i].Value)
	}
	f := newFrame(xs, scale{lo: 0, hi: 1.04})
	f.ticks = []float64{0, 0.25, 0.5, 0.75, 1}
	if d.Tail {
		f.y = scale{lo: math.Log10(leastTail), hi: 0.12}
		f.ticks = []float64{-3, -2, -1, 0}
	}
	f.grid(&c)
	f.open(&c)
	for arm, class := range []string{"control", "treatment"} {
		c.raw(`<g class="of-`, class, `">`)
		f.band(&c, "band", func(i int) Interval { return d.interval(i, arm) })
		f.line(&c, "line", func(i int) *float64 {
			v := d.height(d.Points[i].Share[arm])
			if math.IsInf(v, 0) {
				return nil
			}
			return &v
		})
		c.raw("</g>")
	}
	c.raw("</svg>")
	d.shares(&c, &f)
	f.marks(&c, d.valueMarks(), math.Log)
	d.names(&c)
	f.cross(&c)
	return c.close(), nil
}

func (d Cumulative) check() error {
	if len(d.Points) > MaxNodes {
		return &LimitError{What: "points", Got: len(d.Points), Limit: MaxNodes}
	}
	for i, p := range d.Points {
		if !(p.Value > 0) || math.IsInf(p.Value, 1) || i > 0 && p.Value <= d.Points[i-1].Value {
			return &ValueError{Index: i, What: "value", Value: fmt.Sprint(p.Value)}
		}
		for arm := range p.Share {
			if !(p.Share[arm] >= 0 && p.Share[arm] <= 1 && p.Radius[arm] >= 0) {
				return &ValueError{Index: i, What: "share", Value: fmt.Sprint(p.Share[arm], " ± ", p.Radius[arm])}
			}
		}
	}
	return nil
}

// height is a share as it stands on the axis.
func (d Cumulative) height(share float64) float64 {
	if d.Tail {
		return math.Log10(max(0, 1-share))
	}
	return share
}

func (d Cumulative) interval(i, arm int) Interval {
	p := &d.Points[i]
	lo, hi := max(0, p.Share[arm]-p.Radius[arm]), min(1, p.Share[arm]+p.Radius[arm])
	if d.Tail {
		return Interval{Lo: d.height(hi), Hi: d.height(lo)}
	}
	return Interval{Lo: lo, Hi: hi}
}

// shares writes the values of the ticks.
func (d Cumulative) shares(c *canvas, f *frame) {
	for _, v := range f.ticks {
		share := v
		if d.Tail {
			share = math.Pow10(int(v))
		}
		c.raw(`<text class="axis-tick start" x="2"`)
		c.attr("y", plotTop+f.py(v)-3)
		c.raw(">", strconv.FormatFloat(100*share, 'g', 4, 64), unit, "</text>")
	}
	word := "share up to the value"
	if d.Tail {
		word = "share beyond the value"
	}
	c.raw(`<text class="axis-word" x="0" y="11">`, word, "</text>")
}

// valueMarks returns round values along the axis, at most seven.
func (d Cumulative) valueMarks() []axisMark {
	first, last := d.Points[0].Value, d.Points[len(d.Points)-1].Value
	for _, steps := range [][]float64{{1, 2, 5}, {1, 3}, {1}} {
		var out []axisMark
		for power := math.Pow(10, math.Floor(math.Log10(first))); power <= last; power *= 10 {
			for _, m := range steps {
				if v := m * power; v >= first && v <= last {
					out = append(out, axisMark{v, strconv.FormatFloat(v, 'g', 4, 64) + " " + d.Unit})
				}
			}
		}
		if len(out) <= 7 {
			return out
		}
	}
	return nil
}

// names writes which line is whose, at the right of the plot.
func (d Cumulative) names(c *canvas) {
	top, step := plotTop+float64(plotHeight)-26, 14.0
	if d.Tail {
		top = plotTop + 14
	}
	for arm, class := range []string{"control", "treatment"} {
		c.raw(`<text class="mark-text end of-`, class, `" x="99%"`)
		c.attr("y", top+float64(arm)*step)
		c.raw(">")
		c.text(d.Names[arm])
		c.raw("</text>")
	}
}

// noCurve ends a drawing that has nothing to show.
func noCurve(c *canvas) string {
	c.raw(`<text class="none" x="50%" y="140">No values yet: the curve appears here.</text>`)
	return c.close()
}

// axisMark is a labelled place along x.
type axisMark struct {
	value float64
	text  string
}
