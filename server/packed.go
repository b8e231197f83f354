package server

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// packed is a body that is kept as gzip: configurations and flags repeat
// themselves, and 5,000 of them take a twentieth of the room.
type packed struct {
	// members are gzip files that follow each other, which together are one
	// (RFC 1952, 2.2): what did not change need not be packed again.
	members [][]byte
	tag     string // of the content; makes entity tags
}

// packer packs what is written to it.
type packer struct {
	members [][]byte
	buf     bytes.Buffer
	zip     *gzip.Writer
	open    bool // something is written since the last cut
}

func newPacker() *packer {
	p := &packer{}
	var err error
	if p.zip, err = gzip.NewWriterLevel(&p.buf, gzip.BestSpeed); err != nil { // publishing waits for it
		panic("a level of the package: " + err.Error())
	}
	return p
}

// Write packs b.
func (p *packer) Write(b []byte) (int, error) {
	p.open = true
	return p.zip.Write(b)
}

// cut ends a member; the next begins with the next write.
func (p *packer) cut() error {
	if !p.open {
		return nil
	}
	if err := p.zip.Close(); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	p.members = append(p.members, bytes.Clone(p.buf.Bytes())) // without the spare room of the buffer
	p.buf.Reset()
	p.zip.Reset(&p.buf)
	p.open = false
	return nil
}

// part packs what write writes as a member of its own and returns it; of one that
// is known already it takes that.
func (p *packer) part(known []byte, write func(io.Writer) error) ([]byte, error) {
	if err := p.cut(); err != nil {
		return nil, err
	}
	if known != nil {
		p.members = append(p.members, known)
		return known, nil
	}
	if err := write(p); err != nil {
		return nil, err
	}
	if err := p.cut(); err != nil {
		return nil, err
	}
	return p.members[len(p.members)-1], nil
}

// gzip returns the body as it is kept.
func (p *packed) gzip() io.Reader {
	parts := make([]io.Reader, len(p.members))
	for i := range p.members {
		parts[i] = bytes.NewReader(p.members[i])
	}
	return io.MultiReader(parts...)
}

// plain returns the body.
func (p *packed) plain() (io.Reader, error) { return gzip.NewReader(p.gzip()) }

// etag returns the strong entity tag of the body in an encoding: two encodings
// are two sequences of bytes.
func (p *packed) etag(enc encoding) string {
	if enc == encodingGzip {
		return `"` + p.tag + `-gzip"`
	}
	return `"` + p.tag + `"`
}

// known reports whether the caller has the body, in whichever encoding.
func (p *packed) known(ifNoneMatch []string) bool {
	return matchesETag(ifNoneMatch, p.etag(encodingIdentity)) || matchesETag(ifNoneMatch, p.etag(encodingGzip))
}

// encoding is a content coding that packed bodies are served in.
type encoding string

const (
	encodingIdentity encoding = ""
	encodingGzip     encoding = "gzip"
)

// encodingFor returns the best encoding that the caller takes.
func encodingFor(acceptEncoding []string) encoding {
	for _, line := range acceptEncoding {
		for part := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(part, ";")
			if !strings.EqualFold(strings.TrimSpace(name), string(encodingGzip)) {
				continue
			}
			quality, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			if q, err := strconv.ParseFloat(quality, 64); !ok || err != nil || q > 0 {
				return encodingGzip
			}
		}
	}
	return encodingIdentity
}

// serve answers a request with the body, or 304.
func (p *packed) serve(w http.ResponseWriter, r *http.Request) {
	enc := encodingFor(r.Header["Accept-Encoding"])
	h := w.Header()
	h.Set("ETag", p.etag(enc))
	h.Set("Cache-Control", "private, no-cache") // keep it, but ask each time
	h.Set("Vary", "Accept-Encoding")
	if p.known(r.Header["If-None-Match"]) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := p.gzip()
	if enc == encodingIdentity {
		var err error
		if body, err = p.plain(); err != nil {
			panic("what was packed unpacks: " + err.Error())
		}
	} else {
		h.Set("Content-Encoding", string(enc))
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = io.Copy(w, body) // a caller that went away is not told
}
