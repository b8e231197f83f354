package assignment

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/murmur3"

	"github.com/splitcast/splitcast/experiment"
)

// flagdEval evaluates a flagd document as its providers do, for the shapes
// that FlagdDocument writes and no others. It exists to judge the document and
// reads nothing but its text: what it shares with Evaluate is the hash and the
// order of versions.
type flagdEval struct{ evaluators map[string]any }

type flagdFlag struct {
	Targeting      any    `json:"targeting"`
	DefaultVariant string `json:"defaultVariant"`
}

// variant returns what the flag serves to a context of scalars.
func (d *flagdEval) variant(flag *flagdFlag, ctx map[string]any) (string, error) {
	v, err := d.eval(flag.Targeting, ctx)
	if err != nil {
		return "", err
	}
	if name, ok := v.(string); ok {
		return name, nil
	}
	return flag.DefaultVariant, nil
}

// errShape is that of logic which FlagdDocument does not write.
var errShape = errors.New("the document holds logic of an unknown shape")

func (d *flagdEval) eval(node any, ctx map[string]any) (any, error) {
	rule, ok := node.(logic)
	if !ok {
		return node, nil
	}
	for op, operand := range rule {
		if len(rule) != 1 {
			break
		}
		switch op {
		case "$ref":
			name, ok := operand.(string)
			if shared, known := d.evaluators[name]; ok && known {
				return d.eval(shared, ctx)
			}
			return nil, fmt.Errorf("%w: $ref to %v", errShape, operand)
		case "var":
			return variable(operand, ctx)
		}
		args, ok := operand.([]any)
		if !ok || len(args) == 0 {
			break
		}
		return d.apply(op, args, ctx)
	}
	return nil, fmt.Errorf("%w: %v", errShape, rule)
}

// variable reads an attribute; of [name, other] it gives other when absent.
func variable(operand any, ctx map[string]any) (any, error) {
	if name, ok := operand.(string); ok {
		return ctx[name], nil
	}
	if args, ok := operand.([]any); ok && len(args) == 2 {
		if name, ok := args[0].(string); ok {
			if v := ctx[name]; v != nil {
				return v, nil
			}
			return args[1], nil
		}
	}
	return nil, fmt.Errorf("%w: var %v", errShape, operand)
}

// apply evaluates those operators that choose among their operands, and leaves
// the others to compute.
func (d *flagdEval) apply(op string, args []any, ctx map[string]any) (any, error) {
	switch op {
	case "if":
		for ; len(args) > 1; args = args[2:] {
			if v, err := d.eval(args[0], ctx); err != nil {
				return nil, err
			} else if isTrue(v) {
				return d.eval(args[1], ctx)
			}
		}
		if len(args) == 1 {
			return d.eval(args[0], ctx)
		}
		return nil, nil //nolint:nilnil // JSONLogic's null
	case "and", "or":
		var v any
		for _, a := range args {
			var err error
			if v, err = d.eval(a, ctx); err != nil || isTrue(v) == (op == "or") {
				return v, err
			}
		}
		return v, nil
	case "fractional":
		return d.fractional(args, ctx)
	}
	values := make([]any, len(args))
	for i := range args {
		var err error
		if values[i], err = d.eval(args[i], ctx); err != nil {
			return nil, err
		}
	}
	return compute(op, values)
}

// fractional returns the name whose integer share holds the hash.
func (d *flagdEval) fractional(args []any, ctx map[string]any) (any, error) {
	v, err := d.eval(args[0], ctx)
	key, ok := v.(string)
	if err != nil || !ok {
		return nil, errors.Join(err, errShape)
	}
	total := uint64(0)
	shares := make([]uint64, len(args)-1)
	for i, a := range args[1:] {
		pair, ok := a.([]any)
		if !ok || len(pair) != 2 {
			return nil, errShape
		}
		share, ok := pair[1].(float64)
		if !ok || share < 0 {
			return nil, errShape
		}
		shares[i] = uint64(share)
		total += shares[i]
	}
	at := uint64(murmur3.StringSum32(key)) * total >> 32
	for i, a := range args[1:] {
		if at < shares[i] {
			return a.([]any)[0], nil //nolint:errcheck // looked at above
		}
		at -= shares[i]
	}
	return nil, errShape
}

// compute evaluates the operators that take values. Every comparison of the
// document stands behind a test of the types, so that none needs conversions;
// one that did would be an error here, and shown.
func compute(op string, v []any) (any, error) {
	switch {
	case op == "!":
		return !isTrue(v[0]), nil
	case op == "cat":
		return concatenate(v)
	case len(v) == 2 && op == "===":
		return same(v[0], v[1]), nil
	case len(v) == 2 && op == "!==":
		return !same(v[0], v[1]), nil
	case len(v) == 2 && op == "in":
		return isIn(v[0], v[1])
	case len(v) == 2:
		return comparePair(op, v[0], v[1])
	case len(v) == 3 && op == "sem_ver":
		return compareVersions(v)
	}
	return nil, fmt.Errorf("%w: operator %s of %d", errShape, op, len(v))
}

// same is ===: type and value; a list equals nothing.
func same(a, b any) bool {
	switch a.(type) {
	case []any, logic:
		return false
	}
	return a == b
}

func concatenate(values []any) (any, error) {
	var text strings.Builder
	for _, v := range values {
		switch v := v.(type) {
		case string:
			text.WriteString(v)
		case float64, bool:
			fmt.Fprint(&text, v)
		default:
			return nil, fmt.Errorf("%w: the text of %v", errShape, v)
		}
	}
	return text.String(), nil
}

func isIn(v, of any) (any, error) {
	if list, ok := of.([]any); ok {
		for _, x := range list {
			if same(v, x) {
				return true, nil
			}
		}
		return false, nil
	}
	part, okPart := v.(string)
	whole, okWhole := of.(string)
	if !okPart || !okWhole {
		return nil, fmt.Errorf("%w: %v in %v", errShape, v, of)
	}
	return strings.Contains(whole, part), nil
}

func comparePair(op string, a, b any) (any, error) {
	if x, ok := a.(float64); ok {
		if y, ok := b.(float64); ok {
			return holdsSign(op, compareFloat(x, y))
		}
	}
	x, okX := a.(string)
	y, okY := b.(string)
	switch {
	case okX && okY && op == "starts_with":
		return strings.HasPrefix(x, y), nil
	case okX && okY && op == "ends_with":
		return strings.HasSuffix(x, y), nil
	}
	return nil, fmt.Errorf("%w: %v %s %v", errShape, a, op, b)
}

func compareFloat(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func compareVersions(v []any) (any, error) {
	a, okA := v[0].(string)
	op, okOp := v[1].(string)
	b, okB := v[2].(string)
	if !okA || !okOp || !okB {
		return nil, fmt.Errorf("%w: sem_ver %v", errShape, v)
	}
	x, okX := experiment.ParseSemver(a)
	y, okY := experiment.ParseSemver(b)
	if !okX || !okY {
		return false, nil
	}
	return holdsSign(op, x.Compare(y))
}

func holdsSign(op string, c int) (any, error) {
	switch op {
	case "=":
		return c == 0, nil
	case "<":
		return c < 0, nil
	case "<=":
		return c <= 0, nil
	case ">":
		return c > 0, nil
	case ">=":
		return c >= 0, nil
	}
	return nil, fmt.Errorf("%w: sign %s", errShape, op)
}

// isTrue is JSONLogic's idea of it.
func isTrue(v any) bool {
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
