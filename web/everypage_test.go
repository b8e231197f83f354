//go:build !race

package web

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/internal/webtest"
)

// everyPage are the paths of all pages but the report, with everything that there
// are samples of: a page that is added to the samples is tested like the others.
func everyPage(t *testing.T) []string {
	t.Helper()
	paths := []string{"/experiments", "/first", "/sign-in", "/problem"}
	return append(paths, slices.Sorted(maps.Keys(platformSamples(renderer(t), Chrome{})))...)
}

// usualPages are those of everyPage without the variants that only try names and
// faults.
func usualPages(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(everyPage(t), func(path string) bool {
		return strings.HasSuffix(path, "-hostile") || strings.HasSuffix(path, "-bare") || strings.HasSuffix(path, "/hostile") || strings.HasSuffix(path, "/bare")
	})
}

// On paper every page is black on white, as wide as the paper, without what can
// only be pressed, and has its content.
func TestEveryPagePrints(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/first", webtest.View{Width: 794, Height: 1123, Print: true, Dark: true})
	for _, path := range usualPages(t) {
		p.Go(t, url+path)
		checkFits(t, p, path, 794)
		if got := webtest.Eval[int](t, p, "[...document.querySelectorAll('button,nav,dialog')].filter(e => e.offsetWidth).length"); got != 0 {
			t.Errorf("%s prints %d controls", path, got)
		}
		if got := webtest.Eval[string](t, p, "getComputedStyle(document.body).backgroundColor"); got != "rgb(255, 255, 255)" {
			t.Errorf("%s: paper is %s", path, got)
		}
		if got := webtest.Eval[int](t, p, "document.querySelector('main').innerText.trim().length"); got < 60 && path != "/sign-in" { // of which there is nothing to keep
			t.Errorf("%s prints %d letters", path, got)
		}
	}
}

// Without script and with more contrast every page shows its content, fits a
// phone, and offers nothing that the script would have to do.
func TestEveryPageWithoutScript(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/first", webtest.View{Width: 360, Height: 800, Dark: true, Contrast: true, NoScript: true})
	for _, path := range usualPages(t) {
		p.Go(t, url+path)
		checkFits(t, p, path, 360)
		if got := webtest.Eval[int](t, p, "[...document.querySelectorAll('[data-palette],[data-copy],[data-png],[data-theme-toggle],dialog')].filter(e => e.offsetWidth).length"); got != 0 {
			t.Errorf("%s shows %d things that need the script", path, got)
		}
		if got := webtest.Eval[int](t, p, "document.querySelectorAll('main h1, main h2').length"); got == 0 {
			t.Errorf("%s has no heading", path)
		}
	}
}

// Escape closes what is open, wherever it was opened from, and the focus is back
// where it can be seen.
func TestEscapeCloses(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/learn/unit", webtest.View{Width: 1280, Height: 800})
	for _, open := range []struct{ key, id string }{{"k", "palette"}, {"?", "shortcuts"}} {
		press(t, p, open.key, open.key == "k")
		if !isOpen(t, p, open.id) {
			t.Fatalf("%s does not open %s", open.key, open.id)
		}
		if !webtest.Eval[bool](t, p, "(s => s.outlineStyle === 'solid' || s.boxShadow !== 'none')(getComputedStyle(document.activeElement))") {
			t.Errorf("%s: the focus is not seen", open.id)
		}
		p.Keys(t, "\x1b")
		p.Await(t, "!document.getElementById('"+open.id+"').open")
	}
	p.Click(t, ".menu > summary")
	p.Keys(t, "\x1b")
	if webtest.Eval[bool](t, p, "document.querySelector('.menu').open") {
		t.Error("the menu of pages stays open")
	}
}
