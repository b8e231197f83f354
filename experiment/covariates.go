package experiment

import (
	"strconv"
	"strings"
)

// Covariates says from how many days before a unit's exposure its own past is
// taken, to adjust effects by it: "14d", or "off". Plans that were made before
// there were covariates say nothing, which is off.
type Covariates string

// The values that need no number.
const (
	// CovariatesOff adjusts nothing.
	CovariatesOff Covariates = "off"
	// DefaultCovariates is what a new experiment gets whose units have a past: two
	// weeks hold each day of the week twice.
	DefaultCovariates Covariates = "14d"
)

// MaxCovariateDays bounds the past of a unit: further back it says little, and
// every session of it is read when a window closes.
const MaxCovariateDays = 28

// Days returns the days before the exposure, 0 when effects are not adjusted.
func (c Covariates) Days() int {
	digits, ok := strings.CutSuffix(string(c), "d")
	if days, err := strconv.Atoi(digits); ok && err == nil && days >= 1 && days <= MaxCovariateDays && digits == strconv.Itoa(days) {
		return days
	}
	return 0
}

// HasPast reports whether units of the type are the same before and after their
// exposure, and so few sessions each that their past can be read.
func (t UnitType) HasPast() bool { return t == UnitViewer || t == UnitDevice }

// settleCovariates sets what the document leaves open: what the plan before has, or
// the default of a new experiment. What was launched keeps what it was launched
// with.
func (e *Spec) settleCovariates(before *Experiment) {
	switch {
	case e.Plan.Covariates != "":
	case before != nil:
		e.Plan.Covariates = before.Plan.Covariates
	case e.MeasuresHoldout != "":
		e.Plan.Covariates = CovariatesOff
	case e.Design == DesignAB && e.Unit.HasPast():
		e.Plan.Covariates = DefaultCovariates
	}
}

func (e *Spec) validateCovariates(f *faultList) {
	c := e.Plan.Covariates
	switch {
	case c == "" || c == CovariatesOff:
	case c.Days() == 0:
		f.addf("plan.covariates", "must be off, or 1d to %dd: the days before the exposure", MaxCovariateDays)
	case !e.Unit.HasPast():
		f.addf("plan.covariates", "a %s has no past of its own to adjust by: leave it out", e.Unit)
	}
}
