package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/splitcast/splitcast/experiment"
)

// ofrepFailure is OFREP's evaluationFailure, flagNotFound and
// bulkEvaluationFailure (without a key).
type ofrepFailure struct {
	Key     string `json:"key,omitempty"`
	Code    string `json:"errorCode"`
	Details string `json:"errorDetails"`
}

// contextError says in OpenFeature's words why a context was refused.
type contextError struct {
	code    string
	details string
}

func (e *contextError) Error() string { return e.code + ": " + e.details }

// notReadySec is the Retry-After before the first configuration: loading one
// takes less than a second.
const notReadySec = "1"

// notReady answers before the first configuration. An empty bulk with 200
// would tell clients that there are no experiments.
func notReady(w http.ResponseWriter, key string) {
	w.Header().Set("Retry-After", notReadySec)
	writeFailure(w, http.StatusServiceUnavailable, ofrepFailure{key, "GENERAL", "no configuration has been loaded yet; try again"})
}

// refuse answers a request whose context could not be read.
func refuse(w http.ResponseWriter, key string, err error) {
	status, f := http.StatusBadRequest, ofrepFailure{Key: key, Code: "INVALID_CONTEXT"}
	var bad *contextError
	var fault *experiment.Error
	switch {
	case errors.As(err, &bad):
		f.Code, f.Details = bad.code, bad.details
	case errors.As(err, &fault):
		f.Details = "context: " + fault.Error()
	case errors.Is(err, errBodyTooLarge):
		status, f.Details = http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxOFREPBody)
		w.Header().Set("Connection", "close") // the rest of the body is not worth reading
	default:
		f.Code, f.Details = "PARSE_ERROR", err.Error()
	}
	writeFailure(w, status, f)
}

func writeFailure(w http.ResponseWriter, status int, f ofrepFailure) {
	b, err := json.Marshal(f)
	if err != nil {
		panic("three strings always marshal: " + err.Error())
	}
	writeJSONBytes(w, status, b)
}

// writeJSONBytes writes an encoded body. A failure to write means that the
// client is gone; nobody is left to tell.
func writeJSONBytes(w http.ResponseWriter, status int, b []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
