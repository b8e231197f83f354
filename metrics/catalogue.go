package metrics

import (
	"bytes"
	_ "embed" // catalogue.json is part of the program: a plan means the same everywhere
	"encoding/json"
	"fmt"
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
	MaxDefinitions = 500   // keys; nobody finds anything among more
	MaxVersions    = 100   // of a metric: more often than yearly for a century
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
func Known(key string) bool { return Builtin().Known(key) }

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

// With returns the catalogue with definitions that people made, oldest version
// first. They were valid when they were stored. A metric that people defined
// takes the place of a built-in one of the same key with all its versions: what
// a running experiment measures must not change because the program learned a
// metric of that name.
func (c *Catalogue) With(stored []Definition) *Catalogue {
	if len(stored) == 0 {
		return c
	}
	theirs := map[string]bool{}
	for i := range stored {
		theirs[stored[i].Key] = true
	}
	out := &Catalogue{latest: map[string]int{}}
	for _, d := range c.all {
		if !theirs[d.Key] {
			out.all = append(out.all, d)
		}
	}
	out.all = append(out.all, stored...)
	for i := range out.all {
		d := &out.all[i]
		if before, seen := out.latest[d.Key]; !seen || out.all[before].Version < d.Version {
			out.latest[d.Key] = i
		}
	}
	return out
}

// Known reports whether the catalogue has a metric.
func (c *Catalogue) Known(key string) bool {
	_, ok := c.latest[key]
	return ok
}

// Lookup returns the newest version of a metric.
func (c *Catalogue) Lookup(key string) (Definition, bool) {
	i, ok := c.latest[key]
	if !ok {
		return Definition{}, false
	}
	return c.all[i], true
}

// LookupVersion returns one version of a metric, or of the companion of one.
func (c *Catalogue) LookupVersion(key string, version int) (Definition, bool) {
	for i := range c.all {
		if c.all[i].Key == key && c.all[i].Version == version {
			return c.all[i], true
		}
	}
	if of, ok := strings.CutSuffix(key, perUnitSuffix); ok {
		if d, ok := c.LookupVersion(of, version); ok {
			return d.PerUnit()
		}
	}
	if of, step, ok := stepOf(key); ok {
		if d, ok := c.LookupVersion(of, version); ok {
			return d.Step(step)
		}
	}
	return Definition{}, false
}

// Versions returns every version of a metric, oldest first.
func (c *Catalogue) Versions(key string) []Definition {
	var out []Definition
	for _, d := range c.all {
		if d.Key == key {
			out = append(out, d)
		}
	}
	return out
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

// PlanFaults reports the metrics of a plan that units of the type do not have,
// by their fields.
func (c *Catalogue) PlanFaults(unit experiment.UnitType, p *experiment.Plan) experiment.Errors {
	var faults experiment.Errors
	check := func(field, key string) {
		if d, ok := c.planned(p, key); ok && d.Of != "" && d.Of != unit {
			faults = append(faults, experiment.Invalidf(field, "%s is a metric of a %s; the experiment is on units of type %s", key, d.Of, unit))
		}
	}
	for i, key := range p.Primary {
		check(fmt.Sprintf("plan.primary[%d]", i), key)
	}
	for i, key := range p.Secondary {
		check(fmt.Sprintf("plan.secondary[%d]", i), key)
	}
	for i, g := range p.Guardrails {
		check(fmt.Sprintf("plan.guardrails[%d].metric", i), g.Metric)
	}
	return faults
}

func (c *Catalogue) validate() error {
	var faults experiment.Errors
	if n := len(c.all); n == 0 || n > MaxDefinitions*MaxVersions {
		faults = append(faults, experiment.Invalidf("metrics", "must hold 1 to %d definitions, not %d", MaxDefinitions*MaxVersions, n))
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
	if n := len(c.latest); n > MaxDefinitions {
		faults = append(faults, experiment.Invalidf("metrics", "must hold at most %d metrics, not %d", MaxDefinitions, n))
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}
