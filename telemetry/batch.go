package telemetry

import (
	"fmt"
	"mime"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

var errBodyTooLarge = experiment.Errorf(experiment.CodeTooLarge, "", "a body has at most %d bytes", MaxBodyBytes)

// batch reads a body of JSON records of one kind: an array, one object, or one
// object a line. What it cannot take of one record spoils no other.
type batch[T any] struct {
	scanner
	items    []T
	rejected []Rejection
	count    int   // records seen, good or bad
	fault    fault // of the record being read

	// one reads one object, its brace being next, and appends it to items or
	// rejects it. False means that it is not JSON.
	one func() bool
}

// newBatch returns a batch of a body with room for some items.
func newBatch[T any](body []byte, room int) batch[T] {
	return batch[T]{scanner: scanner{text: string(body)}, items: make([]T, 0, room)}
}

// read reads the body. The error is an *experiment.Error of CodeInvalid or
// CodeTooLarge and means that no record was read.
func (d *batch[T]) read(contentType string, one func() bool) error {
	d.one = one
	lines, err := isNDJSON(contentType)
	if err != nil {
		return err
	}
	switch d.peek() {
	case '[':
		d.array()
	case '{':
		if lines || !d.single() {
			d.lines()
		}
	case 0:
		return experiment.Invalidf("", "the body is empty")
	default:
		return experiment.Invalidf("", "the body must be a JSON array of records, or one JSON object a line")
	}
	if d.count > MaxBatch {
		return experiment.Errorf(experiment.CodeTooLarge, "", "a batch has at most %d records", MaxBatch)
	}
	return nil
}

// isNDJSON reports whether the content type promises one record a line.
func isNDJSON(contentType string) (bool, error) {
	if contentType == "" || contentType == "application/json" {
		return false, nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false, experiment.Invalidf("content-type", "not a media type")
	}
	switch media {
	case "application/json", "text/json", "text/plain":
		return false, nil
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines":
		return true, nil
	}
	return false, experiment.Invalidf("content-type", "must be application/json or application/x-ndjson")
}

// fault is the first reason for which the record at hand is not taken.
type fault struct {
	reason  Reason
	field   string
	message string
}

// array reads a JSON array of records.
func (d *batch[T]) array() {
	d.at++
	if d.take(']') {
		d.end()
		return
	}
	for d.count <= MaxBatch {
		if !d.element() {
			return
		}
		if d.take(']') {
			d.end()
			return
		}
		if !d.take(',') {
			d.reject(fault{reason: ReasonMalformed, message: "a comma or the end of the array is missing; the rest is not read"})
			d.count++
			return
		}
	}
}

// end complains of what follows the array.
func (d *batch[T]) end() {
	if d.peek() != 0 {
		d.reject(fault{reason: ReasonMalformed, message: "something follows the array"})
		d.count++
	}
}

// element reads one element of the array; false means that the next one
// cannot be found.
func (d *batch[T]) element() bool {
	if d.peek() != '{' {
		found := d.skip(maxDepth)
		f := fault{reason: ReasonType, message: "a record must be a JSON object"}
		if !found {
			f = fault{reason: ReasonMalformed, message: "not JSON; the rest of the array is not read"}
		}
		d.reject(f)
		d.count++
		return found
	}
	start := d.at
	found := true
	if !d.one() {
		d.at, found = d.frame(start)
	}
	d.count++
	return found
}

// single reads a body that is one object. It returns false, and takes nothing,
// when the body rather is one object a line.
func (d *batch[T]) single() bool {
	line, _, _ := strings.Cut(d.text[d.at:], "\n")
	whole := d.one() && d.peek() == 0
	if !whole && strings.HasSuffix(strings.TrimSpace(line), "}") {
		*d = batch[T]{scanner: scanner{text: d.text}, items: d.items[:0], one: d.one}
		return false
	}
	if !whole && len(d.rejected) == 0 {
		d.items = d.items[:0]
		d.reject(fault{reason: ReasonMalformed, message: "something follows the object"})
	}
	d.count++
	return true
}

// lines reads one object a line.
func (d *batch[T]) lines() {
	rest, more := d.text, true
	for more && d.count <= MaxBatch {
		var line string
		line, rest, more = strings.Cut(rest, "\n")
		d.scanner = scanner{text: line}
		c := d.peek()
		if c == 0 {
			continue
		}
		n := len(d.items)
		switch {
		case c != '{':
			d.reject(fault{reason: ReasonType, message: "a record must be a JSON object"})
		case d.one() && d.peek() != 0:
			d.rejected = d.rejectedBefore(d.count)
			d.items = d.items[:n]
			d.reject(fault{reason: ReasonMalformed, message: "something follows the object on its line"})
		}
		d.count++
	}
}

// rejectedBefore returns the rejections without those of record i.
func (d *batch[T]) rejectedBefore(i int) []Rejection {
	n := len(d.rejected)
	for n > 0 && d.rejected[n-1].Index == i {
		n--
	}
	return d.rejected[:n]
}

// reject notes that the record at hand is refused.
func (d *batch[T]) reject(f fault) {
	d.rejected = append(d.rejected, Rejection{
		Index: d.count, Field: f.field, Reason: f.reason, Message: f.message, Whole: true,
	})
}

// fail notes the first fault of the record at hand.
func (d *batch[T]) fail(field string, reason Reason, format string, args ...any) {
	if d.fault.reason == "" {
		d.fault = fault{field: field, reason: reason, message: fmt.Sprintf(format, args...)}
	}
}
