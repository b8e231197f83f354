package postgres

import (
	"context"
	"database/sql"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/metrics"
)

// importedPage reads imported outcomes in the order in which they came.
const importedPage = `
	select unit_id, arm, exposed_at, imported_at, quantities, dims, covariates::text, custom
	from imported_outcomes
	where experiment_id = $1 and version = $2 and win = $3
	  and (imported_at, unit_id) > ($4, $5) and imported_at <= $6
	order by imported_at, unit_id limit $7`

// Imported implements metrics.LookTx.
func (l *lookTx) Imported(ctx context.Context, ask metrics.Reading, each func(*metrics.Outcome) error) error {
	at, unit := stamp(ask.After), lastUnit
	var page []metrics.Outcome // most experiments have none, and a page has room for megabytes
	for {
		page = page[:0]
		err := eachRow(ctx, l.db.sql, func(rows *sql.Rows) error {
			var o FixedOutcome
			var quantities, covariates, custom sql.RawBytes
			var dims pq.StringArray
			if err := rows.Scan(&o.Unit, &o.Arm, &o.ExposedAt, &o.ClosesAt, &quantities, &dims, &covariates, &custom); err != nil {
				return err
			}
			if err := o.parseRest(covariates, custom); err != nil {
				return err
			}
			o.ExposedAt, o.ClosesAt = o.ExposedAt.UTC(), o.ClosesAt.UTC()
			copy(o.Dims[:], dims)
			at, unit = o.ClosesAt, o.Unit
			_, err := parseQuantities(quantities, &o.Quantities)
			page = append(page, o.Outcome)
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
