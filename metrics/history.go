package metrics

import (
	"cmp"
	"slices"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// MaxHistorySessions bounds the sessions of a unit's past that are read, the
// newest: a hundred thousand windows close a second, and a covariate need not be
// complete, only older than the exposure.
const MaxHistorySessions = 64

// Covariates are what a unit did in the days before its exposure, in the base
// quantities of the metrics that are adjusted by it. They are fixed with the
// outcome.
type Covariates struct {
	Known   bool // they were read
	History bool // the unit tried to play in those days
	// Quantities are sums over the past, of which only those asked for are not 0.
	// Returned counts the days on which the unit tried to play.
	Quantities Quantities
}

// indicator is 1 for a unit with a past.
func (c *Covariates) indicator() float64 {
	if c.History {
		return 1
	}
	return 0
}

// InHistory reports whether a session belongs to the past of a unit: it began in
// the days before the exposure, and was over by then. A session that goes on
// after the exposure is the arm's doing, and no part of the past.
func InHistory(exposedAt time.Time, days int, s *telemetry.Session) bool {
	at := exposedAt.UnixMilli()
	return s.FirstRecvMs >= at-int64(days)*DaySpan.Milliseconds() && s.Last.RecvMs <= at-telemetry.CloseMinMs
}

// ObserveHistory returns the covariates of a unit: a pure function of the exposure
// and its sessions, in whatever order these come. Sessions that are not of the
// past are ignored; of more than MaxHistorySessions the newest count. Only the
// quantities asked for are filled in.
func ObserveHistory(c *Closed, days int, asked []Quantity) Covariates {
	out := Covariates{Known: true}
	var past []*telemetry.Session
	for i := range c.Sessions {
		if s := &c.Sessions[i]; InHistory(c.ExposedAt, days, s) {
			past = append(past, s)
		}
	}
	if len(past) > MaxHistorySessions {
		slices.SortFunc(past, func(a, b *telemetry.Session) int {
			return cmp.Or(cmp.Compare(b.FirstRecvMs, a.FirstRecvMs), cmp.Compare(a.SessionID, b.SessionID))
		})
		past = past[:MaxHistorySessions]
	}
	var q Quantities
	q[WatchUnits] = 1
	starts := make([]int64, 0, startsOnStack)
	played := [experiment.MaxCovariateDays]bool{}
	for _, s := range past {
		q.add(s, c.ExposedAt.UnixMilli())
		if s.Started {
			starts = append(starts, s.FirstRecvMs)
		}
		if isAttempt(s) {
			out.History = true
			day := (c.ExposedAt.UnixMilli() - s.FirstRecvMs) / DaySpan.Milliseconds()
			played[min(int(day), len(played)-1)] = true
		}
	}
	if !out.History {
		return out
	}
	q[Units] = 1
	q.addStarts(starts)
	for _, yes := range played {
		if yes {
			q[Returned]++
		}
	}
	if q[WatchUnits] == 0 {
		q[WatchMsUncapped] = 0
	}
	q[WatchMs] = min(q[WatchMsUncapped], float64(days)*WatchCapMs)
	for _, one := range asked {
		out.Quantities[one] = q[one]
	}
	return out
}
