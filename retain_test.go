package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/postgres"
)

// Retain prints what would go, then what went; the job's own runs act once a day.
func TestRetainCommand(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	db, err := postgres.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	old := time.Now().AddDate(0, 0, -60)
	if err := db.EnsurePartitions(t.Context(), old, old); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if err := run(t.Context(), append([]string{"retain", "--database-url", dsn}, args...), &out, &bytes.Buffer{}); err != nil {
			return "error: " + err.Error()
		}
		return out.String()
	}
	if got := command("--days", "44"); !strings.Contains(got, "must be 45 to") {
		t.Errorf("44 days: %s", got)
	}
	const want = "3 partitions would be dropped"
	for range 2 {
		if got := command("--days", "45", "--dry-run"); !strings.Contains(got, want) || !strings.Contains(got, "outcomes "+old.UTC().Format(time.DateOnly)) {
			t.Errorf("a dry run printed %q, want %q", got, want)
		}
	}
	if got := command("--days", "45"); !strings.Contains(got, "3 partitions dropped") {
		t.Errorf("printed %q", got)
	}
}
