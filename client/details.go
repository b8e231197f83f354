package client

import (
	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// Details tell how a value came about.
type Details struct {
	// Result is the evaluation: arm, reason, cause, version, layer, slot and
	// position. After an error only Experiment and Reason are set.
	assignment.Result

	// UnitType is what the experiment randomises: Unit is an id of this type.
	UnitType experiment.UnitType
	// ConfigVersion is the version of the configuration that was evaluated.
	ConfigVersion int64
	// Err is an *Error when the caller's default was returned; nil when the
	// value is the experiment's.
	Err error
}

// ReasonError is the reason of a default that was returned because of an error.
const ReasonError assignment.Reason = "ERROR"

// Code names an error in OpenFeature's words.
type Code string

// The codes.
const (
	CodeNotReady       Code = "PROVIDER_NOT_READY"    // there is no configuration yet
	CodeNotFound       Code = "FLAG_NOT_FOUND"        // no experiment has the key
	CodeTypeMismatch   Code = "TYPE_MISMATCH"         // the value has another type
	CodeKeyMissing     Code = "TARGETING_KEY_MISSING" // the context has no targeting key
	CodeInvalidContext Code = "INVALID_CONTEXT"       // an id is not valid, or there are too many attributes
	CodeParse          Code = "PARSE_ERROR"           // the object does not fit the caller's type
	CodeGeneral        Code = "GENERAL"               // the experiment needs a newer client
)

// Error says why a getter returned the caller's default.
type Error struct {
	Code    Code
	Message string // a sentence for people
}

// Error returns code and sentence.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

func refusal(key string, code Code, message string) Details {
	return Details{
		Result: assignment.Result{Experiment: key, Reason: ReasonError},
		Err:    &Error{code, message},
	}
}
