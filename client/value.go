package client

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// kind is the type of a value that a getter asks for.
type kind uint8

const (
	kindAny kind = iota
	kindBool
	kindString
	kindNumber
	kindInteger // a number without a fraction
	kindObject
)

// String returns the type as people write it.
func (k kind) String() string {
	return [...]string{"any", "boolean", "string", "number", "integer", "object"}[k]
}

// value is what one arm gives, decoded once.
type value struct {
	arm     string
	tag     uint64 // of experiment, version and arm, for the seen-set
	kind    kind
	whole   bool // the number is an integer
	boolean bool
	text    string
	number  float64
	integer int64
	raw     json.RawMessage
}

func (v *value) is(want kind) bool {
	return want == v.kind || want == kindAny || want == kindInteger && v.whole
}

// maxExactFloat is the largest integer up to which a float64 holds all.
const maxExactFloat = 1 << 53

// newValue decodes the value of an arm.
func newValue(arm string, raw json.RawMessage) (value, error) {
	v := value{arm: arm, raw: raw}
	var decoded any
	if err := json.Unmarshal(raw, &decoded); err != nil {
		return v, fmt.Errorf("value of arm %s: %w", arm, err)
	}
	switch x := decoded.(type) {
	case bool:
		v.kind, v.boolean = kindBool, x
	case string:
		v.kind, v.text = kindString, x
	case float64:
		v.kind, v.number = kindNumber, x
		i, err := strconv.ParseInt(string(raw), 10, 64)
		if err == nil {
			v.whole, v.integer = true, i
		} else if x == math.Trunc(x) && math.Abs(x) <= maxExactFloat { // 5.0 and 1e3
			v.whole, v.integer = true, int64(x)
		}
	case map[string]any:
		v.kind = kindObject
	}
	return v, nil
}
