package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// sharedFile reads a document that others wrote, which stands beside the
// project. Without it the test is skipped, except where CI must have it.
func sharedFile(t *testing.T, elem ...string) []byte {
	t.Helper()
	b, err := readShared(t, elem...)
	if err != nil {
		t.Skipf("reference data are missing: %v", err)
	}
	return b
}

// readShared is sharedFile for tests that have more to say without the document.
func readShared(t *testing.T, elem ...string) ([]byte, error) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "shared"}, elem...)...))
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("reference data are missing: %v", err)
	}
	return b, err
}

// jsonSchemas is a set of JSON Schema documents by file name. check knows the
// keywords that OFREP's and flagd's documents use, and fails on any other, so
// that no rule is passed over in silence.
type jsonSchemas map[string]any

// schemaAnnotations say nothing about validity.
var schemaAnnotations = []string{
	"$id", "$schema", "$comment", "title", "description", "example", "examples", "default", "definitions",
	"format", // both documents use it beside rules that say more
	"contentMediaType", "contentSchema",
}

func (s jsonSchemas) load(t *testing.T, name string, text []byte) {
	t.Helper()
	var doc any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	s[name] = doc
}

// resolve finds what a $ref of a schema in file means.
func (s jsonSchemas) resolve(file, ref string) (string, any) {
	name, pointer, _ := strings.Cut(ref, "#")
	if name = strings.TrimPrefix(name, "./"); name == "" {
		name = file
	}
	at, ok := s[name]
	if !ok {
		panic("no document " + name)
	}
	for part := range strings.SplitSeq(strings.Trim(pointer, "/"), "/") {
		if part != "" {
			at = at.(map[string]any)[part]
		}
	}
	if at == nil {
		panic("nothing at " + ref)
	}
	return name, at
}

// check returns why v breaks the schema at ref, or nil.
func (s jsonSchemas) check(ref string, v any) error {
	file, schema := s.resolve("", ref)
	return s.checkSchema(file, schema, v, "$")
}

func (s jsonSchemas) checkSchema(file string, schema, v any, at string) error {
	if b, ok := schema.(bool); ok {
		if !b {
			return fmt.Errorf("%s must not be", at)
		}
		return nil
	}
	rules := schema.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		if slices.Contains(schemaAnnotations, name) {
			continue
		}
		if err := s.checkKeyword(file, name, rules, v, at); err != nil {
			return err
		}
	}
	return nil
}

func (s jsonSchemas) checkKeyword(file, name string, rules map[string]any, v any, at string) error {
	rule := rules[name]
	switch name {
	case "$ref":
		f, target := s.resolve(file, rule.(string))
		return s.checkSchema(f, target, v, at)
	case "type":
		types, ok := rule.([]any)
		if !ok {
			types = []any{rule}
		}
		if !slices.ContainsFunc(types, func(t any) bool { return hasType(v, t.(string)) }) {
			return fmt.Errorf("%s is %T, not %v", at, v, rule)
		}
	case "enum":
		if !slices.ContainsFunc(rule.([]any), func(x any) bool { return reflect.DeepEqual(x, v) }) {
			return fmt.Errorf("%s is %v, not one of %v", at, v, rule)
		}
	case "minimum":
		if x, ok := v.(float64); ok && x < rule.(float64) {
			return fmt.Errorf("%s is below %v", at, rule)
		}
	case "pattern":
		if x, ok := v.(string); ok && !regexp.MustCompile(rule.(string)).MatchString(x) {
			return fmt.Errorf("%s does not match %v", at, rule)
		}
	case "allOf", "anyOf", "oneOf", "not":
		return s.checkCombined(file, name, rule, v, at)
	case "items", "additionalItems", "minItems", "maxItems":
		if x, ok := v.([]any); ok {
			return s.checkArray(file, name, rules, x, at)
		}
	case "properties", "required", "additionalProperties", "patternProperties", "minProperties":
		if x, ok := v.(map[string]any); ok {
			return s.checkObject(file, name, rules, x, at)
		}
	default:
		return fmt.Errorf("%s: the checker does not know the keyword %s", at, name)
	}
	return nil
}

func hasType(v any, name string) bool {
	switch x := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case float64:
		return name == "number" || name == "integer" && x == math.Trunc(x)
	case []any:
		return name == "array"
	}
	return name == "object"
}

func (s jsonSchemas) checkCombined(file, name string, rule, v any, at string) error {
	if name == "not" {
		if s.checkSchema(file, rule, v, at) == nil {
			return fmt.Errorf("%s is what it must not be", at)
		}
		return nil
	}
	kids := rule.([]any)
	var held int
	var errs []string
	for _, k := range kids {
		if err := s.checkSchema(file, k, v, at); err != nil {
			errs = append(errs, err.Error())
			continue
		}
		held++
	}
	if name == "allOf" && held < len(kids) || name == "anyOf" && held == 0 || name == "oneOf" && held != 1 {
		return fmt.Errorf("%s: %d of %s hold; %s", at, held, name, strings.Join(errs, " | "))
	}
	return nil
}

