package server

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/splitcast/splitcast/client/browser"
)

// SDKPath is where pages find the script of package client/browser.
const SDKPath = "/sdk/splitcast.js"

// sdkCache lets browsers use the script for an hour without a question, and
// for a week while they ask: it is in the way of a page's first paint, and a
// new one is never urgent.
const sdkCache = "public, max-age=3600, stale-while-revalidate=604800"

// sdk is GET and HEAD /sdk/splitcast.js, for pages of any origin.
func sdk() http.HandlerFunc {
	script := browser.Script()
	sum := sha256.Sum256([]byte(script))
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("Cache-Control", sdkCache)
		h.Set("ETag", etag)
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(script))
	}
}
