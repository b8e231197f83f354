// Package scorecard compares the arms of an experiment from rows that someone
// else collected: one row a unit, or several rows that it gathers by unit.
//
// It does what can be done honestly without a plan: each fixed-horizon number
// is labelled as valid for one look, each anytime-valid one is absent, with the
// reason, where its guarantee would not hold, and rows that could not be read
// are counted by arm. It never opens a file, reads a clock, drops a row in
// silence, or returns NaN; what was not computed is a stats.Refusal.
//
//	metric, err := scorecard.ParseMetric("watch_s:mean:cap=14400")
//	if err != nil {
//		return err // a *scorecard.Error
//	}
//	card, err := scorecard.ReadCSV(ctx, file, scorecard.Input{
//		ArmColumn: "arm", UnitColumn: "viewer", Metrics: []scorecard.Metric{metric},
//	})
package scorecard

import "github.com/splitcast/splitcast/stats"

// Limits.
const (
	MaxArms       = 12         // more is a wrong column, not an experiment
	MaxMetrics    = 40         // as many as a report shows
	MaxUnits      = 20_000_000 // about 150 bytes each at the peak, measured with one metric: 3 GB
	MaxArmBytes   = 64         // as an arm's key
	MaxUnitBytes  = 128        // as a unit id of package experiment
	MaxProblems   = 10         // rows described; the others are counted
	MaxLineBytes  = 1 << 20    // a record: a stray quote must not swallow the file
	MaxRetained   = 50_000_000 // row values held for quantiles with units: 16 bytes each
	MaxWeight     = 1_000_000  // of an arm in the planned split
	MaxStrata     = 500        // more is a column of ids, not of strata
	MaxClusters   = 2_000_000  // about 250 bytes each with one metric
	DefaultAlpha  = 0.05       // two-sided
	MinNOpt       = 5_000      // below it the sequence is tuned for nothing anyone runs
	QualityAlphaP = 0.001      // differential missingness alarms below it, as sample ratios do
)

// Input is what to compare.
type Input struct {
	ArmColumn  string
	UnitColumn string // empty: each row is a unit
	Metrics    []Metric
	// Covariate adjusts every mean and proportion that has no covariate of its own.
	Covariate string
	// Strata is the column of a property that units had before they were exposed:
	// they are compared within its values.
	Strata string
	// Cluster is the column of what was randomised, such as the broadcaster, when
	// the units are its members.
	Cluster string
	// Control names the control arm; empty means the arm of the first row.
	Control string
	// Pairs compares every arm with every later one, control being the first.
	Pairs bool
	// Weights is the planned split in the order in which arms appear in the rows;
	// empty means equal.
	Weights []int64
	Planned int64   // units of all arms for which sequences are tightest; 0 means those at hand
	Alpha   float64 // 0 means DefaultAlpha
}

// Scorecard is what the rows say.
type Scorecard struct {
	Control string  `json:"control"`
	Alpha   float64 `json:"alpha"`
	NOpt    int64   `json:"n_opt"`
	// NOptPlanned is false when NOpt was taken from the data: the sequences are
	// then exact at this look, but must not be recomputed with another NOpt later.
	NOptPlanned bool  `json:"n_opt_planned"`
	Rows        int64 `json:"rows"`
	Units       int64 `json:"units"` // analysed
	// Clusters is how many were analysed: arms, sample ratio, NOpt and Crossed then
	// count them in place of units.
	Clusters int64    `json:"clusters,omitempty"`
	Crossed  int64    `json:"crossed"` // units seen in two arms, in no number below
	Split    Split    `json:"split"`
	Metrics  []Result `json:"metrics"`
	Problems Problems `json:"problems"`
	Warnings []string `json:"warnings"` // sentences, the gravest first
}

// Problems is the rows, or cells of rows, that could not be used.
type Problems struct {
	Count int64     `json:"count"`
	First []Problem `json:"first"` // at most MaxProblems
}

// Problem is one of them.
type Problem struct {
	Line   int    `json:"line"` // of the file, from 1
	Column string `json:"column,omitempty"`
	Reason string `json:"reason"`
}

// Split is the sample-ratio check.
type Split struct {
	Arms       []ArmShare           `json:"arms"` // in the order of the rows
	Sequential *stats.SRM           `json:"sequential,omitempty"`
	Fixed      *stats.ChiSquareTest `json:"fixed,omitempty"` // valid for one look
	Refused    *stats.Refusal       `json:"refused,omitempty"`
	Words      string               `json:"words"`
}

// ArmShare is the units of one arm against its planned share.
type ArmShare struct {
	Arm      string  `json:"arm"`
	Units    int64   `json:"units"`
	Weight   int64   `json:"weight"`
	Expected float64 `json:"expected"` // units
}

