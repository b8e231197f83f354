package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/assignment"
)

// describe renders what a context holds, typed.
func describe(c *assignment.Context) map[string]string {
	out := map[string]string{assignment.TargetingKey: c.TargetingKey()}
	for name, text := range c.Texts() {
		kind := "number"
		if _, ok := c.String(name); ok {
			kind = "string"
		}
		if _, ok := c.Bool(name); ok {
			kind = "bool"
		}
		out[name] = kind + " " + text
	}
	return out
}

// FuzzDecodeContext holds the decoder to encoding/json: what one accepts, the
// other accepts, with the same values.
func FuzzDecodeContext(f *testing.F) {
	for _, s := range []string{
		`{"context":{"targetingKey":"v","a":1,"b":true,"c":null,"d":[1,{"x":[]}],"e":"ж😀\u0041\ud83d\ude00"}}`,
		`{"context":{"targetingKey":"v"},"context":{"targetingKey":"w","a":-0.5e+2}}`, `{"x":[{},[],"",1e5,null],"context":{"targetingKey":"v"}}`,
		` { "context" : { "targetingKey" : "v" , "a" : "\n\\\"" } } `, `{"context":{"targetingKey":"a` + "\xff" + `b"}}`, `{"context":{"a":01}}`,
		`{"context":{"a":1e999}}`, `{"context":{"a":"\x"}}`, `{"context":{"a":tru}}`, `{"context":{"a":1,}}`, `[]`, `"`, `{"context":[]}`, `nul`, ``, "{}\x00",
		`{"context":{"targetingKey":"v","a":"x","a":null,"a":2}}`, `{"Context":{"targetingKey":"v"}}`, `{"context":{"` + "\xed\xa0\x80" + `":1,"targetingKey":"v"}}`,
		`{"context":{"targetingKey":1,"targetingKey":"v"}}`, `{"context":{"viewer_id":{},"targetingKey":"v"}}`, `{"a":"\ud800","context":{}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var ctx assignment.Context
		err := decodeContext(body, &ctx)
		var bad *contextError
		refusedByGrammar := errors.As(err, &bad) && bad.code == "PARSE_ERROR"
		if refusedByGrammar && strings.Contains(bad.details, "nested too deep") {
			return
		}
		var decoded any
		jsonErr := json.Unmarshal([]byte(body), &decoded)
		if (jsonErr != nil) != refusedByGrammar {
			t.Fatalf("decodeContext: %v, encoding/json: %v", err, jsonErr)
		}
		object, _ := decoded.(map[string]any)
		members, isObject := object["context"].(map[string]any)
		if (err == nil) != (isObject && ctx.Err() == nil) {
			t.Fatalf("decodeContext: %v, context is an object: %t, Err: %v", err, isObject, ctx.Err())
		}
		if err != nil {
			return
		}
		want := map[string]string{}
		for name, v := range members {
			switch v := v.(type) {
			case string:
				want[name] = "string " + v
			case float64:
				one := assignment.NewContext("")
				one.SetNumber("n", v)
				want[name] = describe(one)["n"]
			case bool:
				want[name] = fmt.Sprint("bool ", v)
			}
		}
		want[assignment.TargetingKey], _ = members[assignment.TargetingKey].(string)
		if diff := cmp.Diff(want, describe(&ctx)); diff != "" {
			t.Fatalf("the contexts differ (-encoding/json +decodeContext):\n%s", diff)
		}
	})
}

// Nesting is accepted to the limit and not beyond, wherever it stands.
func TestDecodeContextDepthLimit(t *testing.T) {
	t.Parallel()
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		format string
		levels int // above the nested value
	}{
		{`{"context":{"targetingKey":"v","a":%s}}`, 2},
		{`{"other":%s,"context":{"targetingKey":"v"}}`, 1},
	}
	for _, tt := range tests {
		var ctx assignment.Context
		fits := maxContextDepth - tt.levels + 1
		if err := decodeContext(fmt.Sprintf(tt.format, nest(fits)), &ctx); err != nil {
			t.Errorf("%s with %d levels: %v", tt.format, fits, err)
		}
		if err := decodeContext(fmt.Sprintf(tt.format, nest(fits+1)), &ctx); err == nil {
			t.Errorf("%s with %d levels is accepted", tt.format, fits+1)
		}
	}
}

func BenchmarkDecodeContext(b *testing.B) {
	const body = `{"context":{"targetingKey":"09d7a3fb-61de-4af9-a1bb-93ae1b0d1f2c","country":"DE","platform":"web","appBuild":5123,` +
		`"isSubscriber":true,"deviceTier":"mid","player":"hls.js","followers":4711}}`
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		var ctx assignment.Context
		for b.Loop() {
			if err := decodeContext(body, &ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v struct {
				Context map[string]any `json:"context"`
			}
			if err := json.Unmarshal([]byte(body), &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
