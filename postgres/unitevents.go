package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// MaxUnitEventBatch bounds one call of InsertUnitEvents: a transaction of a second.
const MaxUnitEventBatch = 50_000

// ReceivedEvent is an event of a unit and when the server had it.
type ReceivedEvent struct {
	RecvMs int64
	telemetry.UnitEvent
}

// InsertUnitEvents stores events, each once however often it is sent: of those
// with the same unit, name, id and day, the one stored first stays. When it
// returns nil they are durable.
//
// It returns experiment.CodeTooLarge for more than MaxUnitEventBatch events.
func (db *DB) InsertUnitEvents(ctx context.Context, events []ReceivedEvent) error {
	if len(events) > MaxUnitEventBatch {
		return experiment.Errorf(experiment.CodeTooLarge, "", "at most %d events at once", MaxUnitEventBatch)
	}
	if len(events) == 0 {
		return nil
	}
	return db.insertUnitEventsAnd(ctx, events, func(*connTx, int) error { return nil })
}

// ImportUnitEvents is InsertUnitEvents for events of the past; it returns how many were
// not there. That they were imported for an experiment is in the audit log as the
// actor's doing, or they were not.
func (db *DB) ImportUnitEvents(ctx context.Context, at time.Time, actor, key string, events []ReceivedEvent) (fresh int, err error) {
	if len(events) > MaxUnitEventBatch {
		return 0, experiment.Errorf(experiment.CodeTooLarge, "", "at most %d events at once", MaxUnitEventBatch)
	}
	act := importAct{actor, key, func(accepted int) map[string]any { return map[string]any{"with": "events", "accepted": accepted} }}
	err = db.insertUnitEventsAnd(ctx, events, func(tx *connTx, n int) error {
		fresh = n
		return act.audit(ctx, tx.Tx, at, n)
	})
	return fresh, err
}

// insertUnitEventsAnd inserts events, and does with the number of new ones what belongs
// into their transaction.
func (db *DB) insertUnitEventsAnd(ctx context.Context, events []ReceivedEvent, and func(tx *connTx, fresh int) error) error {
	err := db.insertUnitEvents(ctx, events, and)
	if lacksPartition(err) { // dropped by retention since this process met the day
		db.days.forget()
		err = db.insertUnitEvents(ctx, events, and)
	}
	return wrap("insert events", err)
}

func (db *DB) insertUnitEvents(ctx context.Context, events []ReceivedEvent, and func(tx *connTx, fresh int) error) error {
	var days []time.Time
	for i := range events {
		if day := dayOf(time.UnixMilli(events[i].AtMs)); !slices.ContainsFunc(days, day.Equal) {
			days = append(days, day)
		}
	}
	if err := db.haveDays(ctx, tableUnitEvents, days); err != nil {
		return err
	}
	return db.inConnTx(ctx, func(tx *connTx) error {
		if _, err := tx.ExecContext(ctx, `
			create temporary table if not exists unit_event_batch (like unit_events) on commit delete rows`); err != nil {
			return fmt.Errorf("make staging table: %w", err)
		}
		if err := tx.copyIn(ctx, `copy unit_event_batch (day, unit_type, unit_id, name, event_id, at_ms, recv_ms, value) from stdin`,
			len(events), func(buf []byte, i int) []byte { return appendUnitEvent(buf, &events[i]) }); err != nil {
			return err
		}
		did, err := tx.ExecContext(ctx, `
			insert into unit_events (day, unit_type, unit_id, name, event_id, at_ms, recv_ms, value)
			select day, unit_type, unit_id, name, event_id, at_ms, recv_ms, value from unit_event_batch
			order by day, unit_id, unit_type, name, event_id, recv_ms, at_ms, value
			on conflict do nothing`) // in one order, so that writers cannot deadlock
		if err != nil {
			return fmt.Errorf("insert: %w", err)
		}
		fresh, err := did.RowsAffected()
		if err != nil {
			return err
		}
		return and(tx, int(fresh))
	})
}

// appendUnitEvent writes an event as a row of COPY.
func appendUnitEvent(buf []byte, e *ReceivedEvent) []byte {
	buf = time.UnixMilli(e.AtMs).UTC().AppendFormat(buf, time.DateOnly)
	for _, text := range [...]string{string(e.UnitType), e.Unit, e.Name, e.ID} {
		buf = appendText(append(buf, '\t'), text)
	}
	buf = strconv.AppendInt(append(buf, '\t'), e.AtMs, 10)
	buf = strconv.AppendInt(append(buf, '\t'), e.RecvMs, 10)
	buf = append(buf, '\t')
	if e.Value == nil {
		return appendNull(buf)
	}
	return strconv.AppendFloat(buf, *e.Value, 'g', -1, 64)
}

