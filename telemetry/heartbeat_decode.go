package telemetry

import "github.com/splitcast/splitcast/experiment"

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
// returned as a Rejection and spoils no other. Unknown fields are
// ignored. The error is an *experiment.Error of CodeInvalid or CodeTooLarge and
// means that no record was read. The strings of the records share one copy of
// the body.
func DecodeHeartbeats(body []byte, contentType string) ([]Heartbeat, []Rejection, error) {
	if len(body) > MaxBodyBytes {
		return nil, nil, errBodyTooLarge
	}
	d := heartbeatDecoder{batch: newBatch[Heartbeat](body, len(body)/usualRecordBytes+1)}
	if err := d.read(contentType, d.record); err != nil {
		return nil, nil, err
	}
	return d.items, d.rejected, nil
}

// usualRecordBytes sizes the result; a guess, not a limit.
const usualRecordBytes = 600

// heartbeatDecoder holds one body while it is read.
type heartbeatDecoder struct {
	batch[Heartbeat]
	dwell []DwellTime
}

// record reads one object, its brace being next, and appends it or rejects it.
// False means that it is not JSON.
func (d *heartbeatDecoder) record() bool {
	d.items = append(d.items, Heartbeat{Index: d.count})
	hb := &d.items[len(d.items)-1]
	d.fault = fault{}
	seen := seenFields{}
	first := len(d.rejected)
	ok := d.object(func(key string) bool { return d.member(hb, &seen, key) })
	switch {
	case !ok:
		d.fault = fault{reason: ReasonMalformed, message: "not JSON"}
	case d.fault.reason == "":
		d.complete(hb, seen)
	}
	if d.fault.reason != "" {
		d.rejected = d.rejected[:first] // what is wrong with its measures does not matter then
		d.reject(d.fault)
	}
	for i := first; i < len(d.rejected); i++ {
		r := &d.rejected[i]
		r.SessionID, r.Player, r.PlayerVersion = hb.SessionID, hb.Player, hb.PlayerVersion
	}
	if d.fault.reason == "" {
		d.screen(hb)
		return true
	}
	d.items = d.items[:len(d.items)-1]
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
		d.items = d.items[:len(d.items)-1]
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
	if len(hb.LatencyMinutes) == 0 {
		hb.Observed &^= ObservedLatencyMinutes
	}
	if len(hb.RungMs) > 1 {
		hb.Observed |= ObservedLadder
	}
	hb.Observed |= ObservedStart | ObservedFailure
}
