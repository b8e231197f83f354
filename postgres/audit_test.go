package postgres

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

// recordMany appends n entries.
func recordMany(t testing.TB, db *DB, n int) {
	t.Helper()
	for i := range n {
		err := db.RecordAudit(t.Context(), AuditEntry{
			At: testNow.Add(time.Duration(i) * time.Second), Actor: "ana", Action: "login", Subject: fmt.Sprint(i),
			Detail: json.RawMessage(`{"b": 1,  "a": [2]}`),
		})
		if err != nil {
			t.Fatalf("RecordAudit: %v", err)
		}
	}
}

func TestAuditReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	db := open(t)
	recordMany(t, db, 5)
	all, err := db.Audit(t.Context(), 0, MaxAuditPage)
	if err != nil {
		t.Fatalf("Audit: %v", err)
	}
	var subjects []string
	for _, e := range all {
		subjects = append(subjects, e.Subject)
		if string(e.Detail) != `{"b": 1,  "a": [2]}` {
			t.Errorf("entry %d has detail %s, want it as written", e.ID, e.Detail)
		}
	}
	if diff := gocmp.Diff([]string{"4", "3", "2", "1", "0"}, subjects); diff != "" {
		t.Errorf("Audit differs, want newest first (-want +got):\n%s", diff)
	}
	page, err := db.Audit(t.Context(), 4, 2)
	if err != nil || len(page) != 2 || page[0].ID != 3 || page[1].ID != 2 {
		t.Errorf("Audit(before 4, 2) = %+v, %v, want entries 3 and 2", page, err)
	}
	_, err = db.Audit(t.Context(), 0, MaxAuditPage+1)
	wantCode(t, "Audit above the limit", err, experiment.CodeTooLarge)
}

func TestVerifyAuditFindsTampering(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tamper string
		want   int64
	}{
		"nothing":        {`select 1`, 0},
		"actor":          {`update audit_log set actor = 'bob' where id = 3`, 3},
		"time":           {`update audit_log set at = at + interval '1 microsecond' where id = 3`, 3},
		"detail":         {`update audit_log set detail = '{"b": 1, "a": [2]}' where id = 3`, 3},
		"fields shifted": {`update audit_log set action = 'logi', subject = 'n' || subject where id = 3`, 3},
		"removed":        {`delete from audit_log where id = 3`, 4},
		"first removed":  {`delete from audit_log where id = 1`, 2},
		"own hash":       {`update audit_log set hash = repeat('0', 64) where id = 3`, 3},
		"hash of the one before, both resealed by nobody": {`update audit_log set hash = (select hash from audit_log where id = 2) where id = 3`, 3},
		"swapped": {`with o as (select * from audit_log) update audit_log a set subject = o.subject, at = o.at
			from o where (a.id, o.id) in ((2, 3), (3, 2))`, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			recordMany(t, db, 5)
			mustExec(t, db, `alter table audit_log disable trigger audit_log_append_only`)
			mustExec(t, db, tc.tamper)
			if got, err := db.VerifyAudit(t.Context()); err != nil || got != tc.want {
				t.Errorf("VerifyAudit = %d, %v, want %d", got, err, tc.want)
			}
		})
	}
}

func TestVerifyAuditPages(t *testing.T) {
	t.Parallel()
	db := open(t)
	if got, err := db.VerifyAudit(t.Context()); got != 0 || err != nil {
		t.Errorf("VerifyAudit of an empty log = %d, %v, want 0", got, err)
	}
	recordMany(t, db, MaxAuditPage+1)
	if got, err := db.VerifyAudit(t.Context()); got != 0 || err != nil {
		t.Errorf("VerifyAudit of two pages = %d, %v, want 0", got, err)
	}
	mustExec(t, db, `alter table audit_log disable trigger audit_log_append_only`)
	mustExec(t, db, `update audit_log set actor = 'bob' where id = $1`, MaxAuditPage+1)
	if got, err := db.VerifyAudit(t.Context()); got != MaxAuditPage+1 || err != nil {
		t.Errorf("VerifyAudit = %d, %v, want %d", got, err, MaxAuditPage+1)
	}
}

func TestRecordAuditConcurrently(t *testing.T) {
	t.Parallel()
	db := open(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if err := db.RecordAudit(t.Context(), AuditEntry{At: testNow, Actor: "ana", Action: "login"}); err != nil {
					t.Errorf("RecordAudit: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got, err := db.VerifyAudit(t.Context()); got != 0 || err != nil {
		t.Errorf("VerifyAudit = %d, %v, want 0", got, err)
	}
	if got := count(t, db, `select max(id) from audit_log`); got != 40 {
		t.Errorf("the last entry has id %d, want 40", got)
	}
}
