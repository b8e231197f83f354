package server

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// Limits of OFREP requests.
const (
	// maxOFREPBody is far above any context worth evaluating: 128 attributes
	// of 256 bytes fit in half of it.
	maxOFREPBody = 64 << 10
	// maxPooledBytes keeps one huge answer from staying in memory for ever.
	maxPooledBytes = 1 << 20
	// maxPinnedBytes is the largest body whose text exposures may share;
	// beyond it they copy their strings, lest a queue of small exposures
	// keeps large bodies alive.
	maxPinnedBytes = 2 << 10
)

// AttrExpose is the context attribute which, when false, keeps a single
// evaluation from logging an exposure: a look ahead is not a meeting.
const AttrExpose = "splitcast.expose"

// OFREP answers the OpenFeature Remote Evaluation Protocol 0.3. It does no
// I/O but reading the request and writing the answer. Who may call is the
// business of the middleware before it.
type OFREP struct {
	// Snapshot returns the configuration to evaluate; nil until there is one.
	Snapshot func() *assignment.Snapshot
	// Expose takes the exposures that single evaluations make. It must not block.
	Expose func(experiment.Exposure)
	// Now is the time of exposures.
	Now func() time.Time
	// Subscribe returns a channel of configuration versions as they come into
	// force, and a function that ends the subscription. When it is nil no
	// event stream is announced.
	Subscribe func() (versions <-chan int64, stop func())
	// Done, when closed, ends the event streams, so that the server can stop.
	Done <-chan struct{}
	// MaxStreams and Heartbeat default to defaultMaxStreams and defaultHeartbeat.
	MaxStreams int64
	Heartbeat  time.Duration

	assigned *assignedTally // nil: nothing is counted
	streams  atomic.Int64   // open
	scratch  sync.Pool      // of *ofrepScratch
}

// ofrepScratch is the memory of one request.
type ofrepScratch struct {
	body []byte
	out  []byte
	ctx  assignment.Context
}

func (o *OFREP) borrow() *ofrepScratch {
	if s, ok := o.scratch.Get().(*ofrepScratch); ok {
		return s
	}
	return &ofrepScratch{}
}

func (o *OFREP) giveBack(s *ofrepScratch) {
	if cap(s.out) > maxPooledBytes {
		return
	}
	s.ctx.Reset("")
	o.scratch.Put(s)
}

// Single is POST /ofrep/v1/evaluate/flags/{key}: it evaluates one experiment
// and logs the exposure of a unit that takes part, unless the context holds
// splitcast.expose = false.
func (o *OFREP) Single(w http.ResponseWriter, r *http.Request) {
	key := flagKey(r)
	snap := o.Snapshot()
	if snap == nil {
		notReady(w, key)
		return
	}
	s := o.borrow()
	defer o.giveBack(s)
	body, err := readContext(r, s)
	if err != nil {
		refuse(w, key, err)
		return
	}
	i, ok := snap.Index(key)
	if !ok {
		writeFailure(w, http.StatusNotFound, ofrepFailure{key, "FLAG_NOT_FOUND", "there is no experiment " + strconv.Quote(key)})
		return
	}
	res := snap.EvaluateAt(i, &s.ctx)
	if res.Assigned {
		o.assigned.of(snap).add(i, &res)
		if expose, said := s.ctx.Bool(AttrExpose); expose || !said {
			o.Expose(res.Exposure(&s.ctx, o.Now(), len(body) > maxPinnedBytes))
		}
	}
	s.out = res.AppendAnswer(s.out[:0])
	writeJSONBytes(w, http.StatusOK, s.out)
}