// Result is one metric.
type Result struct {
	Metric Metric `json:"metric"`
	Name   string `json:"name"` // as ParseMetric reads it
	// CapValue is the cap in effect; CapFromData says that these rows gave it, so
	// that the comparison is valid for a fixed look only.
	CapValue    *float64 `json:"cap_value,omitempty"`
	CapFromData bool     `json:"cap_from_data,omitempty"`
	Table
	Uncapped   *Table    `json:"uncapped,omitempty"`   // of a capped metric
	Unadjusted *Table    `json:"unadjusted,omitempty"` // of an adjusted one, capped if it is
	Quality    []Quality `json:"quality"`              // by arm
	Alarms     []DataGap `json:"alarms"`               // differences between arms in Quality
}

// Table is the arms and their comparisons.
type Table struct {
	Arms        []ArmValue   `json:"arms"`
	Comparisons []Comparison `json:"comparisons"`
}

// ArmValue is one arm of one metric.
type ArmValue struct {
	Arm string `json:"arm"`
	N   int64  `json:"n"` // units with a value
	// Clusters that have a member with a value, when clusters are compared.
	Clusters int64          `json:"clusters,omitempty"`
	Mean     *float64       `json:"mean,omitempty"`
	SD       *float64       `json:"sd,omitempty"` // of a unit, so that SE is SD/sqrt(n); absent for clusters
	SE       *float64       `json:"se,omitempty"`
	Capped   int64          `json:"capped,omitempty"` // units above the cap
	Refused  *stats.Refusal `json:"refused,omitempty"`
}

// Comparison is one arm against another.
type Comparison struct {
	Control    string   `json:"control"`
	Treatment  string   `json:"treatment"`
	Difference Contrast `json:"difference"` // in units of the metric
	Lift       Contrast `json:"lift"`       // fractions of control, by the log-ratio
	Words      string   `json:"words"`
	// Adjustment says how, when the comparison is adjusted.
	Adjustment *Adjustment `json:"adjustment,omitempty"`
}

// Adjustment is what a comparison was adjusted by. The arms of its table are not:
// an adjusted mean is that of no unit that there is.
type Adjustment struct {
	Covariate string   `json:"covariate,omitempty"`
	Theta     *float64 `json:"theta,omitempty"` // the slope; within strata each has its own
	Strata    int      `json:"strata,omitempty"`
	Merged    int      `json:"merged,omitempty"` // values of the column that were too small to be a stratum
	// Reduction is the share of the variance of the unadjusted difference that the
	// adjustment removed; absent when either was refused.
	Reduction *float64 `json:"reduction,omitempty"`
	// BalanceP is the p-value of equal means of the covariate. It must be ordinary:
	// what was fixed before exposure cannot depend on the arm.
	BalanceP *float64 `json:"balance_p,omitempty"`
}

// Contrast is a comparison on one scale.
type Contrast struct {
	Fixed           *Fixed         `json:"fixed,omitempty"` // valid for this one look
	Refused         *stats.Refusal `json:"refused,omitempty"`
	Sequence        *Sequence      `json:"sequence,omitempty"` // valid at every look
	SequenceRefused *stats.Refusal `json:"sequence_refused,omitempty"`
}

// Fixed is Welch's test and interval. SE and Z of a lift are those of the
// logarithm of the ratio.
type Fixed struct {
	Estimate float64 `json:"estimate"`
	SE       float64 `json:"se"`
	Z        float64 `json:"z"`
	DF       float64 `json:"df"`
	P        float64 `json:"p"`
	LogP     float64 `json:"log_p"`
	Lower    float64 `json:"lower"`
	Upper    float64 `json:"upper"`
}

// Sequence is the asymptotic confidence sequence.
type Sequence struct {
	Lower float64 `json:"lower"`
	Upper float64 `json:"upper"`
	LogE  float64 `json:"log_e"` // natural logarithm of the e-value
	P     float64 `json:"p"`     // min(1, 1/E)
}

// Quality counts, for one arm and metric, units with at least one row of the
// named fault, and those that no usable row is left of.
type Quality struct {
	Arm      string `json:"arm"`
	Units    int64  `json:"units"`
	Missing  int64  `json:"missing"`
	Invalid  int64  `json:"invalid"` // not a number, or out of the domain of the kind
	Negative int64  `json:"negative"`
	Unusable int64  `json:"unusable"` // excluded from the metric
	// NoCovariate counts units without a value of the covariate. They stay: that
	// they have none is a covariate itself.
	NoCovariate int64 `json:"no_covariate,omitempty"`
}

// DataGap is a fault that strikes arms unequally: what is compared is then no
// longer what was randomised.
type DataGap struct {
	Fault        string  `json:"fault"`
	Control      string  `json:"control"`
	Treatment    string  `json:"treatment"`
	ShareControl float64 `json:"share_control"`
	ShareTreated float64 `json:"share_treatment"`
	Z            float64 `json:"z"`
	P            float64 `json:"p"` // of one look
}
