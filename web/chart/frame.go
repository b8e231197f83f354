package chart

import (
	"math"
	"slices"
)

// frame is the plot of curves: places along x in units of plotWidth, a scale and
// its ticks along y.
type frame struct {
	xs         []float64 // of the nodes
	from, over float64   // the first value and the length of the axis
	y          scale
	ticks      []float64
}

// newFrame lays the values out along x; a single one stands in the middle.
func newFrame(values []float64, y scale) frame {
	f := frame{y: y, from: values[0], over: values[len(values)-1] - values[0]}
	for _, v := range values {
		f.xs = append(f.xs, f.x(v))
	}
	return f
}

// x returns the place of a value, which keeps off the frame at either end.
func (f *frame) x(v float64) float64 {
	if f.over <= 0 {
		return plotWidth / 2
	}
	return plotWidth * (0.02 + 0.96*(v-f.from)/f.over)
}

// py returns the position of v in px from the top of the plot.
func (f *frame) py(v float64) float64 {
	return min(plotHeight+offPlot, max(-offPlot, plotHeight*(1-f.y.at(v)/100)))
}

// cross appends the hair line of the nodes.
func (f *frame) cross(c *canvas) { c.cross(len(f.xs), func(i int) float64 { return f.xs[i] }) }

func (f *frame) grid(c *canvas) {
	for _, v := range f.ticks {
		if v != 0 {
			horizontal(c, "grid", plotTop+f.py(v))
		}
	}
}

// open begins the stretched coordinate system of the curves.
func (f *frame) open(c *canvas) {
	c.raw(`<svg class="curves" x="0" y="18" width="100%" height="244" viewBox="0 0 1000 244" preserveAspectRatio="none">`)
}

// band draws a band with both its edges.
func (f *frame) band(c *canvas, class string, at func(int) Interval) {
	c.raw(`<path class="`, class, `" d="M`)
	for i := range f.xs {
		f.node(c, i, at(i).Hi)
	}
	c.raw("L")
	for i := range slices.Backward(f.xs) {
		f.node(c, i, at(i).Lo)
	}
	c.raw(`Z"/>`)
	f.line(c, class+"-edge", func(i int) *float64 { v := at(i).Hi; return &v })
	f.line(c, class+"-edge", func(i int) *float64 { v := at(i).Lo; return &v })
}

// line draws a curve with gaps where there is no value.
func (f *frame) line(c *canvas, class string, at func(int) *float64) {
	c.raw(`<path class="`, class, `" d="`)
	pen := byte('M')
	for i := range f.xs {
		v := at(i)
		if v == nil {
			pen = 'M'
			continue
		}
		if pen == 'M' {
			c.buf = append(c.buf, pen)
		}
		f.node(c, i, *v)
		pen = ' '
	}
	c.raw(`"/>`)
}

// node appends one pair of coordinates.
func (f *frame) node(c *canvas, i int, v float64) {
	if b := c.buf[len(c.buf)-1]; b != 'M' && b != 'L' {
		c.raw(" ")
	}
	c.num(math.Round(f.xs[i]))
	c.raw(" ")
	c.num(math.Round(10*f.py(v)) / 10)
}

// zone shades the changes that do not matter.
func (f *frame) zone(c *canvas, half float64) {
	top, bottom := max(0, f.py(half)), min(plotHeight, f.py(-half))
	c.raw(`<rect class="zone" x="0" width="100%"`)
	c.attr("y", plotTop+top)
	c.attr("height", max(0, bottom-top))
	c.raw("/>")
}

// zoneWords names the zone beneath its lower edge, or above the upper one where
// that is the floor.
func (f *frame) zoneWords(c *canvas, half float64, words string) {
	c.raw(`<text class="mark-text start zone-text" x="64"`)
	y := f.py(-half) + labelGap
	if y > plotHeight {
		y = max(labelGap, f.py(half)-4)
	}
	c.attr("y", plotTop+y)
	c.raw(">")
	c.text(words)
	c.raw("</text>")
}

// marks labels places along x that lie within the frame.
func (f *frame) marks(c *canvas, marks []axisMark, at func(float64) float64) {
	for _, m := range marks {
		x := f.x(at(m.value)) / plotWidth * 100
		if x < 0 || x > 100 {
			continue
		}
		anchor := ""
		switch {
		case x < 6:
			anchor = " start"
		case x > 94:
			anchor = " end"
		}
		c.raw(`<text class="axis-tick`, anchor, `"`)
		c.pct("x", x)
		c.raw(` y="294">`)
		c.text(m.text)
		c.raw("</text>")
	}
}
