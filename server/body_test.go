package server

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

// zipped returns text as gzip.
func zipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	const limit = 200_000 // beyond trustedLength, so that the room grows
	full := strings.Repeat("x", limit)
	for _, tt := range []struct {
		name, encoding, body string
		want                 string
		code                 experiment.Code // empty: it is read
	}{
		{"empty", "", "", "", ""},
		{"small", "identity", "abc", "abc", ""},
		{"at the limit", "", full, full, ""},
		{"one byte more", "", full + "x", "", experiment.CodeTooLarge},
		{"gzip at the limit", "gzip", zipped(t, full), full, ""},
		{"gzip of one byte more", "gzip", zipped(t, full+"x"), "", experiment.CodeTooLarge},
		{"a bomb", "gzip", zipped(t, strings.Repeat("x", 50*limit)), "", experiment.CodeTooLarge},
		{"no gzip", "gzip", "abc", "", experiment.CodeInvalid},
		{"gzip that is cut off", "gzip", zipped(t, full)[:100], "", experiment.CodeInvalid},
	} {
		for _, known := range []bool{true, false} { // with Content-Length, and chunked
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(tt.body))
			req.Header.Set("Content-Encoding", tt.encoding)
			if !known {
				req.ContentLength = -1
			}
			got, err := readBody(req, limit)
			if code, _ := experiment.CodeOf(err); code != tt.code || string(got) != tt.want {
				t.Errorf("%s, length known %v: %d bytes, %v; want %d bytes and the code %q", tt.name, known, len(got), err, len(tt.want), tt.code)
			}
		}
	}
}

func TestReadBodyOfAnUnknownEncoding(t *testing.T) {
	t.Parallel()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("abc"))
	req.Header.Set("Content-Encoding", "br")
	var p *Problem
	if _, err := readBody(req, 100); !errors.As(err, &p) || p.Status != http.StatusUnsupportedMediaType {
		t.Errorf("a body in br = %v, want status 415", err)
	}
}

// What a connection announces and does not send takes no memory.
func TestReadBodyTrustsNoLength(t *testing.T) {
	t.Parallel()
	announced := &http.Request{Header: http.Header{}, Body: io.NopCloser(strings.NewReader("x")), ContentLength: 8 << 20}
	got, err := readBody(announced, 8<<20)
	if err != nil || cap(got) > 2*trustedLength {
		t.Errorf("1 byte of 8 MB that were announced took %d bytes, %v", cap(got), err)
	}
}
