package postgres

import (
	"context"
	"database/sql"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// customReader reads the custom quantities of outcomes from what they were made
// of: outcomes hold those alone that their own experiment needed, and a preview
// must not have to wait for an experiment.
type customReader struct {
	db     *DB
	unit   experiment.UnitType
	window metrics.Window
	metrics.Customs
}

// fill adds the custom quantities to outcomes of different units.
func (r *customReader) fill(ctx context.Context, outcomes []metrics.Outcome) error {
	windows := make([]metrics.UnitWindow, len(outcomes))
	for i := range outcomes {
		windows[i] = metrics.UnitWindowOf(&outcomes[i], r.window)
	}
	marks := make([]metrics.Marks, len(outcomes))
	if r.Sessions() {
		if err := r.sessions(ctx, windows, outcomes, marks); err != nil {
			return err
		}
	}
	if len(r.Events()) > 0 {
		sums, err := r.db.EventSums(ctx, r.unit, r.Events(), windows)
		if err != nil {
			return err
		}
		r.AddEvents(outcomes, sums)
	}
	return r.AddFunnels(r.window, outcomes, marks, func(name string, windows []metrics.UnitWindow) ([]metrics.UnitMoment, error) {
		return r.db.FirstEvents(ctx, r.unit, name, windows)
	})
}

// sessions adds what sessions and broadcasts tell: custom counters, and the marks of
// funnels.
func (r *customReader) sessions(ctx context.Context, windows []metrics.UnitWindow, outcomes []metrics.Outcome, marks []metrics.Marks) error {
	closed := make(map[string]*metrics.Closed, len(outcomes))
	units, from, to := make([]string, len(windows)), make([]int64, len(windows)), make([]int64, len(windows))
	for i, w := range windows {
		units[i], from[i], to[i] = w.Unit, w.FromMs, w.ToMs
		closed[w.Unit] = &metrics.Closed{
			Unit: w.Unit, ExposedAt: outcomes[i].ExposedAt, ClosesAt: outcomes[i].ClosesAt, Broadcaster: r.unit == experiment.UnitBroadcaster,
		}
	}
	err := r.db.inConnTx(ctx, func(tx *connTx) error {
		if _, err := tx.ExecContext(ctx, planClosed); err != nil {
			return err
		}
		err := eachRow(ctx, tx, func(rows *sql.Rows) error {
			var unit, text string
			if err := rows.Scan(&unit, &text); err != nil {
				return err
			}
			var s telemetry.Session
			err := parseClosedSession(text, &s, new(int64))
			closed[unit].Sessions = append(closed[unit].Sessions, s)
			return err
		}, measuredSessions(r.unit), pq.Array(units), pq.Array(from), pq.Array(to), string(r.unit))
		if err != nil || r.unit != experiment.UnitBroadcaster {
			return err
		}
		exposed := make([]int64, len(outcomes))
		for i := range outcomes {
			exposed[i] = outcomes[i].ExposedAt.UnixMilli()
		}
		return eachBroadcast(ctx, tx, r.window, units, exposed, func(unit string, b telemetry.Broadcast) {
			closed[unit].Broadcasts = append(closed[unit].Broadcasts, b)
		})
	})
	if err != nil {
		return err
	}
	for i := range outcomes {
		c := closed[outcomes[i].Unit]
		r.Observe(c, r.window, &outcomes[i])
		marks[i] = r.Marks(c, r.window, &outcomes[i])
	}
	return nil
}

// measuredSessions returns the statement that reads what metrics.Customs needs of
// the sessions in windows, joined to units as closedQuery joins them.
func measuredSessions(unit experiment.UnitType) string {
	own, notOwn := `false`, `true`
	if column := unitColumns[unit]; column != "" {
		own = `s.` + column + ` = w.unit_id and s.` + column + ` <> ''`
		notOwn = `s.` + column + ` <> w.unit_id`
	}
	const columns = selectClosedSession + ` as session`
	const within = ` and s.first_recv_ms >= w.from_ms and s.first_recv_ms < w.to_ms`
	return `
		select w.unit_id, s.* from unnest($1::text[], $2::bigint[], $3::bigint[]) as w (unit_id, from_ms, to_ms)
		cross join lateral (
			select ` + columns + ` from sessions s where ` + own + within + `
			union all
			select ` + columns + ` from session_links l join sessions s on s.session_id = l.session_id
			where l.unit_id = w.unit_id and l.unit_type = $4 and ` + notOwn + within + `) s`
}
