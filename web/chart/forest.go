package chart

import (
	"fmt"
	"math"
)

// Heights in px. A row's bar is centred at 23; above it stands the number of an
// end that leaves the axis.
const (
	rowHeight  = 38
	axisHeight = 30
)

// Row is one comparison of a forest. Values are improvements as fractions of
// control: the caller has turned the sign of metrics that should be low, so that
// right is better in every row.
type Row struct {
	// Words are what a screen reader says for the row: metric, number, interval,
	// state.
	Words    string
	State    State
	Estimate *float64  // absent: nothing to draw
	Anytime  *Interval // valid at every look: the wings
	Fixed    *Interval // valid at one look only: the bar
	Margin   *float64  // a guardrail's tolerated loss, below zero: the wall
	// LoText and HiText are the ends of Anytime as the page prints them, shown
	// with an arrow when that end is off the axis.
	LoText, HiText string
}

// Forest is a group of rows on one axis.
type Forest struct {
	rows  []Row
	scale scale
	ticks []float64
}

// NewForest puts rows on an axis that they share. It returns a *ValueError for a
// number that cannot be drawn and a *LimitError for more than MaxRows.
func NewForest(rows []Row) (*Forest, error) {
	if len(rows) > MaxRows {
		return nil, &LimitError{What: "rows", Got: len(rows), Limit: MaxRows}
	}
	var e extent
	for i := range rows {
		if err := rows[i].check(i); err != nil {
			return nil, err
		}
		rows[i].extend(&e)
	}
	f := &Forest{rows: rows, scale: e.fit(rowClip)}
	f.ticks = f.scale.ticks(4)
	return f, nil
}

// check refuses numbers that cannot be drawn.
func (r *Row) check(i int) error {
	for _, err := range []error{
		checkNumber(i, "estimate", r.Estimate),
		checkInterval(i, "anytime interval", r.Anytime),
		checkInterval(i, "fixed interval", r.Fixed),
		checkNumber(i, "margin", r.Margin),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// extend adds what the row would like to show.
func (r *Row) extend(e *extent) {
	var values []float64
	for _, v := range []*float64{r.Estimate, r.Margin} {
		if v != nil {
			values = append(values, *v)
		}
	}
	for _, in := range []*Interval{r.Anytime, r.Fixed} {
		if in != nil {
			values = append(values, in.Lo, in.Hi)
		}
	}
	e.add(values...)
	if r.Estimate != nil && (r.State == Better || r.State == Worse) {
		e.proven = max(e.proven, math.Abs(*r.Estimate))
	}
}

// Axis draws the head of the group: which way is better, and the values of the
// grid lines. They have no sign, for right is better even where lower is.
func (f *Forest) Axis() string {
	var c canvas
	step := f.step()
	c.open("forest-axis", axisHeight, "Axis: improvement over control", fmt.Sprintf(
		"Right is better, left is worse, the line at 0 is no difference; grid lines every %s.", percent(step, step, false)))
	c.raw(`<text class="axis-word" x="0" y="10">← worse</text><text class="axis-word end" x="100%" y="10">better →</text>`)
	for _, v := range f.ticks {
		c.raw(`<text class="axis-tick`, anchor(f.scale.at(v)), `"`)
		c.pct("x", f.scale.at(v))
		c.raw(` y="25">`)
		c.text(percent(v, step, false))
		c.raw("</text>")
	}
	return c.close()
}

// step is the distance of the grid lines.
func (f *Forest) step() float64 {
	if len(f.ticks) < 2 {
		return f.scale.hi - f.scale.lo
	}
	return f.ticks[1] - f.ticks[0]
}

// anchor keeps a label near the frame inside it.
func anchor(xPct float64) string {
	switch {
	case xPct < 6:
		return " start"
	case xPct > 94:
		return " end"
	}
	return ""
}

// Row draws the i-th row.
func (f *Forest) Row(i int) string {
	r := &f.rows[i]
	var c canvas
	c.open("forest is-"+string(r.State), rowHeight, r.Words, "")
	if r.Margin != nil {
		f.wall(&c, *r.Margin)
	}
	for _, v := range f.ticks {
		if v != 0 {
			c.vertical("grid", f.scale.at(v), "0", "100%")
		}
	}
	c.vertical("zero", f.scale.at(0), "0", "100%")
	if r.Anytime != nil {
		f.wings(&c, r)
	}
	if r.Fixed != nil {
		f.bar(&c, *r.Fixed)
	}
	if r.Estimate != nil && f.on(*r.Estimate) {
		c.vertical("estimate", f.scale.at(*r.Estimate), "15", "31")
	}
	return c.close()
}

// on reports whether v lies on the axis.
func (f *Forest) on(v float64) bool {
	return v >= f.scale.lo && v <= f.scale.hi
}

// wall shades everything beyond the margin.
func (f *Forest) wall(c *canvas, margin float64) {
	x := f.scale.clip(margin)
	if x > 0 {
		c.raw(`<rect class="wall" x="0" y="0" height="100%"`)
		c.pct("width", x)
		c.raw("/>")
	}
	if f.on(margin) {
		c.vertical("wall-edge", x, "0", "100%")
	}
}

// wings draws the anytime interval with a cap at each end, or an arrow and the
// number where the end is off the axis.
func (f *Forest) wings(c *canvas, r *Row) {
	lo, hi := f.scale.clip(r.Anytime.Lo), f.scale.clip(r.Anytime.Hi)
	c.raw(`<line class="wing" y1="23" y2="23"`)
	c.pct("x1", lo)
	c.pct("x2", hi)
	c.raw("/>")
	if f.on(r.Anytime.Lo) {
		c.vertical("wing", lo, "18", "28")
	} else {
		c.end(r.Anytime.Lo < f.scale.lo, r.LoText)
	}
	if f.on(r.Anytime.Hi) {
		c.vertical("wing", hi, "18", "28")
	} else if f.on(r.Anytime.Lo) || r.Anytime.Hi > f.scale.hi {
		c.end(r.Anytime.Hi < f.scale.lo, r.HiText)
	}
}

// end draws the arrow of an end that leaves the axis, with its number.
func (c *canvas) end(left bool, number string) {
	if left {
		c.raw(`<svg class="arrow" x="0" y="23"><path d="M8-5 0 0 8 5z"/></svg><text class="end-text start" x="0" y="11">`)
	} else {
		c.raw(`<svg class="arrow" x="100%" y="23"><path d="M-8-5 0 0-8 5z"/></svg><text class="end-text end" x="100%" y="11">`)
	}
	c.text(number)
	c.raw("</text>")
}

// bar draws the interval that is valid at one look.
func (f *Forest) bar(c *canvas, in Interval) {
	lo, hi := f.scale.clip(in.Lo), f.scale.clip(in.Hi)
	c.raw(`<rect class="bar" y="18.5" height="9" rx="2"`)
	c.pct("x", lo)
	c.pct("width", hi-lo)
	c.raw("/>")
}
