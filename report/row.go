package report

import (
	"time"

	"github.com/splitcast/splitcast/metrics"
)

// Role is what the plan asks of a metric.
type Role string

// The roles.
const (
	RolePrimary   Role = "primary"
	RoleSecondary Role = "secondary"
	RoleGuardrail Role = "guardrail"
)

// State is what the intervals of a row prove so far.
type State string

// The states. Better, worse and changed are of goals; safe, harmed and breached
// of guardrails.
const (
	StateUnknown  State = "unknown"  // nothing could be computed yet; Refusal says why
	StateUnproven State = "unproven" // the interval allows both
	StateBetter   State = "better"   // proven better than control
	StateWorse    State = "worse"    // proven worse than control
	StateChanged  State = "changed"  // proven different, of a metric that has no good side
	StateSafe     State = "safe"     // proven not to lose as much as the margin
	StateHarmed   State = "harmed"   // proven worse than control, not proven within the margin
	StateBreached State = "breached" // proven to lose more than the margin
)

// Row is one metric of one treatment arm against control.
type Row struct {
	Metric  Metric `json:"metric"`
	Role    Role   `json:"role"`
	Arm     int    `json:"arm"`
	ArmKey  string `json:"arm_key"`
	ArmName string `json:"arm_name"`

	Control   Value     `json:"control"`
	Treatment Value     `json:"treatment"`
	Effect    *Effect   `json:"effect,omitempty"`   // relative to control; nil: see Refusal
	Absolute  *Absolute `json:"absolute,omitempty"` // in the unit of the metric
	Refusal   *Refusal  `json:"refusal,omitempty"`
	// GroupSequential decides the State of a goal whose plan has planned looks, and
	// Effect then stands beside it: valid at any look, but not what decides. nil:
	// the interval of Effect decides.
	GroupSequential *GroupSequential `json:"group_sequential,omitempty"`
	// AnyLook says that a goal is decided at any look although the plan has planned
	// ones: they do not decide quantiles.
	AnyLook bool `json:"any_look,omitempty"`

	State State `json:"state"`
	// SinceLook is the first look of the unbroken run of looks with this State.
	SinceLook int `json:"since_look,omitempty"`
	// FirstHarm is the first look at which the row was worse, harmed or breached.
	FirstHarm int `json:"first_harm,omitempty"`
	// Margin is the tolerated loss of a guardrail as a fraction of control.
	Margin    *float64   `json:"margin,omitempty"`
	Evidence  *Evidence  `json:"evidence,omitempty"`
	Precision *Precision `json:"precision,omitempty"`
	Units     int64      `json:"units"`              // of both arms, in the metric
	Adjusted  *Adjusted  `json:"adjusted,omitempty"` // of an effect from which the units' past is taken
	Uncapped  *Uncapped  `json:"uncapped,omitempty"` // of a metric with a cap
	PerUnit   *PerUnit   `json:"per_unit,omitempty"` // of a ratio
	Steps     []Step     `json:"steps,omitempty"`    // of a funnel of three or more
	Explain   Explain    `json:"explain"`
	Words     string     `json:"words"`  // the row as one sentence
	Series    []Point    `json:"series"` // by look, oldest first, as ShownLooks says
}

