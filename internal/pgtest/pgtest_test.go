package pgtest_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/splitcast/splitcast/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// open connects to dsn until the test ends.
func open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestNewSmoke(t *testing.T) {
	for range 5 {
		t0 := time.Now()
		db := open(t, pgtest.New(t))
		var n int
		if err := db.QueryRow("select count(*) from information_schema.tables where table_schema='public'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		t.Log(time.Since(t0), n)
	}
}
