package postgres

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/splitcast/splitcast/internal/pgtest"
)

// Processes that meet a new day at the same moment must all go on.
func TestDaysAreMadeOnce(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	const processes, perProcess, days = 3, 2, 15
	var dbs [processes]*DB
	for i := range dbs {
		dbs[i] = openAt(t, dsn)
	}
	for day := range days {
		at := testNow.AddDate(0, 0, day)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for _, db := range dbs {
			for range perProcess {
				wg.Go(func() {
					<-start
					if err := db.haveDays(t.Context(), tableCMCDRecords, []time.Time{dayOf(at)}); err != nil {
						t.Errorf("haveDays: %v", err)
					}
				})
			}
		}
		close(start)
		wg.Wait()
	}
	got := count(t, dbs[0], `select count(*) from pg_inherits where inhparent = 'cmcd_records'::regclass`)
	if got != days {
		t.Errorf("%d partitions, want %d", got, days)
	}
}

func TestKnownDays(t *testing.T) {
	t.Parallel()
	var known knownDays
	day := func(n int) time.Time { return dayOf(testNow).AddDate(0, 0, n) }
	all := []time.Time{day(0), day(1)}
	if got := known.unknown("t", all); len(got) != 2 {
		t.Errorf("unknown = %v, want both", got)
	}
	known.add("t", all[:1])
	if got := known.unknown("t", all); len(got) != 1 || !got[0].Equal(day(1)) {
		t.Errorf("unknown = %v, want the second", got)
	}
	if got := known.unknown("other", all); len(got) != 2 {
		t.Errorf("unknown of another table = %v, want both", got)
	}
	for n := range maxKnownDays + 1 {
		known.add("t", []time.Time{day(n)})
		if len(known.days) > maxKnownDays {
			t.Fatalf("%d days are kept, want at most %d", len(known.days), maxKnownDays)
		}
	}
	known.forget()
	if got := known.unknown("t", all); len(got) != 2 {
		t.Errorf("unknown after forget = %v, want both", got)
	}
}

// Once a day is known, records of it cost no look at the catalogue; and when
// its partition was dropped meanwhile, they make it anew.
func TestInsertRecordsRemembersDays(t *testing.T) {
	t.Parallel()
	db := open(t)
	insertRecords(t, db, record("s", 0, testNow.UnixMilli()))
	if got := db.days.unknown(tableCMCDRecords, []time.Time{dayOf(testNow)}); len(got) != 0 {
		t.Error("the day is not remembered")
	}
	mustExec(t, db, fmt.Sprintf("drop table %s", partitionOf(tableCMCDRecords, testNow)))
	insertRecords(t, db, record("s", 1, testNow.UnixMilli()))
	if got := count(t, db, `select count(*) from cmcd_records`); got != 1 {
		t.Errorf("%d records, want the one after the drop", got)
	}
}
