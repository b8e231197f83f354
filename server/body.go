package server

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/splitcast/splitcast/experiment"
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
	size := 0
	if r.ContentLength > 0 && r.ContentLength <= int64(limit) {
		size = int(r.ContentLength)
	}
	buf := make([]byte, 0, max(size+1, 512))
	for {
		if len(buf) > limit {
			return nil, experiment.Errorf(experiment.CodeTooLarge, "", "the body is larger than %d bytes", limit)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
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
