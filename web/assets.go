package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// StaticPath is where [Renderer.Static] must be mounted.
const StaticPath = "/static/"

// assetHashLen is the number of hex digits of an asset's hash in its name: 40
// bits, far beyond chance for a handful of files.
const assetHashLen = 10

//go:embed static
var staticFiles embed.FS

// asset is one embedded file.
type asset struct {
	body        []byte
	contentType string
}

// assets holds the files by their hashed name, and the hashed names by name.
type assets struct {
	byName map[string]asset
	names  map[string]string
}

// loadAssets hashes the embedded files.
func loadAssets() (assets, error) {
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		return assets{}, fmt.Errorf("list static files: %w", err)
	}
	a := assets{byName: make(map[string]asset, len(entries)), names: make(map[string]string, len(entries))}
	for _, e := range entries {
		body, err := staticFiles.ReadFile(path.Join("static", e.Name()))
		if err != nil {
			return assets{}, fmt.Errorf("read static file %s: %w", e.Name(), err)
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(e.Name())
		hashed := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:])[:assetHashLen] + ext
		a.byName[hashed] = asset{body: body, contentType: mime.TypeByExtension(ext)}
		a.names[e.Name()] = hashed
	}
	return a, nil
}

// url returns the address of a static file; a name that does not exist fails the
// page, and with it the test that renders every page.
func (a assets) url(name string) (string, error) {
	hashed, ok := a.names[name]
	if !ok {
		return "", fmt.Errorf("no static file %q", name)
	}
	return StaticPath + hashed, nil
}

// Static serves the style sheet, the script and the mark. A name contains the
// hash of its content, so browsers keep a file for ever; any other name is 404.
func (r *Renderer) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		file, ok := r.assets.byName[strings.TrimPrefix(req.URL.Path, StaticPath)]
		if !ok {
			http.NotFound(w, req)
			return
		}
		h := w.Header()
		h.Set("Content-Type", file.contentType)
		h.Set("Content-Length", strconv.Itoa(len(file.body)))
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		if req.Method == http.MethodHead {
			return
		}
		// An error means that the browser left; there is nobody to tell.
		_, _ = w.Write(file.body)
	})
}
