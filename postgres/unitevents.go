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
	err := db.insertUnitEvents(ctx, events)
	if lacksPartition(err) { // dropped by retention since this process met the day
		db.days.forget()
		err = db.insertUnitEvents(ctx, events)
	}
	return wrap("insert events", err)
}

func (db *DB) insertUnitEvents(ctx context.Context, events []ReceivedEvent) error {
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
		_, err := tx.ExecContext(ctx, `
			insert into unit_events (day, unit_type, unit_id, name, event_id, at_ms, recv_ms, value)
			select day, unit_type, unit_id, name, event_id, at_ms, recv_ms, value from unit_event_batch
			order by day, unit_id, unit_type, name, event_id, recv_ms, at_ms, value
			on conflict do nothing`) // in one order, so that writers cannot deadlock
		return wrap("insert", err)
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

// UnitWindow is the time of one unit that is asked about.
type UnitWindow struct {
	Unit         string
	FromMs, ToMs int64 // [from, to)
	// KnownMs leaves out what was received later, so that the answer does not
	// depend on when it is asked for: the moment the window closed.
	KnownMs int64
}

// UnitSum is what became of one name in a window.
type UnitSum struct {
	Unit string  `db:"unit_id"`
	Name string  `db:"name"`
	N    int64   `db:"n"`   // events; of measures, sessions that report it
	Sum  float64 `db:"sum"` // of the values given
}

// MaxUnitWindows bounds one question: a page of the job.
const MaxUnitWindows = 20_000

// EventSums returns, for each window, the events of its unit that happened in it
// by name. Units without events have no row.
func (db *DB) EventSums(ctx context.Context, unit experiment.UnitType, windows []UnitWindow) ([]UnitSum, error) {
	return db.unitSums(ctx, windows, `
		select w.unit_id, e.name, count(*) as n, coalesce(sum(e.value), 0) as sum
		from windows w join unit_events e on e.unit_id = w.unit_id and e.unit_type = $5
			and e.at_ms >= w.from_ms and e.at_ms < w.to_ms and e.recv_ms <= w.known_ms
			and e.day between (to_timestamp(w.from_ms / 1000.0) at time zone 'utc')::date
			and (to_timestamp((w.to_ms - 1) / 1000.0) at time zone 'utc')::date
		group by w.unit_id, e.name order by w.unit_id, e.name`, string(unit))
}

// MeasureSums returns, for each window, the custom measures of the sessions of
// its unit that began in it, by name. Sessions are joined to units as the job
// joins them: by the id that heartbeats carry, or else by the link that an
// exposure made. KnownMs is not used: measures are those of the newest record.
func (db *DB) MeasureSums(ctx context.Context, unit experiment.UnitType, windows []UnitWindow) ([]UnitSum, error) {
	own, notOwn := `false`, `true`
	if column := unitColumns[unit]; column != "" {
		own = `s.` + column + ` = w.unit_id and s.` + column + ` <> ''`
		notOwn = `s.` + column + ` <> w.unit_id`
	}
	const within = ` and s.first_recv_ms >= w.from_ms and s.first_recv_ms < w.to_ms and s.measures <> ''`
	return db.unitSums(ctx, windows, `
		select w.unit_id, m.key as name, count(*) as n, sum(m.value::float8) as sum
		from windows w
		cross join lateral (
			select s.measures from sessions s where `+own+within+`
			union all
			select s.measures from session_links l join sessions s on s.session_id = l.session_id
			where l.unit_id = w.unit_id and l.unit_type = $5 and `+notOwn+within+`) s
		cross join lateral jsonb_each_text(s.measures::jsonb) m
		group by w.unit_id, m.key order by w.unit_id, m.key`, string(unit))
}

// unitSums runs a query over windows, of which a unit has one.
func (db *DB) unitSums(ctx context.Context, windows []UnitWindow, query string, args ...any) ([]UnitSum, error) {
	if len(windows) > MaxUnitWindows {
		return nil, experiment.Errorf(experiment.CodeTooLarge, "", "at most %d windows at once", MaxUnitWindows)
	}
	units := make([]string, len(windows))
	from, to, known := make([]int64, len(windows)), make([]int64, len(windows)), make([]int64, len(windows))
	for i, w := range windows {
		units[i], from[i], to[i], known[i] = w.Unit, w.FromMs, w.ToMs, w.KnownMs
	}
	sums := []UnitSum{}
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		var s UnitSum
		err := rows.Scan(&s.Unit, &s.Name, &s.N, &s.Sum)
		sums = append(sums, s)
		return err
	}, `with windows as materialized (
		select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) as u (unit_id, from_ms, to_ms, known_ms))`+query,
		append([]any{pq.Array(units), pq.Array(from), pq.Array(to), pq.Array(known)}, args...)...)
	return sums, wrap("sum over units", err)
}
