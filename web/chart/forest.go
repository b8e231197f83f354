package chart

import (
	"math"
	"strconv"
)

// Heights in px. A row's bar is centred at 23; above it stands the number of an
// end that leaves the axis.
const (
	rowHeight  = 38
	axisHeight = 30
	frameWidth = 1000 // units across a row
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
	rows    []Row
	scale   scale
	ticks   []float64
	margins bool // the unit of the axis is each row's own margin
	shared  string
}

// Share lets the axis define, under an id, what all rows have in common, and the rows
// refer to it: on a page of many rows they are most of the drawing. The id must be the
// only one of its kind in the document, and the axis must be in it.
func (f *Forest) Share(id string) { f.shared = id }

// NewForest puts rows on an axis of lifts that they share. It returns a
// *ValueError for a number that cannot be drawn and a *LimitError for more than
// MaxRows.
func NewForest(rows []Row) (*Forest, error) {
	return newForest(rows, false)
}

// NewMarginForest puts guardrails on an axis whose unit is each row's own
// margin: margins of 0.5 % and of 10 % stand at the same place, and how near a
// row is to its wall can be compared. Besides the errors of NewForest it returns
// a *ValueError for a row whose margin is absent or not below zero.
func NewMarginForest(rows []Row) (*Forest, error) {
	scaled := make([]Row, len(rows))
	for i := range rows {
		if rows[i].Margin == nil || !(*rows[i].Margin < 0) {
			return nil, &ValueError{Index: i, What: "margin", Value: "absent or not a loss"}
		}
		scaled[i] = rows[i].inMargins()
	}
	return newForest(scaled, true)
}

// inMargins returns the row with its values as multiples of its margin.
func (r *Row) inMargins() Row {
	unit := math.Abs(*r.Margin)
	out := *r
	value := func(v *float64) *float64 {
		if v == nil {
			return nil
		}
		scaled := *v / unit
		return &scaled
	}
	interval := func(in *Interval) *Interval {
		if in == nil {
			return nil
		}
		return &Interval{Lo: in.Lo / unit, Hi: in.Hi / unit}
	}
	out.Estimate, out.Margin = value(r.Estimate), value(r.Margin)
	out.Anytime, out.Fixed = interval(r.Anytime), interval(r.Fixed)
	return out
}

func newForest(rows []Row, margins bool) (*Forest, error) {
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
	f := &Forest{rows: rows, scale: e.fit(rowClip), margins: margins}
	f.ticks = f.scale.ticks(6)
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
	desc := "Right is better, left is worse, the line at 0 is no difference; grid lines every " + f.label(f.step()) + "."
	c.open("forest-axis", axisHeight, "Axis: improvement over control", desc)
	if f.shared != "" {
		f.define(&c)
	}
	c.raw(`<text class="axis-word" x="0" y="10">← worse</text><text class="axis-word end" x="100%" y="10">better →</text>`)
	for _, l := range f.labels() {
		c.raw(`<text class="axis-tick`, l.side, `"`)
		c.pct("x", l.at)
		c.raw(` y="25">`)
		c.text(l.text)
		c.raw("</text>")
	}
	return c.close()
}

// define draws what rows refer to.
func (f *Forest) define(c *canvas) {
	c.raw(`<defs><g id="`, f.shared, `">`)
	if f.margins {
		f.wall(c, -1)
	}
	f.grid(c)
	c.raw(`</g><path class="arrow" id="`, f.shared, `-l" d="M9 18 0 23 9 28z"/><path class="arrow" id="`, f.shared, `-r" d="M-9 18 0 23-9 28z"/></defs>`)
}

