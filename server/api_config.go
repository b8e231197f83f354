package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/splitcast/splitcast/experiment"
)

type configInput struct {
	IfNoneMatch string `header:"If-None-Match" doc:"entity tags that the caller has"`
	AtLeast     int64  `query:"at_least" doc:"a version that the caller has or heard of; a replica that is behind answers when it has it too, at most 3 s later"`

	tags []string // all lines of If-None-Match
}

// Resolve takes the header as it came: huma reads its first line only.
func (in *configInput) Resolve(ctx huma.Context) []error {
	r, _ := humachi.Unwrap(ctx)
	in.tags = r.Header["If-None-Match"]
	return nil
}

type configOutput struct {
	Status       int
	Type         string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	ETag         string `header:"ETag"`
	Body         []byte
}

// configAPI mounts GET /config: what services need that evaluate by themselves.
func (s *Server) configAPI(api huma.API) {
	op := operation(http.MethodGet, "/config", "get-config", "The configuration in force, for evaluation in process", experiment.ScopeConfig)
	op.Responses = map[string]*huma.Response{
		"200": {Description: "the configuration, without API keys", Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}}}},
		"304": {Description: "the caller has it"},
	}
	docs := &configDocuments{}
	serve(s, api, op, experiment.ScopeConfig, func(ctx context.Context, _ string, in *configInput) (*configOutput, error) {
		st := s.live.await(ctx, in.AtLeast, s.done)
		if st == nil {
			return nil, experiment.Errorf(experiment.CodeUnavailable, "", "no configuration has been loaded yet")
		}
		doc, err := docs.of(st)
		if err != nil {
			return nil, err
		}
		out := &configOutput{Status: http.StatusOK, CacheControl: "private, no-cache", ETag: doc.etag} // keep it, but ask each time
		if matchesETag(in.tags, doc.etag) {
			out.Status = http.StatusNotModified
			return out, nil
		}
		out.Type, out.Body = "application/json", doc.text
		return out, nil
	})
}

// await returns the configuration in force once it is of version wanted or
// newer; after maxVersionWait whichever it is, nil when there is none.
func (l *Live) await(ctx context.Context, wanted int64, done <-chan struct{}) *liveState {
	st := l.state.Load()
	if st == nil || st.snapshot.Version() >= wanted {
		return st
	}
	awaitVersion(ctx, wanted, func() int64 {
		st = l.state.Load()
		return st.snapshot.Version()
	}, l.subscribe, done)
	return st
}

// configDocuments keeps the document of the newest configuration, written once.
type configDocuments struct {
	last atomic.Pointer[configDocument]
}

type configDocument struct {
	state *liveState
	text  []byte
	etag  string
}

// of returns the document of a state. Requests that meet a new one at the same
// moment may each write it; they write the same.
func (d *configDocuments) of(st *liveState) (*configDocument, error) {
	if doc := d.last.Load(); doc != nil && doc.state == st {
		return doc, nil
	}
	text, err := json.Marshal(struct {
		experiment.Config

		Keys *struct{} `json:"keys,omitempty"` // in place of Config's: hashes of keys never leave
	}{Config: st.config})
	if err != nil {
		return nil, fmt.Errorf("write configuration %d: %w", st.snapshot.Version(), err)
	}
	sum := sha256.Sum256(text)
	doc := &configDocument{st, text, `"` + strconv.FormatInt(st.snapshot.Version(), 10) + "-" + hex.EncodeToString(sum[:16]) + `"`}
	d.last.Store(doc)
	return doc, nil
}
