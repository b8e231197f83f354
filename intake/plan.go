package intake

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/splitcast/splitcast/metrics"
)

// Mapping says which columns hold what. Empty names are the defaults of NewPlan.
type Mapping struct {
	Unit    string // default "unit"
	Arm     string // default "arm"
	At      string // default "at", if there is such a column
	Session string // of a unit: the session that joins players without viewer ids
	Window  metrics.Window
	// Fields maps base quantities, "value:" and the key of a metric, "attr:" and an
	// attribute, custom quantities ("measure:", "stream_measure:", "event:",
	// "event_value:" and a name, "funnel:" and the key of a metric), "past:" and a base
	// quantity, and of sessions the fields of a heartbeat, to columns.
	Fields map[string]string
}

// Prefixes of Mapping.Fields.
const (
	valuePrefix      = "value:"
	attrPrefix       = "attr:"
	pastPrefix       = "past:"
	eventValuePrefix = "event_value:" // metrics.SourceValue, which would be the value of a metric here
)

// customName returns the custom quantity that a field names; ok is false for others.
func customName(field string) (name string, ok bool) {
	if strings.HasPrefix(field, valuePrefix) {
		return "", false
	}
	name = field
	if event, is := strings.CutPrefix(field, eventValuePrefix); is {
		name = metrics.SourceValue + event
	}
	return name, metrics.ImportedCustom(name)
}

// pastName returns the base quantity of the past that a field names.
func pastName(field string) (name string, ok bool) {
	if name, ok = strings.CutPrefix(field, pastPrefix); ok {
		_, ok = metrics.ParseQuantity(name)
	}
	return name, ok
}

// Plan makes records of rows.
type Plan struct {
	what       What
	unit, arm  string
	at         string // empty: the file does not tell
	session    string
	window     metrics.Window
	quantities map[string]string // by name: the column
	values     map[string]string // by metric
	custom     map[string]string // by name
	past       map[string]string // by base quantity
	attributes map[string]string
	fields     map[string]string // of heartbeats
	unused     []string
}

// NewPlan finds the columns: those that the mapping names, and those whose own name
// says what they hold. It returns a *Fault for a column that is not there.
func NewPlan(what What, columns []string, m Mapping) (*Plan, error) {
	p := &Plan{
		what: what, window: m.Window, unit: orDefault(m.Unit, "unit"), arm: orDefault(m.Arm, "arm"), at: m.At, session: m.Session,
		quantities: map[string]string{}, values: map[string]string{}, attributes: map[string]string{}, fields: map[string]string{},
		custom: map[string]string{}, past: map[string]string{},
	}
	if m.Window != "" && !m.Window.Valid() {
		return nil, &Fault{Reason: fmt.Sprintf("there is no window %q: it is first, day, return_d1, return_d7 or return_K_L", m.Window)}
	}
	if p.at == "" && slices.Contains(columns, "at") {
		p.at = "at"
	}
	for field, column := range m.Fields {
		if err := p.setField(field, column); err != nil {
			return nil, err
		}
	}
	p.findByName(columns)
	needed := []string{p.at, p.session}
	if what.hasArms() {
		needed = append(needed, p.unit, p.arm)
	}
	if what == Events {
		if err := p.checkEvents(); err != nil {
			return nil, err
		}
		needed = append(needed, p.unit)
	}
	if what != Outcomes && p.at == "" {
		return nil, &Fault{Column: "at", Reason: "the file must tell when; name the column by --at"}
	}
	used := map[string]bool{}
	for _, of := range p.named() {
		needed = slices.AppendSeq(needed, maps.Values(of))
	}
	for _, column := range needed {
		if column != "" && !slices.Contains(columns, column) {
			return nil, &Fault{Column: column, Reason: "the file has no such column; it has " + strings.Join(columns, ", ")}
		}
		used[column] = true
	}
	if what == Outcomes && len(p.quantities)+len(p.values)+len(p.custom) == 0 {
		return nil, &Fault{Reason: "no column holds what units did; name a column after a base quantity, or event:NAME or measure:NAME, or give --field QUANTITY=COL or --field value:METRIC=COL"}
	}
	for _, column := range columns {
		if !used[column] {
			p.unused = append(p.unused, column)
		}
	}
	return p, nil
}

func orDefault(name, fallback string) string {
	if name == "" {
		return fallback
	}
	return name
}

// named returns the columns by what they hold.
func (p *Plan) named() []map[string]string {
	return []map[string]string{p.quantities, p.values, p.custom, p.past, p.attributes, p.fields}
}

// Unused returns the columns that nothing is made of.
func (p *Plan) Unused() []string { return p.unused }

func (p *Plan) setField(field, column string) error {
	metric, isValue := strings.CutPrefix(field, valuePrefix)
	attribute, isAttribute := strings.CutPrefix(field, attrPrefix)
	_, isQuantity := metrics.ParseQuantity(field)
	custom, isCustom := customName(field)
	past, isPast := pastName(field)
	switch {
	case p.what == Sessions, p.what == Events && slices.Contains(eventFields, field):
		p.fields[field] = column
	case isCustom && p.what == Outcomes:
		p.custom[custom] = column
	case isPast && p.what == Outcomes:
		p.past[past] = column
	case isAttribute && p.what.hasArms():
		p.attributes[attribute] = column
	case isValue && p.what == Outcomes:
		p.values[metric] = column
	case isQuantity && p.what == Outcomes:
		p.quantities[field] = column
	default:
		return &Fault{Column: column, Reason: strconv.Quote(field) + " is no base quantity, and none of value:METRIC, attr:NAME, measure:NAME, stream_measure:NAME, event:NAME, event_value:NAME, funnel:METRIC and past:QUANTITY; or rows of " + string(p.what) + " have none"}
	}
	return nil
}

