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
	// excluded says which flags the self-check took out, and why.
	excluded map[string]string
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
// meet a new snapshot at the same moment may each write it; they write the same,
// and none replaces what the self-check has put there.
func (f *Flagd) document(snap *assignment.Snapshot) *flagdDocument {
	before := f.last.Load()
	if before != nil && before.of == snap {
		return before
	}
	doc := newFlagdDocument(snap, snap.FlagdDocument(), nil)
	if !f.last.CompareAndSwap(before, doc) {
		if now := f.last.Load(); now.of == snap {
			return now
		}
	}
	return doc
}

func newFlagdDocument(snap *assignment.Snapshot, text []byte, excluded map[string]string) *flagdDocument {
	sum := sha256.Sum256(text)
	return &flagdDocument{of: snap, text: text, etag: `"` + hex.EncodeToString(sum[:16]) + `"`, excluded: excluded}
}

// replace puts another document of the snapshot in the place of the one that
// was written first.
func (f *Flagd) replace(snap *assignment.Snapshot, text []byte, excluded map[string]string) {
	f.last.Store(newFlagdDocument(snap, text, excluded))
}

// remoteOnly returns why the document leaves an experiment out; empty when it
// does not.
func (f *Flagd) remoteOnly(key string) string {
	snap := f.Snapshot()
	if snap == nil {
		return ""
	}
	if doc := f.last.Load(); doc != nil && doc.of == snap && doc.excluded[key] != "" {
		return doc.excluded[key]
	}
	return snap.RemoteOnly(key)
}
