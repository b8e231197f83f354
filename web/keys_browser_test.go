//go:build !race

package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/internal/webtest"
)

// press sends one key to whatever has the focus.
func press(t *testing.T, p *webtest.Page, key string, ctrl bool) {
	t.Helper()
	webtest.Eval[bool](t, p, fmt.Sprintf(
		`(document.activeElement || document.body).dispatchEvent(new KeyboardEvent("keydown", {key: %q, ctrlKey: %v, bubbles: true, cancelable: true}))`, key, ctrl))
}

func isOpen(t *testing.T, p *webtest.Page, id string) bool {
	t.Helper()
	return webtest.Eval[bool](t, p, fmt.Sprintf("document.getElementById(%q).open", id))
}

// The palette opens by key and by button, narrows to what is typed, finds
// experiments at the server, and leads there.
func TestPalette(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/experiments", webtest.View{Width: 1280, Height: 800})
	press(t, p, "k", true)
	if !isOpen(t, p, "palette") || !webtest.Eval[bool](t, p, "document.activeElement === document.querySelector('#palette input')") {
		t.Fatal("Ctrl+K does not open the palette with the focus in its field")
	}
	for _, want := range []webtest.Name{{Role: "dialog", Name: "Go to"}, {Role: "combobox", Name: "Page, experiment or metric"}, {Role: "listbox", Name: "Places"}} {
		if names := p.Names(t); !slices.Contains(names, want) {
			t.Errorf("the accessibility tree lacks %v", want)
		}
	}
	shoot(t, p, "palette")
	p.Keys(t, "plan")
	p.Await(t, "document.querySelectorAll('#places li').length === 1")
	if got := webtest.Eval[string](t, p, "document.querySelector('#places [aria-selected=true]').dataset.url"); got != "/planner" {
		t.Errorf("typing plan chooses %q", got)
	}
	press(t, p, "k", true)
	if isOpen(t, p, "palette") {
		t.Error("Ctrl+K does not close the palette")
	}
	p.Click(t, "[data-palette]")
	p.Keys(t, "buffer")
	p.Await(t, "document.querySelector('#places li')?.dataset.url === '/layers'")
	if got := webtest.Eval[string](t, p, "document.querySelector('#places li').textContent"); !strings.Contains(got, "<b>Buffer</b>") {
		t.Errorf("the name of an experiment is shown as %q", got)
	}
	press(t, p, "Enter", false)
	p.Await(t, "location.pathname === '/layers'")
	checkFits(t, p, "after the palette", 1280)
}

func TestPaletteFitsAPhone(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/experiments", webtest.View{Width: 360, Height: 800, Dark: true})
	press(t, p, "?", false)
	if !isOpen(t, p, "shortcuts") {
		t.Error("? does not show the shortcuts")
	}
	checkFits(t, p, "shortcuts", 360)
	shoot(t, p, "shortcuts-360")
}

// Single keys move and lead, but not while somebody types, and not when they
// were turned off.
func TestShortcuts(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/experiments", webtest.View{Width: 1280, Height: 800})
	row := func() int {
		return webtest.Eval[int](t, p, "[...document.querySelectorAll('main tbody th a')].indexOf(document.activeElement)")
	}
	for _, step := range []struct {
		key  string
		want int
	}{{"j", 0}, {"j", 1}, {"k", 0}, {"k", 0}} {
		press(t, p, step.key, false)
		if got := row(); got != step.want {
			t.Errorf("%s leads to row %d, want %d", step.key, got, step.want)
		}
	}
	press(t, p, "/", false)
	if got := webtest.Eval[string](t, p, "document.activeElement.type"); got != "search" {
		t.Fatalf("/ leads to a field of type %q", got)
	}
	for _, key := range []string{"j", "?", "g", "m"} {
		press(t, p, key, false)
	}
	if got := webtest.Eval[string](t, p, "document.activeElement.type + location.pathname"); got != "search/experiments" || isOpen(t, p, "shortcuts") {
		t.Errorf("keys typed into a field do something: %q", got)
	}
	webtest.Eval[bool](t, p, "(document.activeElement.blur(), document.querySelector('#shortcuts input').click(), true)")
	press(t, p, "?", false)
	if isOpen(t, p, "shortcuts") {
		t.Error("shortcuts that were turned off do something")
	}
	webtest.Eval[bool](t, p, "(document.querySelector('#shortcuts input').click(), true)")
	press(t, p, "g", false)
	press(t, p, "m", false)
	p.Await(t, "location.pathname === '/catalogue'")
}

// Without the script nothing of it is shown, and the menu of pages opens.
func TestNavigationWithoutScript(t *testing.T) {
	t.Parallel()
	browser, url := webtest.Start(t), site(t)
	p := browser.Open(t, url+"/experiments", webtest.View{Width: 360, Height: 800, NoScript: true})
	if got := webtest.Eval[int](t, p, "[...document.querySelectorAll('[data-palette], dialog')].filter(e => e.offsetWidth).length"); got != 0 {
		t.Errorf("%d things are shown that need the script", got)
	}
	p.Click(t, ".menu > summary")
	if !webtest.Eval[bool](t, p, "document.querySelector('.menu').open && document.querySelector('.menu a').offsetWidth > 0") {
		t.Error("the menu does not open")
	}
	checkFits(t, p, "the menu", 360)
	shoot(t, p, "menu-360")
}
