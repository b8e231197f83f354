package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// MaxBroadcastBatch bounds one call of MergeBroadcasts: a transaction of a second.
const MaxBroadcastBatch = 50_000

// MergeBroadcasts merges states of parts of broadcasts, such as
// telemetry.FoldBroadcasts returns, into those stored, by the rules of
// telemetry.MergeBroadcasts. When it returns nil they are durable. Any order,
// repetition or grouping of calls gives the same.
//
// It returns experiment.CodeTooLarge for more than MaxBroadcastBatch states.
func (db *DB) MergeBroadcasts(ctx context.Context, states []telemetry.Broadcast) error {
	if len(states) > MaxBroadcastBatch {
		return experiment.Errorf(experiment.CodeTooLarge, "", "at most %d broadcasts at once", MaxBroadcastBatch)
	}
	if len(states) == 0 {
		return nil
	}
	batch := sortBroadcasts(states)
	err := db.inConnTx(ctx, func(tx *connTx) error {
		if _, err := tx.ExecContext(ctx, broadcastStaging); err != nil {
			return fmt.Errorf("make staging table: %w", err)
		}
		if err := tx.copyIn(ctx, copyBroadcasts, len(batch), func(buf []byte, i int) []byte {
			return appendBroadcast(buf, &batch[i])
		}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, mergeBroadcasts)
		return wrap("merge", err)
	})
	return wrap("merge broadcasts", err)
}

// sortBroadcasts leaves one state for each part, in the order of their keys:
// writers that lock in one order cannot deadlock.
func sortBroadcasts(states []telemetry.Broadcast) []telemetry.Broadcast {
	batch := slices.Clone(states)
	slices.SortFunc(batch, func(a, b telemetry.Broadcast) int {
		return cmp.Or(strings.Compare(a.StreamID, b.StreamID), cmp.Compare(a.Part, b.Part))
	})
	n := 0
	for _, b := range batch {
		if n > 0 && batch[n-1].StreamID == b.StreamID && batch[n-1].Part == b.Part {
			batch[n-1] = telemetry.MergeBroadcasts(batch[n-1], b)
			continue
		}
		batch[n] = b
		n++
	}
	return batch[:n]
}

// broadcastColumns are the columns in the order of appendBroadcast.
var broadcastColumns = strings.Fields(`
	stream_id part identity_seq ` + broadcastIdentity + ` first_recv_ms ` + broadcastMark + `
	ended end_reason stream_start_ms ` + broadcastNumbers + ` observed measures`)

const (
	broadcastIdentity = `broadcaster_id channel_id region protocol encoder encoder_version country`
	broadcastMark     = `last_mark_seq last_mark_recv_ms last_mark_client_ts_ms last_mark_mono_ms`
	broadcastNumbers  = `
		live_ms starvation_ms starvation_n starvation_max_ms disconnects bitrate_samples bitrate_kbps_sum bitrate_kbps2_sum
		fps_short_ms keyframe_ok_ms frames_in frames_dropped latency_ms_sum latency_samples`
)

const broadcastStaging = `
	create temporary table if not exists broadcast_batch (like broadcasts) on commit delete rows`

var copyBroadcasts = `copy broadcast_batch (` + strings.Join(broadcastColumns, ", ") + `) from stdin`

// The comparisons of telemetry.MergeBroadcasts. s is the stored state, excluded
// the one of the batch.
var (
	broadcastIsNews  = compareRows(">", newness, "%.ended", "%.end_reason", "coalesce(%.stream_start_ms, -1)", each(broadcastNumbers), "%.observed", "%.measures")
	broadcastIsNamed = compareRows("<", "(%.broadcaster_id = '')", "%.identity_seq", each(broadcastIdentity))
)

// mergeBroadcasts merges the staging table in the order in which it was filled.
// States that the batch says nothing new of are not written.
var mergeBroadcasts = `
	insert into broadcasts as s (` + strings.Join(broadcastColumns, ", ") + `)
	select ` + strings.Join(broadcastColumns, ", ") + ` from broadcast_batch
	on conflict (stream_id, part) do update set
		first_recv_ms = least(s.first_recv_ms, excluded.first_recv_ms),
		` + take(broadcastIsNews, broadcastMark+" ended end_reason stream_start_ms "+broadcastNumbers+" observed measures") + `,
		` + take(broadcastIsNamed, "identity_seq "+broadcastIdentity) + `
	where excluded.first_recv_ms < s.first_recv_ms or ` + broadcastIsNews + ` or ` + broadcastIsNamed

// appendBroadcast writes a state as a row of COPY.
func appendBroadcast(buf []byte, b *telemetry.Broadcast) []byte {
	tab := func(b []byte) []byte { return append(b, '\t') }
	buf = tab(appendText(buf, b.StreamID))
	buf = tab(strconv.AppendInt(buf, b.Part, 10))
	buf = tab(strconv.AppendInt(buf, b.IdentitySeq, 10))
	for _, text := range b.Texts() {
		buf = tab(appendText(buf, *text))
	}
	for _, n := range [...]int64{b.FirstRecvMs, b.Last.Seq, b.Last.RecvMs, b.Last.ClientTsMs, b.Last.MonoMs} {
		buf = tab(strconv.AppendInt(buf, n, 10))
	}
	buf = tab(appendBool(buf, b.Ended))
	buf = tab(appendText(buf, b.EndReason))
	buf = tab(appendKnown(buf, b.StreamStartMs))
	for _, n := range b.Numbers() {
		buf = tab(strconv.AppendInt(buf, *n, 10))
	}
	buf = tab(strconv.AppendInt(buf, int64(b.Observed), 10))
	return appendText(buf, string(b.Measures))
}

// Broadcasts returns the parts of broadcasts that belong to the broadcasters and
// began within [fromMs, toMs), by broadcaster, stream and part. What a
// broadcaster's streams were like is the sum over the parts of each.
func (db *DB) Broadcasts(ctx context.Context, broadcasters []string, fromMs, toMs int64) ([]telemetry.Broadcast, error) {
	var out []telemetry.Broadcast
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		var b telemetry.Broadcast
		if err := rows.Scan(broadcastFields(&b)...); err != nil {
			return err
		}
		out = append(out, b)
		return nil
	}, `select `+strings.Join(broadcastColumns, ", ")+` from broadcasts
		where broadcaster_id = any ($1) and broadcaster_id <> '' and first_recv_ms >= $2 and first_recv_ms < $3
		order by broadcaster_id, stream_id, part`, pq.Array(broadcasters), fromMs, toMs)
	return out, wrap("read broadcasts", err)
}

// broadcastFields returns where the columns belong, in the order of
// broadcastColumns.
func broadcastFields(b *telemetry.Broadcast) []any {
	into := []any{&b.StreamID, &b.Part, &b.IdentitySeq}
	for _, text := range b.Texts() {
		into = append(into, text)
	}
	into = append(into, &b.FirstRecvMs, &b.Last.Seq, &b.Last.RecvMs, &b.Last.ClientTsMs, &b.Last.MonoMs, &b.Ended, &b.EndReason, &b.StreamStartMs)
	for _, n := range b.Numbers() {
		into = append(into, n)
	}
	return append(into, &b.Observed, &b.Measures)
}
