// Package webtest opens pages of ours in a real, headless Chromium from a test:
// it takes screenshots at a size and theme, reads the accessibility tree as a
// screen reader would, and evaluates JavaScript.
//
// It hides the browser driver, whose interface has changed before, behind a few
// calls; every failure ends the test, so there are no errors to check. It never
// touches the network beyond the URL it is given and is imported by tests only.
//
//	browser := webtest.Start(t)
//	page := browser.Open(t, srv.URL, webtest.View{Width: 360, Height: 800, Dark: true})
//	if w := webtest.Eval[int](t, page, "document.documentElement.scrollWidth"); w > 360 {
//		t.Errorf("page is %d px wide", w)
//	}
package webtest

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Deadlines of the browser. A page of ours paints within a second; the rest is
// room for a busy machine.
const (
	startTimeout = 60 * time.Second
	stepTimeout  = 30 * time.Second
	closeTimeout = 10 * time.Second
	awaitEvery   = 20 * time.Millisecond
)

// Browser is one running Chromium with a profile of its own.
type Browser struct {
	ctx context.Context
}

// Start starts a headless Chromium that ends with the test. The test is skipped
// when the machine has none; with CI=true that is a failure, so that the
// browser tests cannot be lost unnoticed.
func Start(t testing.TB) *Browser {
	t.Helper()
	path, ok := find()
	if !ok {
		if os.Getenv("CI") == "true" {
			t.Fatal("webtest: no Chromium or Chrome on PATH")
		}
		t.Skip("webtest: no Chromium or Chrome on PATH")
	}
	// Not t.TempDir: Chromium still writes while it ends, and a test fails when
	// its directory cannot be removed.
	profile, err := os.MkdirTemp("", "splitcast-webtest-")
	if err != nil {
		t.Fatalf("webtest: make profile directory: %v", err)
	}
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), options(path, profile)...)
	ctx, stop := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		closing, done := context.WithTimeout(ctx, closeTimeout)
		defer done()
		if err := chromedp.Cancel(closing); err != nil {
			t.Logf("webtest: close browser: %v", err)
		}
		stop()
		stopAlloc()
		if err := os.RemoveAll(profile); err != nil {
			t.Logf("webtest: remove profile: %v", err)
		}
	})
	// The first Do binds the browser's life to its context, which therefore
	// must not carry a deadline; the timer cancels only a start that hangs.
	hung := time.AfterFunc(startTimeout, stop)
	defer hung.Stop()
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("webtest: start %s: %v", path, err)
	}
	return &Browser{ctx: ctx}
}

// find returns the first browser on PATH.
func find() (string, bool) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// options are the flags of a browser that runs as root in a container, stays
// silent on the network and renders the same everywhere.
func options(path, profile string) []chromedp.ExecAllocatorOption {
	return append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-first-run", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("lang", "en-US"),
	)
}