// Metric is what a reader must know of a metric's definition.
type Metric struct {
	Key         string         `json:"key"`
	Version     int            `json:"version"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Kind        metrics.Kind   `json:"kind"`
	Level       float64        `json:"level,omitempty"`
	Direction   int            `json:"direction"` // +1: more is better, -1: less is, 0: neither
	Unit        string         `json:"unit"`
	Window      metrics.Window `json:"window"`
	Cap         string         `json:"cap,omitempty"`
	Tiers       string         `json:"tiers"`
	Pitfalls    string         `json:"pitfalls,omitempty"`
}

// Value is one arm's value of a metric, in the unit of the metric.
type Value struct {
	Value *float64 `json:"value,omitempty"` // nil: not known
	SE    *float64 `json:"se,omitempty"`
	Text  string   `json:"text"` // with unit, as many decimals as the standard error deserves
	N     int64    `json:"n"`    // units in the metric
	// Numerator and Denominator are the sums over the units, in base quantities.
	Numerator   float64 `json:"numerator"`
	Denominator float64 `json:"denominator"`
}

// Band is an estimate with its two intervals, as fractions of control: 0.01 is
// one per cent.
type Band struct {
	Estimate float64 `json:"estimate"`
	Lower    float64 `json:"lower"` // valid at every look
	Upper    float64 `json:"upper"`
	// FixedLower and FixedUpper hold at one planned look only: not for peeking.
	FixedLower float64 `json:"fixed_lower"`
	FixedUpper float64 `json:"fixed_upper"`
}

// Facing returns the band turned so that right is better: mirrored when less of
// the metric is better.
func (b Band) Facing(direction int) Band {
	if direction >= 0 {
		return b
	}
	return Band{
		Estimate: -b.Estimate, Lower: -b.Upper, Upper: -b.Lower,
		FixedLower: -b.FixedUpper, FixedUpper: -b.FixedLower,
	}
}

// Effect is a lift with its intervals.
type Effect struct {
	Band
	// Chart is the band with right = better; the margin of a guardrail stands
	// at -Margin, the smallest effect worth having at +MDE.
	Chart    Band    `json:"chart"`
	SE       float64 `json:"se"`       // of the logarithm of the ratio
	Decimals int     `json:"decimals"` // of a percentage, as the standard error deserves
	Text     string  `json:"text"`     // "+3.1 %"
	Range    string  `json:"range"`    // "between +1.8 % and +4.4 %"
	// NearZeroBaseline warns that control lies within about 6 standard errors
	// of zero, where relative effects grow asymmetric.
	NearZeroBaseline bool `json:"near_zero_baseline,omitempty"`
}

// Absolute is treatment minus control in the unit of the metric, with its
// interval that is valid at every look.
type Absolute struct {
	Difference float64 `json:"difference"`
	Lower      float64 `json:"lower"`
	Upper      float64 `json:"upper"`
	Text       string  `json:"text"`
	Range      string  `json:"range"`
}

// Evidence is how strongly the data speak against no effect (against no harm,
// of a guardrail). It may be read at every look.
type Evidence struct {
	LogE float64 `json:"log_e"` // natural logarithm of the e-value at this look
	P    float64 `json:"p"`     // 1/E at this look, at most 1
	// MinP is the smallest P of all looks so far, itself valid at every look.
	MinP float64 `json:"min_p"`
	Text string  `json:"text"` // "250 times as likely as under no effect"
}

// Precision is how narrow the interval is compared with what the plan needs.
type Precision struct {
	HalfWidth float64 `json:"half_width"` // of the interval that decides, fraction of control
	Target    float64 `json:"target"`     // the plan's smallest effect worth having, or the margin
	Reached   float64 `json:"reached"`    // Target over HalfWidth, at most 1
}

// Uncapped is the same comparison without the metric's cap.
type Uncapped struct {
	Control   Value    `json:"control"`
	Treatment Value    `json:"treatment"`
	Effect    *Effect  `json:"effect,omitempty"`
	Refusal   *Refusal `json:"refusal,omitempty"`
	// Agrees is false when the cap turns the sign of the estimate, and Note then says
	// what that means.
	Agrees bool   `json:"agrees"`
	Note   string `json:"note,omitempty"`
}

// PerUnit is the comparison of the means of the units' own ratios, in which every
// unit counts the same. A ratio of sums is that of hours, of which a few units
// have most.
type PerUnit struct {
	Uncapped // Agrees: with the sign of the ratio of sums
}

// Explain opens a number: what went in, how it was computed.
type Explain struct {
	Definition string       `json:"definition"` // "sum(stall_ms) / sum(stall_base_ms)"
	Method     string       `json:"method"`
	Alpha      float64      `json:"alpha"` // error probability of this row over all looks
	NOpt       int64        `json:"n_opt"` // tuning of the sequence: planned units of the two arms
	Arms       []ExplainArm `json:"arms"`  // control, treatment
	// Variance is the squared standard error of the log-ratio, the sum of the two terms,
	// or more or less where the method says so.
	VarianceControl   float64 `json:"variance_control"`
	VarianceTreatment float64 `json:"variance_treatment"`
	Variance          float64 `json:"variance"`
	DF                float64 `json:"df"`
	FixedLevel        float64 `json:"fixed_level"` // of the interval that holds at one look only
}

// ExplainArm holds the sufficient statistics of one arm.
type ExplainArm struct {
	Key             string  `json:"key"`
	N               int64   `json:"n"`
	MeanNumerator   float64 `json:"mean_numerator"`
	MeanDenominator float64 `json:"mean_denominator"`
	M2Numerator     float64 `json:"m2_numerator"`
	M2Denominator   float64 `json:"m2_denominator"`
	Cross           float64 `json:"cross"`
	// EffectiveUnits is how many units of equal size the denominators are worth, and
	// LargestShare the largest part of them that one unit can have; of ratios whose
	// units are clusters, such as broadcasters.
	EffectiveUnits float64 `json:"effective_units,omitempty"`
	LargestShare   float64 `json:"largest_share,omitempty"`
	Value          float64 `json:"value"`         // in base quantities
	UnitVariance   float64 `json:"unit_variance"` // per unit, of the linearised value
}

// Point is a row as it stood at one look.
type Point struct {
	Look   int       `json:"look"`
	At     time.Time `json:"at"`
	N      int64     `json:"n"`
	Band   *Band     `json:"band,omitempty"`   // nil: not known, see Reason
	Reason string    `json:"reason,omitempty"` // a code of Refusal
}
