package intake

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/metrics"
)

// textFields are the fields of a heartbeat that are texts even where they look like
// numbers: ids and codes.
var textFields = strings.Fields(`session_id kind end_reason viewer_id device_id channel_id broadcaster_id stream_id
	country asn device_class os player player_version net_class fatal_code telemetry_tier`)

// sessionRecord makes the last heartbeat of a session: what it lacks of a number in
// its sequence and of its kind follows from that it is the last.
func (p *Plan) sessionRecord(row *Row) (map[string]any, *Fault) {
	out := map[string]any{"seq": 1, "kind": "end"}
	text, ok := row.Value(p.at)
	if !ok {
		return nil, faultf(p.at, "the time is missing")
	}
	at, fault := moment(p.at, text)
	if fault != nil {
		return nil, fault
	}
	measures := map[string]any{}
	for field, column := range p.fields {
		text, ok := row.Value(column)
		if name, is := strings.CutPrefix(field, metrics.SourceMeasure); ok && is {
			measures[name] = heartbeatValue(field, text)
		} else if ok {
			out[field] = heartbeatValue(field, text)
		}
	}
	if _, given := out["measures"]; !given && len(measures) > 0 {
		out["measures"] = measures
	}
	out["at"] = at
	return out, nil
}

// heartbeatValue returns a number, a truth value or an object where the text is one.
func heartbeatValue(field, text string) any {
	if slices.Contains(textFields, field) {
		return text
	}
	switch text {
	case "TRUE", "True":
		return true
	case "FALSE", "False":
		return false
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}
