package postgres

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

func addRejections(t testing.TB, db *DB, days int, counts map[RejectionKey]int64) {
	t.Helper()
	if err := db.AddRejections(t.Context(), testNow.AddDate(0, 0, days), counts); err != nil {
		t.Fatalf("AddRejections: %v", err)
	}
}

func TestRejectionsAddUp(t *testing.T) {
	t.Parallel()
	db := open(t)
	a := RejectionKey{Source: "cmcd", Reason: "range", Field: "bl", Player: "hls.js", PlayerVersion: "1.6.2"}
	b := RejectionKey{Source: "heartbeat", Reason: "malformed", Whole: true}
	addRejections(t, db, 0, map[RejectionKey]int64{a: 2, b: 1, {Source: "cmcd", Reason: "none"}: 0})
	addRejections(t, db, 0, map[RejectionKey]int64{a: 3})
	addRejections(t, db, 1, map[RejectionKey]int64{a: 7})
	addRejections(t, db, -1, map[RejectionKey]int64{a: 100})
	addRejections(t, db, 0, nil)
	got, err := db.Rejections(t.Context(), testNow)
	if err != nil {
		t.Fatalf("Rejections: %v", err)
	}
	row := RejectionRow{Source: "cmcd", Reason: "range", Field: "bl", Player: "hls.js", PlayerVersion: "1.6.2"}
	want := []RejectionCount{
		{Day: dayOf(testNow).AddDate(0, 0, 1), RejectionRow: row, Count: 7},
		{Day: dayOf(testNow), RejectionRow: row, Count: 5},
		{Day: dayOf(testNow), RejectionRow: RejectionRow{Source: "heartbeat", Reason: "malformed", Whole: true}, Count: 1},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("Rejections differ (-want +got):\n%s", diff)
	}
}

func TestRejectionsConcurrently(t *testing.T) {
	t.Parallel()
	db := open(t)
	const writers, rounds, keys = 4, 10, 50
	counts := map[RejectionKey]int64{}
	for k := range keys {
		counts[RejectionKey{Source: "cmcd", Reason: "range", Field: fmt.Sprint(k)}] = 1
	}
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range rounds {
				if err := db.AddRejections(t.Context(), testNow, counts); err != nil {
					t.Errorf("AddRejections: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if got := count(t, db, `select sum(count) from rejections`); got != writers*rounds*keys {
		t.Errorf("the counts add up to %d, want %d", got, writers*rounds*keys)
	}
}

// Who is refused may say anything; it must not stop the counting of others.
func TestRejectionsOfAnyText(t *testing.T) {
	t.Parallel()
	db := open(t)
	long := strings.Repeat("é", maxRejectionText) // twice as many bytes
	addRejections(t, db, 0, map[RejectionKey]int64{
		{Source: "cmcd", Reason: "range", Player: "a\x00b"}:                         1,
		{Source: "cmcd", Reason: "range", Player: "a\uFFFDb"}:                       2, // stored as the one above
		{Source: "cmcd", Reason: "range", Player: "a\xffb"}:                         4, // and this one
		{Source: "cmcd", Reason: "range", Player: "p", PlayerVersion: long}:         8,
		{Source: "cmcd", Reason: "range", Player: "x" + long, PlayerVersion: `"{,`}: 16,
	})
	got, err := db.Rejections(t.Context(), testNow)
	if err != nil {
		t.Fatalf("Rejections: %v", err)
	}
	var texts []string
	for _, r := range got {
		texts = append(texts, fmt.Sprintf("%d %s %s", r.Count, r.Player, r.PlayerVersion))
	}
	want := []string{
		`16 x` + long[:maxRejectionText-2] + ` "{,`, // the byte left over is half a character
		"8 p " + long[:maxRejectionText],
		"7 a\uFFFDb ",
	}
	if diff := gocmp.Diff(want, texts); diff != "" {
		t.Errorf("Rejections differ (-want +got):\n%s", diff)
	}
}

func TestRejectionsLimit(t *testing.T) {
	t.Parallel()
	db := open(t)
	counts := map[RejectionKey]int64{}
	for k := range maxRejections + 1 {
		counts[RejectionKey{Source: "cmcd", Reason: "range", Field: fmt.Sprint(k)}] = int64(k + 1)
	}
	addRejections(t, db, 0, counts)
	got, err := db.Rejections(t.Context(), testNow)
	if err != nil || len(got) != maxRejections || got[0].Count != maxRejections+1 {
		t.Errorf("Rejections returned %d (%v), want the %d largest", len(got), err, maxRejections)
	}
}
