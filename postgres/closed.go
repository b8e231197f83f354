package postgres

import (
	"context"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// closedPageSize is how many exposures are read at once: enough that a round
// trip does not count, few enough to hold.
const closedPageSize = 10_000

// unitColumns are the columns of sessions that name a unit. A block has none:
// its sessions are joined by links alone.
var unitColumns = map[experiment.UnitType]string{
	experiment.UnitViewer:      "viewer_id",
	experiment.UnitDevice:      "device_id",
	experiment.UnitBroadcaster: "broadcaster_id",
	experiment.UnitSession:     "session_id",
}

// closesColumns are the columns of exposures in which windows close.
var closesColumns = map[metrics.Window]string{
	metrics.WindowFirst: "first_closes_at",
	metrics.WindowDay:   "day_closes_at",
}

// closedQuery returns the statement that reads a page: exposures with their
// sessions, one row a session, or one without any. The page is cut before the
// join, and the join keeps its order.
//
// A unit counts as crossed when that was known as its window closed, so that
// outcomes do not depend on when a job gets to them. Moments are whole numbers
// because the driver reads those ten times as fast; a float64 holds either
// exactly until the year 2255.
func closedQuery(unit experiment.UnitType, w metrics.Window) string {
	closes := closesColumns[w]
	own, notOwn := `false`, `true`
	if column, ok := unitColumns[unit]; ok {
		own = `s.` + column + ` = x.unit_id and s.` + column + ` <> ''`
		notOwn = `s.` + column + ` <> x.unit_id`
	}
	const within = ` and s.first_recv_ms >= x.exposed_ms and s.first_recv_ms < x.exposed_ms + $7`
	return `
		select x.unit_id, x.arm, x.exposed_ms, (date_part('epoch', x.closes_at) * 1000000)::bigint,
		       x.crossed, x.override, x.attributes, coalesce(s.session, '')
		from (
			select unit_id, arm, (date_part('epoch', at) * 1000)::bigint as exposed_ms, ` + closes + ` as closes_at,
			       coalesce(crossed_at <= ` + closes + `, false) as crossed, override, attributes
			from exposures
			where experiment_id = $1 and version = $2
			  and (` + closes + `, unit_id) > ($3, $4) and ` + closes + ` <= $5
			order by ` + closes + `, unit_id
			limit $6) x
		left join lateral (
			select ` + selectClosedSession + ` as session from sessions s
			where ` + own + within + `
			union all
			select ` + selectClosedSession + ` as session
			from session_links l join sessions s on s.session_id = l.session_id
			where l.unit_id = x.unit_id and l.unit_type = $8 and ` + notOwn + within + `) s on true
		order by x.closes_at, x.unit_id`
}

// Closed implements metrics.LookTx. Of each session it reads what
// metrics.Observe needs; the other fields are zero.
func (l *lookTx) Closed(ctx context.Context, w metrics.Window, after, upTo time.Time, each func(*metrics.Closed) error) (err error) {
	stmt, err := l.tx.PreparexContext(ctx, closedQuery(l.exp.Unit, w))
	if err != nil {
		return wrap("read closed windows", err)
	}
	defer func() {
		if closeErr := stmt.Close(); err == nil {
			err = closeErr
		}
	}()
	// What closed at the time after is read, whatever its unit: the key to go on
	// from is the next moment with the least unit.
	from, fromUnit := stamp(after).Add(time.Microsecond), ""
	span := w.Span().Milliseconds()
	var page closedPage
	for {
		page.reset()
		rows, err := stmt.QueryContext(ctx, l.exp.ID, l.exp.Version, from, fromUnit, stamp(upTo),
			closedPageSize, span, string(l.exp.Unit))
		if err := scanRows(rows, err, page.scan); err != nil {
			return wrap("read closed windows", err)
		}
		if err := page.each(each); err != nil {
			return err
		}
		n := len(page.rows)
		if n < closedPageSize {
			return nil
		}
		from, fromUnit = page.rows[n-1].closesAt(), page.rows[n-1].unit
	}
}
