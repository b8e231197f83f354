package postgres

import (
	"strconv"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// unitColumns are the columns of sessions that name a unit. A block has none:
// its sessions are joined by links alone.
var unitColumns = map[experiment.UnitType]string{
	experiment.UnitViewer:      "viewer_id",
	experiment.UnitDevice:      "device_id",
	experiment.UnitBroadcaster: "broadcaster_id",
	experiment.UnitSession:     "session_id",
	experiment.UnitBlock:       "",
}

// closedQuery returns the statement that reads a page: the exposures after one
// place in closing order up to another, with their sessions, one row a session,
// or one without any. They are joined in the order of units: neighbours in the
// indexes of the sessions are met one after the other, which saves a sixth of
// the time.
//
// A unit counts as crossed when that was known as its window closed, so that
// outcomes do not depend on when a job gets to them. Moments are whole numbers
// because the driver reads those ten times as fast; a float64 holds either
// exactly until the year 2255. The places are those of the shortest window, and
// $9 is how many microseconds later the window closes. Of a return window one
// attempt to play is read, because more would say no more.
//
// With history, sessions of the past come, too: of those named by the unit itself
// and of those linked to it, each, the newest. $11 is how many milliseconds before
// the exposure they began at most; metrics.InHistory decides in the end.
//
// Of the exposures those are read that came by the kind of import.
func closedQuery(unit experiment.UnitType, w metrics.Window, history bool, imported ImportKind) string {
	own, notOwn := `false`, `true`
	if column := unitColumns[unit]; column != "" {
		own = `s.` + column + ` = x.unit_id and s.` + column + ` <> ''`
		notOwn = `s.` + column + ` <> x.unit_id`
	}
	within := ` and s.first_recv_ms >= x.exposed_ms + $10 and s.first_recv_ms < x.exposed_ms + $7`
	if w.IsReturn() {
		within += ` and (s.play_requested or s.started) limit 1`
	}
	past := ``
	if history {
		past = historyQuery(own, notOwn)
	}
	return `
		select x.unit_id, x.arm, x.exposed_ms, x.closes_us,
		       x.crossed, x.override, x.attributes, coalesce(s.session, '')
		from (
			select unit_id, arm, exposed_ms, closes_us, crossed, override, attributes
			from (
				select unit_id, arm, (date_part('epoch', at) * 1000)::bigint as exposed_ms,
				       (date_part('epoch', first_closes_at) * 1000000)::bigint + $9 as closes_us,
				       coalesce(crossed_at <= first_closes_at + $9 * interval '1 microsecond', false) as crossed,
				       override, attributes
				from exposures
				where experiment_id = $1 and version = $2
				  and (first_closes_at, unit_id) > ($3, $4) and (first_closes_at, unit_id) <= ($5, $6)
				  and imported = '` + string(imported) + `'
				offset 0) page -- not merged with the outer query, which would lose the index
			order by unit_id) x
		left join lateral (
			(select ` + selectClosedSession + ` as session from sessions s
			where ` + own + within + `)
			union all
			(select ` + selectClosedSession + ` as session
			from session_links l join sessions s on s.session_id = l.session_id
			where exists (select from session_links) -- spares a search for each unit where nothing is linked
			  and l.unit_id = x.unit_id and l.unit_type = $8 and ` + notOwn + within + `)` + past + `) s on true
		order by x.unit_id`
}

// historyQuery returns the parts of closedQuery that read the past. A link that was
// made after the exposure may be the arm's doing.
func historyQuery(own, notOwn string) string {
	within := ` and s.first_recv_ms >= x.exposed_ms - $11 and s.first_recv_ms < x.exposed_ms
		and s.last_mark_recv_ms < x.exposed_ms
		order by s.first_recv_ms desc, s.session_id limit ` + strconv.Itoa(metrics.MaxHistorySessions)
	return `
			union all
			(select ` + selectClosedSession + ` as session from sessions s
			where ` + own + within + `)
			union all
			(select ` + selectClosedSession + ` as session
			from session_links l join sessions s on s.session_id = l.session_id
			where exists (select from session_links)
			  and l.unit_id = x.unit_id and l.unit_type = $8 and ` + notOwn + `
			  and l.linked_at < to_timestamp(x.exposed_ms / 1000.0)` + within + `)`
}

// cutPage finds the last exposure of a page.
const cutPage = `
	select first_closes_at, unit_id from exposures
	where experiment_id = $1 and version = $2 and (first_closes_at, unit_id) > ($3, $4) and first_closes_at <= $5
	order by first_closes_at, unit_id
	offset $6 limit 1`

// planClosed keeps the planner to the one shape whose cost is that of the page,
// however large the tables are. Statistics cannot be relied on: the tables grow
// from nothing within minutes of a launch.
const planClosed = `
	select set_config(name, 'off', true)
	from unnest(array['enable_hashjoin', 'enable_mergejoin', 'enable_bitmapscan', 'enable_seqscan', 'jit']) as name
	union all
	select set_config('plan_cache_mode', 'force_custom_plan', true)
	union all
	select set_config('work_mem', '` + pageSortMemory + `', true)
	where pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('` + pageSortMemory + `')`

// pageSortMemory holds a page of exposures while it is sorted. With PostgreSQL's own
// 4 MB it went through a file.
const pageSortMemory = "32MB"
