package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// Limits of a definition.
const (
	MaxDefinitionBytes = 16 << 10 // all texts at their limits, and the rest
	MaxFunnelSteps     = 6        // more steps than a page of a funnel shows
	MaxUnitBytes       = 32       // of the unit that a value is shown with
)

// addFault reports a fault of a field.
type addFault func(field, format string, args ...any)

// ParseDefinition reads a definition as a person writes it: the version is left
// out, because storage gives the next one. Scale 1, role diagnostic and window
// day are set where they are left out. It returns experiment.Errors of
// CodeInvalid that name every faulty field, and an error of CodeTooLarge.
func ParseDefinition(data []byte) (Definition, error) {
	if len(data) > MaxDefinitionBytes {
		return Definition{}, experiment.Errorf(experiment.CodeTooLarge, "", "the definition is larger than %d bytes", MaxDefinitionBytes)
	}
	var given struct {
		Numerator   *json.RawMessage `json:"numerator"`
		Denominator *json.RawMessage `json:"denominator"`
		Tiers       *string          `json:"tiers"`
	}
	d := Definition{Version: 1, Scale: 1, Role: RoleDiagnostic, Window: WindowDay}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Definition{}, decodeFault(data, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Definition{}, experiment.Invalidf("", "there is text after the definition")
	}
	if err := json.Unmarshal(data, &given); err != nil {
		return Definition{}, decodeFault(data, err)
	}
	var faults experiment.Errors
	add := func(field, format string, args ...any) {
		faults = append(faults, experiment.Invalidf(field, format, args...))
	}
	if d.Kind == KindFunnel {
		d.setSteps()
		if d.Order == "" && d.OfUnits() {
			d.Order = OrderStrict
		}
	} else {
		if given.Numerator == nil {
			add("numerator", "must name a base quantity")
		}
		if given.Denominator == nil {
			add("denominator", "must name a base quantity")
		}
	}
	d.Version = 1
	if d.Of == "" && d.ofBroadcasts() {
		d.Of = experiment.UnitBroadcaster
	}
	if given.Tiers == nil {
		d.Tiers = tiersOf(d.Quotient)
	}
	d.validate(add)
	d.validateOwn(add)
	if len(faults) > 0 {
		return Definition{}, faults
	}
	return d, nil
}

// decodeFault names the field of what the decoder refused, if it can be known.
func decodeFault(data []byte, err error) error {
	if unknown, ok := errors.AsType[*UnknownQuantityError](err); ok {
		return experiment.Invalidf(fieldOf(data, unknown.Name), "%v", unknown)
	}
	field := ""
	if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field = typ.Field
	}
	return experiment.Invalidf(field, "%v", err)
}

// fieldOf returns the field that holds the name of a quantity.
func fieldOf(data []byte, name string) string {
	var texts struct {
		Numerator   any `json:"numerator"`
		Denominator any `json:"denominator"`
	}
	if json.Unmarshal(data, &texts) != nil {
		return ""
	}
	switch any(name) {
	case texts.Numerator:
		return "numerator"
	case texts.Denominator:
		return "denominator"
	}
	return "steps"
}

// setSteps derives a funnel's quotient from its steps.
func (d *Definition) setSteps() {
	if n := len(d.Steps); n > 1 {
		d.Quotient = Quotient{Numerator: d.Steps[n-1], Denominator: d.Steps[0]}
	}
}

