package webtest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// View is how a page is looked at.
type View struct {
	Width, Height int
	Dark          bool // prefers-color-scheme: dark
	Contrast      bool // prefers-contrast: more
	Print         bool // the print style sheet
	NoScript      bool // JavaScript switched off
}

// Page is an open tab.
type Page struct {
	ctx  context.Context
	view View

	mu       sync.Mutex
	problems []string
}

// Open opens url in a new tab and waits until it is loaded.
func (b *Browser) Open(t testing.TB, url string, v View) *Page {
	t.Helper()
	ctx, stop := chromedp.NewContext(b.ctx)
	t.Cleanup(stop)
	p := &Page{ctx: ctx, view: v}
	// Opening the tab binds its life to this context; see chromedp.NewContext.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("webtest: open tab: %v", err)
	}
	if err := chromedp.Listen(ctx, p.note); err != nil {
		t.Fatalf("webtest: listen: %v", err)
	}
	do(t, p, v.emulate)
	p.Go(t, url)
	return p
}

// Go navigates the tab to url and waits until it is loaded.
func (p *Page) Go(t testing.TB, url string) {
	t.Helper()
	do(t, p, chromedp.Navigate(url))
}

// Problems returns what the browser complained about so far: breaches of the
// content security policy, exceptions of scripts, files that did not load.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.problems)
}

// Name is one node of the accessibility tree: what a screen reader says.
type Name struct {
	Role string
	Name string
}

// Names returns the named nodes of the page's whole accessibility tree.
func (p *Page) Names(t testing.TB) []Name {
	t.Helper()
	tree := run(t, p, func(ctx context.Context, target *chromedp.Target) (accessibility.GetFullAXTreeResult, error) {
		return cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	})
	var names []Name
	for _, n := range tree.Nodes {
		if n.Ignored || n.Name == nil {
			continue
		}
		if name := text(n.Name); name != "" {
			names = append(names, Name{Role: text(n.Role), Name: name})
		}
	}
	return names
}

// text returns the string in a value of the accessibility tree.
func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var s string
	if err := json.Unmarshal([]byte(v.Value), &s); err != nil {
		return ""
	}
	return s
}

// Screenshot returns a PNG of the visible part of the page.
func (p *Page) Screenshot(t testing.TB) []byte {
	t.Helper()
	return run(t, p, chromedp.CaptureScreenshot())
}

// FullScreenshot returns a PNG of the page from top to bottom at the width of
// its View.
func (p *Page) FullScreenshot(t testing.TB) []byte {
	t.Helper()
	height := Eval[float64](t, p, "document.documentElement.scrollHeight")
	return run(t, p, func(ctx context.Context, target *chromedp.Target) ([]byte, error) {
		beyond := true
		res, err := cdp.Call(ctx, target, page.CaptureScreenshot, page.CaptureScreenshotParams{
			CaptureBeyondViewport: &beyond,
			Clip:                  &page.Viewport{Width: float64(p.view.Width), Height: height, Scale: 1},
		})
		return res.Data, err
	})
}

// Click clicks the first element that matches the CSS selector.
func (p *Page) Click(t testing.TB, selector string) {
	t.Helper()
	do(t, p, chromedp.Click(chromedp.CSS(selector)))
}

// Keys types into the element that has the focus; chromedp's kb package names
// the keys that are not characters.
func (p *Page) Keys(t testing.TB, keys string) {
	t.Helper()
	do(t, p, chromedp.KeyEvent(keys))
}

// Await waits until a JavaScript expression is true: in the page shown now, or in
// the one that a click leads to.
func (p *Page) Await(t testing.TB, expression string) {
	t.Helper()
	ctx, done := context.WithTimeout(p.ctx, stepTimeout)
	defer done()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		// An error is a page that goes away under the expression.
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression)); err == nil && ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("webtest: %s is not true after %v", expression, stepTimeout)
		case <-tick.C:
		}
	}
}

// Eval returns the value of a JavaScript expression.
func Eval[T any](t testing.TB, p *Page, expression string) T {
	t.Helper()
	return run(t, p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// note keeps what the browser complains about. It runs within the reader of the
// tab's messages and must not call the tab.
func (p *Page) note(ev any) {
	var problem string
	switch ev := ev.(type) {
	case *log.EventEntryAdded:
		if ev.Entry.Level != log.EntryLevelError && ev.Entry.Level != log.EntryLevelWarning {
			return
		}
		problem = string(ev.Entry.Source) + ": " + ev.Entry.Text + " " + ev.Entry.URL
	case *runtime.EventExceptionThrown:
		problem = "exception: " + ev.ExceptionDetails.Text
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, problem)
}

// emulate makes the tab show what v says.
func (v View) emulate(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	void := chromedp.Void{}
	_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: int64(v.Width), Height: int64(v.Height), DeviceScaleFactor: 1,
	})
	if err != nil {
		return void, err
	}
	_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, v.media())
	if err != nil {
		return void, err
	}
	_, err = cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: v.NoScript})
	return void, err
}

// media returns the media type and features of v.
func (v View) media() emulation.SetEmulatedMediaParams {
	scheme, contrast, media := "light", "no-preference", "screen"
	if v.Dark {
		scheme = "dark"
	}
	if v.Contrast {
		contrast = "more"
	}
	if v.Print {
		media = "print"
	}
	return emulation.SetEmulatedMediaParams{Media: media, Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-contrast", Value: contrast},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}}
}

// do runs an action without a value.
func do(t testing.TB, p *Page, a chromedp.Action[chromedp.Void]) {
	t.Helper()
	run(t, p, a)
}

// run runs one action within stepTimeout; a failure ends the test.
func run[T any](t testing.TB, p *Page, a chromedp.Action[T]) T {
	t.Helper()
	ctx, done := context.WithTimeout(p.ctx, stepTimeout)
	defer done()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatalf("webtest: %v", err)
	}
	return v
}
