package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

// A session that has more records than a fold takes is told to stop, at once
// and once; one that has just as many is not.
func TestTooManyRecordsStopASession(t *testing.T) {
	t.Parallel()
	db := open(t)
	insertRecords(t, db, record("more", 0, testNow.UnixMilli()), record("full", 0, testNow.UnixMilli()))
	mustExec(t, db, fmt.Sprintf(`update cmcd_sessions set records = %d`, MaxSessionRecords-1))
	insertRecords(t, db, record("full", 1, testNow.UnixMilli()), record("more", 1, testNow.UnixMilli()))
	insertRecords(t, db, record("full", 1, testNow.UnixMilli())) // a repetition is no more
	if stops, err := db.Stops(t.Context(), testNow); err != nil || len(stops) != 0 {
		t.Fatalf("Stops at the limit = %v, %v; want none", stops, err)
	}
	for sn := range 2 {
		insertRecords(t, db, record("more", 2+sn, testNow.UnixMilli()))
	}
	want := []Stop{{SessionID: "more", Reason: StopRecords, StoppedAt: testNow}}
	stops, err := db.Stops(t.Context(), testNow)
	if diff := cmp.Diff(want, stops); err != nil || diff != "" {
		t.Errorf("Stops beyond the limit: %v (-want +got):\n%s", err, diff)
	}
}

func TestStops(t *testing.T) {
	t.Parallel()
	db := open(t)
	at := testNow.Add
	for i, id := range []string{"a", "b", "a"} {
		if err := db.StopSession(t.Context(), id, "note "+fmt.Sprint(i), "ana", at(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	want := []Stop{
		{SessionID: "a", Reason: StopAsked, Actor: "ana", Note: "note 2", StoppedAt: at(2 * time.Second)},
		{SessionID: "b", Reason: StopAsked, Actor: "ana", Note: "note 1", StoppedAt: at(time.Second)},
	}
	for now, n := range map[time.Duration]int{3 * time.Second: 2, StopLife + time.Second - 1: 2, StopLife + time.Second: 1, StopLife + 2*time.Second: 0} {
		stops, err := db.Stops(t.Context(), at(now))
		if diff := cmp.Diff(want[:n], stops); err != nil || diff != "" {
			t.Errorf("Stops after %v: %v (-want +got):\n%s", now, err, diff)
		}
	}
	if err := db.ResumeSession(t.Context(), "a", "bob", testNow); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "resumed twice", db.ResumeSession(t.Context(), "a", "bob", testNow), experiment.CodeNotFound)
	wantCode(t, "an id that is none", db.StopSession(t.Context(), "ö", "", "ana", testNow), experiment.CodeInvalid)
	if id, err := db.VerifyAudit(t.Context()); id != 0 || err != nil {
		t.Errorf("VerifyAudit = %d, %v", id, err)
	}
	var actions []string
	if err := db.sql.SelectContext(t.Context(), &actions, `select actor || ' ' || action || ' ' || subject from audit_log order by id`); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ana telemetry.stop a", "ana telemetry.stop b", "ana telemetry.stop a", "bob telemetry.resume a"}, actions); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}