// validate reports every fault of the definition by its field.
func (d *Definition) validate(add addFault) {
	if !experiment.ValidKey(d.Key) {
		add("key", "%q is not a key", d.Key)
	}
	if d.Version < 1 || d.Version > MaxVersions {
		add("version", "must be 1 to %d", MaxVersions)
	}
	for field, text := range map[string]string{"name": d.Name, "description": d.Description} {
		if text == "" || len(text) > MaxTextBytes {
			add(field, "must hold 1 to %d bytes", MaxTextBytes)
		}
	}
	if d.Unit == "" || len(d.Unit) > MaxUnitBytes {
		add("unit", "must hold 1 to %d bytes", MaxUnitBytes)
	}
	for field, text := range map[string]string{"pitfalls": d.Pitfalls, "cap": d.Cap} {
		if len(text) > MaxTextBytes {
			add(field, "must hold at most %d bytes", MaxTextBytes)
		}
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
	if !d.Window.Valid() {
		add("window", "must be one of %v, or return_K_L for day K to day L after the exposure, up to %d", windows, MaxReturnDay)
	}
	if !validTiers(d.Tiers) {
		add("tiers", "must be letters of A to D in order, each once")
	}
	switch d.Role {
	case RoleGoal, RoleGuardrail, RoleDiagnostic, RoleTrust:
	default:
		add("role", "%q is not a role", d.Role)
	}
	d.validateUnits(add)
	d.validateCap(add)
	d.validateKind(add)
}

// validateUnits reports quantities that the units of the metric do not have.
func (d *Definition) validateUnits(add addFault) {
	if d.Of != "" && !experiment.ValidUnitType(d.Of) {
		add("of", "%q is not a type of unit", d.Of)
	}
	if d.ofBroadcasts() && d.Of != experiment.UnitBroadcaster {
		add("of", "is %s: nobody else has broadcasts", experiment.UnitBroadcaster)
	}
}

// validateOwn reports what a built-in definition may do and one of people may not.
func (d *Definition) validateOwn(add addFault) {
	if strings.HasSuffix(d.Key, perUnitSuffix) {
		add("key", "keys that end with %s belong to the companions of ratios", perUnitSuffix)
	}
	if d.Role == RoleTrust {
		add("role", "what tells whether a report can be trusted is built in")
	}
	if d.Uncapped != nil {
		add("uncapped", "is made from cap_at")
	}
	if _, _, step := stepOf(d.Key); step {
		add("key", "keys that end with %s and a number belong to the companions of funnels", stepSuffix)
	}
	if d.FromStep != 0 {
		add("from_step", "belongs to the companions of funnels")
	}
}

func (d *Definition) validateCap(add addFault) {
	if (d.Cap != "") != d.Capped() {
		add("cap", "a cap in words and a cap come together")
	}
	if d.CapAt == 0 {
		return
	}
	if !(d.CapAt > 0) || math.IsInf(d.CapAt, 0) {
		add("cap_at", "must be a positive number, in the unit of the numerator")
	}
	if d.Uncapped != nil {
		add("cap_at", "there are two caps")
	}
	if e := d.Kind.Estimator(); e != KindMean && e != KindRatio || d.Kind == KindMeanOfRatios {
		add("cap_at", "a %s has no cap", d.Kind)
	}
}

func (d *Definition) validateKind(add addFault) {
	switch d.Kind {
	case KindMean, KindProportion, KindRatio, KindQuantile, KindCount, KindRetention, KindFunnel, KindMeanOfRatios:
	default:
		add("kind", "%q is not a kind", d.Kind)
		return
	}
	if (d.Kind == KindQuantile) != (d.Level != 0) || d.Kind == KindQuantile && !(d.Level > 0 && d.Level < 1) {
		add("level", "must lie between 0 and 1 for a quantile and be absent otherwise")
	}
	if d.Kind == KindQuantile && d.Uncapped != nil {
		add("uncapped", "a quantile needs no cap")
	}
	if !(d.UnitFloor >= 0) || math.IsInf(d.UnitFloor, 0) || d.UnitFloor > 0 && d.Kind != KindRatio && d.Kind != KindMeanOfRatios {
		add("unit_floor", "must be a positive number, of a ratio or a mean of ratios")
	}
	if (d.Kind == KindFunnel) != (len(d.Steps) > 0) {
		add("steps", "a funnel has steps, and nothing else has")
	}
	d.validateOrder(add)
	if d.Kind == KindFunnel {
		d.validateSteps(add)
		return
	}
	d.Quotient.validate("", add)
	if d.Uncapped != nil {
		d.Uncapped.validate("uncapped.", add)
	}
	d.validateShape(add)
}

// validateShape reports quantities that do not have the shape that the kind needs.
func (d *Definition) validateShape(add addFault) {
	if (d.Kind == KindRetention) != d.Window.IsReturn() {
		add("window", "return windows are those of a retention, and the other way around")
		return
	}
	den, num := d.Denominator, d.Numerator
	perUnit := den.Is(Units) || den.Is(WatchUnits) || den.Is(LiveUnits) || d.Window == WindowFirst && den.Counts() && !den.IsCustom()
	if e := d.Kind.Estimator(); (e == KindMean || e == KindProportion) && d.Kind != KindMeanOfRatios && !perUnit {
		add("denominator", "%s is not 0 or 1 in window %s, as a %s needs", d.Denominator, d.Window, d.Kind)
	}
	switch d.Kind {
	case KindCount:
		if !d.Numerator.Counts() {
			add("numerator", "%s does not count anything", d.Numerator)
		}
	case KindProportion:
		if !num.IsCustom() && (!num.Counts() || d.Window != WindowFirst && !num.Is(WatchUnits) && !num.Is(LiveUnits)) {
			add("numerator", "%s is not 0 or 1 in window %s, as a proportion needs", d.Numerator, d.Window)
		}
	case KindRetention:
		source, _ := num.split()
		if !num.Is(Returned) && !num.Is(StreamedAgain) && source != SourceEvent || !den.Is(Units) {
			add("numerator", "a retention is %s, %s or %sNAME over %s", Returned, StreamedAgain, SourceEvent, Units)
		}
	case KindQuantile:
		if source, _ := num.split(); source == SourceValue {
			add("numerator", "values may be below 0, where a quantile is not resolved")
		}
	default:
	}
}

// validateOrder reports an order of what has none.
func (d *Definition) validateOrder(add addFault) {
	switch {
	case d.Order == "":
	case d.Order != OrderStrict && d.Order != OrderAny:
		add("order", "must be %s or %s", OrderStrict, OrderAny)
	case !d.OfUnits():
		add("order", "is of funnels with a custom step; steps of base quantities lie within one another")
	}
}

// validateSteps reports steps that do not lie within the one before.
func (d *Definition) validateSteps(add addFault) {
	if n := len(d.Steps); n < 2 || n > MaxFunnelSteps {
		add("steps", "must be 2 to %d", MaxFunnelSteps)
		return
	}
	if d.Window.IsReturn() {
		add("window", "a funnel is of sessions; return windows hold none")
	}
	for i, step := range d.Steps {
		if !step.Counts() {
			add("steps", "%s does not count anything", step)
		}
		if i > 0 && !d.OfUnits() {
			Quotient{step, d.Steps[i-1]}.validate("steps: ", add)
		}
		if slices.Contains(d.Steps[:i], step) {
			add("steps", "%s is there twice", step)
		}
	}
	if want := (Quotient{d.Steps[len(d.Steps)-1], d.Steps[max(1, d.FromStep)-1]}); d.Quotient != want {
		add("numerator", "of a funnel is its last step, and the denominator its first")
	}
}

// validate reports a pair of quantities that are not summed over the same
// sessions.
func (q Quotient) validate(prefix string, add addFault) {
	if q.Numerator == q.Denominator {
		add(prefix+"numerator", "is the denominator")
		return
	}
	if q.Numerator.IsCustom() && q.Denominator.IsCustom() {
		return
	}
	if over := q.Numerator.Over(); q.Denominator.IsCustom() || !slices.Contains(over, q.Denominator.Base) {
		add(prefix+"denominator", "%s is not observed where %s is: it can be divided by one of %v", q.Numerator, q.Denominator, over)
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
