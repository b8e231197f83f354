package chart

import (
	"math"
	"strconv"
)

// Limits and sizes of lines.
const (
	// MaxCurves bounds the curves that can be told apart.
	MaxCurves = 4
	// MaxCurvePoints keeps a drawing below some kilobytes.
	MaxCurvePoints = 400

	linesTop    = 30
	linesHeight = 190
	linesBottom = 40
)

// XY is a point of a curve.
type XY struct{ X, Y float64 }

// Tick is a labelled place on an axis.
type Tick struct {
	At   float64
	Text string
}

// Curve is one line.
type Curve struct {
	Name   string // written at its end
	Class  string // of its colour: a constant such as "line-a"
	Points []XY   // by rising X
}

// Lines is a drawing of curves over a common axis, for what is computed rather
// than measured.
type Lines struct {
	Title, Desc    string
	XName, YName   string // what the axes are
	XTicks, YTicks []Tick // the outermost span the axes
	LogX           bool   // the X axis is logarithmic; its ticks are above 0
	Curves         []Curve
	Rule           *Tick // a horizontal line that something is compared with
}

// SVG draws the curves. It returns a *ValueError for a number that cannot be
// drawn or an axis without extent, and a *LimitError for more curves or points
// than the limits.
func (l Lines) SVG() (string, error) {
	x, y, err := l.check()
	if err != nil {
		return "", err
	}
	var c canvas
	c.open("lines", linesTop+linesHeight+linesBottom, l.Title, l.Desc)
	for _, t := range l.YTicks {
		horizontal(&c, "grid", linesY(y, t.At))
	}
	if l.Rule != nil {
		horizontal(&c, "rule", linesY(y, l.Rule.At))
	}
	c.raw(`<svg class="curves" x="0" y="`, strconv.Itoa(linesTop), `" width="100%" height="`, strconv.Itoa(linesHeight),
		`" viewBox="0 0 1000 `, strconv.Itoa(linesHeight), `" preserveAspectRatio="none">`)
	for i := range l.Curves {
		c.raw(`<path class="`, l.Curves[i].Class, `" d="M`)
		for j, p := range l.Curves[i].Points {
			if j > 0 {
				c.raw(" ")
			}
			c.num(10 * x.at(l.across(p.X)))
			c.raw(" ")
			c.num(linesHeight * (1 - y.clip(p.Y)/100))
		}
		c.raw(`"/>`)
	}
	c.raw("</svg>")
	l.words(&c, x, y)
	return c.close(), nil
}

// words writes ticks, names and the axes' names over the curves.
func (l Lines) words(c *canvas, x, y scale) {
	write := func(class string, at, top float64, text string) {
		c.raw(`<text class="`, class, `"`)
		c.pct("x", at)
		c.attr("y", top)
		c.raw(">")
		c.text(text)
		c.raw("</text>")
	}
	for _, t := range l.YTicks {
		write("axis-tick start", 0, linesY(y, t.At)-3, t.Text)
	}
	for _, t := range l.XTicks {
		at := x.at(l.across(t.At))
		write("axis-tick"+anchorClass(at), at, linesTop+linesHeight+15, t.Text)
	}
	write("axis-word", 0, 10, l.YName)
	write("axis-word end", 100, linesTop+linesHeight+33, l.XName)
	if l.Rule != nil {
		write("end", 100, linesY(y, l.Rule.At)-4, l.Rule.Text)
	}
	for i := range l.Curves {
		last := l.Curves[i].Points[len(l.Curves[i].Points)-1]
		at := x.at(l.across(last.X))
		write("name "+l.Curves[i].Class+anchorClass(at), at, linesY(y, last.Y)-6, l.Curves[i].Name)
	}
}

// anchorClass keeps a text near an end of the frame within it.
func anchorClass(at float64) string {
	switch {
	case at < 6:
		return " start"
	case at > 94:
		return " end"
	}
	return ""
}

// linesY is a place in px from the top.
func linesY(y scale, v float64) float64 { return linesTop + linesHeight*(1-y.clip(v)/100) }

// across is a value as the X axis counts it.
func (l Lines) across(v float64) float64 {
	if l.LogX {
		return math.Log(v)
	}
	return v
}

// check returns the scales of the axes.
func (l Lines) check() (x, y scale, err error) {
	if len(l.Curves) > MaxCurves {
		return x, y, &LimitError{What: "curves", Got: len(l.Curves), Limit: MaxCurves}
	}
	x, err = tickScale("X tick", l.XTicks, l.across)
	if err != nil {
		return x, y, err
	}
	y, err = tickScale("Y tick", l.YTicks, func(v float64) float64 { return v })
	for i := range l.Curves {
		points := l.Curves[i].Points
		if len(points) == 0 || len(points) > MaxCurvePoints {
			return x, y, &LimitError{What: "points", Got: len(points), Limit: MaxCurvePoints}
		}
		for j := range points {
			at := l.across(points[j].X)
			for _, v := range []*float64{&at, &points[j].Y} {
				if err := checkNumber(j, "point", v); err != nil {
					return x, y, err
				}
			}
		}
	}
	return x, y, err
}

// tickScale is the scale that ticks span.
func tickScale(what string, ticks []Tick, value func(float64) float64) (scale, error) {
	var s scale
	for i, t := range ticks {
		v := value(t.At)
		if err := checkNumber(i, what, &v); err != nil {
			return s, err
		}
		if i == 0 {
			s = scale{lo: v, hi: v}
		}
		s.lo, s.hi = min(s.lo, v), max(s.hi, v)
	}
	if !(s.hi > s.lo) {
		return s, &ValueError{What: what, Value: "none, or all at one place"}
	}
	return s, nil
}
