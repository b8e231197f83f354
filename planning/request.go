// Package planning says what an experiment will cost before it starts: how many
// units and days it takes to find an effect, under each decision rule.
//
// It only does arithmetic on what the caller knows of the metric; it reads no
// data, and promises nothing about traffic that changes.
//
//	result, err := planning.Plan(planning.Request{
//		Baseline: planning.Baseline{Mean: 0.62, SD: 1.4}, MDE: 0.02,
//		Alpha: 0.05, Power: 0.8, Weights: []int64{1, 1}, UnitsPerDay: 100_000, Traffic: 0.1,
//	})
package planning

import (
	"fmt"
	"math"

	"github.com/splitcast/splitcast/stats"
)

// Limits of a request.
const (
	MaxArms     = 20
	MaxLooks    = 28 // as of an experiment's plan
	MaxPrimary  = 40
	MaxWeight   = 1_000_000 // as of an experiment
	MaxRelative = 10        // an effect of ten times control is a typing error
)

// Defaults of a request.
const (
	DefaultLooks      = 14 // a look a day for two weeks
	DefaultWindowDays = 1.0
)

// Baseline is what is known of a metric's units under control: the mean and the
// standard deviation of a number, or the share of a yes-no outcome.
type Baseline struct {
	Mean  float64 `json:"mean,omitempty"`
	SD    float64 `json:"sd,omitempty"`
	Share float64 `json:"share,omitempty"`
}

// Request is a question to Plan.
type Request struct {
	Baseline Baseline `json:"baseline"`
	// MDE is the smallest lift worth finding, as a fraction of control.
	MDE   float64 `json:"mde"`
	Alpha float64 `json:"alpha"` // two-sided, shared by Primary metrics and treatment arms
	Power float64 `json:"power"`
	// Weights split the units over the arms; the first is control.
	Weights []int64 `json:"weights"`
	Primary int     `json:"primary,omitempty"` // primary metrics; 0 means 1
	// Method is the rule that decides: stats.RuleSequential, which empty means, or
	// stats.RuleGroupSequential.
	Method stats.RuleKind `json:"method,omitempty"`
	Looks  int            `json:"looks,omitempty"` // of the group-sequential rule; 0 means DefaultLooks
	// Quantile says that the metric is a quantile, which planned looks do not decide:
	// it is planned as sequential whatever Method is.
	Quantile bool `json:"quantile,omitempty"`
	// Spending names how that rule spends alpha, as stats.NamedSpending knows it;
	// empty means obrien_fleming.
	Spending string `json:"spending,omitempty"`
	// UnitsPerDay are the units of the audience that come for the first time in a
	// day; 0 leaves days unknown.
	UnitsPerDay float64 `json:"units_per_day,omitempty"`
	Traffic     float64 `json:"traffic,omitempty"` // share of them that takes part; 0 means all
	// WindowDays is how long after its exposure a unit's outcome is settled; 0
	// means DefaultWindowDays.
	WindowDays float64 `json:"window_days,omitempty"`
	// ClusterSize and ClusterICC are the mean number of units that share a
	// cluster, such as a broadcaster's viewers, and their correlation; 0 means
	// that units are independent.
	ClusterSize float64 `json:"cluster_size,omitempty"`
	ClusterICC  float64 `json:"cluster_icc,omitempty"`
}

// Error is a request that cannot be planned. Field names the part of it, as in
// JSON.
type Error struct {
	Field   string
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Field + ": " + e.Message }

func errorf(field, format string, args ...any) error {
	return &Error{Field: field, Message: fmt.Sprintf(format, args...)}
}

func (r *Request) setDefaults() {
	if r.Primary == 0 {
		r.Primary = 1
	}
	if r.Method == "" || r.Quantile && r.Method == stats.RuleGroupSequential {
		r.Method = stats.RuleSequential
	}
	if r.Looks == 0 {
		r.Looks = DefaultLooks
	}
	if r.Traffic == 0 {
		r.Traffic = 1
	}
	if r.WindowDays == 0 {
		r.WindowDays = DefaultWindowDays
	}
}

