package experiment

import (
	"errors"
	"fmt"
	"strings"
)

// Code classifies an Error for callers and for HTTP.
type Code string

// The closed list of codes.
const (
	CodeInvalid      Code = "invalid"      // a value breaks a rule; Field names it
	CodeNotFound     Code = "not_found"    // no such thing
	CodeConflict     Code = "conflict"     // right in itself, but clashes with what is there
	CodeUnauthorized Code = "unauthorized" // who are you?
	CodeForbidden    Code = "forbidden"    // known, but not allowed
	CodeTooLarge     Code = "too_large"    // over a limit; the message states the limit
	CodeUnavailable  Code = "unavailable"  // a part we need is away; try again
	CodeOverloaded   Code = "overloaded"   // more comes in than can be taken; try again, later and less
	CodeGone         Code = "gone"         // was there and will not be again; stop asking
	// CodeApprovalRequired is for what a second person must approve first.
	CodeApprovalRequired Code = "approval_required"
)

// Error is a failure that the caller can mend or must be told about in words.
type Error struct {
	Code    Code   `json:"code"`
	Field   string `json:"field,omitempty"` // dotted path of the offending value, as in the document
	Message string `json:"message"`         // a sentence for people
}

// Error returns the field and the sentence.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Errorf makes an Error.
func Errorf(code Code, field, format string, args ...any) *Error {
	return &Error{Code: code, Field: field, Message: fmt.Sprintf(format, args...)}
}

// Invalidf makes an Error of CodeInvalid.
func Invalidf(field, format string, args ...any) *Error {
	return Errorf(CodeInvalid, field, format, args...)
}

// Errors is every fault found in one input, so that a person mends them at once.
type Errors []*Error

// Error lists the faults, separated by semicolons.
func (es Errors) Error() string {
	parts := make([]string, len(es))
	for i, e := range es {
		parts[i] = e.Error()
	}
	return strings.Join(parts, "; ")
}

// Unwrap makes each fault reachable by errors.As.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// Faults returns the Errors within err; nil when err holds none.
func Faults(err error) Errors {
	if many, ok := errors.AsType[Errors](err); ok {
		return many
	}
	if one, ok := errors.AsType[*Error](err); ok {
		return Errors{one}
	}
	return nil
}

// CodeOf returns the code of the first Error within err, and false when err
// holds none: such an error is ours, and its text is not for the outside.
func CodeOf(err error) (Code, bool) {
	faults := Faults(err)
	if len(faults) == 0 {
		return "", false
	}
	return faults[0].Code, true
}

// Within places the faults of err in the part of a document that field names.
// An err without faults, nil among them, is returned as it is.
func Within(field string, err error) error {
	faults := Faults(err)
	if faults == nil {
		return err
	}
	placed := make(Errors, len(faults))
	for i, f := range faults {
		inner := field
		if f.Field != "" {
			inner += "." + f.Field
		}
		placed[i] = &Error{Code: f.Code, Field: inner, Message: f.Message}
	}
	return placed
}

// faultList gathers Errors under a common field prefix.
type faultList struct{ errs Errors }

func (f *faultList) addf(field, format string, args ...any) {
	f.errs = append(f.errs, Invalidf(field, format, args...))
}

func (f *faultList) err() error {
	if len(f.errs) == 0 {
		return nil
	}
	return f.errs
}
