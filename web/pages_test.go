package web

import (
	"bytes"
	"io"
	"testing"
)

// pageWriter writes one page.
type pageWriter func(io.Writer) error

// bind is a page with its view.
func bind[V any](render func(io.Writer, V) error, v V) pageWriter {
	return func(w io.Writer) error { return render(w, v) }
}

// renderPage renders a page and checks what must hold of every page.
func renderPage(t *testing.T, page func(*Renderer) pageWriter) string {
	t.Helper()
	var buf bytes.Buffer
	if err := page(renderer(t))(&buf); err != nil {
		t.Fatal(err)
	}
	checkPage(t, buf.String())
	return buf.String()
}
