package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// healthShare is a share of units that should be the same in all arms.
type healthShare struct {
	name string // of the units that are fine
	of   func(h *metrics.Health) (fine, all int64)
}

// definition is that of the share: a proportion of which more is neither better
// nor worse, as long as it is the same.
func (s *healthShare) definition() *metrics.Definition {
	return &metrics.Definition{Key: s.name, Name: s.name, Kind: metrics.KindProportion, Unit: "%", Scale: 100, Decimals: 2}
}

// cell returns the share as the moments of zeros and ones; nil without units.
func (s *healthShare) cell(look *metrics.Look, arm int) *metrics.Cell {
	for i := range look.Arms {
		if look.Arms[i].Arm != arm {
			continue
		}
		fine, all := s.of(&look.Arms[i].Health)
		if all == 0 {
			return nil
		}
		p := float64(fine) / float64(all)
		return &metrics.Cell{Pair: stats.PairMoments{N: all, MeanY: p, MeanX: 1, M2Y: float64(all) * p * (1 - p)}}
	}
	return nil
}

func (b *builder) checkShare(s healthShare) Check { return b.checkShares(s.definition(), s.cell) }

// checkHealth returns the checks of what became of units on the way to their
// outcomes: those of which the newest look has counted anything.
func (b *builder) checkHealth() []Check {
	var all metrics.Health
	for _, a := range b.history.newest().Arms {
		all.Closed += a.Health.Closed
		all.Days += a.Health.Days
		all.Settled += a.Health.Settled
	}
	var out []Check
	if all.Closed > 0 {
		out = append(out, b.checkStages())
	}
	if all.Settled > 0 {
		out = append(out, b.checkLate(), b.checkConflicts())
	}
	if all.Days > 0 {
		out = append(out, b.checkPrograms())
	}
	if restated := b.history.newest().Restated; len(restated) > 0 {
		out = append(out, b.checkRestated(restated))
	}
	return out
}

// checkRestated tells of days that were computed again. It warns for good: what
// holds at every look holds for outcomes that are fixed once.
func (b *builder) checkRestated(days []metrics.Restatement) Check {
	var told []string
	for _, r := range days {
		told = append(told, fmt.Sprintf("%s at look %d by %s: %s", r.Day.Format(time.DateOnly), r.Look, r.Actor, r.Reason))
	}
	return Check{
		Key: CheckRestated, Title: "Days computed again", State: CheckWarn, FirstTripped: days[0].Look,
		Statistic: count(int64(len(days))), Threshold: "warns when outcomes were made again",
		Detail: strings.Join(told, "; ") + ".",
		Fix:    "Intervals are valid at every look for outcomes that are fixed once. Compare with the look before, which reads as it did.",
	}
}

// The stages on which units are lost, each as a share of the one before. What makes
// people try, and what makes a picture come, may be the change itself: differences
// there warn, and do not fail.
var (
	stageAttempted = healthShare{"tried to play", func(h *metrics.Health) (int64, int64) { return h.Attempted, h.Closed }}
	stageStarted   = healthShare{"saw a picture", func(h *metrics.Health) (int64, int64) { return h.Started, h.Attempted }}
	stageReported  = healthShare{"were heard of after that", func(h *metrics.Health) (int64, int64) { return h.Reported, h.Started }}
)

// checkStages follows units from the exposure to the heartbeats. It says at which
// stage one arm loses more than the other; telemetry that ends after the first
// frame in one arm alone fails.
func (b *builder) checkStages() Check {
	out := b.checkShare(stageReported)
	out.Key, out.Title = CheckStages, "From exposure to heartbeat"
	out.Statistic = stageReported.name + ": " + out.Statistic
	fix := "Telemetry ends early in one arm: look for crashes after the first frame, and for beacons that are blocked or dropped."
	for _, stage := range []struct {
		share healthShare
		known bool // the plan measures what happens here
		fix   string
	}{
		{
			stageStarted, b.planUses(metrics.QuickStarts) || b.planUses(metrics.Failures) || b.planUses(metrics.Exits),
			"Either the change decides who sees a picture, or one arm fails to tell of it: read the start metrics.",
		},
		{
			stageAttempted, b.planUses(metrics.Attempts) || b.planUses(metrics.DistinctStarts) || b.planUses(metrics.WatchMs),
			"Either the change decides who tries to play, or exposures are recorded at different moments in the arms.",
		},
	} {
		c := b.checkShare(stage.share)
		if !c.alarming() || stage.known || out.State == CheckFail {
			continue
		}
		out.State, out.FirstTripped = CheckWarn, 0
		out.Statistic, fix = stage.share.name+": "+c.Statistic, stage.fix
	}
	out.Detail = b.assignedWords() + b.stageWords()
	if out.alarming() {
		out.Fix = fix
	}
	return out
}

// stageWords prints the stages of all arms.
func (b *builder) stageWords() string {
	var out []string
	for arm := range b.exp.Arms {
		h := b.health(arm)
		out = append(out, fmt.Sprintf("%s: %s exposed, %s tried to play, %s saw a picture, %s were heard of after that",
			b.armLabel(arm), count(h.Closed), count(h.Attempted), count(h.Started), count(h.Reported)))
	}
	return strings.Join(out, "; ") + "; within the first half hour of each."
}

