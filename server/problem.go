package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/splitcast/splitcast/experiment"
)

// maxProblemErrors bounds the list of faults in one answer; the count of all
// stands in the detail.
const maxProblemErrors = 100

// Problem is an error on the wire: RFC 9457 problem details with a list of
// faults. An error of ours that is none of the caller's business shows a
// request id and nothing else.
type Problem struct {
	Type   string `json:"type,omitempty"` // absent: about:blank, the status says it all
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Code is that of the first fault; absent: the status says it all.
	Code      experiment.Code `json:"code,omitempty"`
	Detail    string          `json:"detail,omitempty"`
	Errors    []ProblemFault  `json:"errors,omitempty"`
	RequestID string          `json:"request_id,omitempty"`
}

// ProblemFault is one fault of the input.
type ProblemFault struct {
	Location string `json:"location,omitempty"` // dotted path, or [index] of a record
	Message  string `json:"message"`
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of RFC 9457 in place of plain JSON.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// statusOf maps the closed list of codes to HTTP.
func statusOf(c experiment.Code) int {
	switch c {
	case experiment.CodeInvalid:
		return http.StatusBadRequest
	case experiment.CodeNotFound:
		return http.StatusNotFound
	case experiment.CodeConflict, experiment.CodeApprovalRequired:
		return http.StatusConflict
	case experiment.CodeUnauthorized:
		return http.StatusUnauthorized
	case experiment.CodeForbidden:
		return http.StatusForbidden
	case experiment.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case experiment.CodeUnavailable:
		return http.StatusServiceUnavailable
	case experiment.CodeOverloaded:
		return http.StatusTooManyRequests
	case experiment.CodeGone:
		return http.StatusGone
	}
	return http.StatusInternalServerError
}

// problemOf describes err, and reports false when it is an error of ours.
func problemOf(err error) (*Problem, bool) {
	var p *Problem
	if errors.As(err, &p) {
		return p, true
	}
	faults := experiment.Faults(err)
	if len(faults) == 0 {
		return nil, false
	}
	p = &Problem{Status: statusOf(faults[0].Code), Code: faults[0].Code, Detail: faults.Error()}
	for i, f := range faults {
		if i == maxProblemErrors {
			break
		}
		p.Errors = append(p.Errors, ProblemFault{Location: f.Field, Message: f.Message})
	}
	return p, true
}

// describe returns the Problem of err for the request and logs what the
// answer does not say.
func (s *Server) describe(r *http.Request, err error) *Problem {
	return s.describeContext(r.Context(), operationOf(r), err)
}

// operationOf names what a request asks for by its route: paths hold ingest
// keys, which are not for logs.
func operationOf(r *http.Request) string {
	return r.Method + " " + chi.RouteContext(r.Context()).RoutePattern()
}

func (s *Server) describeContext(ctx context.Context, operation string, err error) *Problem {
	if p, ok := problemOf(err); ok {
		return p
	}
	id := middleware.GetReqID(ctx)
	level := slog.LevelError
	if ctx.Err() != nil { // the client went away, or the server is told to stop
		level = slog.LevelDebug
	}
	s.log.Log(ctx, level, "request failed", "request_id", id, "operation", operation, "error", err)
	return &Problem{Status: http.StatusInternalServerError, RequestID: id}
}

func (s *Server) problem(w http.ResponseWriter, r *http.Request, err error) {
	writeProblem(w, s.describe(r, err))
}

// retryAfterSec tells clients of a database that is away, or of a queue that is
// full, when to come back: long enough for a restart, short enough that players
// keep their buffers.
const retryAfterSec = "5"

// retryLater reports whether the same request may succeed later.
func retryLater(status int) bool {
	return status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	p.fill()
	b, err := json.Marshal(p)
	if err != nil {
		panic("strings always marshal: " + err.Error())
	}
	if retryLater(p.Status) && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", retryAfterSec)
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="splitcast"`)
	}
	h := w.Header()
	h.Set("Content-Type", p.ContentType(""))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write(b) // the client is gone when this fails; nobody is left to tell
}

// fill sets the title.
func (p *Problem) fill() {
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
}
