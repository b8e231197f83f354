package chart

import (
	"math"
	"strconv"
	"strings"
)

// Limits and sizes of columns.
const (
	// MaxColumns bounds the columns: beyond it they are thinner than their gaps
	// at 360 px.
	MaxColumns = 72
	// MaxParts bounds what stacks within a column: more fills than this are not
	// told apart.
	MaxParts = 6

	columnsTop    = 14
	columnsHeight = 132
	columnsBottom = 24
	// columnGap is the share of a column's place that stays empty.
	columnGap = 0.22
)

// Fill is the class of an area. The words beside the chart say what it stands for.
type Fill string

// The fills: six that only tell neighbours apart, and those of a State.
const (
	FillA        Fill = "hue-0"
	FillB        Fill = "hue-1"
	FillC        Fill = "hue-2"
	FillD        Fill = "hue-3"
	FillE        Fill = "hue-4"
	FillF        Fill = "hue-5"
	FillBetter   Fill = "is-better"
	FillWorse    Fill = "is-worse"
	FillWithheld Fill = "is-trust"
)

// Fills are those that only tell neighbours apart, in order.
func Fills() []Fill { return []Fill{FillA, FillB, FillC, FillD, FillE, FillF} }

// Columns are amounts side by side, each stacked of parts: records by minute,
// experiments by the size of their effect.
type Columns struct {
	Title, Desc string
	Fills       []Fill // of the parts, from the bottom
	Columns     []Column
	Unit        string // after the numbers of the axis, such as "/s"
	Whole       bool   // amounts are whole things: the axis has no fractions
	None        string // said in place of columns when nothing has an amount
}

// Column is one stack.
type Column struct {
	Label  string    // under it; empty: none
	Words  string    // shown when pointed at
	Values []float64 // by part, none below 0
}

// SVG draws the columns. It returns a *ValueError for an amount that cannot be
// drawn or has no part, and a *LimitError for more than MaxColumns or MaxParts.
func (c Columns) SVG() (string, error) {
	top, err := c.check()
	if err != nil {
		return "", err
	}
	var out canvas
	out.open("columns", columnsTop+columnsHeight+columnsBottom, c.Title, c.Desc)
	if top == 0 {
		out.raw(`<text class="none" x="50%" y="80">`)
		out.text(c.None)
		out.raw("</text>")
		return out.close(), nil
	}
	step := roundUp(top / 4)
	if c.Whole {
		step = math.Max(1, step)
	}
	top = math.Max(step*math.Ceil(top/step), step)
	ticks := int(math.Round(top / step))
	for i := range ticks + 1 {
		class := "grid"
		if i == 0 {
			class = "zero"
		}
		horizontal(&out, class, columnsTop+columnsHeight*(1-float64(i)/float64(ticks)))
	}
	for i := range c.Columns {
		c.column(&out, i, top)
	}
	// The numbers are written over the columns: the first may be the tallest.
	for i := 1; i <= ticks; i++ {
		out.raw(`<text class="axis-tick start" x="0"`)
		out.attr("y", columnsTop+columnsHeight*(1-float64(i)/float64(ticks))-3)
		out.raw(">")
		out.text(amount(float64(i)*step, step, top) + c.Unit)
		out.raw("</text>")
	}
	return out.close(), nil
}

// check returns the largest stack.
func (c Columns) check() (float64, error) {
	if len(c.Columns) > MaxColumns {
		return 0, &LimitError{What: "columns", Got: len(c.Columns), Limit: MaxColumns}
	}
	if len(c.Fills) > MaxParts {
		return 0, &LimitError{What: "parts", Got: len(c.Fills), Limit: MaxParts}
	}
	top := 0.0
	for i := range c.Columns {
		sum := 0.0
		for j := range c.Columns[i].Values {
			v := c.Columns[i].Values[j]
			if err := checkNumber(i, "amount", &v); err != nil {
				return 0, err
			}
			if v < 0 || j >= len(c.Fills) {
				return 0, &ValueError{Index: i, What: "amount", Value: strconv.FormatFloat(v, 'g', -1, 64)}
			}
			sum += v
		}
		top = max(top, sum)
	}
	if math.IsInf(top, 0) {
		return 0, &ValueError{What: "sum", Value: "+Inf"}
	}
	return top, nil
}

