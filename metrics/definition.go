package metrics

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
)

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
	Numerator   Quantity `json:"numerator"`
	Denominator Quantity `json:"denominator"`
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
	Cap      string    `json:"cap,omitempty"`   // the cap in words; present exactly when Uncapped is
	Level    float64   `json:"level,omitempty"` // of a quantile, 0.95 for p95
	// Direction is +1 when more is better, -1 when less is, 0 when neither is.
	Direction int     `json:"direction"`
	Unit      string  `json:"unit"`     // of the displayed value
	Scale     float64 `json:"scale"`    // displayed value = quotient * Scale
	Decimals  int     `json:"decimals"` // of a displayed value whose uncertainty is unknown
	Window    Window  `json:"window"`
	Tiers     string  `json:"tiers"` // letters of the telemetry tiers that observe it, "AB"
	Role      Role    `json:"role"`
	Pitfalls  string  `json:"pitfalls,omitempty"` // what a reader should beware of
}
