// Package experiment holds the nouns of Splitcast and the rules between them:
// units, arms, layers, audiences, plans, exposures and the statuses an
// experiment passes through.
//
// It imports only the standard library, does no I/O and reads no clock. What
// it accepts is valid everywhere else: validation happens here, once.
//
//	doc, err := experiment.ParseDocument(body)
//	if err == nil {
//		err = doc.Experiments[0].Validate(knownMetric)
//	}
package experiment

import (
	"encoding/json"
	"time"
)

// Design is how units are randomised and what follows for the analysis.
type Design string

// The designs of the plan language.
const (
	DesignAB         Design = "ab"
	DesignCluster    Design = "cluster"
	DesignSwitchback Design = "switchback"
	DesignTwoSided   Design = "two_sided"
	DesignRelease    Design = "release"
)

// Arm is one variant of an experiment. The first arm is control.
type Arm struct {
	Key    string `json:"key"`
	Name   string `json:"name,omitempty"`
	Weight int64  `json:"weight"`
	// Value is the JSON boolean, string, number or object that services receive.
	Value json.RawMessage `json:"value"`
	// Dropped ends the arm alone: its units get control's value and are exposed
	// no more, while the other arms go on. It is final.
	// (docs/adr/0009-dropping-an-arm-keeps-the-version.md)
	Dropped bool `json:"dropped,omitempty"`
}

// Spec is an experiment as a person writes it: the entry of a document and
// the body of POST /api/v1/experiments.
type Spec struct {
	Key        string `json:"key"`
	Name       string `json:"name"`
	Hypothesis string `json:"hypothesis,omitempty"`
	Owner      string `json:"owner,omitempty"`
	// Change is what the experiment changes in the product; empty: not said.
	Change ChangeKind `json:"change,omitempty"`
	Unit   UnitType   `json:"unit"`
	Design Design     `json:"design"`
	Layer  string     `json:"layer,omitempty"`
	Slots  int        `json:"slots,omitempty"`
	// Ramp lets the slots grow by a plan.
	Ramp []RampStep `json:"ramp,omitempty"`
	// StartAt lets a draft run from then on; StopAt stops it.
	StartAt  *time.Time `json:"start_at,omitempty"`
	StopAt   *time.Time `json:"stop_at,omitempty"`
	Audience *Audience  `json:"audience,omitempty"`
	// Requires are prerequisites, all of which a unit must fulfil.
	Requires []Requirement `json:"requires,omitempty"`
	// IgnoreHoldouts, when set, says why units that are held out take part
	// nevertheless; without a reason they do not.
	IgnoreHoldouts string `json:"ignore_holdouts,omitempty"`
	// MeasuresHoldout is the key of a holdout: the first arm is the units that it holds
	// out, the second all others.
	MeasuresHoldout string `json:"measures_holdout,omitempty"`
	Arms            []Arm  `json:"arms"`
	// Overrides forces a unit id into an arm for QA; such units are never analysed.
	Overrides map[string]string `json:"overrides,omitempty"`
	// OnPause says what units get while the experiment is paused.
	OnPause PauseChoice `json:"on_pause,omitempty"`
	Plan    Plan        `json:"plan"`
	Status  Status      `json:"status"`
}

// Experiment is a stored Spec with what the platform adds to it.
type Experiment struct {
	Spec

	ID int64 `json:"id"`
	// Version grows by one whenever a change would alter whom the experiment
	// compares or how it is judged; outcomes of different versions never mix.
	Version int `json:"version"`
	// Salt decides the arm. It is made at creation and immutable, but for a
	// restart, which makes another together with a new version.
	Salt string `json:"salt"`
	// SlotRanges are the slots of the layer that this experiment owns, ascending.
	SlotRanges []SlotRange `json:"slot_ranges"`
	// PlanHash is the SHA-256 of the plan in canonical JSON, fixed at launch.
	PlanHash  string     `json:"plan_hash"`
	CreatedAt time.Time  `json:"created_at"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	StoppedAt *time.Time `json:"stopped_at,omitempty"`
	// RampSlots is what the ramp has reached, and takes the place of Slots; 0:
	// no step was taken since a person last set Slots.
	RampSlots int `json:"ramp_slots,omitempty"`
	// RampedAt is the time of the last step of the ramp that was taken.
	RampedAt *time.Time `json:"ramped_at,omitempty"`
	// ShippedArm, when set, is served to every unit of the type that is not held
	// out.
	ShippedArm string `json:"shipped_arm,omitempty"`
}

// Control returns the key of the arm that the others are compared with.
func (e *Spec) Control() string { return e.Arms[0].Key }

// ArmIndex returns the position of the arm with the given key, or -1.
func (e *Spec) ArmIndex(key string) int {
	for i := range e.Arms {
		if e.Arms[i].Key == key {
			return i
		}
	}
	return -1
}

// Weights returns the integer weights of the arms in order.
func (e *Spec) Weights() []int64 {
	w := make([]int64, len(e.Arms))
	for i := range e.Arms {
		w[i] = e.Arms[i].Weight
	}
	return w
}

// LayerKey returns the layer that the experiment lives in: the one it names,
// or one of its own.
func (e *Spec) LayerKey() string {
	if e.Layer == "" {
		return e.Key
	}
	return e.Layer
}

// Config is everything that assignment needs, as of one version. It is what
// replicas exchange and what is kept on disk for a start without a database.
type Config struct {
	Version     int64        `json:"version"`
	Layers      []Layer      `json:"layers"`
	Experiments []Experiment `json:"experiments"`
	Keys        []APIKey     `json:"keys"`
	RevokedKeys []string     `json:"revoked_keys,omitempty"` // hashes of the ingest keys that ended last: their players are told to stop
	Holdouts    []Holdout    `json:"holdouts,omitempty"`     // those that are not ended
	Lists       []List       `json:"lists,omitempty"`
	Kept        []Kept       `json:"kept,omitempty"` // of paused experiments
}
