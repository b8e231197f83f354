package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/telemetry"
)

// calls is every method that asks the database, with arguments that would be
// taken if it were there.
func calls(db *DB) map[string]func(context.Context) error {
	web := db.WebSessions(func() time.Time { return testNow })
	exp := experiment.Experiment{Spec: specOf("a", "", 0), ID: 1, Version: 1}
	return map[string]func(context.Context) error{
		"Ping":    db.Ping,
		"Migrate": db.Migrate,
		"Apply": func(ctx context.Context) error {
			_, err := db.Apply(ctx, []experiment.Spec{specOf("a", "", 0)}, ApplyOptions{Actor: "ana", Now: testNow, KnownMetric: anyMetric})
			return err
		},
		"Get":      func(ctx context.Context) error { _, err := db.Get(ctx, "a"); return err },
		"List":     func(ctx context.Context) error { _, err := db.List(ctx); return err },
		"Versions": func(ctx context.Context) error { _, err := db.Versions(ctx, "a"); return err },
		"ReadConfig": func(ctx context.Context) error {
			return db.ReadConfig(ctx, nil, func(experiment.ConfigStream) error { return nil })
		},
		"ConfigVersion": func(ctx context.Context) error { _, err := db.ConfigVersion(ctx); return err },
		"Audit":         func(ctx context.Context) error { _, err := db.Audit(ctx, 0, 1); return err },
		"VerifyAudit":   func(ctx context.Context) error { _, err := db.VerifyAudit(ctx); return err },
		"RecordAudit": func(ctx context.Context) error {
			return db.RecordAudit(ctx, AuditEntry{At: testNow, Actor: "ana", Action: "login"})
		},
		"Keys":      func(ctx context.Context) error { _, err := db.Keys(ctx); return err },
		"CreateKey": func(ctx context.Context) error { _, err := db.CreateKey(ctx, newKey("k", "read")); return err },
		"RevokeKey": func(ctx context.Context) error { return db.RevokeKey(ctx, 1, "ana", testNow) },
		"BootstrapKey": func(ctx context.Context) error {
			_, err := db.BootstrapKey(ctx, "a secret of the operator", testNow)
			return err
		},
		"CreateLoginLink": func(ctx context.Context) error { _, err := db.CreateLoginLink(ctx, "ana", testNow); return err },
		"UseLoginLink":    func(ctx context.Context) error { _, err := db.UseLoginLink(ctx, "token", testNow); return err },
		"FindCtx":         func(ctx context.Context) error { _, _, err := web.FindCtx(ctx, "token"); return err },
		"CommitCtx":       func(ctx context.Context) error { return web.CommitCtx(ctx, "token", nil, testNow) },
		"DeleteCtx":       func(ctx context.Context) error { return web.DeleteCtx(ctx, "token") },
		"InsertExposures": func(ctx context.Context) error {
			return db.InsertExposures(ctx, func() time.Time { return testNow }, []ExposureRow{exposure("u", 0, testNow)})
		},
		"MergeSessions": func(ctx context.Context) error {
			return db.MergeSessions(ctx, []telemetry.Session{{SessionID: "s", Tier: telemetry.TierA}})
		},
		"InsertRecords": func(ctx context.Context) error {
			return db.InsertRecords(ctx, []KeyedRecord{record("s", 0, testNow.UnixMilli())})
		},
		"FoldSessions": func(ctx context.Context) error { _, err := db.FoldSessions(ctx, testNow); return err },
		"AddRejections": func(ctx context.Context) error {
			return db.AddRejections(ctx, testNow, map[RejectionKey]int64{{Source: "cmcd", Reason: "range"}: 1})
		},
		"Rejections":       func(ctx context.Context) error { _, err := db.Rejections(ctx, testNow); return err },
		"EnsurePartitions": func(ctx context.Context) error { return db.EnsurePartitions(ctx, testNow, testNow) },
		"ArmCounts":        func(ctx context.Context) error { _, err := db.ArmCounts(ctx, &exp); return err },
		"AssignedUnits":    func(ctx context.Context) error { _, err := db.AssignedUnits(ctx, &exp); return err },
		"MergeAssigned": func(ctx context.Context) error {
			return db.MergeAssigned(ctx, []AssignedSketch{{1, 1, 0, make([]byte, assignment.SketchBytes)}}, testNow)
		},
		"AuditExposures": func(ctx context.Context) error {
			_, err := db.AuditExposures(ctx, AuditPage{Experiment: "a"}, func(*assignment.History) (func(*assignment.AuditedExposure), error) {
				return func(*assignment.AuditedExposure) {}, nil
			})
			return err
		},
	}
}

// soon ends a call that would wait for a database that is away. A call that gives up
// by itself does so within a fraction of a second; what it must not do is to wait for
// the network, which gives up after minutes. Between the two there is room for a
// machine that is busy with other tests.
const soon = 45 * time.Second

// wantAway asks the database for something while it is away: the call must end with
// CodeUnavailable, and by itself.
func wantAway(t *testing.T, name string, call func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	wantCode(t, name, call(ctx), experiment.CodeUnavailable)
	if ctx.Err() != nil {
		t.Errorf("%s waits for a database that is away", name)
	}
}

func TestCallsWithoutADatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t)
	db := openAt(t, pgtest.NewOn(t, server))
	for name, call := range calls(db) { // its connections are open now
		if err := call(t.Context()); isFault(err, experiment.CodeUnavailable) {
			t.Errorf("%s with a database = %v", name, err)
		}
	}
	if err := server.Stop(t.Context()); err != nil {
		t.Fatalf("Stop: %v", err)
	}
	for name, call := range calls(db) {
		wantAway(t, name, call)
	}
}

// On a network that swallows everything, a call ends when its answer is due.
func TestCallsOnASilentNetwork(t *testing.T) {
	t.Parallel()
	p := newProxy(t, pgtest.New(t))
	plain := openAt(t, p.dsn)
	const due = 200 * time.Millisecond
	cfg := plain.cfg.Clone()
	cfg.ConnectTimeout = due
	db, err := newPool(p.dsn, cfg, &dialer{readTimeout: due}, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // its connections are dead
	for _, name := range []string{"InsertExposures", "InsertRecords", "ConfigVersion", "Apply"} {
		p.silence(false)
		until(t, "wait for the network", func() error { return db.Ping(t.Context()) })
		p.silence(true)
		wantAway(t, name, calls(db)[name])
	}
	p.silence(false)
}

// What was acknowledged is there after the database was killed under load, and
// is there once.
func TestAcknowledgedIsDurable(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t)
	db := openAt(t, pgtest.NewOn(t, server))
	const writers, kills = 3, 3
	var done atomic.Bool
	acknowledged := make([]map[string]int, writers) // session -> records
	var wg sync.WaitGroup
	for w := range writers {
		acknowledged[w] = map[string]int{}
		wg.Go(func() {
			for i := 0; !done.Load(); i++ {
				id := fmt.Sprintf("w%d-%d", w, i)
				for !done.Load() { // as a player does: until it is taken
					if db.InsertRecords(t.Context(), series(id, 5, testNow)) == nil {
						acknowledged[w][id] = 5
						break
					}
				}
			}
		})
	}
	stop := func() {
		done.Store(true)
		wg.Wait()
	}
	t.Cleanup(stop) // also when the test fails before its end
	for kill := range kills {
		before := count(t, db, `select count(*) from cmcd_records`)
		until(t, "wait for writes", func() error {
			if n, err := tryCount(t, db); err != nil || n < before+50 {
				return fmt.Errorf("%d records, %w", n, err)
			}
			return nil
		})
		if err := syscall.Kill(server.Pid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, "wait for the database", func() error {
			if server.Restarts() <= kill {
				return errors.New("not restarted")
			}
			return db.Ping(t.Context())
		})
	}
	stop()
	stored := map[string]int{}
	rows, err := db.sql.QueryContext(t.Context(), `select session_id, count(*) from cmcd_records group by session_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			t.Fatal(err)
		}
		stored[id] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, mine := range acknowledged {
		for _, id := range slices.Sorted(maps.Keys(mine)) {
			if stored[id] != mine[id] {
				t.Errorf("session %s has %d records, acknowledged were %d", id, stored[id], mine[id])
			}
		}
	}
}

// tryCount counts records while the database may be away.
func tryCount(t testing.TB, db *DB) (int, error) {
	t.Helper()
	var n int
	err := db.sql.GetContext(t.Context(), &n, `select count(*) from cmcd_records`)
	return n, wrap("count", err)
}

// A connection that ends between the begin of a transaction and its COPY must
// fail the COPY, and never hold up the writer (see copyIn).
func TestCopyInOnALostConnection(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	db := openAt(t, dsn)
	for name, lose := range map[string]func(p *proxy, pid int){
		"ended by the server": func(_ *proxy, pid int) {
			mustExec(t, db, `select pg_terminate_backend($1)`, pid)
		},
		"cut": func(p *proxy, _ int) { p.end() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, dsn)
			lost := openAt(t, p.dsn)
			ended := make(chan error, 1)
			go func() {
				ended <- wrap("copy", lost.inConnTx(t.Context(), func(tx *connTx) error {
					var pid int
					if err := tx.GetContext(t.Context(), &pid, `select pg_backend_pid()`); err != nil {
						return err
					}
					if _, err := tx.ExecContext(t.Context(), recordStaging); err != nil {
						return err
					}
					lose(p, pid)
					for range 2 { // the driver's second error is the one that says that the connection is bad
						r := record("s", 0, testNow.UnixMilli())
						if err := tx.copyIn(t.Context(), copyRecords, 1, func(buf []byte, _ int) []byte {
							return appendRecord(buf, &r)
						}); err == nil {
							return errors.New("COPY on a lost connection succeeded")
						} else if errors.Is(err, driver.ErrBadConn) {
							return err
						}
					}
					return errAway
				}))
			}()
			select {
			case err := <-ended:
				wantCode(t, "copyIn", err, experiment.CodeUnavailable)
			case <-time.After(patience):
				t.Fatal("copyIn never returned")
			}
		})
	}
}
