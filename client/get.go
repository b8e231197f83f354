package client

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/splitcast/splitcast/assignment"
)

// AttrExpose is the context attribute which, when false, keeps a getter from
// reporting an exposure: a look ahead is not a meeting.
const AttrExpose = "splitcast.expose"

// Bool returns the experiment's boolean for who, and reports the exposure of a
// unit that takes part. When there is none, it returns otherwise and
// Details.Err says why; likewise all other getters.
func (c *Client) Bool(key string, who *assignment.Context, otherwise bool) (bool, Details) {
	v, d := c.use(key, who, kindBool)
	if v == nil {
		return otherwise, d
	}
	return v.boolean, d
}

// String returns the experiment's string for who.
func (c *Client) String(key string, who *assignment.Context, otherwise string) (string, Details) {
	v, d := c.use(key, who, kindString)
	if v == nil {
		return otherwise, d
	}
	return v.text, d
}

// Float returns the experiment's number for who.
func (c *Client) Float(key string, who *assignment.Context, otherwise float64) (float64, Details) {
	v, d := c.use(key, who, kindNumber)
	if v == nil {
		return otherwise, d
	}
	return v.number, d
}

// Int returns the experiment's number for who; one with a fraction, or beyond
// what an int64 holds exactly, is of another type.
func (c *Client) Int(key string, who *assignment.Context, otherwise int64) (int64, Details) {
	v, d := c.use(key, who, kindInteger)
	if v == nil {
		return otherwise, d
	}
	return v.integer, d
}

// JSON returns the experiment's value for who as JSON, whatever its type. The
// bytes are the caller's own.
func (c *Client) JSON(key string, who *assignment.Context, otherwise json.RawMessage) (json.RawMessage, Details) {
	v, d := c.use(key, who, kindAny)
	if v == nil {
		return otherwise, d
	}
	return bytes.Clone(v.raw), d
}

// Object returns the experiment's JSON object for who as a T. It is a function
// because methods have no type parameters. Fields that T lacks are ignored;
// an object that does not fit is CodeParse and no exposure.
func Object[T any](c *Client, key string, who *assignment.Context, otherwise T) (T, Details) {
	v, d := c.look(key, who, kindObject)
	if v == nil {
		return otherwise, d
	}
	var into T
	if err := json.Unmarshal(v.raw, &into); err != nil {
		return otherwise, refusal(key, CodeParse, fmt.Sprintf("the object of arm %s does not fit %T: %v", v.arm, into, err))
	}
	c.met(v.tag, &d.Result, who)
	return into, d
}

// use looks and, when there is a value, reports the meeting.
func (c *Client) use(key string, who *assignment.Context, want kind) (*value, Details) {
	v, d := c.look(key, who, want)
	if v != nil {
		c.met(v.tag, &d.Result, who)
	}
	return v, d
}

// look evaluates. The value is nil when the caller's default must be returned.
func (c *Client) look(key string, who *assignment.Context, want kind) (*value, Details) {
	st := c.state.Load()
	if st == nil {
		return nil, refusal(key, CodeNotReady, "there is no configuration yet")
	}
	if who == nil {
		return nil, refusal(key, CodeKeyMissing, "there is no context")
	}
	if err := who.Err(); err != nil {
		if who.TargetingKey() == "" {
			return nil, refusal(key, CodeKeyMissing, "the context has no targeting key: the id of the unit")
		}
		return nil, refusal(key, CodeInvalidContext, err.Error())
	}
	e, ok := st.entries[key]
	if !ok {
		return nil, refusal(key, CodeNotFound, "there is no experiment "+key)
	}
	if e.why != "" {
		return nil, refusal(key, CodeGeneral, e.why)
	}
	d := Details{Result: st.snapshot.EvaluateAt(e.index, who), UnitType: e.unit, ConfigVersion: st.version}
	v := e.valueOf(d.Variant)
	if v == nil || !v.is(want) {
		return nil, refusal(key, CodeTypeMismatch, fmt.Sprintf("the values of experiment %s are not of type %s", key, want))
	}
	return v, d
}
