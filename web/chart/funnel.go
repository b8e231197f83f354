package chart

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Geometry of a funnel in px; the width is whatever the container gives. The
// curves are drawn in a coordinate system of plotWidth units, which stretches.
const (
	funnelHeight = 300
	plotTop      = 18
	plotHeight   = 244
	plotWidth    = 1000
	labelGap     = 13 // least distance of two labels' baselines
	// offPlot is where ends beyond the frame are drawn: far enough to leave it,
	// near enough to keep the numbers short.
	offPlot = 400
)

// Point is one look of a funnel. Values are lifts as fractions, with the sign
// that the page prints.
type Point struct {
	Look     int
	At       time.Time
	Estimate float64
	Anytime  Interval
	Fixed    *Interval // valid at this look only
}

// Funnel is the interval of one comparison over its looks.
type Funnel struct {
	Title, Desc   string
	State         State
	Points        []Point // ascending by Look
	LowerIsBetter bool
	MDE           *float64 // the smallest lift worth detecting, with its sign
	Margin        *float64 // a guardrail's tolerated loss, with its sign
	// Planned are the planned looks, ascending by Look, each drawn as it holds: from
	// its look to the next planned one. Those outside of the points are left out.
	Planned []Planned
}

// Planned is the interval of one planned look.
type Planned struct {
	Look     int
	Interval Interval
}

// Thin returns at most n of the looks, evenly spread, the first and the last
// among them. Each is a real look: nothing is averaged.
func Thin[T any](looks []T, n int) []T {
	if len(looks) <= n {
		return looks
	}
	out := make([]T, n)
	for i := range out {
		out[i] = looks[i*(len(looks)-1)/(n-1)]
	}
	return out
}

// SVG draws the funnel; of more than MaxPoints looks it draws those that Thin
// keeps. It returns a *ValueError for a number that cannot be drawn and a
// *LimitError for more than MaxLooks.
func (f Funnel) SVG() (string, error) {
	if err := f.check(); err != nil {
		return "", err
	}
	p := newPlot(Thin(f.Points, MaxPoints), f.MDE, f.Margin)
	p.planned = f.Planned
	var c canvas
	c.open("funnel is-"+string(f.State), funnelHeight, f.Title, f.Desc)
	if len(p.points) == 0 {
		c.raw(`<text class="none" x="50%" y="140">No look yet: the first interval appears here.</text>`)
		return c.close(), nil
	}
	if f.Margin != nil {
		p.wall(&c, *f.Margin)
	}
	p.grid(&c)
	p.curves(&c)
	p.numbers(&c, f.LowerIsBetter)
	p.lines(&c, f.MDE, f.Margin)
	p.clipped(&c)
	p.times(&c)
	p.cross(&c)
	return c.close(), nil
}

// check refuses numbers that cannot be drawn and looks out of order.
func (f Funnel) check() error {
	if len(f.Points) > MaxLooks {
		return &LimitError{What: "looks", Got: len(f.Points), Limit: MaxLooks}
	}
	if err := checkNumber(0, "MDE", f.MDE); err != nil {
		return err
	}
	if err := checkNumber(0, "margin", f.Margin); err != nil {
		return err
	}
	for i := range f.Points {
		pt := &f.Points[i]
		if err := checkNumber(i, "estimate", &pt.Estimate); err != nil {
			return err
		}
		if err := checkInterval(i, "anytime interval", &pt.Anytime); err != nil {
			return err
		}
		if err := checkInterval(i, "fixed interval", pt.Fixed); err != nil {
			return err
		}
		if i > 0 && pt.Look <= f.Points[i-1].Look {
			return &ValueError{Index: i, What: "look", Value: strconv.Itoa(pt.Look) + " after " + strconv.Itoa(f.Points[i-1].Look)}
		}
	}
	return f.checkPlanned()
}

