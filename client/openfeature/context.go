package openfeature

import (
	"maps"
	"reflect"
	"slices"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/client"
)

// lookAhead returns the context of an evaluation whose exposure is the hook's
// to report.
func lookAhead(flat of.FlattenedContext) *assignment.Context {
	who := contextOf(flat)
	who.SetBool(client.AttrExpose, false)
	return who
}

// contextOf turns the attributes of OpenFeature into ours, in the order of
// their names: which ones an exposure keeps must not depend on a map's.
func contextOf(attributes map[string]any) *assignment.Context {
	who := assignment.NewContext("")
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		set(who, name, attributes[name])
	}
	return who
}

// set sets an attribute with the type that it would have in JSON.
func set(who *assignment.Context, name string, value any) {
	switch v := value.(type) {
	case nil:
		return
	case string:
		who.SetString(name, v)
		return
	case bool:
		who.SetBool(name, v)
		return
	case time.Time:
		who.SetString(name, v.Format(time.RFC3339Nano))
		return
	}
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.String:
		who.SetString(name, v.String())
	case v.Kind() == reflect.Bool:
		who.SetBool(name, v.Bool())
	case v.CanInt():
		who.SetNumber(name, float64(v.Int()))
	case v.CanUint():
		who.SetNumber(name, float64(v.Uint()))
	case v.CanFloat():
		who.SetNumber(name, v.Float())
	default:
		who.SetOther(name)
	}
}
