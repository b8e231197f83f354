package postgres

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

func TestEachRecentUnit(t *testing.T) {
	t.Parallel()
	db := open(t)
	var sessions []telemetry.Session
	add := func(id, viewer, country string, ago time.Duration) {
		s := telemetry.Session{SessionID: id, FirstRecvMs: testNow.Add(-ago).UnixMilli(), Tier: 1}
		s.ViewerID, s.Country = viewer, country
		sessions = append(sessions, s)
	}
	add("s-new", "v-1", "DE", time.Minute)
	add("s-again", "v-1", "", 30*time.Hour)
	add("s-edge", "v-2", "FR", 168*time.Hour)
	add("s-old", "v-3", "US", 168*time.Hour+time.Second)
	add("s-nobody", "", "US", 2*time.Hour)
	add("s-future", "v-4", "US", -time.Second)
	if err := db.MergeSessions(t.Context(), sessions); err != nil {
		t.Fatal(err)
	}
	read := func(unit experiment.UnitType, window time.Duration) (got []string, info RecentUnits) {
		info, err := db.EachRecentUnit(t.Context(), unit, []string{"country"}, testNow, window, func(id string, values []string) {
			got = append(got, fmt.Sprint(id, " ", values[0]))
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		return got, info
	}
	got, info := read(experiment.UnitViewer, 168*time.Hour)
	if diff := cmp.Diff([]string{"v-1 ", "v-1 DE", "v-2 FR"}, got); diff != "" {
		t.Errorf("viewers (-want +got):\n%s", diff)
	}
	if want := (RecentUnits{Since: testNow.Add(-168 * time.Hour), Sessions: 4, Nameless: 1}); info != want {
		t.Errorf("read %+v, want %+v", info, want)
	}
	if got, info = read(experiment.UnitSession, 90*time.Minute); len(got) != 1 || !info.Since.Equal(testNow.Add(-90*time.Minute)) {
		t.Errorf("sessions of 90 minutes: %v, %+v", got, info)
	}
	for unit, names := range map[experiment.UnitType][]string{experiment.UnitBlock: nil, experiment.UnitViewer: {"app_version"}} {
		_, err := db.EachRecentUnit(t.Context(), unit, names, testNow, time.Hour, func(string, []string) {})
		wantCode(t, "EachRecentUnit", err, experiment.CodeInvalid)
	}
}

// A busy hour does not make anybody wait: what was read says how far it got.
func TestEachRecentUnitIsBounded(t *testing.T) {
	t.Parallel()
	db := open(t)
	const limit = 20
	fill := func(from, to int, ago time.Duration) {
		var sessions []telemetry.Session
		for i := from; i < to; i++ {
			s := telemetry.Session{SessionID: fmt.Sprint("s-", i), FirstRecvMs: testNow.Add(-ago).UnixMilli(), Tier: 1}
			s.ViewerID = fmt.Sprint("v-", i)
			sessions = append(sessions, s)
		}
		if err := db.MergeSessions(t.Context(), sessions); err != nil {
			t.Fatal(err)
		}
	}
	read := func() RecentUnits {
		visits := int64(0)
		info, err := db.eachRecentUnit(t.Context(), recentRead{experiment.UnitViewer, nil, testNow, 168 * time.Hour, limit}, func(string, []string) { visits++ })
		if err != nil || visits != info.Sessions {
			t.Fatalf("%d visits of %+v, %v", visits, info, err)
		}
		return info
	}
	fill(0, 10, time.Minute)
	fill(10, limit, 5*time.Hour)
	if got := read(); got.Truncated || got.Sessions != limit {
		t.Errorf("at the limit: %+v", got)
	}
	fill(limit, limit+1, 5*time.Hour)
	if got := read(); !got.Truncated || got.Sessions != limit || !got.Since.Equal(testNow.Add(-4*time.Hour)) {
		t.Errorf("one above the limit: %+v", got)
	}
}
