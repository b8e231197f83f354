package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// IngestKey is what records are counted by.
type IngestKey struct {
	Minute time.Time
	Source string // as of RejectionKey
}

// IngestCount is how many records came in.
type IngestCount struct {
	Accepted int64
	Refused  int64 // as a whole
}

// IngestKept is how long counts by the minute are kept: a month to compare with.
const IngestKept = 31 * 24 * time.Hour

// AddIngestCounts adds counts to those stored, and forgets those that are older
// than a month.
func (db *DB) AddIngestCounts(ctx context.Context, now time.Time, counts map[IngestKey]IngestCount) error {
	if len(counts) == 0 {
		return nil
	}
	var minutes []time.Time
	var sources []string
	var accepted, refused []int64
	for k, n := range counts {
		minutes, sources = append(minutes, k.Minute.UTC().Truncate(time.Minute)), append(sources, k.Source)
		accepted, refused = append(accepted, n.Accepted), append(refused, n.Refused)
	}
	return wrap("count records", db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `
			insert into ingest_counts as c (minute, source, accepted, refused)
			select minute, source, sum(accepted), sum(refused)
			from unnest($1::timestamptz[], $2::text[], $3::bigint[], $4::bigint[]) as u (minute, source, accepted, refused)
			group by minute, source order by minute, source
			on conflict (minute, source) do update set
				accepted = c.accepted + excluded.accepted, refused = c.refused + excluded.refused`,
			pq.Array(minutes), pq.Array(sources), pq.Array(accepted), pq.Array(refused)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			delete from ingest_counts where (minute, source) in (
				select minute, source from ingest_counts where minute < $1 limit 1000 for update skip locked)`,
			stamp(now.Add(-IngestKept)))
		return err
	}))
}

// TelemetryHealth is what came in lately, over all servers.
type TelemetryHealth struct {
	Rates      []IngestRate  // by minute and source, newest first
	Sessions   []SourceShare // that began within the window, most first
	Unfolded   Unfolded
	Rejections []RejectionCount // since the day that the window begins in, most first
}

// IngestRate is what came in within a minute.
type IngestRate struct {
	Minute   time.Time `db:"minute" json:"minute"`
	Source   string    `db:"source" json:"source"`
	Accepted int64     `db:"accepted" json:"accepted"`
	Refused  int64     `db:"refused" json:"refused"`
}

// SourceShare is how many sessions began lately, by tier and player, and how
// late their newest records came: the time of receipt less the client's, less
// the least of that in the session, which is the error of its clock.
type SourceShare struct {
	Tier          telemetry.Tier `db:"telemetry_tier" json:"telemetry_tier"`
	Player        string         `db:"player" json:"player,omitempty"`
	PlayerVersion string         `db:"player_version" json:"player_version,omitempty"`
	Sessions      int64          `db:"sessions" json:"sessions"`
	Started       int64          `db:"started" json:"started"`
	Clocked       int64          `db:"clocked" json:"clocked"` // of them with a client's clock
	LagP50Ms      *int64         `db:"lag_p50_ms" json:"lag_p50_ms,omitempty"`
	LagP95Ms      *int64         `db:"lag_p95_ms" json:"lag_p95_ms,omitempty"`
	// Late counts the sessions whose newest record came more than
	// metrics.FirstGrace after it was made: too late for the window it is about.
	Late int64 `db:"late" json:"late"`
}

// Unfolded is what CMCD sessions wait for the job, or are still open.
type Unfolded struct {
	Sessions int64  `db:"sessions" json:"sessions"`
	OldestMs *int64 `db:"oldest_ms" json:"oldest_recv_ms,omitempty"` // of their newest records, the oldest
}

// maxShares bounds the players of one answer: a page of them.
const maxShares = 200

// Health returns what came in within the window before now.
func (db *DB) Health(ctx context.Context, now time.Time, window time.Duration) (TelemetryHealth, error) {
	h := TelemetryHealth{Rates: []IngestRate{}, Sessions: []SourceShare{}}
	from := now.Add(-window)
	err := db.inTx(ctx, snapshotRead, func(tx *sqlx.Tx) error {
		if err := tx.SelectContext(ctx, &h.Rates, `
			select minute, source, accepted, refused from ingest_counts
			where minute >= $1 order by minute desc, source`, stamp(from)); err != nil {
			return fmt.Errorf("read rates: %w", err)
		}
		if err := tx.SelectContext(ctx, &h.Sessions, sessionShares, from.UnixMilli(), maxShares, metrics.FirstGrace.Milliseconds()); err != nil {
			return fmt.Errorf("read shares: %w", err)
		}
		return wrap("read open sessions", tx.GetContext(ctx, &h.Unfolded, `
			select count(*) as sessions, min(last_recv_ms) as oldest_ms from cmcd_sessions where dirty`))
	})
	for i := range h.Rates {
		h.Rates[i].Minute = h.Rates[i].Minute.UTC()
	}
	if err != nil {
		return h, wrap("read telemetry health", err)
	}
	h.Rejections, err = db.Rejections(ctx, from)
	return h, err
}

const sessionShares = `
	select telemetry_tier, player, player_version, count(*) as sessions,
		count(*) filter (where started) as started, count(lag) as clocked,
		percentile_disc(0.5) within group (order by lag) as lag_p50_ms,
		percentile_disc(0.95) within group (order by lag) as lag_p95_ms,
		count(*) filter (where lag > $3) as late
	from (
		select telemetry_tier, player, player_version, started,
			case when last_mark_client_ts_ms <> 0
				then last_mark_recv_ms - last_mark_client_ts_ms - clock_offset_ms end as lag
		from sessions where first_recv_ms >= $1) s
	group by telemetry_tier, player, player_version
	order by sessions desc, telemetry_tier, player, player_version
	limit $2`
