package server

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/splitcast/splitcast/experiment"
)

// Bounds of the memory that a body gets before any of it has come.
const (
	// trustedLength is what the announced length alone is worth: many connections
	// that announce much and send nothing must not take the memory for it. Larger
	// bodies get theirs as they come.
	trustedLength = 64 << 10
	leastBody     = 512 // when no length is announced
)

// readBody reads a request's body of at most limit bytes, unpacking gzip; the
// limit holds for the unpacked bytes. It returns CodeTooLarge beyond it and
// CodeInvalid for a body that cannot be read.
func readBody(r *http.Request, limit int) ([]byte, error) {
	var src io.Reader = r.Body
	switch enc := r.Header.Get("Content-Encoding"); enc {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(io.LimitReader(r.Body, int64(limit)))
		if err != nil {
			return nil, experiment.Invalidf("", "the body is not gzip: %v", err)
		}
		src = z
	default:
		return nil, &Problem{Status: http.StatusUnsupportedMediaType, Detail: fmt.Sprintf("Content-Encoding %q is not understood; gzip is", enc)}
	}
	buf := make([]byte, 0, 1+min(max(r.ContentLength, leastBody), trustedLength))
	for {
		if len(buf) > limit {
			return nil, experiment.Errorf(experiment.CodeTooLarge, "", "the body is larger than %d bytes", limit)
		}
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf)) // twice the room
		}
		n, err := src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			if len(buf) > limit {
				return nil, experiment.Errorf(experiment.CodeTooLarge, "", "the body is larger than %d bytes", limit)
			}
			return buf, nil
		}
		if err != nil {
			return nil, experiment.Invalidf("", "the body could not be read: %v", err)
		}
	}
}
