package metrics

import (
	"bytes"
	_ "embed" // catalogue.json is part of the program: a plan means the same everywhere
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"

	"github.com/splitcast/splitcast/experiment"
)

// Catalogue is a validated list of definitions.
type Catalogue struct {
	all    []Definition
	latest map[string]int // position in all of the newest version of a key
}

// The metrics that every experiment measures, because they tell whether the
// others can be believed.
const (
	CoverageKey       = "telemetry_coverage"
	StartTimeKnownKey = "start_time_known"
)

// Limits of a catalogue.
const (
	MaxDefinitions = 500   // cells of each are kept for every arm and look
	MaxTextBytes   = 1_000 // of a description: it is a tooltip, not a manual
	maxDecimals    = 6     // more digits than any uncertainty deserves
)

//go:embed catalogue.json
var builtinJSON []byte

// builtin parses the embedded catalogue once.
var builtin = sync.OnceValue(func() *Catalogue {
	c, err := ParseCatalogue(builtinJSON)
	if err != nil {
		panic(fmt.Sprintf("embedded catalogue: %v", err)) // a test would have failed
	}
	return c
})

// Builtin returns the catalogue that is part of the program.
func Builtin() *Catalogue { return builtin() }

// Known reports whether the built-in catalogue has a metric.
func Known(key string) bool {
	_, ok := Builtin().Lookup(key)
	return ok
}

// Lookup returns the newest version of a metric of the built-in catalogue.
func Lookup(key string) (Definition, bool) { return Builtin().Lookup(key) }

// All returns the newest version of every metric of the built-in catalogue, in
// its order.
func All() []Definition { return Builtin().All() }

// ParseCatalogue reads and validates a catalogue. It returns experiment.Errors
// of CodeInvalid that name every faulty field.
func ParseCatalogue(data []byte) (*Catalogue, error) {
	var doc struct {
		Metrics []Definition `json:"metrics"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return nil, experiment.Invalidf("metrics", "%v", err)
	}
	if dec.More() {
		return nil, experiment.Invalidf("metrics", "there is text after the catalogue")
	}
	c := &Catalogue{all: doc.Metrics, latest: map[string]int{}}
	err := c.validate()
	return c, err
}

// Lookup returns the newest version of a metric.
func (c *Catalogue) Lookup(key string) (Definition, bool) {
	i, ok := c.latest[key]
	if !ok {
		return Definition{}, false
	}
	return c.all[i], true
}

// LookupVersion returns one version of a metric.
func (c *Catalogue) LookupVersion(key string, version int) (Definition, bool) {
	for i := range c.all {
		if c.all[i].Key == key && c.all[i].Version == version {
			return c.all[i], true
		}
	}
	return Definition{}, false
}

// All returns the newest version of every metric, in the order of the catalogue.
func (c *Catalogue) All() []Definition {
	out := make([]Definition, 0, len(c.latest))
	for i, d := range c.all {
		if c.latest[d.Key] == i {
			out = append(out, d)
		}
	}
	return out
}

func (c *Catalogue) validate() error {
	var faults experiment.Errors
	if n := len(c.all); n == 0 || n > MaxDefinitions {
		faults = append(faults, experiment.Invalidf("metrics", "must hold 1 to %d definitions, not %d", MaxDefinitions, n))
	}
	for i := range c.all {
		d := &c.all[i]
		prefix := fmt.Sprintf("metrics[%d].", i)
		add := func(field, format string, args ...any) {
			faults = append(faults, experiment.Invalidf(prefix+field, format, args...))
		}
		d.validate(add)
		before, seen := c.latest[d.Key]
		if seen && d.Version <= c.all[before].Version {
			add("version", "must be above %d, the version before of %s", c.all[before].Version, d.Key)
			continue
		}
		c.latest[d.Key] = i
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// validate reports every fault of the definition by its field.
func (d *Definition) validate(add func(field, format string, args ...any)) {
	if !experiment.ValidKey(d.Key) {
		add("key", "%q is not a key", d.Key)
	}
	if d.Version < 1 {
		add("version", "must be at least 1")
	}
	for field, text := range map[string]string{"name": d.Name, "description": d.Description, "unit": d.Unit} {
		if text == "" || len(text) > MaxTextBytes {
			add(field, "must hold 1 to %d bytes", MaxTextBytes)
		}
	}
	if len(d.Pitfalls) > MaxTextBytes {
		add("pitfalls", "must hold at most %d bytes", MaxTextBytes)
	}
	if d.Direction < -1 || d.Direction > 1 {
		add("direction", "must be -1, 0 or 1")
	}
	if !(d.Scale > 0) || math.IsInf(d.Scale, 0) {
		add("scale", "must be a positive number")
	}
	if d.Decimals < 0 || d.Decimals > maxDecimals {
		add("decimals", "must be 0 to %d", maxDecimals)
	}
	if d.Window != WindowFirst && d.Window != WindowDay {
		add("window", "must be %s or %s", WindowFirst, WindowDay)
	}
	if !validTiers(d.Tiers) {
		add("tiers", "must be letters of A to D in order, each once")
	}
	switch d.Role {
	case RoleGoal, RoleGuardrail, RoleDiagnostic, RoleTrust:
	default:
		add("role", "%q is not a role", d.Role)
	}
	if (d.Cap != "") != (d.Uncapped != nil) {
		add("cap", "a cap and the uncapped quotient come together")
	}
	d.validateKind(add)
}

func (d *Definition) validateKind(add func(field, format string, args ...any)) {
	switch d.Kind {
	case KindMean, KindProportion, KindRatio, KindQuantile:
	default:
		add("kind", "%q is not a kind", d.Kind)
	}
	if d.Numerator == d.Denominator {
		add("numerator", "is the denominator")
	}
	if (d.Kind == KindQuantile) != (d.Level > 0 && d.Level < 1) {
		add("level", "must lie between 0 and 1 for a quantile and be absent otherwise")
	}
	if d.Kind == KindQuantile && d.Uncapped != nil {
		add("uncapped", "a quantile needs no cap")
	}
	isFlag := d.Denominator == Units || d.Denominator == WatchUnits || d.Window == WindowFirst
	if (d.Kind == KindMean || d.Kind == KindProportion) && !isFlag {
		add("denominator", "%s is not 0 or 1 in window %s, as a %s needs", d.Denominator, d.Window, d.Kind)
	}
}

func validTiers(s string) bool {
	if s == "" {
		return false
	}
	last := -1
	for i := range len(s) {
		at := strings.IndexByte("ABCD", s[i])
		if at <= last {
			return false
		}
		last = at
	}
	return true
}
