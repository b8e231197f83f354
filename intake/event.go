package intake

import (
	"math"
	"strconv"
	"time"
)

// eventFields are what a column of events may hold beside the unit and the time.
var eventFields = []string{"unit_type", "name", "id", "value"}

// eventRecord is a record of events of the import API.
type eventRecord struct {
	UnitType string    `json:"unit_type,omitempty"`
	Unit     string    `json:"unit"`
	Name     string    `json:"name"`
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Value    *float64  `json:"value,omitempty"`
}

// checkEvents returns a *Fault where there is no column of what every event needs. An
// id that was made of the place in the file would count the events of the next file
// twice, or not at all.
func (p *Plan) checkEvents() error {
	for _, field := range []string{"name", "id"} {
		if p.fields[field] == "" {
			return &Fault{Column: field, Reason: "every event has one; name its column by --field " + field + "=COL"}
		}
	}
	return nil
}

// eventRecord makes the record of an event.
func (p *Plan) eventRecord(row *Row) (*eventRecord, *Fault) {
	r := &eventRecord{}
	for _, part := range []struct {
		into   *string
		column string
		what   string
	}{{&r.Unit, p.unit, "the unit"}, {&r.Name, p.fields["name"], "the name"}, {&r.ID, p.fields["id"], "the id"}} {
		text, ok := row.Value(part.column)
		if !ok {
			return nil, faultf(part.column, "%s is missing", part.what)
		}
		*part.into = text
	}
	text, ok := row.Value(p.at)
	if !ok {
		return nil, faultf(p.at, "the time is missing")
	}
	var fault *Fault
	if r.At, fault = moment(p.at, text); fault != nil {
		return nil, fault
	}
	r.UnitType, _ = row.Value(p.fields["unit_type"])
	column := p.fields["value"]
	if text, ok := row.Value(column); ok {
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, faultf(column, "%.40q is not a finite number", text)
		}
		r.Value = &value
	}
	return r, nil
}
