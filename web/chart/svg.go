package chart

import (
	"strconv"
	"unicode/utf8"
)

// canvas appends SVG markup. Attribute values other than numbers are constants
// of this package; text from outside passes through text only.
type canvas struct {
	buf []byte
}

// raw appends markup as it is.
func (c *canvas) raw(s ...string) {
	for _, part := range s {
		c.buf = append(c.buf, part...)
	}
}

// num appends a coordinate with at most one decimal: a tenth of a pixel, or of a
// thousandth of the width.
func (c *canvas) num(v float64) { c.decimal(v, 1) }

// decimal appends a number without zeros at its end.
func (c *canvas) decimal(v float64, decimals int) {
	start := len(c.buf)
	c.buf = strconv.AppendFloat(c.buf, v, 'f', decimals, 64)
	for c.buf[len(c.buf)-1] == '0' {
		c.buf = c.buf[:len(c.buf)-1]
	}
	if c.buf[len(c.buf)-1] == '.' {
		c.buf = c.buf[:len(c.buf)-1]
	}
	if string(c.buf[start:]) == "-0" {
		c.buf = append(c.buf[:start], '0')
	}
}

// attr appends name="v".
func (c *canvas) attr(name string, v float64) {
	c.raw(" ", name, `="`)
	c.num(v)
	c.raw(`"`)
}

// pct appends name="v%".
func (c *canvas) pct(name string, v float64) {
	c.raw(" ", name, `="`)
	c.decimal(v, 2)
	c.raw(`%"`)
}

// text appends s with everything that could be markup escaped and everything
// that XML does not allow replaced.
func (c *canvas) text(s string) {
	for _, r := range s {
		switch {
		case r == '&':
			c.raw("&amp;")
		case r == '<':
			c.raw("&lt;")
		case r == '>':
			c.raw("&gt;")
		case r == '"':
			c.raw("&#34;")
		case r == '\'':
			c.raw("&#39;")
		case r < ' ' || r == 0x7f || r == utf8.RuneError || r == 0xfffe || r == 0xffff:
			c.raw("\uFFFD")
		default:
			c.buf = utf8.AppendRune(c.buf, r)
		}
	}
}

// open begins a drawing that fills its container's width, with its words.
func (c *canvas) open(class string, height int, title, desc string) {
	c.raw(`<svg class="chart `, class, `" height="`, strconv.Itoa(height), `" role="img"><title>`)
	c.text(title)
	c.raw("</title>")
	if desc != "" {
		c.raw("<desc>")
		c.text(desc)
		c.raw("</desc>")
	}
}

// close ends the drawing.
func (c *canvas) close() string {
	c.raw("</svg>")
	return string(c.buf)
}
