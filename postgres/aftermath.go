package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// aftermathQuery returns the statement that counts, by arm, the units of a page whose
// day closed between two places: all, those of which there are sessions, of these those
// with a record that came late, and those with contradictory records. What late means
// is metrics.LateAt; the conformance suite compares the two. Sessions are joined as in
// closedQuery, those that are linked to their unit included; with events, those by the
// names $10 of the unit as in eventsInWindows.
func aftermathQuery(unit experiment.UnitType, events bool) string {
	column := unitColumns[unit]
	const facts = `select s.conflicts > 0 or s.folded and exists (
				       select from cmcd_conflicts k where k.session_id = s.session_id) as conflicted,
				       s.last_mark_recv_ms > x.closes_ms and
				       case when s.clock_offset_ms is not null and s.last_mark_client_ts_ms <> 0
				            then s.last_mark_client_ts_ms + s.clock_offset_ms
				            else s.first_mark_recv_ms + s.last_mark_mono_ms - s.first_mark_mono_ms end <= x.closes_ms as late`
	const within = ` and s.first_recv_ms >= x.exposed_ms and s.first_recv_ms < x.exposed_ms + $8`
	happened := ``
	if events {
		happened = `
				union all
				select false, e.recv_ms > x.closes_ms
				from generate_series(
					date_trunc('day', to_timestamp(x.exposed_ms / 1000.0) at time zone 'utc'),
					date_trunc('day', to_timestamp((x.exposed_ms + $8 - 1) / 1000.0) at time zone 'utc'), interval '1 day') as d (day)
				join unit_events e on e.day = d.day::date and e.unit_id = x.unit_id and e.unit_type = $9 and e.name = any ($10)
					and e.at_ms >= x.exposed_ms and e.at_ms < x.exposed_ms + $8`
	}
	return `
		select arm, count(*), count(*) filter (where late is not null), count(*) filter (where late), count(*) filter (where conflicted)
		from (
			select x.arm, x.unit_id, bool_or(s.late) as late, bool_or(s.conflicted) as conflicted
			from (
				select unit_id, arm, (date_part('epoch', at) * 1000)::bigint as exposed_ms,
				       floor(date_part('epoch', first_closes_at) * 1000 + $7)::bigint as closes_ms
				from exposures
				where experiment_id = $1 and version = $2
				  and (first_closes_at, unit_id) > ($3, $4) and (first_closes_at, unit_id) <= ($5, $6)
				  and not override and crossed_at is null and imported = ''
				offset 0) x
			left join lateral (
				` + facts + `
				from sessions s where s.` + column + ` = x.unit_id and s.` + column + ` <> ''` + within + `
				union all
				` + facts + `
				from session_links l join sessions s on s.session_id = l.session_id
				where exists (select from session_links)
				  and l.unit_id = x.unit_id and l.unit_type = $9 and s.` + column + ` <> x.unit_id` + within + happened + `) s on true
			group by x.arm, x.unit_id) u
		group by arm`
}

// Aftermath implements metrics.LookTx. It reads on a connection of its own and by the
// page, as Closed does: after a day without a job there are as many units as there
// were in the day.
func (l *lookTx) Aftermath(ctx context.Context, after, upTo time.Time, events []string) ([]metrics.Aftermath, error) {
	out := make([]metrics.Aftermath, len(l.exp.Arms))
	switch l.exp.Unit {
	case experiment.UnitViewer, experiment.UnitDevice, experiment.UnitSession:
	default:
		return out, nil
	}
	err := l.db.inConnTx(ctx, func(tx *connTx) error {
		if _, err := tx.ExecContext(ctx, planClosed); err != nil {
			return err
		}
		from, last := justAfter(firstClosing(metrics.WindowDay, after)), firstClosing(metrics.WindowDay, upTo)
		for done := false; !done; {
			var to closedPlace
			err := tx.QueryRowContext(ctx, cutPage, l.exp.ID, l.exp.Version, from.at, from.unit, last, closedPageSize-1).Scan(&to.at, &to.unit)
			if errors.Is(err, sql.ErrNoRows) {
				done, to = true, justAfter(last)
			} else if err != nil {
				return err
			}
			if err := l.addAftermath(ctx, tx, from, to, events, out); err != nil {
				return err
			}
			from = to
			if _, err := l.tx.ExecContext(ctx, lookGoesOn); err != nil {
				return err
			}
		}
		return nil
	})
	return out, wrap("count late records", err)
}

// lookGoesOn keeps PostgreSQL from ending the look's own transaction, which waits
// while others read, after idleTxTimeout: a million units take longer.
const lookGoesOn = `select 'the look goes on'`

// addAftermath adds the counts of a page to those of the arms.
func (l *lookTx) addAftermath(ctx context.Context, tx *connTx, from, to closedPlace, events []string, arms []metrics.Aftermath) error {
	day := metrics.WindowDay
	args := []any{
		l.exp.ID, l.exp.Version, from.at, from.unit, to.at, to.unit,
		day.AfterFirst().Milliseconds(), day.Span().Milliseconds(), string(l.exp.Unit),
	}
	if len(events) > 0 {
		args = append(args, pq.Array(events))
	}
	rows, err := tx.QueryContext(ctx, aftermathQuery(l.exp.Unit, len(events) > 0), args...)
	return scanRows(rows, err, func(rows *sql.Rows) error {
		var arm int
		var a metrics.Aftermath
		if err := rows.Scan(&arm, &a.Awaited, &a.Settled, &a.Late, &a.Conflicted); err != nil {
			return err
		}
		if arm >= len(arms) {
			return fmt.Errorf("units in arm %d of %d", arm, len(arms))
		}
		arms[arm] = arms[arm].Plus(a)
		return nil
	})
}
