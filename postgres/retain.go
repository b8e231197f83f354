package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// Limits of retention.
const (
	// MinRetainDays is the least age at which facts may go: past it no window that
	// closes in time is open (29 days and an hour), and no experiment that ended is
	// looked at (another week).
	MinRetainDays = 45
	// MaxRetainDays is a century: more is a mistake.
	MaxRetainDays = 36_500
	// dropWait bounds how long a drop waits for the lock of its table: writers queue
	// behind it. What cannot be dropped now can be at the next run.
	dropWait = 2 * time.Second
)

// longestWindow is how long after an exposure its last window closes.
const longestWindow = (metrics.MaxReturnDay+1)*metrics.DaySpan + metrics.DayGrace

// ActionRetain is the audit log's name of a run that dropped something.
const ActionRetain = "facts.drop"

// retainSubject is what the audit log says was dropped from.
const retainSubject = "retention"

// DroppedPartition is a day of facts that went, or would go.
type DroppedPartition struct {
	Table string    `json:"table"`
	Day   time.Time `json:"day"`
}

// RetainOptions say what Retain does.
type RetainOptions struct {
	Days   int    // age at which facts go
	DryRun bool   // only say what would go
	Actor  string // for the audit log
}

// Retain drops the partitions of facts that are older than so many days: CMCD
// records, business events, and outcomes. It keeps, whatever their age, what an
// experiment still needs that is looked at: records and events from before the
// oldest exposure whose windows are open, CMCD records that no fold has seen, and
// the outcomes of any experiment that did not end so many days ago, from which its
// looks can be made again. Sessions, exposures, looks and cells are not touched.
//
// Days is at least MinRetainDays and at most MaxRetainDays; otherwise it returns
// experiment.CodeInvalid. A table that is in use beyond dropWait keeps its partition
// until the next run.
func (db *DB) Retain(ctx context.Context, now time.Time, opts RetainOptions) ([]DroppedPartition, error) {
	if opts.Days < MinRetainDays || opts.Days > MaxRetainDays {
		return nil, experiment.Invalidf("days", "must be %d to %d", MinRetainDays, MaxRetainDays)
	}
	before := dayOf(now.AddDate(0, 0, -opts.Days))
	facts, err := db.openSince(ctx, now)
	if err != nil {
		return nil, wrap("find what experiments need", err)
	}
	gone := []DroppedPartition{}
	for _, table := range []string{tableCMCDRecords, tableUnitEvents, tableOutcomes} {
		until := before
		if table != tableOutcomes && facts.Before(until) {
			until = dayOf(facts)
		}
		days, err := db.partitionDays(ctx, table, until)
		if err != nil {
			return gone, wrap("list partitions", err)
		}
		for _, day := range days {
			needed, err := db.neededDay(ctx, table, day, before)
			if err != nil {
				return gone, wrap("find what experiments need", err)
			}
			if needed {
				continue
			}
			dropped, err := db.dropPartition(ctx, table, day, opts.DryRun)
			if err != nil {
				return gone, wrap("drop "+partitionOf(table, day), err)
			}
			if dropped {
				gone = append(gone, DroppedPartition{table, day})
			}
		}
	}
	if opts.DryRun || len(gone) == 0 {
		return gone, nil
	}
	db.days.forget()
	detail, err := json.Marshal(struct {
		Days       int                `json:"days"`
		Partitions []DroppedPartition `json:"partitions"`
	}{opts.Days, gone})
	if err != nil {
		return gone, err
	}
	return gone, db.RecordAudit(ctx, AuditEntry{At: now, Actor: opts.Actor, Action: ActionRetain, Subject: retainSubject, Detail: detail})
}

// openSince returns the moment from which facts are needed by windows that are not
// closed: of the oldest exposure whose last window is open, with its covariates; now
// when none is.
func (db *DB) openSince(ctx context.Context, now time.Time) (time.Time, error) {
	const query = `
		select least(min(x.at) - $2::interval, $1)
		from experiments e
		left join lateral (
			select watermark from looks l where l.experiment_id = e.id and l.version = e.version
			order by number desc limit 1) l on true
		cross join lateral (
			select at from exposures x
			where x.experiment_id = e.id and x.version = e.version
			  and x.first_closes_at > coalesce(l.watermark, '-infinity') - $3::interval
			order by first_closes_at limit 1) x
		where e.status in ('running', 'paused') or e.stopped_at > $1::timestamptz - $4::interval`
	var since *time.Time
	err := db.sql.GetContext(ctx, &since, query, stamp(now), interval(experiment.MaxCovariateDays*metrics.DaySpan),
		interval(longestWindow), interval(metrics.DrainTime))
	if err != nil || since == nil {
		return now, err
	}
	return since.UTC(), nil
}

