package assignment

import (
	"iter"
	"math"
	"strconv"

	"github.com/splitcast/splitcast/experiment"
)

// MaxContextAttributes bounds the attributes of a Context. Look-ups are
// linear, which is fastest for the dozen that services send; the bound keeps
// a hostile context from making them slow.
const MaxContextAttributes = 128

// TargetingKey is OpenFeature's name for the id of whoever asks. Audiences
// may refer to it like to any attribute.
const TargetingKey = "targetingKey"

// Names of the attributes that carry an id of a certain unit type. Each wins
// over the targeting key for experiments that randomise this unit type.
const (
	AttrViewerID      = "viewer_id"
	AttrBroadcasterID = "broadcaster_id"
	AttrDeviceID      = "device_id"
	AttrSessionID     = "session_id"
	AttrBlockID       = "block_id"
)

// Context is what a service tells about the unit and its surroundings. The
// targeting key is the unit's id in every experiment, except that an
// attribute such as broadcaster_id names the unit of experiments on
// broadcasters. A Context is not safe for concurrent change.
type Context struct {
	key   attr // the targeting key
	attrs []attr
	ids   [unitCount]unitID // of the attributes above
	keyID unitID            // of the targeting key
	fault *experiment.Error // the first one
}

type attr struct {
	name string
	kind kind
	num  float64 // kindNumber; kindBool: 1 is true
	str  string  // kindString
}

// kind is the type of an attribute's value.
type kind uint8

const (
	kindOther kind = iota // an array or object: present, but no rule can compare it
	kindString
	kindNumber
	kindBool
)

// NewContext returns a context that knows the targeting key only.
func NewContext(targetingKey string) *Context {
	c := &Context{}
	c.SetTargetingKey(targetingKey)
	return c
}

// Reset makes the context as new, keeping its memory.
func (c *Context) Reset(targetingKey string) {
	clear(c.attrs)
	*c = Context{attrs: c.attrs[:0]}
	c.SetTargetingKey(targetingKey)
}

// SetTargetingKey replaces the targeting key.
func (c *Context) SetTargetingKey(id string) {
	c.key = attr{name: TargetingKey, kind: kindString, str: id}
	c.keyID = newUnitID(id)
}

// SetString sets an attribute to a string.
func (c *Context) SetString(name, value string) {
	c.set(attr{name: name, kind: kindString, str: value})
}

// SetNumber sets an attribute to a number. What is not finite counts as
// present and compares with nothing.
func (c *Context) SetNumber(name string, value float64) {
	k := kindNumber
	if math.IsNaN(value) || math.IsInf(value, 0) {
		k, value = kindOther, 0
	}
	c.set(attr{name: name, kind: k, num: value})
}

// SetBool sets an attribute to a boolean.
func (c *Context) SetBool(name string, value bool) {
	a := attr{name: name, kind: kindBool}
	if value {
		a.num = 1
	}
	c.set(a)
}

// SetOther records that an attribute is present with a value that no rule can
// compare: an array or an object.
func (c *Context) SetOther(name string) { c.set(attr{name: name}) }

// Unset removes an attribute; JSON's null means the same.
func (c *Context) Unset(name string) {
	if name == TargetingKey {
		c.SetTargetingKey("")
		return
	}
	if u, ok := unitIndexOfAttr(name); ok {
		c.ids[u] = unitID{}
	}
	for i := range c.attrs {
		if c.attrs[i].name == name {
			c.attrs = append(c.attrs[:i], c.attrs[i+1:]...)
			return
		}
	}
}

func (c *Context) set(a attr) {
	if a.name == TargetingKey {
		c.SetTargetingKey(a.str)
		if a.kind != kindString {
			c.refuse(TargetingKey, "must be a string")
		}
		return
	}
	if u, ok := unitIndexOfAttr(a.name); ok {
		c.ids[u] = newUnitID(a.str)
		if c.ids[u].state != idValid {
			c.refuse(a.name, unitIDRule)
		}
	}
	for i := range c.attrs {
		if c.attrs[i].name == a.name {
			c.attrs[i] = a
			return
		}
	}
	if len(c.attrs) == MaxContextAttributes {
		c.refuse("", "a context has at most "+strconv.Itoa(MaxContextAttributes)+" attributes")
		return
	}
	c.attrs = append(c.attrs, a)
}

func (c *Context) refuse(field, message string) {
	if c.fault == nil {
		c.fault = &experiment.Error{Code: experiment.CodeInvalid, Field: field, Message: message}
	}
}

// unitIDRule is experiment.ValidUnitID in words.
const unitIDRule = "must be a string of 1 to 128 printable ASCII characters: " +
	"evaluators in other languages hash other characters differently"

// Err returns an experiment.Error of CodeInvalid when the targeting key or
// another unit id is not valid, or there are too many attributes. Evaluation
// treats an invalid id as missing; an API refuses the context.
func (c *Context) Err() error {
	if c.fault != nil {
		return c.fault
	}
	if c.keyID.state != idValid {
		return experiment.Invalidf(TargetingKey, unitIDRule)
	}
	return nil
}

// TargetingKey returns the targeting key.
func (c *Context) TargetingKey() string { return c.key.str }

// String returns an attribute that is a string.
func (c *Context) String(name string) (string, bool) {
	a := c.find(name)
	if a == nil || a.kind != kindString {
		return "", false
	}
	return a.str, true
}

// Bool returns an attribute that is a boolean.
func (c *Context) Bool(name string) (value, ok bool) {
	a := c.find(name)
	if a == nil || a.kind != kindBool {
		return false, false
	}
	return a.num != 0, true
}

// Texts yields the name and the value as text of each attribute that is a
// string, number or boolean, without the targeting key, in the order of their
// first setting.
func (c *Context) Texts() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range c.attrs {
			a := &c.attrs[i]
			if a.kind != kindOther && !yield(a.name, a.text()) {
				return
			}
		}
	}
}

func (a *attr) text() string {
	switch a.kind {
	case kindNumber:
		return string(appendNumber(nil, a.num))
	case kindBool:
		return strconv.FormatBool(a.num != 0)
	}
	return a.str
}

// appendNumber writes a number as JSON does: plain digits within reason.
func appendNumber(b []byte, v float64) []byte {
	const plainFrom, plainBelow = 1e-6, 1e21 // as ECMAScript's Number::toString
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < plainFrom || abs >= plainBelow) {
		format = 'e'
	}
	return strconv.AppendFloat(b, v, format, -1, 64)
}

// find returns the attribute, or nil when it is absent.
func (c *Context) find(name string) *attr {
	for i := range c.attrs {
		if c.attrs[i].name == name {
			return &c.attrs[i]
		}
	}
	if name == TargetingKey && c.key.str != "" {
		return &c.key
	}
	return nil
}
