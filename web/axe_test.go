//go:build !race

package web

import (
	"testing"

	"github.com/splitcast/splitcast/internal/webtest"
)

// axe-core finds nothing wrong with any page, in light and in dark. What the
// theme changes is colours, so that only they are looked at twice.
func TestAxe(t *testing.T) {
	t.Parallel()
	axe := webtest.Axe(t)
	browser, url := webtest.Start(t), site(t)
	paths := append(everyPage(t), reportPaths()...)
	for _, path := range paths {
		t.Run(path[1:], func(t *testing.T) {
			t.Parallel()
			light := webtest.View{Width: 1280, Height: 900}
			p := browser.Open(t, url+path, light)
			webtest.Eval[bool](t, p, "document.querySelectorAll('details').forEach(d => d.open = true), true")
			for _, v := range p.Violations(t, axe) {
				t.Errorf("light: %s", v)
			}
			light.Dark = true
			p.Look(t, light)
			for _, v := range p.Violations(t, axe, "color-contrast") {
				t.Errorf("dark: %s", v)
			}
		})
	}
}