// partitionDays returns the days before a moment of which a table has a partition,
// in order.
func (db *DB) partitionDays(ctx context.Context, table string, before time.Time) ([]time.Time, error) {
	var names []string
	err := db.sql.SelectContext(ctx, &names, `
		select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
		where i.inhparent = $1::regclass order by c.relname`, table)
	if err != nil {
		return nil, err
	}
	var days []time.Time
	for _, name := range names {
		day, err := time.Parse("20060102", strings.TrimPrefix(name, table+"_"))
		if err == nil && day.Before(before) && name == partitionOf(table, day) {
			days = append(days, day)
		}
	}
	slices.SortFunc(days, time.Time.Compare)
	return days, nil
}

// neededDay reports whether a partition holds what somebody still needs.
func (db *DB) neededDay(ctx context.Context, table string, day, before time.Time) (needed bool, err error) {
	switch table {
	case tableCMCDRecords:
		err = db.sql.GetContext(ctx, &needed, `
			select exists (select from cmcd_sessions where dirty and first_recv_ms < $1)`, day.AddDate(0, 0, 1).UnixMilli())
	case tableOutcomes:
		err = db.sql.GetContext(ctx, &needed, `
			select exists (
				select from experiments e
				where (e.status in ('draft', 'running', 'paused') or e.stopped_at >= $1)
				  and exists (select from `+partitionOf(table, day)+` o where o.experiment_id = e.id))`, stamp(before))
	}
	return needed, err
}

// dropPartition drops a day; ok is false when its table is in use.
func (db *DB) dropPartition(ctx context.Context, table string, day time.Time, dryRun bool) (ok bool, err error) {
	if dryRun {
		return true, nil
	}
	err = db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `select pg_advisory_xact_lock($1)`, lockPartitions); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(`set local lock_timeout = %d`, dropWait.Milliseconds())); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `drop table if exists `+partitionOf(table, day))
		if pq.As(err, pqerror.LockNotAvailable) != nil {
			return errInUse
		}
		return err
	})
	if errors.Is(err, errInUse) {
		return false, nil // the next run finds it again
	}
	return err == nil, err
}

// errInUse ends a transaction that would have waited for readers.
var errInUse = errors.New("the partition is in use")

// CheckRestatable returns experiment.CodeConflict for a day of whose windows facts
// were dropped: its outcomes made again would miss them.
func (db *DB) CheckRestatable(ctx context.Context, day time.Time) error {
	const query = `
		select max(p->>'day') from audit_log a, json_array_elements(a.detail::json->'partitions') p
		where a.action = $1 and p->>'table' <> $2`
	var last *time.Time
	if err := db.sql.GetContext(ctx, &last, `select (`+query+`)::timestamptz`, ActionRetain, tableOutcomes); err != nil {
		return wrap("find dropped facts", err)
	}
	if last == nil {
		return nil
	}
	first := dayOf(day.Add(-longestWindow)) // of the exposures
	if first.After(*last) {
		return nil
	}
	return experiment.Errorf(experiment.CodeConflict, "day", "facts of %s were dropped for their age; what was made of them stays as it is",
		last.UTC().Format(time.DateOnly))
}

// LastRetained is what Retain dropped last.
type LastRetained struct {
	At   time.Time
	Days int // age from which facts went
}

// LastRetained returns the last run of Retain that dropped something; nil: none did.
func (db *DB) LastRetained(ctx context.Context) (*LastRetained, error) {
	var out LastRetained
	err := db.sql.QueryRowxContext(ctx, `
		select at, (detail->>'days')::int from audit_log where subject = $1 and action = $2 order by id desc limit 1`, retainSubject, ActionRetain).Scan(&out.At, &out.Days)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // nothing was dropped yet, which is no fault
	}
	return &out, wrap("read what was dropped", err)
}