// label words the value of a grid line.
func (f *Forest) label(v float64) string {
	switch {
	case !f.margins:
		return percent(v, f.step(), false)
	case v == 0:
		return "0"
	}
	return strconv.FormatFloat(math.Abs(v), 'g', 3, 64) + "\u00a0×"
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

// Row draws the i-th row. The strokes are paths in a frame of frameWidth units
// that stretches with the container; text stands outside it and does not.
func (f *Forest) Row(i int) string {
	r := &f.rows[i]
	var c canvas
	c.open("forest is-"+string(r.State), rowHeight, r.Words, "")
	c.raw(`<svg viewBox="0 0 1000 38" preserveAspectRatio="none">`)
	if f.shared != "" {
		c.raw(`<use href="#`, f.shared, `"/>`)
	} else {
		if r.Margin != nil {
			f.wall(&c, *r.Margin)
		}
		f.grid(&c)
	}
	if r.Anytime != nil {
		f.wings(&c, r.Anytime)
	}
	if r.Fixed != nil {
		f.bar(&c, r.Fixed)
	}
	if r.Estimate != nil && f.on(*r.Estimate) {
		c.path("estimate", f.x(*r.Estimate), "14v18")
	}
	c.raw("</svg>")
	if r.Anytime != nil {
		f.ends(&c, r)
	}
	return c.close()
}

// x returns the position of v in the frame, at its edge when v is off the axis.
func (f *Forest) x(v float64) float64 {
	return frameWidth / 100 * f.scale.clip(v)
}

// on reports whether v lies on the axis.
func (f *Forest) on(v float64) bool {
	return v >= f.scale.lo && v <= f.scale.hi
}

// path appends a path that starts at x and goes on as rest says.
func (c *canvas) path(class string, x float64, rest string) {
	c.raw(`<path class="`, class, `" d="M`)
	c.num(x)
	c.raw(" ", rest, `"/>`)
}

// wall shades everything beyond the margin.
func (f *Forest) wall(c *canvas, margin float64) {
	x := f.x(margin)
	if x > 0 {
		c.raw(`<path class="wall" d="M0 0H`)
		c.num(x)
		c.raw(`v38H0z"/>`)
	}
	if f.on(margin) {
		c.path("wall-edge", x, "0v38")
	}
}

// grid draws the lines of the ticks and the line of no difference.
func (f *Forest) grid(c *canvas) {
	c.raw(`<path class="grid" d="`)
	for _, v := range f.ticks {
		if v != 0 {
			c.raw("M")
			c.num(f.x(v))
			c.raw(" 0v38")
		}
	}
	c.raw(`"/>`)
	c.path("zero", f.x(0), "0v38")
}

// wings draws the anytime interval with a cap at each end that is on the axis.
func (f *Forest) wings(c *canvas, in *Interval) {
	lo, hi := f.x(in.Lo), f.x(in.Hi)
	c.raw(`<path class="wing" d="M`)
	c.num(lo)
	if f.on(in.Lo) {
		c.raw(" 17v12m0-6")
	} else {
		c.raw(" 23")
	}
	c.raw("H")
	c.num(hi)
	if f.on(in.Hi) {
		c.raw("m0-6v12")
	}
	c.raw(`"/>`)
}

// bar draws the interval that is valid at one look.
func (f *Forest) bar(c *canvas, in *Interval) {
	lo, hi := f.x(in.Lo), f.x(in.Hi)
	c.raw(`<path class="bar" d="M`)
	c.num(lo)
	c.raw(" 18.5H")
	c.num(hi)
	c.raw("v9H")
	c.num(lo)
	c.raw(`z"/>`)
}

// ends draws an arrow and the number for each end that is off the axis.
func (f *Forest) ends(c *canvas, r *Row) {
	if !f.on(r.Anytime.Lo) {
		f.end(c, r.Anytime.Lo < f.scale.lo, r.LoText)
	}
	if !f.on(r.Anytime.Hi) && (f.on(r.Anytime.Lo) || r.Anytime.Lo < f.scale.lo && r.Anytime.Hi > f.scale.hi) {
		f.end(c, r.Anytime.Hi < f.scale.lo, r.HiText)
	}
}

// end draws the arrow of an end that leaves the axis, with its number.
func (f *Forest) end(c *canvas, left bool, number string) {
	switch {
	case left && f.shared != "":
		c.raw(`<use href="#`, f.shared, `-l"/>`)
	case left:
		c.raw(`<svg class="arrow" x="0" y="23"><path d="M9-5 0 0 9 5z"/></svg>`)
	case f.shared != "":
		c.raw(`<use href="#`, f.shared, `-r" x="100%"/>`)
	default:
		c.raw(`<svg class="arrow" x="100%" y="23"><path d="M-9-5 0 0-9 5z"/></svg>`)
	}
	if left {
		c.raw(`<text class="end-text start" x="0" y="11">`)
	} else {
		c.raw(`<text class="end-text end" x="100%" y="11">`)
	}
	c.text(number)
	c.raw("</text>")
}