// EventSums returns what the events by these names add up to, see
// metrics.LookTx: those that happened in the window of their unit and were
// received by the time it closed.
func (db *DB) EventSums(ctx context.Context, unit experiment.UnitType, names []string, windows []metrics.UnitWindow) ([]metrics.UnitSum, error) {
	sums := []metrics.UnitSum{}
	err := db.eachEventRow(ctx, func(rows *sql.Rows) error {
		var s metrics.UnitSum
		err := rows.Scan(&s.Unit, &s.Name, &s.N, &s.Sum)
		sums = append(sums, s)
		return err
	}, `select w.unit_id, e.name, count(*), coalesce(sum(e.value), 0)`+eventsInWindows+`
		group by w.unit_id, e.name order by w.unit_id, e.name`, unit, names, windows)
	return sums, wrap("sum events", err)
}

// FirstEvents returns when the first event by a name happened, see metrics.LookTx,
// of those that EventSums sums.
func (db *DB) FirstEvents(ctx context.Context, unit experiment.UnitType, name string, windows []metrics.UnitWindow) ([]metrics.UnitMoment, error) {
	moments := []metrics.UnitMoment{}
	err := db.eachEventRow(ctx, func(rows *sql.Rows) error {
		var m metrics.UnitMoment
		err := rows.Scan(&m.Unit, &m.AtMs)
		moments = append(moments, m)
		return err
	}, `select w.unit_id, min(e.at_ms)`+eventsInWindows+`
		group by w.unit_id order by w.unit_id`, unit, []string{name}, windows)
	return moments, wrap("find first events", err)
}

// eventsInWindows joins windows with the events in them. Days are looked up one by
// one, because the key of events begins with the day.
const eventsInWindows = `
		from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) as w (unit_id, from_ms, to_ms, known_ms)
		cross join lateral generate_series(
			date_trunc('day', to_timestamp(w.from_ms / 1000.0) at time zone 'utc'),
			date_trunc('day', to_timestamp((w.to_ms - 1) / 1000.0) at time zone 'utc'), interval '1 day') as d (day)
		join unit_events e on e.day = d.day::date and e.unit_id = w.unit_id and e.unit_type = $5 and e.name = any ($6)
			and e.at_ms >= w.from_ms and e.at_ms < w.to_ms and e.recv_ms <= w.known_ms`

// eachEventRow calls each for the rows of a query that reads eventsInWindows.
func (db *DB) eachEventRow(ctx context.Context, each func(*sql.Rows) error, query string, unit experiment.UnitType, names []string, windows []metrics.UnitWindow) error {
	if len(windows) > metrics.MaxUnitWindows {
		return experiment.Errorf(experiment.CodeTooLarge, "", "at most %d windows at once", metrics.MaxUnitWindows)
	}
	units := make([]string, len(windows))
	from, to, known := make([]int64, len(windows)), make([]int64, len(windows)), make([]int64, len(windows))
	for i, w := range windows {
		units[i], from[i], to[i], known[i] = w.Unit, w.FromMs, w.ToMs, w.KnownMs
	}
	return db.inConnTx(ctx, func(tx *connTx) error {
		if _, err := tx.ExecContext(ctx, planClosed); err != nil {
			return err
		}
		return eachRow(ctx, tx, each, query,
			pq.Array(units), pq.Array(from), pq.Array(to), pq.Array(known), string(unit), pq.Array(names))
	})
}

// EventSums implements metrics.LookTx. Like Closed it reads on a connection of
// its own.
func (l *lookTx) EventSums(ctx context.Context, names []string, windows []metrics.UnitWindow) ([]metrics.UnitSum, error) {
	return l.db.EventSums(ctx, l.exp.Unit, names, windows)
}

// FirstEvents implements metrics.LookTx, as EventSums does.
func (l *lookTx) FirstEvents(ctx context.Context, name string, windows []metrics.UnitWindow) ([]metrics.UnitMoment, error) {
	return l.db.FirstEvents(ctx, l.exp.Unit, name, windows)
}
