package experiment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Limits of a document.
const (
	MaxDocumentBytes  = 8 << 20 // a list of MaxListIDs UUIDs in YAML takes 5 MB
	MaxArms           = 12
	MinArms           = 2
	MaxArmWeight      = 1_000_000
	MaxArmValueBytes  = 16 << 10
	MaxOverrides      = 1_000
	MaxNameBytes      = 200
	MaxHypothesisSize = 4_000
)

// Document is the file of `splitcast apply` in JSON form.
type Document struct {
	Experiments []Spec        `json:"experiments,omitempty"`
	Holdouts    []HoldoutSpec `json:"holdouts,omitempty"`
	Lists       []List        `json:"lists,omitempty"`
	Freezes     []Freeze      `json:"freezes,omitempty"`
	// Metrics are definitions of metrics, which package metrics reads.
	Metrics []json.RawMessage `json:"metrics,omitempty"`
	// BreakFreeze says why an administrator pauses or stops something although a
	// freeze window forbids changes.
	BreakFreeze string `json:"break_freeze,omitempty"`
}

// ParseDocument reads a document strictly: an unknown field is an error, so
// that a misspelt guardrail is never silently missing.
func ParseDocument(b []byte) (Document, error) {
	var d Document
	if err := decodeStrict(b, &d); err != nil {
		return Document{}, err
	}
	if len(d.Experiments)+len(d.Holdouts)+len(d.Lists)+len(d.Freezes)+len(d.Metrics) == 0 {
		return Document{}, Invalidf("experiments", "the document holds no experiment, holdout, list, freeze window or metric")
	}
	d.Normalize()
	return d, nil
}

// Normalize sets what may be left out in every part.
func (d *Document) Normalize() {
	for i := range d.Experiments {
		d.Experiments[i].Normalize()
	}
	for i := range d.Freezes {
		d.Freezes[i].Normalize()
	}
}

