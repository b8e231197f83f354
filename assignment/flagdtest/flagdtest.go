// Package flagdtest evaluates flagd flag documents in tests, as flagd does:
// JSONLogic with the conversions of types that JavaScript makes, plus
// fractional and sem_ver. It is written from their documentation, apart from
// the code that writes our documents, and knows the operators that they use;
// any other panics. It is for tests only.
//
//	doc, err := flagdtest.Parse(snapshot.FlagdDocument())
//	if err != nil {
//		t.Fatal(err)
//	}
//	variant, ok := doc.Resolve("autoplay", map[string]any{"targetingKey": "viewer-1"})
package flagdtest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/twmb/murmur3"

	"github.com/splitcast/splitcast/experiment"
)

// Document is a flag document, decoded.
type Document struct {
	Schema     string                    `json:"$schema"`
	Evaluators map[string]any            `json:"$evaluators"`
	Flags      map[string]map[string]any `json:"flags"`
	Metadata   map[string]any            `json:"metadata"`
}

// Parse decodes a document.
func Parse(text []byte) (Document, error) {
	var d Document
	err := json.Unmarshal(text, &d)
	return d, err
}

// Resolve returns the variant of a flag for a context, whose values are as
// encoding/json decodes them; false when there is no such flag.
func (d *Document) Resolve(key string, ctx map[string]any) (variant string, ok bool) {
	flag, ok := d.Flags[key]
	if !ok {
		return "", false
	}
	e := engine{d.Evaluators, ctx}
	if targeting, ok := flag["targeting"]; ok {
		if variant, ok := e.eval(targeting).(string); ok {
			return variant, true
		}
	}
	return flag["defaultVariant"].(string), true
}

type engine struct {
	evaluators map[string]any
	ctx        map[string]any
}

func (e *engine) eval(node any) any {
	rule, ok := node.(map[string]any)
	if !ok {
		return node
	}
	if len(rule) != 1 {
		panic(fmt.Sprintf("%v is not a rule", rule))
	}
	for op, operand := range rule {
		switch op {
		case "$ref":
			return e.eval(e.evaluators[operand.(string)])
		case "var":
			return e.variable(operand)
		}
		return e.apply(op, operand.([]any))
	}
	return nil
}

// variable looks an attribute up; ["name", other] gives other when it is absent.
func (e *engine) variable(operand any) any {
	name, ok := operand.(string)
	if ok {
		return e.ctx[name]
	}
	args := operand.([]any)
	if v := e.ctx[args[0].(string)]; v != nil {
		return v
	}
	return args[1]
}

// apply handles the operators that choose which operands to evaluate.
func (e *engine) apply(op string, args []any) any {
	switch op {
	case "if":
		for ; len(args) > 1; args = args[2:] {
			if truthy(e.eval(args[0])) {
				return e.eval(args[1])
			}
		}
		if len(args) == 1 {
			return e.eval(args[0])
		}
		return nil
	case "and", "or":
		var v any
		for _, a := range args {
			if v = e.eval(a); truthy(v) == (op == "or") {
				break
			}
		}
		return v
	case "fractional":
		return e.fractional(args)
	}
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = e.eval(a)
	}
	return compute(op, values)
}

func (e *engine) fractional(args []any) any {
	key, total := e.eval(args[0]).(string), 0.0
	for _, a := range args[1:] {
		total += a.([]any)[1].(float64)
	}
	at := float64(uint64(murmur3.StringSum32(key)) * uint64(total) >> 32)
	for _, a := range args[1:] {
		if at -= a.([]any)[1].(float64); at < 0 {
			return a.([]any)[0]
		}
	}
	return nil
}

func compute(op string, v []any) any {
	switch op {
	case "===":
		return strictly(v[0], v[1])
	case "!==":
		return !strictly(v[0], v[1])
	case "!":
		return !truthy(v[0])
	case "<":
		return toNumber(v[0]) < toNumber(v[1])
	case "<=":
		return toNumber(v[0]) <= toNumber(v[1])
	case ">":
		return toNumber(v[0]) > toNumber(v[1])
	case ">=":
		return toNumber(v[0]) >= toNumber(v[1])
	case "cat":
		var text strings.Builder
		for _, x := range v {
			text.WriteString(toText(x))
		}
		return text.String()
	case "in":
		if list, ok := v[1].([]any); ok {
			for _, x := range list {
				if strictly(v[0], x) {
					return true
				}
			}
			return false
		}
		return strings.Contains(v[1].(string), v[0].(string))
	case "starts_with":
		return strings.HasPrefix(v[0].(string), v[1].(string))
	case "ends_with":
		return strings.HasSuffix(v[0].(string), v[1].(string))
	case "sem_ver":
		return semver(v[0].(string), v[1].(string), v[2].(string))
	}
	panic("unknown operator " + op)
}

func semver(a, op, b string) bool {
	x, okX := experiment.ParseSemver(a)
	y, okY := experiment.ParseSemver(b)
	if !okX || !okY {
		return false
	}
	c := x.Compare(y)
	return map[string]bool{"=": c == 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}[op]
}

// strictly is ===: arrays and objects equal nothing but themselves.
func strictly(a, b any) bool {
	switch a.(type) {
	case []any, map[string]any:
		return false
	}
	return reflect.DeepEqual(a, b)
}

func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case float64:
		return v != 0
	case []any:
		return len(v) > 0
	}
	return true
}

// toNumber is the conversion that JavaScript's < makes. What is not a number
// after it is an error, as in the engine of flagd's own JavaScript provider.
func toNumber(v any) float64 {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		if v {
			return 1
		}
		return 0
	case float64:
		return v
	case string:
		if f, err := strconv.ParseFloat(strings.TrimSpace(v), 64); err == nil {
			return f
		}
	}
	panic(fmt.Sprintf("%v cannot be compared as a number", v))
}

// toText is the conversion that JSONLogic's cat makes: Array.prototype.join,
// with the failure on null of the engine named above.
func toText(v any) string {
	switch v := v.(type) {
	case nil:
		panic("null has no text")
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = toText(v[i])
		}
		return strings.Join(parts, ",")
	case map[string]any:
		return "[object Object]"
	}
	return fmt.Sprint(v)
}
