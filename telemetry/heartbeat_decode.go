package telemetry

import (
	"fmt"
	"mime"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// Limits of a batch of heartbeats.
const (
	MaxBodyBytes = 1 << 20 // decoded: some 1,700 records of usual size, and a moment's memory
	MaxBatch     = 10_000  // records: what a minimal record makes of MaxBodyBytes, within reason
	MaxIDBytes   = experiment.MaxUnitIDBytes
	MaxDwell     = 32 // bitrates or heights: ladders have 5 to 12 rungs
)

// SchemaVersion is the highest heartbeat schema that is understood.
const SchemaVersion = 1

// DecodeHeartbeats reads a body of heartbeats: a JSON array, one JSON object,
// or one object a line (NDJSON). The content type only settles how an object
// that spans lines is read; sendBeacon's text/plain is taken, too.
//
// The records returned have passed [Validate]. One that cannot be taken is
// returned as a Rejection and spoils no other. Unknown fields are ignored. The error is an *experiment.Error of
// CodeInvalid or CodeTooLarge and means that no record was read. The strings
// of the records share one copy of the body.
func DecodeHeartbeats(body []byte, contentType string) ([]Heartbeat, []Rejection, error) {
	if len(body) > MaxBodyBytes {
		return nil, nil, experiment.Errorf(experiment.CodeTooLarge, "", "a body has at most %d bytes", MaxBodyBytes)
	}
	lines, err := isNDJSON(contentType)
	if err != nil {
		return nil, nil, err
	}
	d := heartbeatDecoder{scanner: scanner{text: string(body)}}
	d.beats = make([]Heartbeat, 0, len(body)/usualRecordBytes+1)
	switch d.peek() {
	case '[':
		d.array()
	case '{':
		if lines || !d.single() {
			d.lines()
		}
	case 0:
		return nil, nil, experiment.Invalidf("", "the body is empty")
	default:
		return nil, nil, experiment.Invalidf("", "the body must be a JSON array of records, or one JSON object a line")
	}
	if d.count > MaxBatch {
		return nil, nil, experiment.Errorf(experiment.CodeTooLarge, "", "a batch has at most %d records", MaxBatch)
	}
	return d.beats, d.rejected, nil
}

// usualRecordBytes sizes the result; a guess, not a limit.
const usualRecordBytes = 600

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

// heartbeatDecoder holds one body while it is read.
type heartbeatDecoder struct {
	scanner
	beats    []Heartbeat
	rejected []Rejection
	count    int // records seen, good or bad
	dwell    []DwellTime
	fault    fault // of the record being read
}

// fault is the first reason for which the record at hand is not taken.
type fault struct {
	reason  Reason
	field   string
	message string
}

// array reads a JSON array of records.
func (d *heartbeatDecoder) array() {
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
func (d *heartbeatDecoder) end() {
	if d.peek() != 0 {
		d.reject(fault{reason: ReasonMalformed, message: "something follows the array"})
		d.count++
	}
}

// element reads one element of the array; false means that the next one
// cannot be found.
func (d *heartbeatDecoder) element() bool {
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
	if !d.record() {
		d.at, found = d.frame(start)
	}
	d.count++
	return found
}

// single reads a body that is one object. It returns false, and takes nothing,
// when the body rather is one object a line.
func (d *heartbeatDecoder) single() bool {
	line, _, _ := strings.Cut(d.text[d.at:], "\n")
	whole := d.record() && d.peek() == 0
	if !whole && strings.HasSuffix(strings.TrimSpace(line), "}") {
		*d = heartbeatDecoder{scanner: scanner{text: d.text}, beats: d.beats[:0]}
		return false
	}
	if !whole && len(d.rejected) == 0 {
		d.beats = d.beats[:0]
		d.reject(fault{reason: ReasonMalformed, message: "something follows the object"})
	}
	d.count++
	return true
}

// lines reads one object a line.
func (d *heartbeatDecoder) lines() {
	rest, more := d.text, true
	for more && d.count <= MaxBatch {
		var line string
		line, rest, more = strings.Cut(rest, "\n")
		d.scanner = scanner{text: line}
		c := d.peek()
		if c == 0 {
			continue
		}
		n := len(d.beats)
		switch {
		case c != '{':
			d.reject(fault{reason: ReasonType, message: "a record must be a JSON object"})
		case d.record() && d.peek() != 0:
			d.rejected = d.rejectedBefore(d.count)
			d.beats = d.beats[:n]
			d.reject(fault{reason: ReasonMalformed, message: "something follows the object on its line"})
		}
		d.count++
	}
}

// rejectedBefore returns the rejections without those of record i.
func (d *heartbeatDecoder) rejectedBefore(i int) []Rejection {
	n := len(d.rejected)
	for n > 0 && d.rejected[n-1].Index == i {
		n--
	}
	return d.rejected[:n]
}

// reject notes that the record at hand is refused.
func (d *heartbeatDecoder) reject(f fault) {
	d.rejected = append(d.rejected, Rejection{
		Index: d.count, Field: f.field, Reason: f.reason, Message: f.message, Whole: true,
	})
}

// record reads one object, its brace being next, and appends it or rejects it.
// False means that it is not JSON.
func (d *heartbeatDecoder) record() bool {
	d.beats = append(d.beats, Heartbeat{Index: d.count})
	hb := &d.beats[len(d.beats)-1]
	d.fault = fault{}
	seen := seenFields{}
	ok := d.object(func(key string) bool { return d.member(hb, &seen, key) })
	switch {
	case !ok:
		d.fault = fault{reason: ReasonMalformed, message: "not JSON"}
	case d.fault.reason == "":
		d.complete(hb, seen)
	}
	if d.fault.reason == "" {
		d.screen(hb)
		return true
	}
	d.reject(d.fault)
	last := &d.rejected[len(d.rejected)-1]
	last.SessionID, last.Player, last.PlayerVersion = hb.SessionID, hb.Player, hb.PlayerVersion
	d.beats = d.beats[:len(d.beats)-1]
	return ok
}

// screen drops the record just read, the last one, if it cannot be true.
func (d *heartbeatDecoder) screen(hb *Heartbeat) {
	found := Validate(hb)
	if len(found) == 0 {
		return
	}
	d.rejected = append(d.rejected, found...)
	if found[0].Whole {
		d.beats = d.beats[:len(d.beats)-1]
	}
}

// seenFields tells which fields without a default a record had.
type seenFields struct{ seq bool }

// complete checks what is required and settles defaults.
func (d *heartbeatDecoder) complete(hb *Heartbeat, seen seenFields) {
	switch {
	case hb.SessionID == "":
		d.fail("session_id", ReasonMissing, "is required")
	case !seen.seq:
		d.fail("seq", ReasonMissing, "is required")
	case hb.Schema > SchemaVersion:
		d.fail("schema", ReasonVersion, "schema %d is above %d", hb.Schema, SchemaVersion)
	}
	if hb.Kind == "" {
		hb.Kind = KindBeat
	}
	if hb.Kind == KindEnd && hb.EndReason == "" {
		hb.EndReason = EndUnknown
	}
	if hb.Tier == 0 {
		hb.Tier = TierA
	}
	if hb.LatencySamples == 0 {
		hb.Observed &^= ObservedLatency
	}
	if len(hb.RungMs) > 1 {
		hb.Observed |= ObservedLadder
	}
	hb.Observed |= ObservedStart | ObservedFailure
}

// fail notes the first fault of the record at hand.
func (d *heartbeatDecoder) fail(field string, reason Reason, format string, args ...any) {
	if d.fault.reason == "" {
		d.fault = fault{field: field, reason: reason, message: fmt.Sprintf(format, args...)}
	}
}