// checkPlanned does what check does for the planned looks.
func (f Funnel) checkPlanned() error {
	if len(f.Planned) > MaxLooks {
		return &LimitError{What: "planned looks", Got: len(f.Planned), Limit: MaxLooks}
	}
	for i := range f.Planned {
		if err := checkInterval(i, "planned interval", &f.Planned[i].Interval); err != nil {
			return err
		}
		if i > 0 && f.Planned[i].Look <= f.Planned[i-1].Look {
			return &ValueError{Index: i, What: "planned look", Value: strconv.Itoa(f.Planned[i].Look) + " after " + strconv.Itoa(f.Planned[i-1].Look)}
		}
	}
	return nil
}

// plot is the thinned looks with their scale.
type plot struct {
	points  []Point
	planned []Planned
	y       scale
	ticks   []float64
	step    float64
}

func newPlot(points []Point, marks ...*float64) plot {
	var e extent
	for i := range points {
		e.add(points[i].Estimate, points[i].Anytime.Lo, points[i].Anytime.Hi)
	}
	for _, m := range marks {
		if m != nil {
			e.values = append(e.values, *m)
		}
	}
	p := plot{points: points, y: e.fit(lookClip)}
	p.ticks = p.y.ticks(7)
	p.step = p.ticks[1] - p.ticks[0]
	return p
}

// x returns the position of the i-th look in units of plotWidth; a single look
// stands in the middle.
func (p *plot) x(i int) float64 { return p.xOf(p.points[i].Look) }

// xOf is the position of a look by its number.
func (p *plot) xOf(look int) float64 {
	first, last := p.points[0].Look, p.points[len(p.points)-1].Look
	if first == last {
		return plotWidth / 2
	}
	// The last look keeps off the frame, so that its mark is seen whole.
	return 0.985 * plotWidth * float64(look-first) / float64(last-first)
}

// held draws the interval of each planned look for as long as it decides.
func (p *plot) held(c *canvas) {
	first, last := p.points[0].Look, p.points[len(p.points)-1].Look
	for i, l := range p.planned {
		if l.Look < first || l.Look > last {
			continue
		}
		until := p.xOf(last) + 0.015*plotWidth
		if i+1 < len(p.planned) && p.planned[i+1].Look <= last {
			until = p.xOf(p.planned[i+1].Look)
		}
		c.raw(`<path class="planned" d="M`)
		c.num(math.Round(p.xOf(l.Look)))
		c.raw(" ")
		c.num(math.Round(10*p.py(l.Interval.Hi)) / 10)
		c.raw("H")
		c.num(math.Round(until))
		c.raw("V")
		c.num(math.Round(10*p.py(l.Interval.Lo)) / 10)
		c.raw("H")
		c.num(math.Round(p.xOf(l.Look)))
		c.raw(`Z"/>`)
	}
}

// py returns the position of v in px from the top of the plot.
func (p *plot) py(v float64) float64 {
	return min(plotHeight+offPlot, max(-offPlot, plotHeight*(1-p.y.at(v)/100)))
}

// grid draws the lines of the ticks.
func (p *plot) grid(c *canvas) {
	for _, v := range p.ticks {
		if v != 0 {
			horizontal(c, "grid", plotTop+p.py(v))
		}
	}
}

// numbers writes the values of the ticks and the direction of better over the
// curves, for a band may begin as tall as the plot.
func (p *plot) numbers(c *canvas, lowerIsBetter bool) {
	for _, v := range p.ticks {
		c.raw(`<text class="axis-tick start" x="2"`)
		c.attr("y", plotTop+p.py(v)-3)
		c.raw(">")
		c.text(percent(v, p.step, true))
		c.raw("</text>")
	}
	if lowerIsBetter {
		c.raw(`<text class="axis-word" x="0" y="276">↓ better</text>`)
		return
	}
	c.raw(`<text class="axis-word" x="0" y="11">↑ better</text>`)
}

