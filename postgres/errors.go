package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/splitcast/splitcast/experiment"
)

// constraintFaults says in words which rule of ours a constraint of the
// database stands for. The Go code checks first; these are the backstop.
var constraintFaults = map[string]experiment.Error{
	"experiments_key_unique": {Code: experiment.CodeConflict, Field: "key", Message: "an experiment with this key exists"},
	"layers_key_unique":      {Code: experiment.CodeConflict, Field: "layer", Message: "a layer with this key exists"},
	"layer_slots_one_owner":  {Code: experiment.CodeConflict, Field: "slots", Message: "another experiment owns these slots"},
	"layer_slots_in_layer":   {Code: experiment.CodeInvalid, Field: "slots", Message: "the slots lie outside the layer"},
	"api_keys_hash_unique":   {Code: experiment.CodeConflict, Field: "key", Message: "this API key exists"},
	"api_keys_scopes":        {Code: experiment.CodeInvalid, Field: "scopes", Message: "must be one or more of evaluate, ingest, read, write, admin"},
	"append_only":            {Code: experiment.CodeConflict, Message: "this record is kept as it was written"},
	"salt_immutable":         {Code: experiment.CodeConflict, Field: "salt", Message: "a salt never changes: units would move"},
	"holdouts_key_unique":    {Code: experiment.CodeConflict, Field: "key", Message: "a holdout with this key exists"},
	"lists_key_unique":       {Code: experiment.CodeConflict, Field: "key", Message: "a list with this key exists"},
	"lists_count":            {Code: experiment.CodeTooLarge, Field: "ids", Message: "the list is too long"},
	"kept_units_limit":       {Code: experiment.CodeTooLarge, Field: "on_pause", Message: "too many units would keep their arms"},
	"experiments_shipped":    {Code: experiment.CodeConflict, Field: "shipped_arm", Message: "only a stopped experiment ships an arm"},
	"outcomes_pkey":          {Code: experiment.CodeConflict, Message: "the unit has an outcome of this window: it would be counted twice"},
	"looks_pkey":             {Code: experiment.CodeConflict, Field: "number", Message: "this look exists"},
}

// errAway is what callers are told when the database cannot answer now.
var errAway = experiment.Errorf(experiment.CodeUnavailable, "", "the database is away; try again")

// wrap says what was being done when err came about, and adds the
// experiment.Error that it stands for. It returns nil for nil.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := experiment.CodeOf(err); ok {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if fault := faultOf(err); fault != nil {
		return fmt.Errorf("%s: %w (%w)", doing, fault, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// faultOf returns the experiment.Error that an error of the driver stands for,
// or nil.
func faultOf(err error) *experiment.Error {
	if fromServer := pq.As(err); fromServer != nil {
		return serverFault(fromServer)
	}
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, sql.ErrNoRows), errors.Is(err, sql.ErrTxDone):
		return nil
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &network):
		return errAway
	}
	return nil
}

// serverFault reads the SQLSTATE and the constraint of a server's error.
func serverFault(err *pq.Error) *experiment.Error {
	switch err.Code.Class() {
	case "23": // integrity constraint violation
		if fault, ok := constraintFaults[constraintOf(err)]; ok {
			return &fault
		}
		return nil
	case "08", "53", "58": // connection, resources, disk
		return errAway
	}
	switch err.Code {
	case pqerror.AdminShutdown, pqerror.CrashShutdown, pqerror.CannotConnectNow, pqerror.DatabaseDropped,
		pqerror.IdleSessionTimeout, pqerror.IdleInTransactionSessionTimeout,
		pqerror.ReadOnlySQLTransaction, // a standby: the primary moved
		pqerror.QueryCanceled, pqerror.LockNotAvailable,
		pqerror.TRSerializationFailure, pqerror.TRDeadlockDetected:
		return errAway
	}
	return nil
}

// partitionSuffix is what the name of a day's partition adds to its table's.
var partitionSuffix = regexp.MustCompile(`_\d{8}(_|$)`)

// constraintOf names the constraint as declared: partitions have copies.
func constraintOf(err *pq.Error) string {
	return partitionSuffix.ReplaceAllString(err.Constraint, "$1")
}

// isFault reports whether err holds an experiment.Error of the code.
func isFault(err error, code experiment.Code) bool {
	c, ok := experiment.CodeOf(err)
	return ok && c == code
}
