package main

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/splitcast/splitcast/internal/webtest"
	"github.com/splitcast/splitcast/simulate"
)

// maxPictureBytes keeps the README quick to load.
const maxPictureBytes = 300 << 10

// TestScreenshots plays the demo's two weeks and takes the pictures of README
// into the folder that SPLITCAST_PICTURES names: `make screenshots`.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("SPLITCAST_PICTURES")
	if dir == "" {
		t.Skip("pictures are taken by `make screenshots`")
	}
	needPostgres(t)
	browser := webtest.Start(t)
	d := playDemo(t, demoDays)
	path, err := d.p.server.LoginPath(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	wide := webtest.View{Width: 1280, Height: 900}
	p := browser.Open(t, d.p.url()+path, wide)
	p.Click(t, ".signin button")
	p.Await(t, `document.readyState === "complete" && location.pathname === "/experiments"`)
	launch := beginLaunch(t, p, d.p.url())
	for _, shot := range []struct {
		name, path string
		height     int
		dark       bool
	}{
		{"report", "/experiments/" + simulate.KeyFastStart, 1800, false},
		{"report-dark", "/experiments/" + simulate.KeyLowLatency, 900, true},
		{"experiments", "/experiments", 900, false},
		{"experiments-dark", "/experiments", 900, true},
		{"planner", "/planner?mean=0.62&sd=1.4&mde=2&per_day=200000&traffic=10", 1150, false},
		{"launch-power", launch + "/power", 1250, false},
		{"launch-review", launch + "/review", 1100, false},
		{"layers", "/layers", 900, false},
		{"catalogue", "/catalogue", 900, true},
	} {
		view := webtest.View{Width: wide.Width, Height: shot.height, Dark: shot.dark}
		p.Look(t, view)
		p.Go(t, d.p.url()+shot.path)
		p.Await(t, `document.readyState === "complete"`)
		picture := fewColours(t, p.Screenshot(t))
		t.Logf("%s.png: %d KB", shot.name, len(picture)>>10)
		if len(picture) > maxPictureBytes {
			t.Errorf("%s.png has %d bytes, want at most %d", shot.name, len(picture), maxPictureBytes)
		}
		if err := os.WriteFile(filepath.Join(dir, shot.name+".png"), picture, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if problems := p.Problems(); len(problems) > 0 {
		t.Errorf("the browser says %q", problems)
	}
}

// beginLaunch fills in the first step of the launch wizard and returns the path of
// the draft.
func beginLaunch(t *testing.T, p *webtest.Page, server string) string {
	t.Helper()
	p.Go(t, server+"/experiments/new")
	p.Click(t, `input[name="change"][value="abr"]`)
	p.Click(t, `[id="name"]`)
	p.Keys(t, "ABR buffer of 12 s")
	p.Click(t, `[id="hypothesis"]`)
	p.Keys(t, "A longer buffer stalls less on slow networks; the picture stays as it is.")
	p.Click(t, `.step button[value="next"]`)
	p.Await(t, `document.readyState === "complete" && location.pathname.endsWith("/metrics")`)
	draft := webtest.Eval[string](t, p, `location.pathname.replace("/metrics", "")`)
	p.Go(t, server+draft+"/power")
	p.Click(t, `[id="plan.mde"]`)
	p.Keys(t, "0") // 20 %: the world of the demo is small
	p.Click(t, `.step button[value="next"]`)
	p.Await(t, `document.readyState === "complete" && location.pathname.endsWith("/traffic")`)
	return draft
}

// fewColours writes a picture with its 256 most frequent colours: pages are flat,
// and what is left out are shades at the edges of letters.
func fewColours(t *testing.T, picture []byte) []byte {
	t.Helper()
	from, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[color.RGBA]int{}
	b := from.Bounds()
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(from.At(x, y)).(color.RGBA) } //nolint:forcetypeassert // of this model
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	common := slices.SortedFunc(maps.Keys(counts), func(p, q color.RGBA) int {
		return cmp.Or(cmp.Compare(counts[q], counts[p]), cmp.Compare(p.R, q.R), cmp.Compare(p.G, q.G), cmp.Compare(p.B, q.B))
	})
	var palette color.Palette
	for _, c := range common[:min(len(common), 256)] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	to := image.NewPaletted(b, palette)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := at(x, y)
			i, ok := nearest[c]
			if !ok {
				i = uint8(palette.Index(c)) //nolint:gosec // a palette has at most 256 colours
				nearest[c] = i
			}
			to.SetColorIndex(x, y, i)
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, to); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
