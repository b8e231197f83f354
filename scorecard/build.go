package scorecard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/stats"
)

// check validates what does not depend on the rows. It returns an *Error.
func (in Input) check() error {
	switch {
	case in.ArmColumn == "":
		return errorf("arm", "Name the column that holds the arm.")
	case len(in.Metrics) == 0:
		return errorf("metric", "Name at least one metric, such as watch_s:mean.")
	case len(in.Metrics) > MaxMetrics:
		return errorf("metric", "There are %d metrics; at most %d are compared at once.", len(in.Metrics), MaxMetrics)
	case in.Planned < 0:
		return errorf("planned", "The planned units cannot be negative; they are %d.", in.Planned)
	case !(in.Alpha > 0 && in.Alpha < 1): // true for NaN
		return errorf("alpha", "Alpha must lie strictly between 0 and 1; it is %v.", in.Alpha)
	}
	if err := in.checkDesign(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, m := range in.Metrics {
		if seen[m.String()] {
			return errorf("metric", "%q is given twice.", m)
		}
		seen[m.String()] = true
	}
	for _, w := range in.Weights {
		if w < 1 || w > MaxWeight {
			return errorf("weights", "A weight is a whole number from 1 to %d; one is %d.", MaxWeight, w)
		}
	}
	return nil
}

// scorecard closes the collector and compares. It returns an *Error when the
// arms do not fit the request.
func (c *collector) scorecard() (*Scorecard, error) {
	c.close()
	control, weights, err := c.resolveArms()
	if err != nil {
		return nil, err
	}
	s := &Scorecard{
		Control: c.arms[control], Alpha: c.in.Alpha, Rows: c.rows, Crossed: c.crossed,
		Problems: c.problems, Warnings: []string{},
	}
	randomised := c.unitsByArm
	if c.byCluster {
		randomised = c.clustersByArm
	}
	s.Split = newSplit(c.arms, randomised, weights)
	for i, n := range c.unitsByArm {
		s.Units += n
		s.Clusters += c.clustersByArm[i]
	}
	s.NOpt, s.NOptPlanned = c.in.Planned, c.in.Planned > 0
	if !s.NOptPlanned {
		s.NOpt = max(s.Units, MinNOpt)
		if c.byCluster {
			s.NOpt = max(s.Clusters, MinNOpt)
		}
	}
	if s.Problems.First == nil {
		s.Problems.First = []Problem{}
	}
	inf := inference{
		alpha: c.in.Alpha, nOpt: s.NOpt, planned: s.NOptPlanned,
		compared: pairs(len(c.arms), control, c.in.Pairs), stratified: c.in.Strata != "", clustered: c.byCluster,
	}
	for i, m := range c.in.Metrics {
		s.Metrics = append(s.Metrics, inf.result(m, c.arms, c.tallies[i], c.measure))
	}
	s.warn()
	return s, nil
}

// resolveArms returns the index of the control arm and a weight for each arm.
func (c *collector) resolveArms() (control int, weights []int64, err error) {
	if len(c.arms) < 2 {
		return 0, nil, errorf("file", "A comparison needs rows of two arms; %d rows hold %d.", c.rows, len(c.arms))
	}
	if c.in.Control != "" {
		if control = slices.Index(c.arms, c.in.Control); control < 0 {
			return 0, nil, errorf("control", "No row is of arm %q; the arms are %s.", c.in.Control, strings.Join(c.arms, ", "))
		}
	}
	weights = c.in.Weights
	if len(weights) == 0 {
		weights = slices.Repeat([]int64{1}, len(c.arms))
	}
	if len(weights) != len(c.arms) {
		return 0, nil, errorf("weights", "There are %d weights for %d arms: %s.", len(weights), len(c.arms), strings.Join(c.arms, ", "))
	}
	return control, weights, nil
}

// pairs lists which arms are compared: each with control, or each with every
// later one when all are asked for.
func pairs(arms, control int, all bool) [][2]int {
	order := []int{control}
	for i := range arms {
		if i != control {
			order = append(order, i)
		}
	}
	var out [][2]int
	for i, c := range order {
		for _, t := range order[i+1:] {
			out = append(out, [2]int{c, t})
		}
		if !all {
			break
		}
	}
	return out
}

// result compares the arms on one metric.
func (inf inference) result(m Metric, names []string, tallies []tally, measure measuring) Result {
	r := Result{Metric: m, Name: m.String(), CapValue: m.Cap, Alarms: []DataGap{}}
	inf.lower = m.LowerIsBetter
	for i := range tallies {
		tallies[i].quality.Arm = names[i]
		r.Quality = append(r.Quality, tallies[i].quality)
	}
	for _, pair := range inf.compared {
		r.Alarms = append(r.Alarms, gaps(r.Quality[pair[0]], r.Quality[pair[1]])...)
	}
	if !m.capped() {
		inf.fill(&r, measureAll(m, tallies, false, measure))
		return r
	}
	plain := inf.table(measureAll(m, tallies, false, measure), false)
	r.Uncapped = &plain
	if m.CapLevel > 0 {
		r.CapFromData = true
		limit, err := capFrom(tallies, m.CapLevel)
		if err == nil {
			r.CapValue = &limit
		}
		inf.oneLook = &stats.Refusal{
			Reason: stats.InvalidArgument,
			Message: "The cap was taken from these rows, so the comparison is valid for a fixed look only; " +
				"fix the cap before the data for one that is valid at every look.",
		}
	}
	inf.fill(&r, measureAll(m, tallies, true, measure))
	return r
}

// fill compares the arms, by what they are adjusted by if there is anything.
func (inf inference) fill(r *Result, arms []measured) {
	r.Table = inf.table(arms, true)
	if !slices.ContainsFunc(arms, func(a measured) bool { return a.adjusted != nil }) {
		return
	}
	plain := inf.table(arms, false)
	r.Unadjusted = &plain
}

// measuring turns a tally into an arm; capped asks for the capped form.
type measuring func(t *tally, m Metric, capped bool) measured

// measure is the measuring of what was collected.
func (c *collector) measure(t *tally, m Metric, capped bool) measured {
	if c.byCluster {
		return t.measureClusters(m, capped)
	}
	return t.measure(m, capped, c.byUnit)
}

func measureAll(m Metric, tallies []tally, capped bool, measure measuring) []measured {
	out := make([]measured, len(tallies))
	for i := range tallies {
		out[i] = measure(&tallies[i], m, capped)
		out[i].metric = m
	}
	return out
}

// warn gathers what a reader must know before the numbers.
func (s *Scorecard) warn() {
	if s.Split.Sequential == nil || s.Split.Sequential.Status != stats.SRMOk {
		s.Warnings = append(s.Warnings, s.Split.Words)
	}
	comparisons := 0
	for _, r := range s.Metrics {
		comparisons += len(r.Comparisons)
		for _, gap := range r.Alarms {
			s.Warnings = append(s.Warnings, gap.sentence(r.Metric.Name()))
		}
		for _, q := range r.Quality {
			if q.Unusable+q.Missing+q.Invalid+q.Negative > 0 {
				s.Warnings = append(s.Warnings, q.sentence(r.Metric.Name()))
			}
		}
		for _, c := range r.Comparisons {
			if a := c.Adjustment; a != nil && a.BalanceP != nil && *a.BalanceP < QualityAlphaP {
				s.Warnings = append(s.Warnings, fmt.Sprintf("%s: the covariate %s differs between %s and %s (p = %.2g). "+
					"What was fixed before exposure cannot: it was measured too late, or the split is broken. Do not trust the adjusted comparison.",
					r.Metric.Name(), a.Covariate, c.Control, c.Treatment, *a.BalanceP))
			}
		}
	}
	randomised := "units"
	if s.Clusters > 0 {
		randomised = "clusters"
	}
	if s.Crossed > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%d %s were seen in two arms and are left out.", s.Crossed, randomised))
	}
	if s.Problems.Count > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%d rows or values could not be used; the first are listed.", s.Problems.Count))
	}
	if !s.NOptPlanned {
		s.Warnings = append(s.Warnings, fmt.Sprintf("The always-valid intervals are tuned to %d units; "+
			"looking again with more rows needs --planned to keep its guarantee.", s.NOpt))
	}
	if comparisons > 1 {
		s.Warnings = append(s.Warnings, fmt.Sprintf(
			"%d comparisons are shown, each with its own error probability of %v; none is corrected for the others.", comparisons, s.Alpha))
	}
}

func (q Quality) sentence(metric string) string {
	return fmt.Sprintf("%s, arm %s: of %d units %d have a missing value, %d an invalid one, %d a negative one; %d are left out.",
		metric, q.Arm, q.Units, q.Missing, q.Invalid, q.Negative, q.Unusable)
}