// horizontal draws a line over the whole width.
func horizontal(c *canvas, class string, y float64) {
	c.raw(`<line class="`, class, `" x1="0" x2="100%"`)
	c.attr("y1", y)
	c.attr("y2", y)
	c.raw("/>")
}

// wall shades what lies beyond the margin.
func (p *plot) wall(c *canvas, margin float64) {
	y := min(plotHeight, max(0, p.py(margin)))
	top, height := y, plotHeight-y
	if margin > 0 {
		top, height = 0, y
	}
	if height <= 0 {
		return
	}
	c.raw(`<rect class="wall" x="0" width="100%"`)
	c.attr("y", plotTop+top)
	c.attr("height", height)
	c.raw("/>")
}

// curves draws the band, the one-look interval and the estimate.
func (p *plot) curves(c *canvas) {
	c.raw(fmt.Sprintf(`<svg class="curves" x="0" y="%d" width="100%%" height="%d" viewBox="0 0 %d %d" preserveAspectRatio="none">`,
		plotTop, plotHeight, plotWidth, plotHeight))
	lo := func(i int) float64 { return p.points[i].Anytime.Lo }
	hi := func(i int) float64 { return p.points[i].Anytime.Hi }
	if len(p.points) == 1 {
		p.whisker(c, "band-edge", p.points[0].Anytime)
	} else {
		c.raw(`<path class="band" d="`)
		p.trace(c, 'M', hi)
		p.back(c, lo)
		c.raw(`Z"/>`)
		p.path(c, "band-edge", hi)
		p.path(c, "band-edge", lo)
	}
	p.held(c)
	p.fixed(c)
	p.path(c, "line", func(i int) float64 { return p.points[i].Estimate })
	c.raw("</svg>")
	last := len(p.points) - 1
	if y := p.py(p.points[last].Estimate); y >= 0 && y <= plotHeight {
		c.raw(`<circle class="dot" r="4"`)
		c.pct("cx", p.x(last)/plotWidth*100)
		c.attr("cy", plotTop+y)
		c.raw("/>")
	}
}

// fixed draws the one-look interval where every look has one.
func (p *plot) fixed(c *canvas) {
	for i := range p.points {
		if p.points[i].Fixed == nil {
			return
		}
	}
	if len(p.points) == 1 {
		p.whisker(c, "peek", *p.points[0].Fixed)
		return
	}
	p.path(c, "peek", func(i int) float64 { return p.points[i].Fixed.Lo })
	p.path(c, "peek", func(i int) float64 { return p.points[i].Fixed.Hi })
}

// whisker draws the interval of a single look.
func (p *plot) whisker(c *canvas, class string, in Interval) {
	c.raw(`<path class="`, class, `" d="M`)
	c.num(p.x(0))
	c.raw(" ")
	c.num(math.Round(p.py(in.Lo)))
	c.raw("V")
	c.num(math.Round(p.py(in.Hi)))
	c.raw(`"/>`)
}

// path draws one curve.
func (p *plot) path(c *canvas, class string, value func(int) float64) {
	c.raw(`<path class="`, class, `" d="`)
	p.trace(c, 'M', value)
	c.raw(`"/>`)
}

// trace appends the curve from the first look to the last.
func (p *plot) trace(c *canvas, first byte, value func(int) float64) {
	c.buf = append(c.buf, first)
	for i := range p.points {
		p.node(c, i, value(i))
	}
}

// back appends the curve from the last look to the first.
func (p *plot) back(c *canvas, value func(int) float64) {
	c.raw("L")
	for i := range slices.Backward(p.points) {
		p.node(c, i, value(i))
	}
}

// node appends one pair of coordinates. A pixel is fine enough across, a tenth
// of one is needed along the flat end of a curve.
func (p *plot) node(c *canvas, i int, v float64) {
	if b := c.buf[len(c.buf)-1]; b != 'M' && b != 'L' {
		c.raw(" ")
	}
	c.num(math.Round(p.x(i)))
	c.raw(" ")
	c.num(math.Round(10*p.py(v)) / 10)
}

