package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// Limits of a preview: it answers while somebody waits.
const (
	maxPreviewUnits = 200_000 // 2 % of a mean whose deviation is five times it
	maxPreviewRuns  = 20      // the newest; most units are in several
)

// RecentOutcomes is what PreviewMetric rests on.
type RecentOutcomes struct {
	Experiments []string  `json:"experiments"` // of which the control arms were read
	Since       time.Time `json:"since"`       // the day from which windows closed
	Truncated   bool      `json:"truncated"`   // there were more units than a preview reads
}

// PreviewMetric makes a preview of a definition from the control arms of the
// experiments on the unit type whose windows closed since a moment. Each unit
// counts once, with its newest outcome of the newest experiment.
func (db *DB) PreviewMetric(ctx context.Context, d metrics.Definition, unit experiment.UnitType, since time.Time) (metrics.Preview, RecentOutcomes, error) {
	from := RecentOutcomes{Experiments: []string{}, Since: dayOf(since)}
	runs, err := db.recentRuns(ctx, unit, from.Since)
	if err != nil {
		return metrics.Preview{}, from, wrap("find recent outcomes", err)
	}
	p := metrics.NewPreviewer(d)
	ask := customReader{db: db, unit: unit, window: d.Window, Customs: metrics.CustomsOf(d)}
	seen := map[string]bool{}
	for _, run := range runs {
		before := len(seen)
		if err := db.previewRun(ctx, p, &ask, run.Run, from.Since, seen); err != nil {
			return metrics.Preview{}, from, wrap("read recent outcomes", err)
		}
		if len(seen) > before {
			from.Experiments = append(from.Experiments, run.key)
		}
		if from.Truncated = len(seen) == maxPreviewUnits; from.Truncated {
			break
		}
	}
	return p.Preview(), from, nil
}

// namedRun is a run with its experiment's key.
type namedRun struct {
	Run
	key string
	at  time.Time
}

// recentRuns returns the runs that had a look since a moment, newest first.
func (db *DB) recentRuns(ctx context.Context, unit experiment.UnitType, since time.Time) ([]namedRun, error) {
	marks, err := db.NewestLooks(ctx)
	if err != nil {
		return nil, err
	}
	keys := map[int64]string{}
	err = eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		var id int64
		var key string
		err := rows.Scan(&id, &key)
		keys[id] = key
		return err
	}, `select id, key from experiments where spec->>'unit' = $1`, string(unit))
	if err != nil {
		return nil, err
	}
	var runs []namedRun
	for _, run := range slices.Collect(maps.Keys(marks)) {
		if key, ok := keys[run.ExperimentID]; ok && !marks[run].At.Before(since) {
			runs = append(runs, namedRun{Run: run, key: key, at: marks[run].At})
		}
	}
	slices.SortFunc(runs, func(a, b namedRun) int {
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.key, b.key), cmp.Compare(b.Version, a.Version))
	})
	return runs[:min(len(runs), maxPreviewRuns)], nil
}

// previewChunk is how many outcomes are asked about at once where there are
// custom quantities.
const previewChunk = 5_000

// previewRun adds the units of a run that were not seen before.
func (db *DB) previewRun(ctx context.Context, p *metrics.Previewer, ask *customReader, run Run, since time.Time, seen map[string]bool) error {
	needs := p.Needs()
	var one metrics.Outcome
	var quantities sql.RawBytes
	var chunk []metrics.Outcome
	flush := func() error {
		if err := ask.fill(ctx, chunk); err != nil {
			return err
		}
		for i := range chunk {
			p.Add(&chunk[i])
		}
		chunk = chunk[:0]
		return nil
	}
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		if err := rows.Scan(&one.Unit, &one.ExposedAt, &one.ClosesAt, &quantities); err != nil {
			return err
		}
		if seen[one.Unit] || len(seen) == maxPreviewUnits {
			return nil
		}
		seen[one.Unit] = true
		o := metrics.Outcome{Unit: one.Unit, ExposedAt: one.ExposedAt, ClosesAt: one.ClosesAt}
		observed, err := parseQuantities(quantities, &o.Quantities)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(needs, func(q metrics.Quantity) bool { return int(q) >= observed }) {
			p.AddMissing() // it was written before the quantity was invented
			return nil
		}
		if chunk = append(chunk, o); len(chunk) == previewChunk {
			return flush()
		}
		return nil
	}, `
		select unit_id, exposed_at, closes_at, quantities from outcomes
		where experiment_id = $1 and version = $2 and win = $3 and day >= $4 and arm = 0
		order by day desc, unit_id limit $5`,
		run.ExperimentID, run.Version, string(ask.window), since.Format(time.DateOnly), maxPreviewUnits)
	if err != nil {
		return err
	}
	return flush()
}