func (s jsonSchemas) checkArray(file, name string, rules map[string]any, v []any, at string) error {
	rule := rules[name]
	tuple, isTuple := rules["items"].([]any)
	switch name {
	case "minItems":
		if len(v) < int(rule.(float64)) {
			return fmt.Errorf("%s has %d items, want %v or more", at, len(v), rule)
		}
	case "maxItems":
		if len(v) > int(rule.(float64)) {
			return fmt.Errorf("%s has %d items, want %v or fewer", at, len(v), rule)
		}
	case "items":
		for i, x := range v {
			if isTuple && i >= len(tuple) {
				break
			}
			if isTuple {
				rule = tuple[i]
			}
			if err := s.checkSchema(file, rule, x, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case "additionalItems":
		for i := len(tuple); i < len(v); i++ {
			if err := s.checkSchema(file, rule, v[i], fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s jsonSchemas) checkObject(file, name string, rules map[string]any, v map[string]any, at string) error {
	rule := rules[name]
	known, _ := rules["properties"].(map[string]any)
	patterns, _ := rules["patternProperties"].(map[string]any)
	switch name {
	case "required":
		for _, k := range rule.([]any) {
			if _, ok := v[k.(string)]; !ok {
				return fmt.Errorf("%s has no %v", at, k)
			}
		}
	case "minProperties":
		if len(v) < int(rule.(float64)) {
			return fmt.Errorf("%s has %d members, want %v or more", at, len(v), rule)
		}
	}
	for k, x := range v {
		sub, ok := known[k]
		if ok && name == "properties" {
			if err := s.checkSchema(file, sub, x, at+"."+k); err != nil {
				return err
			}
		}
		for pattern, p := range patterns {
			if !regexp.MustCompile(pattern).MatchString(k) {
				continue
			}
			ok = true
			if name != "patternProperties" {
				continue
			}
			if err := s.checkSchema(file, p, x, at+"."+k); err != nil {
				return err
			}
		}
		if !ok && name == "additionalProperties" {
			if err := s.checkSchema(file, rule, x, at+"."+k); err != nil {
				return err
			}
		}
	}
	return nil
}

// The checker itself must refuse; each row breaks one rule.
func TestSchemaCheckerRefuses(t *testing.T) {
	t.Parallel()
	s := jsonSchemas{}
	s.load(t, "s", []byte(`
a: {type: object, required: [x], properties: {x: {type: integer, minimum: 0}, e: {enum: [p, q]}, z: {type: string, pattern: "^/"}},
    patternProperties: {"^t": {type: array, minItems: 2, maxItems: 3, items: [{type: string}], additionalItems: {type: "null"}}},
    additionalProperties: {oneOf: [{type: number}, {type: integer}]}}
b: {allOf: [{not: {type: string}}, {anyOf: [{type: [boolean, "null"]}, {$ref: "#/a"}]}], minProperties: 1}
`))
	tests := []struct {
		ref, value string
		ok         bool
	}{
		{"s#/a", `{"x":1,"e":"p","z":"/","t":["a",null],"n":1.5}`, true},
		{"s#/b", `{"x":1}`, true},
		{"s#/b", `null`, true},
		{"s#/a", `[]`, false},
		{"s#/a", `{}`, false},
		{"s#/a", `{"x":1.5}`, false},
		{"s#/a", `{"x":-1}`, false},
		{"s#/a", `{"x":1,"e":"r"}`, false},
		{"s#/a", `{"x":1,"z":"a"}`, false},
		{"s#/a", `{"x":1,"t":["a"]}`, false},
		{"s#/a", `{"x":1,"t":["a",null,null,null]}`, false},
		{"s#/a", `{"x":1,"t":["a",1]}`, false},
		{"s#/a", `{"x":1,"t":[1,null]}`, false},
		{"s#/a", `{"x":1,"n":1}`, false}, // oneOf: both hold
		{"s#/b", `"a"`, false},
		{"s#/b", `{}`, false},
		{"s#/b", `1`, false},
	}
	for _, tt := range tests {
		var v any
		if err := json.Unmarshal([]byte(tt.value), &v); err != nil {
			t.Fatal(err)
		}
		if err := s.check(tt.ref, v); (err == nil) != tt.ok {
			t.Errorf("check(%s, %s) = %v, want it to hold: %t", tt.ref, tt.value, err, tt.ok)
		}
	}
}