// health returns an arm's health as of the newest look.
func (b *builder) health(arm int) metrics.Health {
	for _, a := range b.history.newest().Arms {
		if a.Arm == arm {
			return a.Health
		}
	}
	return metrics.Health{}
}

// checkLate compares how many units had records that came after their outcome was
// fixed. These are in no outcome, so that more of them in one arm lower its sums.
func (b *builder) checkLate() Check {
	c := b.checkShare(healthShare{"complete in time", func(h *metrics.Health) (int64, int64) { return h.Settled - h.Late, h.Settled }})
	c.Key, c.Title = CheckLate, "Records that came too late"
	c.Detail = b.partWords(func(h *metrics.Health) (int64, int64) { return h.Late, h.Settled })
	if c.alarming() {
		c.Fix = "One arm delivers its telemetry later, so that its outcomes miss more: look for batching, retries and offline queues that differ."
	}
	return c
}

// checkConflicts compares how many units have records that contradict one another.
// Of two records of one number the first stays, which favours no arm unless one of
// them has more.
func (b *builder) checkConflicts() Check {
	c := b.checkShare(healthShare{"without contradictions", func(h *metrics.Health) (int64, int64) { return h.Settled - h.Conflicted, h.Settled }})
	c.Key, c.Title = CheckConflicts, "Contradictory records"
	c.Detail = b.partWords(func(h *metrics.Health) (int64, int64) { return h.Conflicted, h.Settled })
	if c.alarming() {
		c.Fix = "Two records of one session have the same number and say different things: look for players that reuse session ids or restart their count."
	}
	return c
}

// checkPrograms compares how many units are likely no people. The rule is the same
// in all arms, so that a difference means that the arms do not hold the same units.
func (b *builder) checkPrograms() Check {
	c := b.checkShare(healthShare{"likely people", func(h *metrics.Health) (int64, int64) { return h.Days - h.Suspected, h.Days }})
	c.Key, c.Title = CheckPrograms, "Suspected programs"
	c.Detail = b.partWords(func(h *metrics.Health) (int64, int64) { return h.Suspected, h.Days })
	if b.plan.Suspects == experiment.SuspectsExclude {
		c.Detail += " The plan leaves them out of the effects."
	}
	if c.alarming() {
		c.Fix = "Monitors, crawlers or test rigs meet one arm more often than the other: keep them out by the audience, or override them."
	}
	return c
}

// suspectsOtherwise makes a row the other way: without the units that are suspected to
// be programs, or with them where the plan leaves them out; their past is not looked
// at. The effect is nil when none is suspected, when the cells by dimension were not
// read, and for quantiles.
func (b *builder) suspectsOtherwise(row *Row) (name string, e *Effect) {
	if b.plan.Suspects == experiment.SuspectsExclude {
		return "with suspected programs", b.withSuspects(row, func(all, suspected stats.PairMoments) (stats.PairMoments, error) {
			all.Merge(suspected)
			return all, nil
		})
	}
	return "without suspected programs", b.withSuspects(row, stats.PairMoments.Without)
}

// withSuspects compares the units of a row with those that are suspected joined to
// them, or taken from them.
func (b *builder) withSuspects(row *Row, join func(all, suspected stats.PairMoments) (stats.PairMoments, error)) *Effect {
	d, ok := b.history.definition(row.Metric.Key)
	if !ok || d.Kind == metrics.KindQuantile {
		return nil
	}
	q := question{
		definition: &d, alpha: row.Explain.Alpha, nOpt: row.Explain.NOpt, guardrail: row.Margin != nil, unequal: b.unequal(row.Arm), unit: b.exp.Unit,
	}
	cells := b.history.newest().Cells
	suspected := false
	rest := [2]*metrics.Cell{}
	for i, arm := range [...]int{0, row.Arm} {
		at := cursor{key: cellKey{d.Key, d.Version, false, arm}}
		total := at.total(cells)
		if total == nil {
			return nil
		}
		c := *total
		c.Joint = nil
		for j := range cells {
			o := &cells[j]
			if !o.IsSuspected() || o.Metric != d.Key || o.MetricVersion != d.Version || o.Arm != arm {
				continue
			}
			pair, err := join(c.Pair, o.Pair)
			if err != nil {
				return nil
			}
			c.Pair, suspected = pair, true
		}
		rest[i] = &c
	}
	if !suspected {
		return nil
	}
	a := q.compareFully(rest[0], rest[1])
	if a.err != nil {
		return nil
	}
	return effectOf(&d, &a)
}

// partWords prints a part of each arm's units.
func (b *builder) partWords(of func(h *metrics.Health) (part, all int64)) string {
	var out []string
	for arm := range b.exp.Arms {
		h := b.health(arm)
		part, all := of(&h)
		out = append(out, fmt.Sprintf("%s %s of %s units", b.armLabel(arm), count(part), count(all)))
	}
	return strings.Join(out, ", ") + "."
}