// Validate returns every fault of the document as Errors of CodeInvalid, or
// nil. Fields name the part, such as experiments[1].slots; those of a document
// of one experiment and nothing else are the experiment's own.
func (d *Document) Validate(known func(metric string) bool) error {
	var faults Errors
	alone := len(d.Experiments) == 1 && len(d.Holdouts)+len(d.Lists)+len(d.Freezes)+len(d.Metrics) == 0
	check := func(part string, n int, key func(i int) string, validate func(i int) error) {
		seen := map[string]bool{}
		for i := range n {
			err := validate(i)
			if err == nil && seen[key(i)] {
				err = Invalidf("key", "%q is in the document twice", key(i))
			}
			seen[key(i)] = true
			if !alone {
				err = Within(fmt.Sprintf("%s[%d]", part, i), err)
			}
			faults = append(faults, Faults(err)...)
		}
	}
	check("experiments", len(d.Experiments), func(i int) string { return d.Experiments[i].Key },
		func(i int) error { return d.Experiments[i].Validate(known) })
	check("holdouts", len(d.Holdouts), func(i int) string { return d.Holdouts[i].Key },
		func(i int) error { return d.Holdouts[i].Validate() })
	check("lists", len(d.Lists), func(i int) string { return d.Lists[i].Key },
		func(i int) error { return d.Lists[i].Validate() })
	check("freezes", len(d.Freezes), func(i int) string { return d.Freezes[i].Key },
		func(i int) error { return d.Freezes[i].Validate() })
	if len(d.BreakFreeze) > MaxReasonBytes {
		faults = append(faults, Invalidf("break_freeze", "must be at most %d bytes", MaxReasonBytes))
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// ParseSpec reads one experiment strictly.
func ParseSpec(b []byte) (Spec, error) {
	var s Spec
	if err := decodeStrict(b, &s); err != nil {
		return Spec{}, err
	}
	s.Normalize()
	return s, nil
}

// ParseApply reads what can be applied: a document, or a single experiment,
// whichever b holds.
func ParseApply(b []byte) (Document, error) {
	var form struct {
		Experiments json.RawMessage `json:"experiments"`
		Holdouts    json.RawMessage `json:"holdouts"`
		Lists       json.RawMessage `json:"lists"`
		Freezes     json.RawMessage `json:"freezes"`
		Metrics     json.RawMessage `json:"metrics"`
	}
	if json.Unmarshal(b, &form) == nil && form.Experiments == nil && form.Holdouts == nil && form.Lists == nil && form.Freezes == nil && form.Metrics == nil {
		s, err := ParseSpec(b)
		return Document{Experiments: []Spec{s}}, err
	}
	return ParseDocument(b)
}

func decodeStrict(b []byte, into any) error {
	if len(b) > MaxDocumentBytes {
		return Errorf(CodeTooLarge, "", "the document is larger than %d bytes", MaxDocumentBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		field := ""
		if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			field = typ.Field
		}
		return Invalidf(field, "%v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Invalidf("", "there is text after the document")
	}
	return nil
}

// Normalize sets what may be left out: design ab, status draft, the name, the
// plan's defaults, and all slots of a layer of its own.
func (e *Spec) Normalize() {
	if e.Design == "" {
		e.Design = DesignAB
	}
	if e.Status == "" {
		e.Status = StatusDraft
	}
	if e.Name == "" {
		e.Name = e.Key
	}
	if e.Slots == 0 && e.Layer == "" {
		e.Slots = TotalSlots
	}
	e.normalizeSchedule()
	e.Plan = e.Plan.WithDefaults()
}

// Validate returns every fault of the experiment as Errors of CodeInvalid, or
// nil. known tells whether a metric is in the catalogue.
func (e *Spec) Validate(known func(metric string) bool) error {
	var f faultList
	e.validateHead(&f)
	e.validateArms(&f)
	if len(e.Overrides) > MaxOverrides {
		f.addf("overrides", "at most %d overrides", MaxOverrides)
	}
	for unit, arm := range e.Overrides {
		if !ValidUnitID(unit) {
			f.addf("overrides", "%q is not a unit id", unit)
		}
		if e.ArmIndex(arm) < 0 {
			f.addf("overrides."+unit, "there is no arm %q", arm)
		}
	}
	if e.Audience != nil {
		rules := 0
		e.Audience.validate(&f, "audience", 1, &rules)
	}
	e.validateSchedule(&f)
	e.validateRequires(&f)
	e.Plan.validate(&f, known)
	e.validateCovariates(&f)
	e.validateSuspects(&f)
	e.validateMeasures(&f)
	return f.err()
}

func (e *Spec) validateHead(f *faultList) {
	if !ValidKey(e.Key) {
		f.addf("key", "must be 1 to %d characters of a-z, 0-9, _ . - and begin with a letter or digit", MaxKeyBytes)
	}
	if len(e.Name) > MaxNameBytes {
		f.addf("name", "must be at most %d bytes", MaxNameBytes)
	}
	if len(e.Hypothesis) > MaxHypothesisSize {
		f.addf("hypothesis", "must be at most %d bytes", MaxHypothesisSize)
	}
	if len(e.Owner) > MaxNameBytes {
		f.addf("owner", "must be at most %d bytes", MaxNameBytes)
	}
	if e.Change != "" && !ValidChangeKind(e.Change) {
		f.addf("change", "must be player, abr, encoder, edge or ui")
	}
	if !ValidUnitType(e.Unit) {
		f.addf("unit", "must be viewer, broadcaster, device, session or block")
	}
	switch e.Design {
	case DesignAB:
	case DesignCluster, DesignSwitchback, DesignTwoSided, DesignRelease:
		f.addf("design", "must be ab, or be left out: a design %s is known, but cannot be assigned and analysed yet", e.Design)
	default:
		f.addf("design", "must be ab, or be left out: %.64q is no design", e.Design)
	}
	if e.Layer != "" && !ValidKey(e.Layer) {
		f.addf("layer", "must be a key as of experiments")
	}
	if e.Slots < 1 || e.Slots > TotalSlots {
		f.addf("slots", "must be 1 to %d of the layer's %d slots", TotalSlots, TotalSlots)
	}
	if len(e.IgnoreHoldouts) > MaxReasonBytes {
		f.addf("ignore_holdouts", "must say why in at most %d bytes", MaxReasonBytes)
	}
	if e.OnPause != "" && e.OnPause != PauseControl && e.OnPause != PauseKeep {
		f.addf("on_pause", "must be control or keep")
	}
	if !ValidStatus(e.Status) {
		f.addf("status", "must be draft, running, paused, stopped or archived")
	}
}

func (e *Spec) validateArms(f *faultList) {
	if n := len(e.Arms); n < MinArms || n > MaxArms {
		f.addf("arms", "must be %d to %d arms, the first is control", MinArms, MaxArms)
		return
	}
	seen := map[string]bool{}
	var kind string
	left := 0
	for i := range e.Arms {
		a := &e.Arms[i]
		if !a.Dropped {
			left++
		}
		field := fmt.Sprintf("arms[%d]", i)
		if !ValidKey(a.Key) {
			f.addf(field+".key", "must be a key as of experiments")
		}
		if seen[a.Key] {
			f.addf(field+".key", "%q is used twice", a.Key)
		}
		seen[a.Key] = true
		if a.Weight < 1 || a.Weight > MaxArmWeight {
			f.addf(field+".weight", "must be an integer from 1 to %d", MaxArmWeight)
		}
		k := valueKind(a.Value)
		if k == "" || len(a.Value) > MaxArmValueBytes {
			f.addf(field+".value", "must be a JSON boolean, string, number or object of at most %d bytes", MaxArmValueBytes)
		}
		if k != "" && kind != "" && k != kind {
			f.addf(field+".value", "has type %s, but an earlier arm's value has type %s: services ask for one type", k, kind)
		}
		if kind == "" {
			kind = k
		}
	}
	if e.Arms[0].Dropped {
		f.addf("arms[0].dropped", "control cannot be dropped: the others are compared with it")
	}
	if left < MinArms {
		f.addf("arms", "at least %d arms must be left that are not dropped; stop the experiment instead", MinArms)
	}
}

// valueKind names the type of a JSON value; empty for what an arm may not hold.
func valueKind(v json.RawMessage) string {
	v = bytes.TrimSpace(v)
	if len(v) == 0 || !json.Valid(v) {
		return ""
	}
	switch v[0] {
	case '{':
		return "object"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n', '[':
		return ""
	}
	return "number"
}
