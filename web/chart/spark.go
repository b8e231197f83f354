package chart

import "math"

// Size of a sparkline in px. It does not stretch.
const (
	sparkWidth  = 96
	sparkHeight = 26
)

// Sparkline draws the interval of one comparison over its looks, with the line
// of no difference. Words are what a screen reader says. It returns a
// *ValueError for a number that cannot be drawn and a *LimitError for more than
// MaxLooks.
func Sparkline(words string, state State, points []Point) (string, error) {
	f := Funnel{Points: points}
	if err := f.check(); err != nil {
		return "", err
	}
	var c canvas
	c.raw(`<svg class="chart spark is-`, string(state), `" role="img"><title>`)
	c.text(words)
	c.raw("</title>")
	s := newSpark(Thin(points, MaxSparkPoints))
	c.raw(`<path class="zero" d="M0 `)
	c.num(s.y(0))
	c.raw(`H96"/>`)
	if len(s.points) > 0 {
		s.draw(&c)
	}
	return c.close(), nil
}

// spark is the thinned looks with their scale.
type spark struct {
	points []Point
	scale  scale
}

func newSpark(points []Point) spark {
	return spark{points: points, scale: newPlot(points).y}
}

// x returns the position of the i-th look, by its place in the series.
func (s *spark) x(i int) float64 {
	if len(s.points) == 1 {
		return sparkWidth / 2
	}
	return 1 + math.Round((sparkWidth-5)*float64(i)/float64(len(s.points)-1))
}

// y returns the position of v, held within the frame.
func (s *spark) y(v float64) float64 {
	return math.Round(10*sparkHeight*(1-s.scale.clip(v)/100)) / 10
}

// draw appends band, estimate and the mark of the last look.
func (s *spark) draw(c *canvas) {
	last := len(s.points) - 1
	if last == 0 {
		c.raw(`<path class="band-edge" d="M48 `)
		c.num(s.y(s.points[0].Anytime.Lo))
		c.raw("V")
		c.num(s.y(s.points[0].Anytime.Hi))
		c.raw(`"/>`)
	} else {
		c.raw(`<path class="band" d="M`)
		for i := range s.points {
			s.edge(c, i, s.points[i].Anytime.Hi)
		}
		for i := last; i >= 0; i-- {
			s.edge(c, i, s.points[i].Anytime.Lo)
		}
		c.raw(`Z"/><path class="line" d="M`)
		for i := range s.points {
			s.node(c, i, s.points[i].Estimate)
		}
		c.raw(`"/>`)
	}
	c.raw(`<circle class="dot"`)
	c.attr("cx", s.x(last))
	c.attr("cy", s.y(s.points[last].Estimate))
	c.raw("/>")
}

// edge appends one pair of coordinates of the band, of which a pixel is fine enough.
func (s *spark) edge(c *canvas, i int, v float64) {
	if c.buf[len(c.buf)-1] != 'M' {
		c.raw(" ")
	}
	c.num(s.x(i))
	c.raw(" ")
	c.num(math.Round(s.y(v)))
}

// node appends one pair of coordinates.
func (s *spark) node(c *canvas, i int, v float64) {
	if c.buf[len(c.buf)-1] != 'M' {
		c.raw(" ")
	}
	c.num(s.x(i))
	c.raw(" ")
	c.num(s.y(v))
}
