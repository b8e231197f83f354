package server

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/telemetry"
)

// Limits of the writing of telemetry.
const (
	ingestGroup   = 20_000  // records of one transaction: the knee of the measured curve
	ingestQueued  = 200_000 // records that wait; a second or two of full load
	ingestWriters = 2       // one group fills while another commits
	// tendEvery is how often the counts of rejections are written and the stops
	// read. The counts are diagnostics: a crash may lose those of this long.
	tendEvery = 5 * time.Second
	// maxCountKeys bounds the kinds of rejections counted between two writes:
	// players and versions come from outside.
	maxCountKeys = 10_000
)

// ingest writes telemetry in shared transactions.
type ingest struct {
	sessions   *postgres.GroupCommit[telemetry.Session]
	events     *postgres.GroupCommit[postgres.KeyedRecord] // of CMCD
	broadcasts *postgres.GroupCommit[telemetry.Broadcast]
	unitEvents *postgres.GroupCommit[postgres.ReceivedEvent]

	db   *postgres.DB
	now  func() time.Time
	log  *slog.Logger
	stop chan struct{}
	done chan struct{}
	// abort ends writes when the time to stop is over.
	abort context.CancelFunc

	stops atomic.Pointer[map[string]struct{}] // sessions that are told to stop

	mu     sync.Mutex
	counts map[postgres.RejectionKey]int64
	taken  map[postgres.IngestKey]postgres.IngestCount
}

func newIngest(db *postgres.DB, now func() time.Time, log *slog.Logger) *ingest {
	ctx, abort := context.WithCancel(context.Background()) // each write has the database's own timeout
	g := &ingest{
		sessions:   groups(ctx, db.MergeSessions),
		events:     groups(ctx, db.InsertRecords),
		broadcasts: groups(ctx, db.MergeBroadcasts),
		unitEvents: groups(ctx, db.InsertUnitEvents),
		db:         db, now: now, log: log, stop: make(chan struct{}), done: make(chan struct{}), abort: abort,
		counts: map[postgres.RejectionKey]int64{}, taken: map[postgres.IngestKey]postgres.IngestCount{},
	}
	g.stops.Store(&map[string]struct{}{})
	go g.tend(ctx)
	return g
}

// groups shares transactions of one kind of records.
func groups[T any](ctx context.Context, write func(context.Context, []T) error) *postgres.GroupCommit[T] {
	return postgres.NewGroupCommit(ctx, postgres.GroupCommitConfig[T]{
		Write: write, MaxGroup: ingestGroup, MaxQueued: ingestQueued, Writers: ingestWriters,
	})
}

// heartbeats returns when the states are committed.
func (g *ingest) heartbeats(ctx context.Context, sessions []telemetry.Session) error {
	return g.sessions.Submit(ctx, sessions)
}

// records returns when the records are committed.
func (g *ingest) records(ctx context.Context, keyID int64, records []telemetry.Record) error {
	rows := make([]postgres.KeyedRecord, len(records))
	for i := range records {
		rows[i] = postgres.KeyedRecord{KeyID: keyID, Record: records[i]}
	}
	return g.events.Submit(ctx, rows)
}

// queued returns how many records wait, by kind.
func (g *ingest) queued() map[string]int {
	return map[string]int{
		"sessions": g.sessions.Queued(), "cmcd_records": g.events.Queued(),
		"broadcasts": g.broadcasts.Queued(), "unit_events": g.unitEvents.Queued(),
	}
}

// count counts what was taken and what was not.
func (g *ingest) count(source string, accepted, refused int, rejected []telemetry.Rejection) {
	g.mu.Lock()
	defer g.mu.Unlock()
	minute := postgres.IngestKey{Minute: g.now().UTC().Truncate(time.Minute), Source: source}
	n := g.taken[minute]
	n.Accepted += int64(accepted)
	n.Refused += int64(refused)
	g.taken[minute] = n
	for i := range rejected {
		r := &rejected[i]
		k := postgres.RejectionKey{
			Source: source, Reason: string(r.Reason), Field: r.Field, Whole: r.Whole, Player: r.Player, PlayerVersion: r.PlayerVersion,
		}
		if _, known := g.counts[k]; !known && len(g.counts) >= maxCountKeys {
			k.Field, k.Player, k.PlayerVersion = "", "", ""
		}
		g.counts[k]++
	}
}

// tend writes counts and reads stops until it is stopped.
func (g *ingest) tend(ctx context.Context) {
	defer close(g.done)
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	g.readStops(ctx)
	for {
		select {
		case <-tick.C:
			g.flush(ctx)
			g.readStops(ctx)
		case <-g.stop:
			g.flush(ctx)
			return
		}
	}
}

// flush writes the counts; those that could not be written are kept for the
// next time, while the database is away for no more than keptMinutes.
func (g *ingest) flush(ctx context.Context) {
	g.mu.Lock()
	counts, taken := g.counts, g.taken
	g.counts, g.taken = map[postgres.RejectionKey]int64{}, map[postgres.IngestKey]postgres.IngestCount{}
	g.mu.Unlock()
	if err := g.db.AddRejections(ctx, g.now(), counts); err != nil {
		g.log.Warn("rejections not counted yet", "error", err)
		g.mu.Lock()
		for k, n := range counts {
			g.counts[k] += n
		}
		g.mu.Unlock()
	}
	if err := g.db.AddIngestCounts(ctx, g.now(), taken); err != nil {
		g.log.Warn("records not counted yet", "error", err)
		g.keep(taken)
	}
}

// keptMinutes bounds the counts that wait for a database that is away: two hours
// of four sources.
const keptMinutes = 500

// keep puts counts back.
func (g *ingest) keep(taken map[postgres.IngestKey]postgres.IngestCount) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for k, n := range taken {
		if _, known := g.taken[k]; !known && len(g.taken) >= keptMinutes {
			continue
		}
		sum := g.taken[k]
		sum.Accepted += n.Accepted
		sum.Refused += n.Refused
		g.taken[k] = sum
	}
}

// close writes what waits. When ctx ends first, writes are broken off: their
// senders are told that nothing was stored.
func (g *ingest) close(ctx context.Context) error {
	defer g.abort()
	defer context.AfterFunc(ctx, g.abort)()
	g.sessions.Close()
	g.events.Close()
	g.broadcasts.Close()
	g.unitEvents.Close()
	close(g.stop)
	<-g.done
	return ctx.Err()
}