// findByName takes the columns whose name says what they hold.
func (p *Plan) findByName(columns []string) {
	var taken []string
	for _, of := range p.named() {
		taken = slices.AppendSeq(taken, maps.Values(of))
	}
	taken = append(taken, p.at)
	switch {
	case p.what.hasArms():
		taken = append(taken, p.unit, p.arm, p.session)
	case p.what == Events:
		taken = append(taken, p.unit)
	}
	for _, column := range columns {
		if slices.Contains(taken, column) {
			continue
		}
		_, isQuantity := metrics.ParseQuantity(column)
		_, isDimension := metrics.DimensionIndex(column)
		custom, isCustom := customName(column)
		past, isPast := pastName(column)
		switch {
		case p.what == Sessions:
			setNew(p.fields, column, column)
		case p.what == Events:
			if slices.Contains(eventFields, column) {
				setNew(p.fields, column, column)
			}
		case isDimension:
			setNew(p.attributes, column, column)
		case p.what != Outcomes:
		case isQuantity:
			setNew(p.quantities, column, column)
		case isCustom:
			setNew(p.custom, custom, column)
		case isPast:
			setNew(p.past, past, column)
		}
	}
}

func setNew(fields map[string]string, name, column string) {
	if _, given := fields[name]; !given {
		fields[name] = column
	}
}

// Column returns the column that a field of a record was made of, as the server
// names fields.
func (p *Plan) Column(field string) string {
	kind, name, _ := strings.Cut(field, ".")
	switch kind {
	case "unit":
		return p.unit
	case "arm":
		return p.arm
	case "at":
		return p.at
	case "quantities":
		return p.quantities[name]
	case "values":
		return p.values[name]
	case "custom":
		return p.custom[name]
	case "past":
		return p.past[name]
	}
	return p.fields[field]
}

// unitRecord is a record of units of the import API.
type unitRecord struct {
	Unit       string             `json:"unit"`
	Arm        string             `json:"arm"`
	At         *time.Time         `json:"at,omitempty"`
	Session    string             `json:"session,omitempty"`
	Attributes map[string]string  `json:"attributes,omitempty"`
	Crossed    bool               `json:"crossed,omitempty"`
	Window     metrics.Window     `json:"window,omitempty"`
	Quantities map[string]float64 `json:"quantities,omitempty"`
	Values     map[string]float64 `json:"values,omitempty"`
	Custom     map[string]float64 `json:"custom,omitempty"`
	Past       map[string]float64 `json:"past,omitempty"`
}

// Record makes the record of a row. crossed says that the file has the unit in
// another arm, too.
func (p *Plan) Record(row *Row, crossed bool) (json.RawMessage, *Fault) {
	var v any
	var fault *Fault
	switch p.what {
	case Sessions:
		v, fault = p.sessionRecord(row)
	case Events:
		v, fault = p.eventRecord(row)
	default:
		v, fault = p.unitRecord(row, crossed)
	}
	if fault == nil {
		text, err := json.Marshal(v)
		if err == nil {
			return text, nil
		}
		fault = &Fault{Reason: err.Error()}
	}
	fault.Line = row.Line
	return nil, fault
}

// Unit returns the unit and the arm of a row.
func (p *Plan) Unit(row *Row) (unit, arm string, fault *Fault) {
	unit, ok := row.Value(p.unit)
	if !ok {
		return "", "", &Fault{Line: row.Line, Column: p.unit, Reason: "the unit is missing"}
	}
	if arm, ok = row.Value(p.arm); !ok {
		return "", "", &Fault{Line: row.Line, Column: p.arm, Reason: "the arm is missing"}
	}
	return unit, arm, nil
}

func (p *Plan) unitRecord(row *Row, crossed bool) (*unitRecord, *Fault) {
	unit, arm, fault := p.Unit(row)
	if fault != nil {
		return nil, fault
	}
	r := &unitRecord{Unit: unit, Arm: arm, Crossed: crossed}
	if text, ok := row.Value(p.at); ok {
		at, fault := moment(p.at, text)
		if fault != nil {
			return nil, fault
		}
		r.At = &at
	}
	r.Session, _ = row.Value(p.session)
	for name, column := range p.attributes {
		if text, ok := row.Value(column); ok {
			if r.Attributes == nil {
				r.Attributes = map[string]string{}
			}
			r.Attributes[name] = text
		}
	}
	if p.what == Exposures || crossed {
		return r, nil
	}
	r.Window = p.window
	for _, part := range []struct {
		into    *map[string]float64
		columns map[string]string
	}{{&r.Quantities, p.quantities}, {&r.Values, p.values}, {&r.Custom, p.custom}, {&r.Past, p.past}} {
		if *part.into, fault = numbers(row, part.columns); fault != nil {
			return nil, fault
		}
	}
	return r, nil
}

func numbers(row *Row, columns map[string]string) (map[string]float64, *Fault) {
	out := map[string]float64{}
	for name, column := range columns {
		text, ok := row.Value(column)
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, faultf(column, "%.40q is not a finite number", text)
		}
		out[name] = v
	}
	return out, nil
}

// millisecondsFrom is the number from which a time without unit is in milliseconds:
// as seconds it would be in the year 5138.
const millisecondsFrom = 100_000_000_000

// moment reads a time: RFC 3339, the same without zone, which is then UTC, a day, or
// seconds or milliseconds since 1970.
func moment(column, text string) (time.Time, *Fault) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n >= millisecondsFrom {
			return time.UnixMilli(n).UTC(), nil
		}
		return time.Unix(n, 0).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, faultf(column, "%.40q is no time: write 2026-11-02T12:00:00Z, or seconds or milliseconds since 1970", text)
}
