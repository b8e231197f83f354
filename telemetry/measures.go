package telemetry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// MaxMeasures bounds the custom measures of one record: each is kept with the
// session, which should stay a row of some hundred bytes.
const MaxMeasures = 16

// Measure is one custom counter.
type Measure struct {
	Name  string // as of experiment.ValidKey
	Value float64
}

// Measures are counters that an application defines itself: cumulative like all
// others, so that the newest record tells the sum. They are held as the one
// JSON text of an object {"name": number} that has its names in order, and as
// the empty text when there are none, so that equal measures are equal texts.
type Measures string

// MeasuresOf returns the text of a list: valid names, each once, in any order.
func MeasuresOf(list []Measure) Measures {
	if len(list) == 0 {
		return ""
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Measure) int { return strings.Compare(a.Name, b.Name) })
	b := []byte{'{'}
	for i, m := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), m.Name...), `":`...)
		if m.Value == math.Trunc(m.Value) && math.Abs(m.Value) <= MaxCount {
			b = strconv.AppendInt(b, int64(m.Value), 10)
		} else {
			b = strconv.AppendFloat(b, m.Value, 'g', -1, 64)
		}
	}
	return Measures(append(b, '}'))
}

// List returns the measures by name.
func (m Measures) List() []Measure {
	if m == "" {
		return nil
	}
	var out []Measure
	s := scanner{text: string(m)}
	s.object(func(name string) bool {
		value, ok := s.decimal()
		out = append(out, Measure{name, value})
		return ok
	})
	return out
}

// Plus returns the sums by name: the totals of two epochs.
func (m Measures) Plus(n Measures) Measures {
	if m == "" || n == "" {
		return m + n
	}
	return sumOf(append(m.List(), n.List()...))
}

// sumOf returns the sums by name of a list in which names may recur.
func sumOf(list []Measure) Measures {
	sum := list[:0:0]
	for _, more := range list {
		at := slices.IndexFunc(sum, func(s Measure) bool { return s.Name == more.Name })
		if at < 0 {
			sum = append(sum, more)
			continue
		}
		sum[at].Value += more.Value
	}
	return MeasuresOf(sum)
}

// MarshalJSON writes the object.
func (m Measures) MarshalJSON() ([]byte, error) {
	if m == "" {
		return []byte("{}"), nil
	}
	return []byte(m), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Measures) UnmarshalJSON(b []byte) error {
	var text bytes.Buffer
	if err := json.Compact(&text, b); err != nil {
		return err
	}
	*m = Measures(strings.TrimPrefix(text.String(), "{}"))
	return nil
}

// decimal consumes a number and returns it.
func (s *scanner) decimal() (value float64, ok bool) {
	start := s.at
	if _, _, ok := s.number(); !ok {
		return 0, false
	}
	value, err := strconv.ParseFloat(s.text[start:s.at], 64)
	return value, err == nil || math.IsInf(value, 0) // out of range is a number, too
}

// readMeasures reads an object of counters. Those that are not right are
// dropped singly. As for any JSON object, the last of equal names counts.
func (d *batch[T]) readMeasures(into *Measures) bool {
	if d.peek() != '{' {
		d.fail("measures", ReasonType, "must be an object of numbers")
		return d.skip(maxDepth)
	}
	var list []Measure
	ok := d.object(func(name string) bool {
		if c := d.text[d.at:]; c == "" || c[0] != '-' && !isDigit(c[0]) {
			d.dropMeasure(ReasonType, "%.64q is no number", name)
			return d.skip(maxDepth)
		}
		value, ok := d.decimal()
		if !ok {
			return false
		}
		at := slices.IndexFunc(list, func(m Measure) bool { return m.Name == name })
		switch {
		case !experiment.ValidKey(name):
			d.dropMeasure(ReasonRange, "%.64q is no name: 1 to %d of a-z, 0-9, _, . and -, beginning with a letter or digit", name, experiment.MaxKeyBytes)
		case value < 0 || value > MaxCount:
			d.dropMeasure(ReasonRange, "%s must be 0 to %d", name, int64(MaxCount))
		case at >= 0:
			list[at].Value = value
		case len(list) == MaxMeasures:
			d.dropMeasure(ReasonTooMany, "%s: a record has at most %d measures", name, MaxMeasures)
		default:
			list = append(list, Measure{name, value})
		}
		return true
	})
	*into = MeasuresOf(list)
	return ok
}

// dropMeasure notes that one measure of the record at hand is not taken. When
// it is one of too many, neither is the record.
func (d *batch[T]) dropMeasure(reason Reason, format string, args ...any) {
	if n := len(d.rejected); n >= maxFaults && d.rejected[n-maxFaults].Index == d.count {
		d.fail("measures", ReasonTooMany, "too many measures are not right")
		return
	}
	d.rejected = append(d.rejected, Rejection{
		Index: d.count, Field: "measures", Reason: reason, Message: fmt.Sprintf(format, args...),
	})
}
