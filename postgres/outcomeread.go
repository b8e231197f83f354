package postgres

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/metrics"
)

// FixedOutcome is an outcome as it is stored.
type FixedOutcome struct {
	metrics.Outcome
	Window metrics.Window
	Look   int // at which it was fixed
	// Observed is how many quantities there were when it was written: the others
	// are 0 and mean nothing.
	Observed int
}

// outcomePageSize is how many outcomes are in memory while they are read: 5 MB.
const outcomePageSize = 5_000

// Outcomes calls each for every outcome of a version that was fixed at a look up
// to number upTo, by window, day and unit. The value is valid during the call only.
// Because outcomes never change, pages that are read one after the other are the
// same as those of one moment, and each may take its time: nothing is held open.
func (db *DB) Outcomes(ctx context.Context, run Run, upTo int, each func(*FixedOutcome) error) error {
	for _, w := range metrics.Windows() {
		if err := db.windowOutcomes(ctx, run, w, upTo, each); err != nil {
			return wrap("read outcomes", err)
		}
	}
	return nil
}

// outcomesPage reads in the order of the primary key. The condition on the day
// alone lets PostgreSQL skip the partitions before it, which that on both does not.
const outcomesPage = `
	select day, unit_id, look, arm, exposed_at, closes_at, quantities::text, dims
	from outcomes
	where experiment_id = $1 and version = $2 and win = $3 and day >= $4 and (day, unit_id) > ($4, $5) and look <= $6
	order by day, unit_id limit $7`

func (db *DB) windowOutcomes(ctx context.Context, run Run, w metrics.Window, upTo int, each func(*FixedOutcome) error) error {
	day, unit := time.Time{}, "" // before all
	page := make([]FixedOutcome, 0, outcomePageSize)
	for {
		page = page[:0]
		err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
			page = append(page, FixedOutcome{Window: w})
			o := &page[len(page)-1]
			var quantities sql.RawBytes
			var dims pq.StringArray
			err := rows.Scan(&day, &o.Unit, &o.Look, &o.Arm, &o.ExposedAt, &o.ClosesAt, &quantities, &dims)
			if err != nil {
				return err
			}
			o.ExposedAt, o.ClosesAt = o.ExposedAt.UTC(), o.ClosesAt.UTC()
			copy(o.Dims[:], dims)
			unit = o.Unit
			o.Observed, err = parseQuantities(quantities, &o.Quantities)
			return err
		}, outcomesPage, run.ExperimentID, run.Version, string(w), day.Format(time.DateOnly), unit, upTo, outcomePageSize)
		if err != nil {
			return err
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

var errMalformedArray = errors.New("the quantities of an outcome are not an array of numbers")

// parseQuantities reads the text of a one-dimensional array and returns how many
// it holds. More than there are names for are those of a newer program.
func parseQuantities(text []byte, q *metrics.Quantities) (n int, err error) {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return 0, errMalformedArray
	}
	start := 1
	for i := 1; i < len(text); i++ {
		if text[i] != ',' && text[i] != '}' || i == start {
			continue
		}
		f, err := strconv.ParseFloat(string(text[start:i]), 64)
		if err != nil {
			return n, errMalformedArray
		}
		if n < len(q) {
			q[n] = f
			n++
		}
		start = i + 1
	}
	return n, nil
}