// Bulk is POST /ofrep/v1/evaluate/flags: it evaluates all experiments. It is a
// prefetch and logs no exposure. Its entity tag depends on the configuration
// and the context alone, so a 304 costs no evaluation.
func (o *OFREP) Bulk(w http.ResponseWriter, r *http.Request) {
	snap := o.Snapshot()
	if snap == nil {
		notReady(w, "")
		return
	}
	if wanted := r.URL.Query().Get("flagConfigEtag"); r.URL.RawQuery != "" && wanted != "" {
		snap = o.awaitVersion(r.Context(), snap, wanted)
	}
	s := o.borrow()
	defer o.giveBack(s)
	if _, err := readContext(r, s); err != nil {
		refuse(w, "", err)
		return
	}
	s.out = snap.AppendETag(s.out[:0], &s.ctx)
	etag := string(s.out)
	w.Header().Set("ETag", etag)
	if matchesETag(r.Header["If-None-Match"], etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	counted := o.assigned.unseen(snap, etag)
	s.out = o.appendBulk(s.out[:0], snap, &s.ctx, counted)
	counted.saw(etag)
	writeJSONBytes(w, http.StatusOK, s.out)
}

func (o *OFREP) appendBulk(b []byte, snap *assignment.Snapshot, ctx *assignment.Context, counted *countedArms) []byte {
	b = append(b, `{"flags":[`...)
	for i := range snap.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		res := snap.EvaluateAt(i, ctx)
		if res.Assigned {
			counted.add(i, &res)
		}
		b = res.AppendAnswer(b)
	}
	b = append(b, `],"metadata":{"hash":"murmur3-x86-32","config":`...)
	b = strconv.AppendInt(b, snap.Version(), 10)
	b = append(b, '}')
	if o.Subscribe != nil {
		b = append(b, `,"eventStreams":[{"type":"sse","inactivityDelaySec":120,"endpoint":{"requestUri":"`...)
		b = append(b, eventsPath...)
		b = append(b, "?since="...)
		b = strconv.AppendInt(b, snap.Version(), 10)
		b = append(b, `"}}]`...)
	}
	return append(b, '}')
}

// flagKey returns the experiment's key in the path, decoded.
func flagKey(r *http.Request) string {
	key := chi.URLParam(r, "key")
	if strings.Contains(key, "%") {
		if plain, err := url.PathUnescape(key); err == nil {
			return plain
		}
	}
	return key
}

// readContext reads the request's body into the scratch context. It returns
// the body as text, which the context refers to.
func readContext(r *http.Request, s *ofrepScratch) (string, error) {
	var err error
	s.body, err = readLimited(r, s.body[:0], maxOFREPBody)
	if err != nil {
		return "", err
	}
	body := string(s.body)
	return body, decodeContext(body, &s.ctx)
}

// errBodyTooLarge and errBodyRead say why a body could not be had.
var (
	errBodyTooLarge = errors.New("the body is too large")
	errBodyRead     = errors.New("the body ended early")
)

// readLimited appends the request's body to b, at most limit bytes.
func readLimited(r *http.Request, b []byte, limit int) ([]byte, error) {
	if r.ContentLength > int64(limit) {
		return b, errBodyTooLarge
	}
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if len(b) > limit {
			return b, errBodyTooLarge
		}
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return b, errBodyRead
		}
	}
}

// matchesETag evaluates If-None-Match as RFC 9110 13.1.2: a list of tags,
// compared weakly, or an asterisk. Tags without quotes, as in OFREP's own
// example, are accepted.
func matchesETag(lines []string, etag string) bool {
	opaque := strings.Trim(etag, `"`)
	for _, line := range lines {
		for line != "" {
			line = strings.TrimLeft(line, " \t,")
			line = strings.TrimPrefix(line, "W/")
			var tag string
			if quoted, ok := strings.CutPrefix(line, `"`); ok {
				tag, line, _ = strings.Cut(quoted, `"`)
			} else {
				tag, line, _ = strings.Cut(line, ",")
				tag = strings.TrimRight(tag, " \t")
				if tag == "*" {
					return true
				}
			}
			if tag == opaque && tag != "" {
				return true
			}
		}
	}
	return false
}