// mark is a labelled horizontal line.
type mark struct {
	class, text string
	value       float64
}

// lines draws zero, MDE and margin; a line beyond the frame is named at the edge
// with an arrow.
func (p *plot) lines(c *canvas, mde, margin *float64) {
	marks := []mark{{class: "zero", text: "no difference"}}
	if mde != nil {
		marks = append(marks, mark{class: "mde", text: "planned effect " + short(*mde), value: *mde})
	}
	if margin != nil {
		marks = append(marks, mark{class: "margin", text: "margin " + short(*margin), value: *margin})
	}
	var taken []float64
	for _, m := range marks {
		y := p.py(m.value)
		text := m.text
		switch {
		case y < 0:
			y, text = 10, "↑ "+text
		case y > plotHeight:
			y, text = plotHeight, "↓ "+text
		default:
			horizontal(c, m.class, plotTop+y)
		}
		label := free(taken, plotTop+y-4)
		taken = append(taken, label)
		c.raw(`<text class="mark-text end `, m.class, `-text" x="100%"`)
		c.attr("y", label)
		c.raw(">")
		c.text(text)
		c.raw("</text>")
	}
}

// free returns the baseline nearest above y that keeps its distance from those
// taken.
func free(taken []float64, y float64) float64 {
	for moved := true; moved; {
		moved = false
		for _, t := range taken {
			if math.Abs(t-y) < labelGap {
				y, moved = t-labelGap, true
			}
		}
	}
	return y
}

// clipped says how far the band goes where it leaves the frame.
func (p *plot) clipped(c *canvas) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range p.points {
		lo, hi = min(lo, p.points[i].Anytime.Lo), max(hi, p.points[i].Anytime.Hi)
	}
	if hi > p.y.hi {
		c.raw(`<text class="end-text start" x="64" y="11">▲ `)
		c.text(p.far(hi))
		c.raw("</text>")
	}
	if lo < p.y.lo {
		c.raw(`<text class="end-text start" x="64" y="276">▼ `)
		c.text(p.far(lo))
		c.raw("</text>")
	}
}

// far words the end of a band beyond the frame.
func (p *plot) far(v float64) string {
	if math.Abs(v) > maxReach {
		return "unbounded at first"
	}
	return "up to " + percent(v, p.step, true)
}

// cross appends the hair line of the looks.
func (p *plot) cross(c *canvas) { c.cross(len(p.points), p.x) }

// cross appends the hidden hair line that a script moves to the node nearest to the
// pointer; data-x holds the places of the nodes in thousandths of the width.
func (c *canvas) cross(nodes int, x func(int) float64) {
	c.raw(`<line class="cross" x1="0" x2="0" y1="18" y2="262" data-x="`)
	for i := range nodes {
		if i > 0 {
			c.raw(" ")
		}
		c.num(math.Round(x(i)))
	}
	c.raw(`"/>`)
}

// times labels the first, a middle and the last look with their times in UTC.
func (p *plot) times(c *canvas) {
	last := len(p.points) - 1
	p.time(c, last, " end", "100%")
	if last > 0 {
		p.time(c, 0, " start", "0")
	}
	if last > 3 {
		mid := last / 2
		p.time(c, mid, "", strconv.FormatFloat(p.x(mid)/plotWidth*100, 'f', 1, 64)+"%")
	}
}

// time appends one label under the plot.
func (p *plot) time(c *canvas, i int, anchor, x string) {
	at := p.points[i].At.UTC()
	c.raw(`<text class="axis-tick`, anchor, `" x="`, x, `" y="294">`)
	c.text(at.Format("2 Jan 15:04"))
	if anchor == " end" {
		c.text(" UTC")
	}
	c.raw("</text>")
}
