package scorecard

import (
	"errors"
	"fmt"

	"github.com/splitcast/splitcast/stats"
)

// Error is a fault of the request or of the file as a whole, which the caller
// can mend. A fault of one row is a Problem.
type Error struct {
	Field   string // the option at fault: metric, weights, file, ...
	Message string // a sentence for people
}

// Error returns the field and the sentence.
func (e *Error) Error() string { return e.Field + ": " + e.Message }

func errorf(field, format string, args ...any) *Error {
	return &Error{Field: field, Message: fmt.Sprintf(format, args...)}
}

// refusalOf returns the Refusal within an error of package stats, whose every
// error is one.
func refusalOf(err error) *stats.Refusal {
	if r, ok := errors.AsType[*stats.Refusal](err); ok {
		return r
	}
	return &stats.Refusal{Reason: stats.InvalidArgument, Message: err.Error()}
}
