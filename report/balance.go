package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// looked is the units of each arm at one look.
type looked struct {
	number int
	counts []int64
}

// checkBalance tests the units exposed against the weights, at every look and now.
func (b *builder) checkBalance() Check {
	var looks []looked
	for _, l := range b.history.looks {
		counts := make([]int64, len(b.exp.Arms))
		for _, a := range l.Arms {
			if a.Arm >= 0 && a.Arm < len(counts) {
				counts[a.Arm] = a.Exposed
			}
		}
		looks = append(looks, looked{l.Number, counts})
	}
	now := make([]int64, len(b.counts))
	for i := range now {
		now[i] = b.counts[i].Exposed
	}
	looks = append(looks, looked{b.history.newest().Number, now})
	c := b.balance(looks)
	c.Key, c.Title = CheckBalance, "Split of exposed units"
	if c.alarming() {
		c.Fix = "Look for what decides whether an exposure is recorded: redirects, crashes or filters that one arm has and another has not." +
			b.guiltySlice()
	}
	return c
}

// checkReporting tests the units that reported telemetry against the weights.
func (b *builder) checkReporting() Check {
	d, _ := b.history.definition(metrics.CoverageKey)
	cursors := make([]cursor, len(b.exp.Arms))
	for arm := range cursors {
		cursors[arm].key = cellKey{d.Key, d.Version, false, arm}
	}
	var looks []looked
	for _, l := range b.history.looks {
		counts := make([]int64, len(cursors))
		for arm := range cursors {
			if c := cursors[arm].total(l.Cells); c != nil {
				counts[arm] = int64(math.Round(float64(c.Pair.N) * (c.Pair.MeanY + c.Pair.LowY)))
			}
		}
		looks = append(looks, looked{l.Number, counts})
	}
	c := b.balance(looks)
	c.Key, c.Title = CheckBalanceReporting, "Split of reporting units"
	if c.alarming() {
		c.Fix = "Units were exposed evenly but report unevenly, or the exposure itself is uneven: compare player versions and telemetry errors by arm."
	}
	return c
}

// balance tests a split at every look. An alert once raised stays: units that
// went missing do not come back.
func (b *builder) balance(looks []looked) Check {
	c := Check{State: CheckUnknown, Threshold: fmt.Sprintf("fails at E = %s", count(stats.SampleRatioAlertE)), Statistic: "no units yet"}
	most, mostAt, mostCounts := math.Inf(-1), 0, []int64(nil)
	for _, l := range looks {
		if sum(l.counts) == 0 {
			continue
		}
		srm, err := b.splitRatio(l.counts)
		if err != nil {
			c.Detail = refusalOf(err).Message
			continue
		}
		if srm.Status == stats.SRMAlert && c.FirstTripped == 0 {
			c.FirstTripped = max(1, l.number)
		}
		if srm.LogE > most {
			most, mostAt, mostCounts = srm.LogE, l.number, l.counts
		}
		c.Statistic = "E = " + eValue(srm.LogE)
		c.Detail = b.splitWords(l.counts)
		switch {
		case c.FirstTripped > 0:
			c.State = CheckFail
		case srm.Status == stats.SRMWarn:
			c.State = CheckWarn
		default:
			c.State = CheckOK
		}
	}
	if c.State == CheckFail {
		c.Words = fmt.Sprintf("%s: a split this uneven%s would arise by chance in %s, however often one looks",
			b.splitWords(mostCounts), atLook(mostAt, looks), atMostOnce(most))
	}
	return c
}

// atLook names the look that a statement is of, unless that is the newest.
func atLook(number int, looks []looked) string {
	if number == looks[len(looks)-1].number {
		return ""
	}
	return ", as of look " + count(int64(number)) + ","
}

// atMostOnce words the largest e-value so far for those who know no e-values. By
// Ville's inequality an e-process of a true hypothesis ever reaches E with a
// probability of at most 1/E; E is rounded down, so that the words claim no more.
func atMostOnce(logE float64) string {
	if logE >= math.Log(plainBelow) {
		return "at most one of " + powerOfTen(int(math.Floor(logE/math.Ln10))) + " experiments that are split as planned"
	}
	return "at most one of " + count(int64(math.Exp(logE))) + " experiments that are split as planned"
}

// splitWords prints counts with what the weights ask for.
func (b *builder) splitWords(counts []int64) string {
	weights := b.exp.Weights()
	all := sum(splitArms(b, func(i int) int64 { return weights[i] }))
	total := sum(splitArms(b, func(i int) int64 { return counts[i] }))
	return strings.Join(splitArms(b, func(i int) string {
		want := int64(math.Round(float64(total) * (float64(weights[i]) / float64(all))))
		return fmt.Sprintf("%s %s (planned %s)", count(counts[i]), b.armLabel(i), count(want))
	}), ", ")
}

// guiltySlice names the dimension value that a mismatch comes from: one whose
// split is off beyond doubt while that of all other values is not. Where there
// is none it says that the mismatch is general.
func (b *builder) guiltySlice() string {
	d, _ := b.history.definition(metrics.CoverageKey)
	grouped := groupSegments(b.history.newest().Cells)
	if len(grouped) == 0 {
		return ""
	}
	total := map[string][]int64{} // by dimension
	counts := map[segmentAt][]int64{}
	for at, cells := range grouped {
		units := make([]int64, len(b.exp.Arms))
		if total[at.dimension] == nil {
			total[at.dimension] = make([]int64, len(units))
		}
		for arm := range units {
			if c := findCell(cells, &d, arm); c != nil {
				units[arm] = c.Pair.N
				total[at.dimension][arm] += c.Pair.N
			}
		}
		counts[at] = units
	}
	guilty, found := segmentAt{}, false
	worst := math.Log(stats.SampleRatioAlertE)
	for _, at := range sortedSegments(grouped) {
		rest := slices.Clone(total[at.dimension])
		for arm, n := range counts[at] {
			rest[arm] -= n
		}
		logE, restLogE := b.imbalance(counts[at]), b.imbalance(rest)
		if logE >= worst && restLogE < math.Log(stats.SampleRatioWarnE) {
			guilty, found, worst = at, true, logE
		}
	}
	if !found {
		return " It shows in no part of the traffic alone."
	}
	return fmt.Sprintf(" It comes from %s %s: %s; the rest is split as planned.",
		guilty.dimension, guilty.value, b.splitWords(counts[guilty]))
}

// imbalance returns ln E against the planned split; 0, no evidence, of no units.
func (b *builder) imbalance(counts []int64) float64 {
	if sum(counts) == 0 {
		return 0
	}
	srm, err := b.splitRatio(counts)
	if err != nil {
		return 0
	}
	return srm.LogE
}
