package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// importedPage reads imported outcomes in the order in which they came.
const importedPage = `
	select unit_id, arm, exposed_at, imported_at, quantities, dims
	from imported_outcomes
	where experiment_id = $1 and version = $2 and win = $3
	  and (imported_at, unit_id) > ($4, $5) and imported_at <= $6
	order by imported_at, unit_id limit $7`

// Imported implements metrics.LookTx.
func (l *lookTx) Imported(ctx context.Context, ask metrics.Reading, each func(*metrics.Outcome) error) error {
	at, unit := stamp(ask.After), lastUnit
	page := make([]metrics.Outcome, 0, outcomePageSize)
	for {
		page = page[:0]
		err := eachRow(ctx, l.db.sql, func(rows *sql.Rows) error {
			page = append(page, metrics.Outcome{})
			o := &page[len(page)-1]
			var quantities sql.RawBytes
			var dims pq.StringArray
			if err := rows.Scan(&o.Unit, &o.Arm, &o.ExposedAt, &o.ClosesAt, &quantities, &dims); err != nil {
				return err
			}
			o.ExposedAt, o.ClosesAt = o.ExposedAt.UTC(), o.ClosesAt.UTC()
			copy(o.Dims[:], dims)
			at, unit = o.ClosesAt, o.Unit
			_, err := parseQuantities(quantities, &o.Quantities)
			return err
		}, importedPage, l.exp.ID, l.exp.Version, string(ask.Window), at, unit, stamp(ask.UpTo), outcomePageSize)
		if err != nil {
			return wrap("read imported outcomes", err)
		}
		for i := range page {
			if err := each(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < outcomePageSize {
			return nil
		}
	}
}

// lastUnit follows every unit id, which is printable ASCII.
const lastUnit = "\x7f"

// ImportProgress is what became of imported units whose outcomes are made of
// sessions.
type ImportProgress struct {
	Outcomes int // new ones
	Pending  int // windows that are not over yet
}

// CloseImports makes the outcomes of units that were imported with their sessions,
// for every window that was over, its grace included, by now: the sessions are
// taken to be here. What was made before stays. It reads all imported exposures of
// the version, and may be called as often as one likes.
func (db *DB) CloseImports(ctx context.Context, now func() time.Time, exp *experiment.Experiment, windows []metrics.Window) (ImportProgress, error) {
	var p ImportProgress
	at := now()
	for _, w := range windows {
		var units []ImportedUnit
		flush := func() error {
			fates, err := db.ImportUnits(ctx, now, exp, units)
			for _, f := range fates {
				if !f.Repeated && f.Refused == "" {
					p.Outcomes++
				}
			}
			units = units[:0]
			return err
		}
		// All of them: none closes later than an exposure of this moment.
		ask := metrics.Reading{Window: w, UpTo: w.ClosesAt(at, at)}
		err := db.readClosed(ctx, exp, ask, ImportSessions, func(c *metrics.Closed) error {
			switch {
			case c.Excluded():
				return nil
			case c.ExposedAt.Add(w.Span() + w.Grace()).After(at):
				p.Pending++
				return nil
			}
			o := metrics.Observe(c, w)
			outcomes := make(map[metrics.Window]*metrics.Quantities, 1)
			outcomes[w] = &o.Quantities
			units = append(units, ImportedUnit{
				ExposureRow: ExposureRow{
					ExperimentID: exp.ID, Version: exp.Version, UnitType: exp.Unit, Unit: c.Unit, Arm: c.Arm, At: c.ExposedAt,
					Attributes: c.Dims, Imported: ImportSessions,
				},
				Outcomes: outcomes,
			})
			if len(units) == MaxImportBatch {
				return flush()
			}
			return nil
		})
		if err == nil {
			err = flush()
		}
		if err != nil {
			return p, wrap("close imports", err)
		}
	}
	return p, nil
}
