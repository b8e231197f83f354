package telemetry

import (
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// MaxEventAgeMs is how long after it happened an event of a unit is taken; what
// is older comes by import.
const MaxEventAgeMs = 7 * 24 * 3_600_000

// MaxImportedEventAgeMs is how long after it happened an event can be imported: a
// little more than a year. Each day of events has a partition of its own.
const MaxImportedEventAgeMs = 400 * 24 * 3_600_000

// UnitEvent is something that happened to a unit and has a name, such as a
// purchase with its price. Its id, which the sender makes and keeps over
// retries, is what makes it count once among those of the unit and the name.
type UnitEvent struct {
	UnitType experiment.UnitType
	Unit     string
	Name     string // as of experiment.ValidKey
	ID       string
	AtMs     int64    // Unix ms; a repetition has the same
	Value    *float64 // nil: it only counts

	// Index is the place of the record within its body, from 0.
	Index int
}

// DecodeUnitEvents reads a body of events, in the forms of DecodeHeartbeats,
// each {unit_type, unit, name, id, at, value?}: at is a time of RFC 3339 or Unix
// ms, within MaxEventAgeMs before nowMs. A record that cannot be taken is
// returned as a Rejection and spoils no other. Unknown fields are ignored.
//
// The error is an *experiment.Error of CodeInvalid or CodeTooLarge and means
// that no record was read.
func DecodeUnitEvents(body []byte, contentType string, nowMs int64) ([]UnitEvent, []Rejection, error) {
	return decodeUnitEvents(body, contentType, eventDecoder{nowMs: nowMs, maxAgeMs: MaxEventAgeMs})
}

// DecodeImportedEvents is DecodeUnitEvents for events of the past, of up to
// MaxImportedEventAgeMs ago; those that name no type of unit are of the given one.
func DecodeImportedEvents(body []byte, contentType string, nowMs int64, unit experiment.UnitType) ([]UnitEvent, []Rejection, error) {
	return decodeUnitEvents(body, contentType, eventDecoder{nowMs: nowMs, maxAgeMs: MaxImportedEventAgeMs, unit: unit})
}

func decodeUnitEvents(body []byte, contentType string, d eventDecoder) ([]UnitEvent, []Rejection, error) {
	if len(body) > MaxBodyBytes {
		return nil, nil, errBodyTooLarge
	}
	d.batch = newBatch[UnitEvent](body, len(body)/usualEventBytes+1)
	if err := d.read(contentType, d.record); err != nil {
		return nil, nil, err
	}
	return d.items, d.rejected, nil
}

// usualEventBytes sizes the result; a guess, not a limit.
const usualEventBytes = 150

// eventDecoder holds one body while it is read.
type eventDecoder struct {
	batch[UnitEvent]
	nowMs    int64
	maxAgeMs int64
	unit     experiment.UnitType // of events that do not tell; empty: they must
	timed    bool                // the record at hand tells when
}

// record reads one object and appends it or rejects it. False means that it is
// not JSON.
func (d *eventDecoder) record() bool {
	d.items = append(d.items, UnitEvent{Index: d.count, UnitType: d.unit})
	e := &d.items[len(d.items)-1]
	d.fault, d.timed = fault{}, false
	ok := d.object(func(key string) bool { return d.member(e, key) })
	if !ok {
		d.fault = fault{reason: ReasonMalformed, message: "not JSON"}
	}
	if d.fault.reason == "" {
		d.check(e)
	}
	if d.fault.reason != "" {
		d.reject(d.fault)
		d.items = d.items[:len(d.items)-1]
	}
	return ok
}

// check refuses an event that lacks something or cannot be true.
func (d *eventDecoder) check(e *UnitEvent) {
	for _, f := range [...]struct{ name, value string }{{"unit_type", string(e.UnitType)}, {"unit", e.Unit}, {"name", e.Name}, {"id", e.ID}} {
		if f.value == "" {
			d.fail(f.name, ReasonMissing, "is required")
		}
	}
	switch {
	case !d.timed:
		d.fail("at", ReasonMissing, "is required")
	case e.AtMs < d.nowMs-d.maxAgeMs || e.AtMs > d.nowMs+ClockSlackMs:
		d.fail("at", ReasonImplausible, "must be within the last %d days", d.maxAgeMs/(24*3_600_000))
	case e.Name != "" && !experiment.ValidKey(e.Name):
		d.fail("name", ReasonRange, "must be 1 to %d of a-z, 0-9, _, . and -, beginning with a letter or digit", experiment.MaxKeyBytes)
	case e.Value != nil && (*e.Value < -MaxCount || *e.Value > MaxCount):
		d.fail("value", ReasonRange, "must be within %d of 0", int64(MaxCount))
	}
}

var unitTypes = strings.Fields("viewer broadcaster device session block")

// member reads the value of one key. False means that the text is not JSON.
func (d *eventDecoder) member(e *UnitEvent, key string) bool {
	if d.at < len(d.text) && d.text[d.at] == 'n' {
		return d.word("null") // an absent field
	}
	switch key {
	case "unit_type":
		return d.readWord((*string)(&e.UnitType), key, unitTypes)
	case "unit":
		return d.readText(&e.Unit, key)
	case "name":
		return d.readText(&e.Name, key)
	case "id":
		return d.readText(&e.ID, key)
	case "at":
		d.timed = true
		return d.moment(e)
	case "value":
		return d.value(e)
	}
	return d.skip(maxDepth)
}

// moment reads when the event was.
func (d *eventDecoder) moment(e *UnitEvent) bool {
	if d.peek() != '"' {
		return d.readNumber(&e.AtMs, "at")
	}
	text, ok := d.str()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		d.fail("at", ReasonType, "must be a time of RFC 3339 or Unix ms")
		return ok
	}
	e.AtMs = at.UnixMilli()
	return ok
}

// value reads the number of the event.
func (d *eventDecoder) value(e *UnitEvent) bool {
	if c := d.peek(); c != '-' && !isDigit(c) {
		d.fail("value", ReasonType, "must be a number")
		return d.skip(maxDepth)
	}
	value, ok := d.decimal()
	e.Value = &value
	return ok
}
