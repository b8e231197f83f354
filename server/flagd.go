package server

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync/atomic"

	"github.com/splitcast/splitcast/assignment"
)

// FlagdPath is where flagd and its in-process providers find the document.
const FlagdPath = "/flagd/flags.json"

// Flagd serves the running experiments as a flagd flag document. flagd polls
// it with If-None-Match, so an unchanged configuration costs no transfer.
type Flagd struct {
	// Snapshot returns the configuration; nil until there is one.
	Snapshot func() *assignment.Snapshot

	last atomic.Pointer[flagdDocument]
}

// flagdDocument is the document of one snapshot.
type flagdDocument struct {
	of   *assignment.Snapshot
	text []byte
	etag string
}

// ServeHTTP is GET /flagd/flags.json.
func (f *Flagd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	snap := f.Snapshot()
	if snap == nil {
		notReady(w, "")
		return
	}
	doc := f.document(snap)
	w.Header().Set("ETag", doc.etag)
	w.Header().Set("Cache-Control", "no-cache") // keep it, but ask each time
	if matchesETag(r.Header["If-None-Match"], doc.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	writeJSONBytes(w, http.StatusOK, doc.text)
}

// document returns the document of the snapshot, written once. Requests that
// meet a new snapshot at the same moment may each write it; they write the same.
func (f *Flagd) document(snap *assignment.Snapshot) *flagdDocument {
	if doc := f.last.Load(); doc != nil && doc.of == snap {
		return doc
	}
	text := snap.FlagdDocument()
	sum := sha256.Sum256(text)
	doc := &flagdDocument{of: snap, text: text, etag: `"` + hex.EncodeToString(sum[:16]) + `"`}
	f.last.Store(doc)
	return doc
}
