package server

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/splitcast/splitcast/assignment"
)

// FlagdPath is where flagd and its in-process providers find the document.
const FlagdPath = "/flagd/flags.json"

// Flagd serves the running experiments as a flagd flag document: the newest one
// that passed the self-check. flagd polls it with If-None-Match, so an unchanged
// configuration costs no transfer.
type Flagd struct {
	// Snapshot returns the configuration; nil until there is one.
	Snapshot func() *assignment.Snapshot

	checked atomic.Pointer[flagdDocument]
	fault   atomic.Pointer[string] // why the newest document could not be checked; nil: it could
}

// flagdDocument is the document of one configuration.
type flagdDocument struct {
	packed

	version int64
	// excluded says which flags the self-check took out, and why.
	excluded map[string]string
}

// ServeHTTP is GET /flagd/flags.json.
func (f *Flagd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	doc := f.checked.Load()
	if doc == nil {
		w.Header().Set("Retry-After", notReadySec)
		writeProblem(w, &Problem{Status: http.StatusServiceUnavailable, Detail: "no flagd document has passed its self-check yet; try again"})
		return
	}
	doc.serve(w, r)
}

// newFlagdDocument packs what write writes for a snapshot.
func newFlagdDocument(snap *assignment.Snapshot, excluded map[string]string, write func(io.Writer, map[string]string) error) (*flagdDocument, error) {
	p, sum := newPacker(), sha256.New()
	if err := write(io.MultiWriter(p, sum), excluded); err != nil {
		return nil, fmt.Errorf("write the flagd document: %w", err)
	}
	if err := p.cut(); err != nil {
		return nil, err
	}
	return &flagdDocument{packed{p.members, hex.EncodeToString(sum.Sum(nil)[:16])}, snap.Version(), excluded}, nil
}

// remoteOnly returns why the document leaves an experiment out; empty when it
// does not.
func (f *Flagd) remoteOnly(key string) string {
	if doc := f.checked.Load(); doc != nil && doc.excluded[key] != "" {
		return doc.excluded[key]
	}
	if snap := f.Snapshot(); snap != nil {
		return snap.RemoteOnly(key)
	}
	return ""
}

// warning says what is wrong with the document that is served; empty when
// nothing is.
func (f *Flagd) warning() string {
	doc := f.checked.Load()
	if fault := f.fault.Load(); fault != nil {
		if doc == nil {
			return "no flagd document is served: " + *fault
		}
		return fmt.Sprintf("the flagd document of configuration %d is still served: %s", doc.version, *fault)
	}
	if doc != nil && len(doc.excluded) > 0 {
		return fmt.Sprintf("flags left out of the flagd document because they differ from evaluation: %d", len(doc.excluded))
	}
	return ""
}

// version returns the version of the document that is served; 0 before the first.
func (f *Flagd) version() int64 {
	if doc := f.checked.Load(); doc != nil {
		return doc.version
	}
	return 0
}
