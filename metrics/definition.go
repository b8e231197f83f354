package metrics

import (
	"slices"

	"github.com/splitcast/splitcast/experiment"
)

// Kind is how a metric is made from its quantities.
type Kind string

// The kinds. Units whose denominator is 0 are not part of a metric.
const (
	// KindMean is the mean of the numerator over the units; the denominator is 0 or 1.
	KindMean Kind = "mean"
	// KindProportion is the share of the units whose numerator is 1; both are 0 or 1.
	KindProportion Kind = "proportion"
	// KindRatio is the sum of the numerator over the sum of the denominator.
	// Its uncertainty is that of units, not of sessions or minutes.
	KindRatio Kind = "ratio"
	// KindQuantile is a quantile over the units of numerator / denominator.
	KindQuantile Kind = "quantile"
	// KindCount is the mean number of something per unit.
	KindCount Kind = "count"
	// KindRetention is the share of the units that came back in a return window.
	KindRetention Kind = "retention"
	// KindFunnel is a ratio of the last of several steps to the first, or the share
	// of the units that reached the last of those that reached the first.
	KindFunnel Kind = "funnel"
	// KindMeanOfRatios is the mean over the units of numerator / denominator. A
	// unit counts as much as any other, however little it watched.
	KindMeanOfRatios Kind = "mean_of_ratios"
)

// Estimator returns by which of mean, proportion, ratio and quantile a metric of
// the kind is estimated.
func (k Kind) Estimator() Kind {
	switch k {
	case KindCount, KindMeanOfRatios:
		return KindMean
	case KindRetention:
		return KindProportion
	case KindFunnel:
		return KindRatio
	}
	return k
}

// Role is what a metric is usually good for; a plan may use it otherwise.
type Role string

// The roles.
const (
	RoleGoal       Role = "goal"
	RoleGuardrail  Role = "guardrail"
	RoleDiagnostic Role = "diagnostic"
	// RoleTrust marks metrics that every experiment measures because they tell
	// whether the others can be believed.
	RoleTrust Role = "trust"
)

// Quotient names the two quantities of a metric.
type Quotient struct {
	Numerator   Term `json:"numerator"`
	Denominator Term `json:"denominator"`
}

// Definition is one version of a metric. A version is never edited: a change is
// a new version, and experiments keep the one that they began with.
type Definition struct {
	Key         string `json:"key"`
	Version     int    `json:"version"`
	Name        string `json:"name"`
	Description string `json:"description"` // what it counts, in words for product managers
	Kind        Kind   `json:"kind"`
	Quotient
	// Uncapped, when present, is the same metric without its cap.
	Uncapped *Quotient `json:"uncapped,omitempty"`
	Cap      string    `json:"cap,omitempty"` // the cap in words; present exactly when there is one
	// CapAt, when above 0, is the most that the numerator of a unit counts.
	CapAt float64 `json:"cap_at,omitempty"`
	Level float64 `json:"level,omitempty"` // of a quantile, 0.95 for p95
	// Steps of a funnel, each within the one before; Numerator is the last of
	// them and Denominator the first.
	Steps []Term `json:"steps,omitempty"`
	// Order is that of the steps of a funnel of units; empty is OrderAny.
	Order Order `json:"order,omitempty"`
	// FromStep, when above 0, is the step that Denominator is, counted from 1: of
	// the companions of a funnel.
	FromStep int `json:"from_step,omitempty"`
	// UnitFloor is the least denominator from which the ratio of a single unit
	// says something: of KindMeanOfRatios, and of what a ratio is compared with.
	UnitFloor float64 `json:"unit_floor,omitempty"`
	// Direction is +1 when more is better, -1 when less is, 0 when neither is.
	Direction int     `json:"direction"`
	Unit      string  `json:"unit"`     // of the displayed value
	Scale     float64 `json:"scale"`    // displayed value = quotient * Scale
	Decimals  int     `json:"decimals"` // of a displayed value whose uncertainty is unknown
	Window    Window  `json:"window"`
	// Of is the only type of unit that has the metric; empty: any.
	Of       experiment.UnitType `json:"of,omitempty"`
	Tiers    string              `json:"tiers"` // letters of the telemetry tiers that observe it, "AB"
	Role     Role                `json:"role"`
	Pitfalls string              `json:"pitfalls,omitempty"` // what a reader should beware of
}

// ofBroadcasts reports whether the metric is made of quantities that only
// broadcasters have.
func (d *Definition) ofBroadcasts() bool {
	return slices.ContainsFunc(d.terms(), Term.OfBroadcasts)
}

// terms returns what the metric is made of.
func (d *Definition) terms() []Term {
	out := append([]Term{d.Numerator, d.Denominator}, d.Steps...)
	if u := d.Uncapped; u != nil {
		out = append(out, u.Numerator, u.Denominator)
	}
	return out
}

// custom reports whether the metric needs more than base quantities.
func (d *Definition) custom() bool { return slices.ContainsFunc(d.terms(), Term.IsCustom) }

// Capped reports whether the metric has a cap, and so a form without it.
func (d *Definition) Capped() bool { return d.Uncapped != nil || d.CapAt > 0 }

// AtPlannedLooks reports whether planned looks can decide the metric. Their bounds
// rest on estimates whose variance is known at each look; that of a quantile, from
// order statistics, is known too badly where a small arm has most of it, so that
// quantiles are decided at any look (docs/adr/0014-planned-looks.md).
func (d *Definition) AtPlannedLooks() bool { return d.Kind.Estimator() != KindQuantile }

// Adjustable reports whether effects on the metric can be adjusted by the past of
// the units: those on sums can, those on quantiles and on means of quotients that
// some units lack cannot. Of custom quantities and of broadcasts no past is read.
func (d *Definition) Adjustable() bool {
	return d.Kind.Estimator() != KindQuantile && d.Kind != KindMeanOfRatios && !d.custom() && !d.ofBroadcasts()
}

// perUnitSuffix ends the keys of companions.
const perUnitSuffix = ".per_unit"

// PerUnitKey returns the key of a ratio's companion.
func PerUnitKey(key string) string { return key + perUnitSuffix }

// PerUnit returns the companion of a ratio: the same quotient as the mean of the
// units' own ratios. The pooled ratio is that of the platform's hours, in which
// heavy viewers dominate; the companion is that of its people. Where their
// effects have different signs, both are true and neither may be told alone. ok
// is false for other kinds, and for a key too long to carry the suffix.
func (d *Definition) PerUnit() (companion Definition, ok bool) {
	if d.Kind != KindRatio || !experiment.ValidKey(PerUnitKey(d.Key)) {
		return Definition{}, false
	}
	companion = *d
	companion.Key = PerUnitKey(d.Key)
	companion.Name = d.Name + ", mean of units"
	companion.Kind = KindMeanOfRatios
	companion.Uncapped, companion.Cap = nil, ""
	return companion, true
}