// check validates a request with its defaults set. Comparisons are written so
// that they are false for NaN.
func (r *Request) check() error {
	between := func(x, low, high float64) bool { return x > low && x < high }
	switch {
	case !between(math.Abs(r.MDE), 0, MaxRelative):
		return errorf("mde", "must be a lift such as 0.02 for 2 %%, not zero and below %d; it is %v", MaxRelative, r.MDE)
	case !between(r.Alpha, 0, 0.5):
		return errorf("alpha", "must lie between 0 and 0.5; it is %v", r.Alpha)
	case !between(r.Power, r.Alpha, 1):
		return errorf("power", "must lie between alpha and 1; it is %v", r.Power)
	case len(r.Weights) < 2 || len(r.Weights) > MaxArms:
		return errorf("weights", "must name 2 to %d arms; there are %d", MaxArms, len(r.Weights))
	case r.Primary < 1 || r.Primary > MaxPrimary:
		return errorf("primary", "must be 1 to %d metrics; it is %d", MaxPrimary, r.Primary)
	case r.Method != stats.RuleSequential && r.Method != stats.RuleGroupSequential:
		return errorf("method", "must be sequential or group_sequential; it is %q", string(r.Method))
	case r.Looks < 1 || r.Looks > MaxLooks:
		return errorf("looks", "must be 1 to %d; it is %d", MaxLooks, r.Looks)
	case !(r.UnitsPerDay >= 0) || math.IsInf(r.UnitsPerDay, 0):
		return errorf("units_per_day", "must be a number of units; it is %v", r.UnitsPerDay)
	case !(r.Traffic > 0 && r.Traffic <= 1):
		return errorf("traffic", "must be a share above 0, at most 1; it is %v", r.Traffic)
	case !(r.WindowDays >= 0) || math.IsInf(r.WindowDays, 0):
		return errorf("window_days", "must be a number of days; it is %v", r.WindowDays)
	case r.ClusterSize != 0 && !(r.ClusterSize >= 1) || math.IsInf(r.ClusterSize, 0):
		return errorf("cluster_size", "must be at least 1; it is %v", r.ClusterSize)
	case !(r.ClusterICC >= 0 && r.ClusterICC <= 1):
		return errorf("cluster_icc", "must lie between 0 and 1; it is %v", r.ClusterICC)
	case r.ClusterICC > 0 && r.ClusterSize == 0:
		return errorf("cluster_size", "must be given with cluster_icc")
	}
	for i, w := range r.Weights {
		if w < 1 || w > MaxWeight {
			return errorf(fmt.Sprintf("weights[%d]", i), "must be a whole number from 1 to %d; it is %d", MaxWeight, w)
		}
	}
	if _, _, known := stats.NamedSpending(r.Spending); !known {
		return errorf("spending", "must be obrien_fleming, pocock or kim_demets; it is %q", r.Spending)
	}
	return nil
}

// variance returns what a unit adds to the variance of a lift: (sd/mean)^2, or
// (1-p)/p of a share.
func (b Baseline) variance() (float64, error) {
	switch {
	case b.Share != 0 && (b.Mean != 0 || b.SD != 0):
		return 0, errorf("baseline", "is either a share, or a mean with its standard deviation")
	case b.Share != 0 && !(b.Share > 0 && b.Share < 1):
		return 0, errorf("baseline.share", "must lie between 0 and 1; it is %v", b.Share)
	case b.Share != 0:
		return (1 - b.Share) / b.Share, nil
	case b.Mean == 0 || math.IsNaN(b.Mean) || math.IsInf(b.Mean, 0):
		return 0, errorf("baseline.mean", "must be a number other than zero, or give a share; it is %v", b.Mean)
	case !(b.SD > 0) || math.IsInf(b.SD, 0):
		return 0, errorf("baseline.sd", "must be above zero; it is %v", b.SD)
	}
	cv := b.SD / b.Mean
	return cv * cv, nil
}
