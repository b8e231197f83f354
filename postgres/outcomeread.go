package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
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

// Outcomes calls each for every outcome of a version that is valid at look number
// upTo, by window, day and unit: those fixed by then, and of the days that were
// restated by then the newest. The value is valid during the call only.
// Because outcomes never change, pages that are read one after the other are the
// same as those of one moment, and each may take its time: nothing is held open.
func (db *DB) Outcomes(ctx context.Context, run Run, upTo int, each func(*FixedOutcome) error) error {
	var windows []metrics.Window
	const query = `select distinct win from outcome_counts where experiment_id = $1 and version = $2 order by win`
	if err := db.sql.SelectContext(ctx, &windows, query, run.ExperimentID, run.Version); err != nil {
		return wrap("read the windows of outcomes", err)
	}
	for _, w := range windows {
		if err := windowOutcomes(ctx, db.sql, run, w, upTo, each); err != nil {
			return wrap("read outcomes", err)
		}
	}
	return nil
}

// outcomesPage reads in the order of the primary key. The condition on the day
// alone lets PostgreSQL skip the partitions before it, which that on both does not.
const outcomesPage = `
	select o.day, o.unit_id, coalesce(r.look, o.look), o.arm, o.exposed_at, o.closes_at,
	       case when r.look is null then o.quantities else r.quantities end,
	       case when r.look is null then o.dims else r.dims end,
	       (case when r.look is null then o.covariates else r.covariates end)::text,
	       case when r.look is null then o.custom else r.custom end,
	       case when r.look is null then o.suspected else r.suspected end
	from outcomes o
	left join lateral (
		select look, quantities, dims, covariates, custom, suspected from restated_outcomes r
		where r.experiment_id = o.experiment_id and r.version = o.version and r.win = o.win and r.unit_id = o.unit_id
		  and r.look <= $6
		order by r.look desc limit 1) r on true
	where o.experiment_id = $1 and o.version = $2 and o.win = $3 and o.day >= $4 and (o.day, o.unit_id) > ($4, $5)
	  and o.look <= $6
	order by o.day, o.unit_id limit $7`

// Outcomes implements metrics.LookTx.
func (l *lookTx) Outcomes(ctx context.Context, w metrics.Window, look int, each func(*metrics.Outcome) error) error {
	run := Run{ExperimentID: l.exp.ID, Version: l.exp.Version}
	return wrap("read outcomes", windowOutcomes(ctx, l.tx, run, w, look, func(o *FixedOutcome) error { return each(&o.Outcome) }))
}

func windowOutcomes(ctx context.Context, q queryer, run Run, w metrics.Window, upTo int, each func(*FixedOutcome) error) error {
	day, unit := time.Time{}, "" // before all
	var page []FixedOutcome      // as large as there are outcomes
	for {
		page = page[:0]
		err := eachRow(ctx, q, func(rows *sql.Rows) error {
			page = append(page, FixedOutcome{Window: w})
			o := &page[len(page)-1]
			var quantities, covariates, custom sql.RawBytes
			var dims pq.StringArray
			err := rows.Scan(&day, &o.Unit, &o.Look, &o.Arm, &o.ExposedAt, &o.ClosesAt, &quantities, &dims,
				&covariates, &custom, &o.Suspected)
			if err != nil {
				return err
			}
			if err := o.parseRest(covariates, custom); err != nil {
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

// parseRest reads the columns that not every outcome has.
func (o *FixedOutcome) parseRest(covariates, custom []byte) error {
	if custom != nil {
		if err := json.Unmarshal(custom, &o.Custom); err != nil {
			return fmt.Errorf("read custom quantities: %w", err)
		}
	}
	if covariates == nil {
		return nil
	}
	numbers, err := parseNumbers(covariates)
	if err != nil || len(numbers) == 0 || len(numbers)%2 != 1 {
		return errMalformedArray
	}
	o.Covariates = metrics.Covariates{Known: true, History: numbers[0] == 1}
	for i := 1; i < len(numbers); i += 2 {
		if at := int(numbers[i]); at >= 0 && at < len(o.Covariates.Quantities) {
			o.Covariates.Quantities[at] = numbers[i+1]
		}
	}
	return nil
}

// parseNumbers reads the text of a one-dimensional array.
func parseNumbers(text []byte) ([]float64, error) {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return nil, errMalformedArray
	}
	inner := string(text[1 : len(text)-1])
	var out []float64
	for number := range strings.SplitSeq(inner, ",") {
		f, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, errMalformedArray
		}
		out = append(out, f)
	}
	return out, nil
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