// column draws one stack and its label.
func (c Columns) column(out *canvas, i int, top float64) {
	place := 100 / float64(len(c.Columns))
	left := float64(i) * place
	out.raw(`<g class="column"><title>`)
	out.text(c.Columns[i].Words)
	out.raw(`</title><rect class="aim" y="0" height="`, strconv.Itoa(columnsTop+columnsHeight), `"`)
	out.pct("x", left)
	out.pct("width", place)
	out.raw("/>")
	bottom := float64(columnsTop + columnsHeight)
	for j, v := range c.Columns[i].Values {
		if v == 0 {
			continue
		}
		// What is there is seen: no part is thinner than a pixel.
		height := max(1, columnsHeight*v/top)
		bottom -= height
		out.raw(`<rect class="`, string(c.Fills[j]), `"`)
		out.pct("x", left+place*columnGap/2)
		out.pct("width", place*(1-columnGap))
		out.attr("y", bottom)
		out.attr("height", height)
		out.raw("/>")
	}
	out.raw("</g>")
	if c.Columns[i].Label == "" {
		return
	}
	class, x := "", left+place/2
	switch { // the outermost labels stay within the frame
	case x < 6:
		class, x = "start", left
	case x > 94:
		class, x = "end", left+place
	}
	out.raw(`<text class="axis-tick `, class, `"`)
	out.pct("x", x)
	out.attr("y", columnsTop+columnsHeight+16)
	out.raw(">")
	out.text(c.Columns[i].Label)
	out.raw("</text>")
}

// amount formats a number of an axis with the decimals that tell it from its
// neighbours step away; on an axis that goes beyond ten thousand in thousands,
// or millions.
func amount(v, step, top float64) string {
	scale, unit := 1.0, ""
	switch {
	case v == 0:
		return "0"
	case top >= 1e7:
		scale, unit = 1e6, "\u00a0M"
	case top >= 1e4:
		scale, unit = 1e3, "\u00a0k"
	}
	decimals := int(max(0, -math.Floor(math.Log10(step/scale)+1e-9)))
	s := strconv.FormatFloat(v/scale, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + unit
}

// Part is a share of a Strip.
type Part struct {
	Fill  Fill
	Words string // shown when pointed at
	Value float64
}

// Strip draws parts of one whole side by side over the full width. Words are
// what a screen reader says. It returns a *ValueError for a part that cannot be
// drawn and a *LimitError for more than MaxParts; a whole of 0 is an empty strip.
func Strip(words string, parts []Part) (string, error) {
	if len(parts) > MaxParts {
		return "", &LimitError{What: "parts", Got: len(parts), Limit: MaxParts}
	}
	sum := 0.0
	for i := range parts {
		if err := checkNumber(i, "part", &parts[i].Value); err != nil {
			return "", err
		}
		if parts[i].Value < 0 {
			return "", &ValueError{Index: i, What: "part", Value: strconv.FormatFloat(parts[i].Value, 'g', -1, 64)}
		}
		sum += parts[i].Value
	}
	var c canvas
	c.open("share", 12, words, "")
	left := 0.0
	for _, p := range parts {
		if p.Value == 0 || math.IsInf(sum, 0) {
			continue
		}
		width := 100 * p.Value / sum
		c.raw(`<rect class="`, string(p.Fill), `" y="0" height="12"`)
		c.pct("x", left)
		c.pct("width", width)
		c.raw("><title>")
		c.text(p.Words)
		c.raw("</title></rect>")
		left += width
	}
	return c.close(), nil
}
