// Package extract writes what an experiment has measured as files: outcomes,
// cells and looks as CSV, NDJSON and Parquet, row by row, so that a file of any
// length needs the memory of one page; and a notebook that computes the effects
// of the plan again from the file of outcomes.
//
// Units are pseudonyms in all of them, see Pseudonym. It opens no file, reads no
// clock and asks no database: rows are pushed into it.
//
//	w, err := extract.New(extract.Parquet, file, extract.OutcomeColumns())
//	if err != nil {
//		return err
//	}
//	row, err = rows.Outcome(row[:0], metrics.WindowDay, 7, &outcome, metrics.QuantityCount)
//	err = w.Write(row)
package extract

import (
	"io"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// Format is how rows are written.
type Format string

// The formats.
const (
	CSV     Format = "csv"
	NDJSON  Format = "ndjson"
	Parquet Format = "parquet"
)

// MediaType returns the type of a file of the format, as RFC 9110 names it.
func (f Format) MediaType() string {
	switch f {
	case CSV:
		return "text/csv; charset=utf-8"
	case NDJSON:
		return "application/x-ndjson"
	case Parquet:
		return "application/vnd.apache.parquet"
	}
	return "application/octet-stream"
}

// Type is what the values of a column are.
type Type int

// The types.
const (
	Text Type = iota + 1
	Integer
	Number
	Moment // microseconds, UTC
	Bool
)

// Column is one column of a table.
type Column struct {
	Name     string
	Type     Type
	Optional bool // a value may be unknown
}

// Value is the value of one column of a row.
type Value struct {
	text    string
	integer int64 // of Integer and Bool; of Moment microseconds since 1970
	number  float64
	known   bool
}

// TextOf returns a text; an empty one is unknown.
func TextOf(s string) Value { return Value{text: s, known: s != ""} }

// IntegerOf returns a whole number.
func IntegerOf(i int64) Value { return Value{integer: i, known: true} }

// NumberOf returns a number.
func NumberOf(f float64) Value { return Value{number: f, known: true} }

// MomentOf returns a moment.
func MomentOf(t time.Time) Value { return Value{integer: t.UnixMicro(), known: true} }

// BoolOf returns a truth value.
func BoolOf(b bool) Value {
	if b {
		return Value{integer: 1, known: true}
	}
	return Value{known: true}
}

// Unknown returns the absence of a value, in an optional column.
func Unknown() Value { return Value{} }

// Writer writes the rows of one table. A row has a value for each column, in
// their order, and may be used again after the call.
type Writer interface {
	Write(row []Value) error
	// Close writes what is still held, and the end of the file. It does not close
	// what is beneath.
	Close() error
}

// New begins a file. It returns an experiment.Error of CodeInvalid for a format
// that there is not.
func New(format Format, w io.Writer, columns []Column) (Writer, error) {
	switch format {
	case CSV:
		return newCSV(w, columns)
	case NDJSON:
		return newNDJSON(w, columns), nil
	case Parquet:
		return newParquet(w, columns)
	}
	return nil, experiment.Invalidf("format", "must be csv, ndjson or parquet, not %q", string(format))
}
