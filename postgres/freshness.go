package postgres

import (
	"context"
	"time"

	"github.com/splitcast/splitcast/metrics"
)

// Freshness is how far the results of a running or paused experiment are behind
// what has happened.
type Freshness struct {
	Experiment string `db:"key" json:"experiment"`
	Version    int    `db:"version" json:"version"`
	Status     string `db:"status" json:"status"`
	// Look is the number of the newest look; 0: there is none yet.
	Look      int        `db:"look" json:"look"`
	At        *time.Time `db:"at" json:"at,omitempty"`
	Watermark *time.Time `db:"watermark" json:"watermark,omitempty"` // windows that closed up to here are in it
	// Waiting is when the oldest window closed that no look holds; nil: none
	// waits. A quiet experiment has an old watermark and waits for nothing.
	Waiting *time.Time `db:"waiting" json:"waiting_since,omitempty"`
}

// maxFreshness bounds the experiments of one answer: those that wait longest.
const maxFreshness = 200

// Freshness returns how far the running and the paused experiments are behind
// now, those that wait longest first.
func (db *DB) Freshness(ctx context.Context, now time.Time) ([]Freshness, error) {
	const query = `
		select e.key, e.version, e.status, coalesce(n.number, 0) as look, n.at, n.watermark, w.waiting
		from experiments e
		left join lateral (
			select number, at, watermark from looks l
			where l.experiment_id = e.id and l.version = e.version
			order by number desc limit 1) n on true
		left join lateral (
			select min(first_closes_at) as waiting from exposures x
			where x.experiment_id = e.id and x.version = e.version
			  and x.first_closes_at > coalesce(n.watermark, '-infinity') and x.first_closes_at <= $1
			  and x.imported = '') w on true
		where e.status in ('running', 'paused')
		order by w.waiting nulls last, e.key
		limit $2`
	out := []Freshness{}
	if err := db.sql.SelectContext(ctx, &out, query, stamp(now.Add(-metrics.WatermarkLag)), maxFreshness); err != nil {
		return nil, wrap("read freshness", err)
	}
	for i := range out {
		for _, at := range []*time.Time{out[i].At, out[i].Watermark, out[i].Waiting} {
			if at != nil {
				*at = at.UTC()
			}
		}
	}
	return out, nil
}
