package chart

import (
	"strconv"
	"strings"
)

// Sizes of drawings that leave the page, in px.
const (
	StandaloneWidth = 960
	sheetPad        = 24
	sheetHead       = 34 // the title
	sheetNamesPct   = 34 // of the width, for the names of rows
	sheetRow        = 46
)

// standaloneStyle is what the style sheet of the pages says of charts, in its light
// theme: a picture in a document has no style sheet beside it.
const standaloneStyle = `:root{--state:#5d6775;--soft:#eef0f3}` +
	`.is-better{--state:#1558d6;--soft:#e6eefd}.is-worse{--state:#b4480a;--soft:#fdeee2}.is-changed{--state:#4a5361;--soft:#f1f3f6}.is-trust{--state:#7430c4;--soft:#f3ebfd}` +
	`.of-control{--state:#667080;--soft:#e3e6eb}.of-treatment{--state:#1d4fd7;--soft:#e6eefd}` +
	`.paper{fill:#fff}path,line{fill:none;vector-effect:non-scaling-stroke}` +
	`text{font:11px system-ui,sans-serif;fill:#667080;text-anchor:middle}.start,.axis-word{text-anchor:start}.end,.axis-word.end{text-anchor:end}` +
	`.name{font-size:13px;fill:#14181f;font-weight:600;text-anchor:start}.under{text-anchor:start}.head{font-size:16px;fill:#14181f;font-weight:600;text-anchor:start}` +
	`.grid{stroke:#e2e5ea}.zero{stroke:#667080;stroke-width:1.25}.wall{fill:#f6dfcd}.wall-edge,.margin{stroke:#b4480a;stroke-width:1.5;stroke-dasharray:3 2}` +
	`.wing{stroke:var(--state);stroke-width:1.75}.bar{fill:var(--state);stroke:var(--state);stroke-width:1.5}.is-open .bar,.is-trust .bar{fill:#fff}` +
	`.estimate{stroke:#14181f;stroke-width:2.5}.arrow{overflow:visible}.arrow path{fill:#14181f}` +
	`.band{fill:var(--soft)}.band-edge{stroke:var(--state);stroke-width:1.25}.line{stroke:#14181f;stroke-width:2}g .line{stroke:var(--state)}g .band{opacity:.7}text.of-control,text.of-treatment{fill:var(--state);font-weight:600}.of-control .line{stroke-dasharray:5 3}` +
	`.planned{fill:var(--state);fill-opacity:.22;stroke:var(--state);stroke-width:1.5}.peek{stroke:#667080;stroke-dasharray:1 4}.dot{fill:#14181f}.mde{stroke:#1558d6;stroke-dasharray:6 4}.mde-text{fill:#1558d6}.margin-text{fill:#b4480a}.zone{fill:#f1f3f6}.cross{display:none}.curves{overflow:hidden}`

// Standalone turns a drawing of this package into a file: with a title, the name
// space, a size in px, paper beneath and its own style.
func Standalone(title, svg string) string {
	height := funnelHeight
	if _, after, ok := strings.Cut(svg, ` height="`); ok {
		text, _, _ := strings.Cut(after, `"`)
		if h, err := strconv.Atoi(text); err == nil {
			height = h
		}
	}
	var c canvas
	c.sheet(sheetHead + height)
	c.head(title)
	c.raw(`<svg x="`, strconv.Itoa(sheetPad), `" y="`, strconv.Itoa(sheetPad+sheetHead), `" width="`, strconv.Itoa(StandaloneWidth-2*sheetPad), `" height="`, strconv.Itoa(height), `"><svg width="100%"`)
	c.raw(strings.TrimPrefix(svg, "<svg"), "</svg>")
	return c.close()
}

// sheet begins a file with room for a drawing of a height.
func (c *canvas) sheet(height int) {
	whole := strconv.Itoa(height + 2*sheetPad)
	c.raw(`<svg xmlns="http://www.w3.org/2000/svg" width="`, strconv.Itoa(StandaloneWidth), `" height="`, whole, `"><style>`, standaloneStyle, `</style><rect class="paper" width="100%" height="100%"/>`)
}

// head writes the title of a file.
func (c *canvas) head(title string) {
	c.raw(`<text class="head" x="24" y="40">`)
	c.text(title)
	c.raw("</text>")
}

// RowName is what stands beside a row of a sheet.
type RowName struct{ Name, Under string }

// Sheet draws the whole forest as a file: title, axis and rows with their names,
// one a row in order. It returns a *LimitError when the names are not as many as
// the rows.
func (f *Forest) Sheet(title string, names []RowName) (string, error) {
	if len(names) != len(f.rows) {
		return "", &LimitError{What: "names", Got: len(names), Limit: len(f.rows)}
	}
	var c canvas
	c.sheet(sheetHead + axisHeight + sheetRow*len(f.rows))
	c.head(title)
	y := sheetPad + sheetHead
	c.beside(y, axisHeight, f.Axis())
	y += axisHeight
	for i, n := range names {
		for line, text := range []string{n.Name, n.Under} {
			class := [2]string{"name", "under"}[line]
			c.raw(`<text class="`, class, `" x="24" y="`, strconv.Itoa(y+20+15*line), `">`)
			c.text(shortened(text))
			c.raw("</text>")
		}
		c.beside(y, rowHeight, f.Row(i))
		y += sheetRow
	}
	return c.close(), nil
}

// beside places a drawing to the right of the names.
func (c *canvas) beside(y, height int, svg string) {
	c.raw(`<svg x="`, strconv.Itoa(sheetNamesPct), `%" y="`, strconv.Itoa(y), `" width="`, strconv.Itoa(100-sheetNamesPct-3), `%" height="`, strconv.Itoa(height), `"><svg width="100%"`, strings.TrimPrefix(svg, "<svg"), "</svg>")
}

// maxNameRunes is how much of a name fits beside a row.
const maxNameRunes = 44

func shortened(s string) string {
	r := []rune(s)
	if len(r) <= maxNameRunes {
		return s
	}
	return string(r[:maxNameRunes-1]) + "…"
}
