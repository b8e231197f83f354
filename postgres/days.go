package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// maxKnownDays bounds what is remembered of partitions. A stream of records
// meets two days of one table at a time; a backfill may meet a quarter of each.
const maxKnownDays = 256

// knownDays remembers which days have a partition, so that a steady stream asks
// once a day. The zero value knows none.
type knownDays struct {
	mu   sync.Mutex
	days map[knownDay]struct{}
}

type knownDay struct {
	table string
	day   int64 // Unix seconds
}

// unknown returns those of days that are not known to have a partition.
func (k *knownDays) unknown(table string, days []time.Time) []time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []time.Time
	for _, day := range days {
		if _, ok := k.days[knownDay{table, day.Unix()}]; !ok {
			out = append(out, day)
		}
	}
	return out
}

// add remembers days. Beyond maxKnownDays it begins anew, at the cost of asking
// once more.
func (k *knownDays) add(table string, days []time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, day := range days {
		if k.days == nil || len(k.days) >= maxKnownDays {
			k.days = map[knownDay]struct{}{}
		}
		k.days[knownDay{table, day.Unix()}] = struct{}{}
	}
}

// forget forgets all days: somebody dropped a partition.
func (k *knownDays) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.days = nil
}

// haveDays makes the partitions of days that are not known to be there.
func (db *DB) haveDays(ctx context.Context, table string, days []time.Time) error {
	unknown := db.days.unknown(table, days)
	if len(unknown) == 0 {
		return nil
	}
	if err := db.ensureDays(ctx, table, unknown); err != nil {
		return err
	}
	db.days.add(table, unknown)
	return nil
}

// lacksPartition reports whether a row was refused because its day has no
// partition: the one violated check that has no name.
func lacksPartition(err error) bool {
	var fromServer *pq.Error
	return errors.As(err, &fromServer) && fromServer.Code == pqerror.CheckViolation && fromServer.Constraint == ""
}
