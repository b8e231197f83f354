package postgres

import (
	"context"
	"database/sql"
	"strings"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// closedBroadcasts reads the broadcasts of the broadcasters of a page: those of
// which a part began in the window, each with all its parts, so that one which
// began before the window can be told.
var closedBroadcasts = `
	select w.unit_id, b.` + strings.Join(broadcastColumns, ", b.") + `
	from unnest($1::text[], $2::bigint[]) as w (unit_id, exposed_ms)
	cross join lateral (
		select distinct stream_id from broadcasts
		where broadcaster_id = w.unit_id and broadcaster_id <> ''
		  and first_recv_ms >= w.exposed_ms + $3 and first_recv_ms < w.exposed_ms + $4) f
	join broadcasts b on b.stream_id = f.stream_id
	order by w.unit_id, b.stream_id, b.part`

// readBroadcasts adds the broadcasts of its broadcasters to a page.
func (r *closedReader) readBroadcasts(ctx context.Context, q queryer, page *closedPage) error {
	page.broadcasts = map[string][]telemetry.Broadcast{}
	units, exposed := make([]string, len(page.rows)), make([]int64, len(page.rows))
	for i := range page.rows {
		units[i], exposed[i] = page.rows[i].unit, page.rows[i].exposedMs
	}
	return eachBroadcast(ctx, q, r.window, units, exposed, func(unit string, b telemetry.Broadcast) {
		page.broadcasts[unit] = append(page.broadcasts[unit], b)
	})
}

// eachBroadcast calls take for the broadcasts in the windows of broadcasters that
// were exposed at those moments, in Unix ms.
func eachBroadcast(ctx context.Context, q queryer, w metrics.Window, units []string, exposed []int64, take func(unit string, b telemetry.Broadcast)) error {
	return eachRow(ctx, q, func(rows *sql.Rows) error {
		var unit string
		var b telemetry.Broadcast
		if err := rows.Scan(append([]any{&unit}, broadcastFields(&b)...)...); err != nil {
			return err
		}
		take(unit, b)
		return nil
	}, closedBroadcasts, pq.Array(units), pq.Array(exposed), w.From().Milliseconds(), w.Span().Milliseconds())
}

// setBroadcasts gives a unit of the page its broadcasts.
func (p *closedPage) setBroadcasts(c *metrics.Closed) {
	c.Broadcaster = p.broadcasts != nil
	c.Broadcasts = p.broadcasts[c.Unit]
}
