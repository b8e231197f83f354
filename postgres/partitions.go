package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// maxPartitionDays bounds one call of EnsurePartitions: more than a quarter
// ahead is a mistake in a date.
const maxPartitionDays = 100

// Tables that are partitioned by day.
const (
	tableOutcomes    = "outcomes"
	tableCMCDRecords = "cmcd_records"
	tableUnitEvents  = "unit_events"
)

// EnsurePartitions makes the partitions of the days from..to, in UTC and both
// included, of every table that is partitioned by day. Writers make the
// partition of a day that they meet first; a day made ahead costs none of them
// anything.
//
// It returns experiment.CodeInvalid for a range that is empty or longer than
// 100 days.
func (db *DB) EnsurePartitions(ctx context.Context, from, to time.Time) error {
	first, last := dayOf(from), dayOf(to)
	var days []time.Time
	for day := first; !day.After(last) && len(days) <= maxPartitionDays; day = day.AddDate(0, 0, 1) {
		days = append(days, day)
	}
	if len(days) == 0 || len(days) > maxPartitionDays {
		return experiment.Invalidf("to", "must be 0 to %d days after from", maxPartitionDays-1)
	}
	for _, table := range []string{tableOutcomes, tableCMCDRecords, tableUnitEvents} {
		if err := db.ensureDays(ctx, table, days); err != nil {
			return err
		}
	}
	return nil
}

// dayOf returns the day of a moment, in UTC as all days of the database.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// partitionOf names the partition of a day.
func partitionOf(table string, day time.Time) string { return table + "_" + day.Format("20060102") }

// ensureDays makes the partitions of a table that are missing, in a transaction
// of its own: the caller's may last long, and the locks must not.
func (db *DB) ensureDays(ctx context.Context, table string, days []time.Time) error {
	return wrap("make partitions of "+table, db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		missing, err := missingDays(ctx, tx, table, days)
		if err != nil || len(missing) == 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, `select pg_advisory_xact_lock($1)`, lockPartitions); err != nil {
			return err
		}
		if missing, err = missingDays(ctx, tx, table, missing); err != nil {
			return err
		}
		for _, day := range missing {
			if err := makePartition(ctx, tx, table, day); err != nil {
				return err
			}
		}
		return nil
	}))
}

// missingDays returns those of days that have no partition. It reads pg_class
// itself: to_regclass answers from a cache that may still say of a table which
// another process made a moment ago that there is none.
func missingDays(ctx context.Context, tx *sqlx.Tx, table string, days []time.Time) ([]time.Time, error) {
	var missing []time.Time
	for _, day := range days {
		var there bool
		err := tx.GetContext(ctx, &there, `
			select exists (
				select from pg_class where relname = $1 and relnamespace = (
					select relnamespace from pg_class where oid = $2::regclass))`, partitionOf(table, day), table)
		if err != nil {
			return nil, fmt.Errorf("look for a partition: %w", err)
		}
		if !there {
			missing = append(missing, day)
		}
	}
	return missing, nil
}

// makePartition makes a table and attaches it, which, other than "create table
// partition of", lets others write to the parent meanwhile. Triggers for each
// statement are not inherited, so that the partition gets its own.
func makePartition(ctx context.Context, tx *sqlx.Tx, table string, day time.Time) error {
	name := partitionOf(table, day)
	for _, statement := range []string{
		`create table ` + name + ` (like ` + table + ` including all)`,
		`alter table ` + table + ` attach partition ` + name + fmt.Sprintf(` for values from ('%s') to ('%s')`,
			day.Format(time.DateOnly), day.AddDate(0, 0, 1).Format(time.DateOnly)),
		`create trigger append_only before update or delete or truncate on ` + name + ` execute function refuse_change()`,
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("make partition %s: %w", name, err)
		}
	}
	return nil
}
