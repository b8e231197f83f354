package metrics

import (
	"time"

	"github.com/splitcast/splitcast/stats"
)

// Look is one numbered, append-only state of an experiment's version: what all
// outcomes whose windows closed up to the watermark add up to.
type Look struct {
	Number    int         `json:"number"` // from 1
	At        time.Time   `json:"at"`
	Watermark time.Time   `json:"watermark"` // windows that closed up to here are in it
	Arms      []ArmCounts `json:"arms"`
	// Restated are the days that were computed again, at this look or one before it.
	Restated []Restatement `json:"restated,omitempty"`
	// Cells are in the order of Cell.Compare. Every metric has a total cell for
	// each arm, empty ones included: they record with which definition the
	// experiment's version is measured. Dimension cells may be absent from a
	// look that is not the newest; they follow from the outcomes.
	Cells []Cell `json:"cells"`
}

// Outcome is what a unit did within a window. It is written once, when the
// window has closed, and never changed.
type Outcome struct {
	Unit       string
	Arm        int
	ExposedAt  time.Time
	ClosesAt   time.Time
	Quantities Quantities
	// Custom are the custom quantities that the metrics of the experiment need, and
	// that are known of the unit.
	Custom     []CustomValue
	Covariates Covariates             // of windows in which metrics are adjusted
	Suspected  bool                   // likely a program, see Suspected
	Dims       [DimensionCount]string // in the order of Dimensions(); empty: unknown
}

// Cell is a metric of one arm, over all units or those of one dimension value.
type Cell struct {
	Metric        string `json:"metric"`
	MetricVersion int    `json:"metric_version"`
	Uncapped      bool   `json:"uncapped,omitempty"`
	Arm           int    `json:"arm"`
	Dimension     string `json:"dimension,omitempty"` // empty: total
	Value         string `json:"value,omitempty"`
	// Pair is the joint moments of numerator (y) and denominator (x) over the
	// units whose denominator is above 0. Of a quantile metric y is the unit's
	// value and x is 1.
	Pair stats.PairMoments `json:"pair"`
	// Hist counts the units' values of a quantile metric; nil for other kinds.
	Hist *stats.Histogram `json:"hist,omitempty"`
	// Joint is the joint moments of a metric that is adjusted by the past, in the
	// order of JointVariables, over the units of Pair; nil for others, and of
	// dimension values.
	Joint *stats.JointMoments `json:"joint,omitempty"`
}
