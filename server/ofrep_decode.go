package server

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/splitcast/splitcast/assignment"
)

// maxContextDepth bounds nesting. Nested values cannot be compared by rules,
// so there is no need for more; the bound keeps the stack small.
const maxContextDepth = 32

// decodeContext reads {"context": {...}} into ctx, which refers to the text of
// body. It accepts what encoding/json accepts, at an eighth of the cost,
// with two limits: maxContextDepth and assignment.MaxContextAttributes. A member
// that is repeated has its last value. It returns a *contextError or an
// experiment.Error of CodeInvalid.
func decodeContext(body string, ctx *assignment.Context) error {
	ctx.Reset("")
	d := contextDecoder{s: body, ctx: ctx}
	if !d.request() {
		return &contextError{"PARSE_ERROR", "the body is not valid JSON: " + d.what + " at byte " + strconv.Itoa(d.i)}
	}
	switch {
	case !d.isObject:
		return &contextError{"INVALID_CONTEXT", `the body must be a JSON object with a member "context"`}
	case !d.hasContext:
		return &contextError{"INVALID_CONTEXT", `the body must have a member "context" that is an object`}
	}
	err := ctx.Err()
	if err != nil && ctx.TargetingKey() == "" && !d.keyIsOther {
		return &contextError{"TARGETING_KEY_MISSING", `the context has no "targetingKey": the id of the unit, a string that is not empty`}
	}
	return err
}

// contextDecoder walks through the text. Its methods return false on a
// violation of the grammar and leave in what and i what and where it was.
type contextDecoder struct {
	s    string
	i    int
	what string
	ctx  *assignment.Context

	isObject, hasContext bool
	keyIsOther           bool // the targeting key is there, but no string
}

func (d *contextDecoder) fail(what string) bool {
	d.what = what
	return false
}

// peek skips white space and returns the next byte, 0 at the end.
func (d *contextDecoder) peek() byte {
	for ; d.i < len(d.s); d.i++ {
		switch c := d.s[d.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (d *contextDecoder) request() bool {
	var ok bool
	if d.peek() == '{' {
		d.isObject = true
		ok = d.members(func(name string) bool {
			if name != "context" {
				return d.skip(1)
			}
			d.ctx.Reset("")
			d.keyIsOther = false
			d.hasContext = d.peek() == '{'
			if !d.hasContext {
				return d.skip(1)
			}
			return d.members(d.attribute)
		})
	} else {
		ok = d.skip(0)
	}
	if !ok {
		return false
	}
	if d.peek() != 0 || d.i < len(d.s) {
		return d.fail("text after the value")
	}
	return true
}

// members walks through an object and calls member before each value.
func (d *contextDecoder) members(member func(name string) bool) bool {
	d.i++ // {
	if d.peek() == '}' {
		d.i++
		return true
	}
	for {
		if d.peek() != '"' {
			return d.fail("a member's name is missing")
		}
		name, ok := d.text()
		if !ok {
			return false
		}
		if d.peek() != ':' {
			return d.fail("a colon is missing")
		}
		d.i++
		if !member(name) {
			return false
		}
		switch d.peek() {
		case ',':
			d.i++
		case '}':
			d.i++
			return true
		default:
			return d.fail("a comma or closing brace is missing")
		}
	}
}

// attribute reads the value of one member of the context.
func (d *contextDecoder) attribute(name string) bool {
	isKey := name == assignment.TargetingKey
	if isKey {
		d.keyIsOther = false
	}
	switch c := d.peek(); c {
	case '"':
		v, ok := d.text()
		if ok {
			d.ctx.SetString(name, v)
		}
		return ok
	case 't', 'f':
		d.keyIsOther = d.keyIsOther || isKey
		d.ctx.SetBool(name, c == 't')
		return d.literal()
	case 'n':
		d.ctx.Unset(name)
		return d.literal()
	case '{', '[':
		d.keyIsOther = d.keyIsOther || isKey
		d.ctx.SetOther(name)
		return d.skip(2)
	}
	d.keyIsOther = d.keyIsOther || isKey
	v, ok := d.number()
	if ok {
		d.ctx.SetNumber(name, v)
	}
	return ok
}

// skip checks a value that is of no interest.
func (d *contextDecoder) skip(depth int) bool {
	if depth > maxContextDepth {
		return d.fail("values are nested too deep")
	}
	switch d.peek() {
	case '"':
		_, ok := d.text()
		return ok
	case 't', 'f', 'n':
		return d.literal()
	case '{':
		return d.members(func(string) bool { return d.skip(depth + 1) })
	case '[':
		return d.skipArray(depth)
	}
	_, ok := d.number()
	return ok
}

func (d *contextDecoder) skipArray(depth int) bool {
	d.i++ // [
	if d.peek() == ']' {
		d.i++
		return true
	}
	for {
		if !d.skip(depth + 1) {
			return false
		}
		switch d.peek() {
		case ',':
			d.i++
		case ']':
			d.i++
			return true
		default:
			return d.fail("a comma or closing bracket is missing")
		}
	}
}

// text reads a string. One without escapes and broken UTF-8 is a part of the
// body; encoding/json decodes the others.
func (d *contextDecoder) text() (string, bool) {
	start := d.i + 1
	plain, ascii := true, true
	for i := start; i < len(d.s); i++ {
		switch c := d.s[i]; {
		case c == '"':
			d.i = i + 1
			if v := d.s[start:i]; plain && (ascii || utf8.ValidString(v)) {
				return v, true
			}
			var v string
			if json.Unmarshal([]byte(d.s[start-1:d.i]), &v) != nil {
				return "", d.fail("an escape is not valid")
			}
			return v, true
		case c == '\\':
			plain = false
			i++ // whatever follows does not end the string
		case c < ' ':
			d.i = i
			return "", d.fail("a control character stands in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	d.i = len(d.s)
	return "", d.fail("a string has no end")
}

func (d *contextDecoder) literal() bool {
	for _, word := range [...]string{"true", "false", "null"} {
		if len(d.s)-d.i >= len(word) && d.s[d.i:d.i+len(word)] == word {
			d.i += len(word)
			return true
		}
	}
	return d.fail("a value is missing")
}

// number reads a number by the grammar of RFC 8259 section 6.
func (d *contextDecoder) number() (float64, bool) {
	start := d.i
	i := start
	if i < len(d.s) && d.s[i] == '-' {
		i++
	}
	whole := digitsEnd(d.s, i)
	if whole == i || d.s[i] == '0' && whole > i+1 {
		return 0, d.fail("a value is missing or a number is malformed")
	}
	i = whole
	if i < len(d.s) && d.s[i] == '.' {
		end := digitsEnd(d.s, i+1)
		if end == i+1 {
			return 0, d.fail("a number is malformed")
		}
		i = end
	}
	if i < len(d.s) && (d.s[i] == 'e' || d.s[i] == 'E') {
		i++
		if i < len(d.s) && (d.s[i] == '+' || d.s[i] == '-') {
			i++
		}
		end := digitsEnd(d.s, i)
		if end == i {
			return 0, d.fail("a number is malformed")
		}
		i = end
	}
	d.i = i
	v, err := strconv.ParseFloat(d.s[start:i], 64)
	if err != nil {
		return 0, d.fail("a number is out of range")
	}
	return v, true
}

// digitsEnd returns the index after the digits that begin at i.
func digitsEnd(s string, i int) int {
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}
