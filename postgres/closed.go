package postgres

import (
	"context"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// closedPageSize is how many exposures are read at once: enough that a round
// trip does not count, few enough to hold.
const closedPageSize = 20_000

// unitColumns are the columns of sessions that name a unit. A block has none:
// its sessions are joined by links alone.
var unitColumns = map[experiment.UnitType]string{
	experiment.UnitViewer:      "viewer_id",
	experiment.UnitDevice:      "device_id",
	experiment.UnitBroadcaster: "broadcaster_id",
	experiment.UnitSession:     "session_id",
	experiment.UnitBlock:       "",
}

// closesColumns are the columns of exposures in which windows close.
var closesColumns = map[metrics.Window]string{
	metrics.WindowFirst: "first_closes_at",
	metrics.WindowDay:   "day_closes_at",
}

// closedQuery returns the statement that reads a page: exposures with their
// sessions, one row a session, or one without any. The page is cut in closing
// order and then joined in the order of units: neighbours in the indexes of the
// sessions are met one after the other, which saves a sixth of the time.
//
// A unit counts as crossed when that was known as its window closed, so that
// outcomes do not depend on when a job gets to them. Moments are whole numbers
// because the driver reads those ten times as fast; a float64 holds either
// exactly until the year 2255.
func closedQuery(unit experiment.UnitType, w metrics.Window) string {
	closes := closesColumns[w]
	own, notOwn := `false`, `true`
	if column := unitColumns[unit]; column != "" {
		own = `s.` + column + ` = x.unit_id and s.` + column + ` <> ''`
		notOwn = `s.` + column + ` <> x.unit_id`
	}
	const within = ` and s.first_recv_ms >= x.exposed_ms and s.first_recv_ms < x.exposed_ms + $7`
	return `
		select x.unit_id, x.arm, x.exposed_ms, (date_part('epoch', x.closes_at) * 1000000)::bigint,
		       x.crossed, x.override, x.attributes, coalesce(s.session, '')
		from (
			select unit_id, arm, exposed_ms, closes_at, crossed, override, attributes
			from (
				select unit_id, arm, (date_part('epoch', at) * 1000)::bigint as exposed_ms, ` + closes + ` as closes_at,
				       coalesce(crossed_at <= ` + closes + `, false) as crossed, override, attributes
				from exposures
				where experiment_id = $1 and version = $2
				  and (` + closes + `, unit_id) > ($3, $4) and ` + closes + ` <= $5
				order by ` + closes + `, unit_id
				limit $6) page
			order by unit_id) x
		left join lateral (
			select ` + selectClosedSession + ` as session from sessions s
			where ` + own + within + `
			union all
			select ` + selectClosedSession + ` as session
			from session_links l join sessions s on s.session_id = l.session_id
			where exists (select from session_links) -- spares a search for each unit where nothing is linked
			  and l.unit_id = x.unit_id and l.unit_type = $8 and ` + notOwn + within + `) s on true
		order by x.unit_id`
}

// Closed implements metrics.LookTx. Of each session it reads what
// metrics.Observe needs; the other fields are zero.
//
// Pages are read ahead on a connection of their own, while each works on the
// page before and writes outcomes on the look's. Nothing is lost by that: what
// has closed is committed and does not change, see Look.
func (l *lookTx) Closed(ctx context.Context, w metrics.Window, after, upTo time.Time, each func(*metrics.Closed) error) (err error) {
	r := closedReader{
		exp: l.exp, window: w, from: stamp(after), upTo: stamp(upTo),
		free: make(chan *closedPage, pagesAhead), full: make(chan *closedPage, pagesAhead),
	}
	for range pagesAhead {
		r.free <- &closedPage{}
	}
	ctx, cancel := context.WithCancel(ctx)
	read := make(chan error, 1)
	go func() {
		defer close(r.full)
		read <- l.db.inConnTx(ctx, func(tx *connTx) error { return r.run(ctx, tx) })
	}()
	defer func() {
		cancel()
		if readErr := <-read; err == nil {
			err = wrap("read closed windows", readErr)
		}
	}()
	for page := range r.full {
		if err := page.each(each); err != nil {
			return err
		}
		r.free <- page
	}
	return nil
}

// pagesAhead is how many pages are in memory: one to read and one to work on.
const pagesAhead = 2

// closedReader reads page after page.
type closedReader struct {
	exp        *experiment.Experiment
	window     metrics.Window
	from, upTo time.Time
	free, full chan *closedPage
}

// run fills free pages until one is the last.
func (r *closedReader) run(ctx context.Context, tx *connTx) error {
	if _, err := tx.ExecContext(ctx, planClosed); err != nil {
		return err
	}
	stmt, err := tx.PreparexContext(ctx, closedQuery(r.exp.Unit, r.window))
	if err != nil {
		return err
	}
	defer stmt.Close()
	// All that closed at from is read, whatever its unit: go on from the next
	// moment with the least unit.
	from, unit := r.from.Add(time.Microsecond), ""
	for n := closedPageSize; n == closedPageSize; {
		var page *closedPage
		select {
		case page = <-r.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		page.reset()
		rows, err := stmt.QueryContext(ctx, r.exp.ID, r.exp.Version, from, unit, r.upTo,
			closedPageSize, r.window.Span().Milliseconds(), string(r.exp.Unit))
		if err := scanRows(rows, err, page.scan); err != nil {
			return err
		}
		page.sort()
		if n = len(page.rows); n > 0 {
			from, unit = page.rows[n-1].closesAt(), page.rows[n-1].unit
		}
		r.full <- page // there is room for every page
	}
	return nil
}

// planClosed keeps the planner to the one shape whose cost is that of the page,
// however large the tables are. Statistics cannot be relied on: the tables grow
// from nothing within minutes of a launch.
const planClosed = `
	select set_config(name, 'off', true)
	from unnest(array['enable_hashjoin', 'enable_mergejoin', 'enable_bitmapscan', 'enable_seqscan', 'jit']) as name
	union all
	select set_config('plan_cache_mode', 'force_custom_plan', true)`
