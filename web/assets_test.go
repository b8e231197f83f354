package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// maxScriptBytes is the budget of all our scripts together.
const maxScriptBytes = 20 << 10

func TestStatic(t *testing.T) {
	t.Parallel()
	r := renderer(t)
	css, err := r.assets.url("app.css")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, method, path string
		status             int
		contentType        string
	}{
		{"style sheet", http.MethodGet, css, http.StatusOK, "text/css"},
		{"head", http.MethodHead, css, http.StatusOK, "text/css"},
		{"no hash", http.MethodGet, "/static/app.css", http.StatusNotFound, ""},
		{"other hash", http.MethodGet, "/static/app.0000000000.css", http.StatusNotFound, ""},
		{"folder", http.MethodGet, "/static/", http.StatusNotFound, ""},
		{"climb", http.MethodGet, "/static/../web.go", http.StatusNotFound, ""},
		{"post", http.MethodPost, css, http.StatusMethodNotAllowed, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rec := httptest.NewRecorder()
			r.Static().ServeHTTP(rec, httptest.NewRequest(tt.method, tt.path, http.NoBody))
			if rec.Code != tt.status {
				t.Fatalf("status = %d, want %d", rec.Code, tt.status)
			}
			if !strings.HasPrefix(rec.Header().Get("Content-Type"), tt.contentType) {
				t.Errorf("Content-Type = %q, want %q", rec.Header().Get("Content-Type"), tt.contentType)
			}
			immutable := strings.Contains(rec.Header().Get("Cache-Control"), "immutable")
			if immutable != (tt.status == http.StatusOK) {
				t.Errorf("Cache-Control = %q with status %d", rec.Header().Get("Cache-Control"), rec.Code)
			}
		})
	}
}

func TestAssetsHaveTypesAndFitTheirBudget(t *testing.T) {
	t.Parallel()
	files, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range files.byName {
		if file.contentType == "" {
			t.Errorf("%s has no content type", name)
		}
	}
	scripts := 0
	for name, file := range files.byName {
		if strings.HasSuffix(name, ".js") {
			scripts += len(file.body)
		}
	}
	if scripts == 0 || scripts > maxScriptBytes {
		t.Errorf("the scripts have %d bytes, want at most %d", scripts, maxScriptBytes)
	}
	if _, err := files.url("missing.css"); err == nil {
		t.Error("a file that does not exist has an address")
	}
}

func TestStyleSheetNamesNoForeignFile(t *testing.T) {
	t.Parallel()
	css, err := staticFiles.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, absent := range []string{"url(", "@import", "http:", "https:"} {
		if strings.Contains(string(css), absent) {
			t.Errorf("app.css contains %q", absent)
		}
	}
}

func TestFirstDocumentIsValid(t *testing.T) {
	t.Parallel()
	body, err := yaml.YAMLToJSONStrict([]byte(firstDocument))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := experiment.ParseDocument(body)
	if err != nil {
		t.Fatal(err)
	}
	known := func(key string) bool { _, ok := metrics.Lookup(key); return ok }
	for i := range doc.Experiments {
		if err := doc.Experiments[i].Validate(known); err != nil {
			t.Errorf("the document that the empty list teaches is refused: %v", err)
		}
	}
}
