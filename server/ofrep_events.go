package server

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/splitcast/splitcast/assignment"
)

// eventsPath is where bulk answers send clients for change notices.
const eventsPath = "/ofrep/v1/events"

// Limits of event streams.
const (
	// defaultMaxStreams: an idle stream costs some 40 kB (two goroutines'
	// stacks and buffers), so this many cost 400 MB. Clients beyond it poll.
	defaultMaxStreams = 10_000
	// defaultHeartbeat is shorter than the minute after which common proxies
	// close a silent connection.
	defaultHeartbeat = 25 * time.Second
	// streamWriteTimeout ends a stream whose client takes no more bytes.
	streamWriteTimeout = 10 * time.Second
	// streamRetry is how long a client waits before it connects again.
	streamRetry = 5 * time.Second
	// maxVersionWait bounds how long a refetch waits for the version that its
	// notice named: replicas learn of it within two seconds of each other.
	maxVersionWait = 3 * time.Second
)

// Events is GET /ofrep/v1/events: server-sent refetch notices, one for each
// new configuration. A client that names the version it knows, by the query
// parameter since or by Last-Event-ID, is told at once when there is another:
// no change is lost between a bulk answer and the stream. The stream carries
// version numbers only.
func (o *OFREP) Events(w http.ResponseWriter, r *http.Request) {
	if o.Subscribe == nil {
		http.NotFound(w, r)
		return
	}
	limit := o.MaxStreams
	if limit == 0 {
		limit = defaultMaxStreams
	}
	if o.streams.Add(1) > limit {
		o.streams.Add(-1)
		w.Header().Set("Retry-After", strconv.Itoa(int(streamRetry/time.Second)))
		writeFailure(w, http.StatusServiceUnavailable, ofrepFailure{Code: "GENERAL", Details: fmt.Sprintf("all %d event streams are taken; poll instead", limit)})
		return
	}
	defer o.streams.Add(-1)
	versions, stop := o.Subscribe() // before the look at the present version: none falls between
	defer stop()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold notices back
	s := stream{w: w, ctl: http.NewResponseController(w)}
	_ = s.ctl.SetWriteDeadline(time.Time{}) // streams outlive the server's time limit for answers; send guards each write
	if !s.send("retry: " + strconv.FormatInt(streamRetry.Milliseconds(), 10) + "\n\n") {
		return
	}
	if snap := o.Snapshot(); snap != nil && knownVersion(r) != 0 && knownVersion(r) != snap.Version() {
		if !s.notice(snap.Version()) {
			return
		}
	}
	o.pump(r.Context(), &s, versions)
}

// pump forwards versions until the client, the server or the writes end.
func (o *OFREP) pump(ctx context.Context, s *stream, versions <-chan int64) {
	every := o.Heartbeat
	if every == 0 {
		every = defaultHeartbeat
	}
	beat := time.NewTicker(every)
	defer beat.Stop()
	for {
		var ok bool
		select {
		case <-ctx.Done():
			return
		case <-o.Done:
			return
		case v, open := <-versions:
			if !open {
				return
			}
			ok = s.notice(v)
		case <-beat.C:
			ok = s.send(": alive\n\n")
		}
		if !ok {
			return
		}
	}
}

// knownVersion returns the version that the client says it has; 0 when it
// does not say.
func knownVersion(r *http.Request) int64 {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("since")
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return v
}

// stream writes server-sent events.
type stream struct {
	w   http.ResponseWriter
	ctl *http.ResponseController
}

// notice sends the refetch notice of a version; false when the client is gone.
func (s *stream) notice(version int64) bool {
	v := strconv.FormatInt(version, 10)
	return s.send("id: " + v + "\nevent: message\ndata: {\"type\":\"refetchEvaluation\",\"etag\":\"" + v + "\"}\n\n")
}

// send writes and flushes text within streamWriteTimeout.
func (s *stream) send(text string) bool {
	guard := time.AfterFunc(streamWriteTimeout, func() { _ = s.ctl.SetWriteDeadline(time.Unix(1, 0)) }) // long ago: the write ends now
	defer guard.Stop()
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	return s.ctl.Flush() == nil
}

// awaitVersion returns the snapshot for a refetch that a notice caused: the
// client heard of version wanted, perhaps from another replica, and answering
// it with an older one would leave it there until the next change.
func (o *OFREP) awaitVersion(ctx context.Context, snap *assignment.Snapshot, wanted string) *assignment.Snapshot {
	v, err := strconv.ParseInt(wanted, 10, 64)
	if err != nil || v <= snap.Version() || o.Subscribe == nil {
		return snap
	}
	awaitVersion(ctx, v, func() int64 {
		snap = o.Snapshot()
		return snap.Version()
	}, o.Subscribe, o.Done)
	return snap
}

// awaitVersion returns when the version in force is at least wanted, after
// maxVersionWait, or when the request or the server ends.
func awaitVersion(ctx context.Context, wanted int64, inForce func() int64, subscribe func() (<-chan int64, func()), done <-chan struct{}) {
	versions, stop := subscribe()
	defer stop()
	timeout := time.NewTimer(maxVersionWait)
	defer timeout.Stop()
	for inForce() < wanted {
		select {
		case _, open := <-versions:
			if !open {
				return
			}
		case <-timeout.C:
			return
		case <-ctx.Done():
			return
		case <-done:
			return
		}
	}
}
