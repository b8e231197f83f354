package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// MaxImportBatch bounds one call of an import: a transaction of a second.
const MaxImportBatch = 5_000

// ImportedUnit is a unit that somebody else exposed and, unless its outcomes are
// made of sessions, measured.
type ImportedUnit struct {
	ExposureRow
	Outcomes map[metrics.Window]*metrics.Measured
}

// ImportFate is what became of an imported unit. The zero value: it is new.
type ImportFate struct {
	Repeated bool // all of it was there
	// Refused says why it was not taken; empty when it was.
	Refused string
}

// ImportUnits records units of one experiment's version that somebody else exposed,
// with their outcomes, which the next look takes. Repeating a call changes nothing.
// A unit that was exposed here, or that is known to have been seen in two arms, has
// no imported outcome; neither has one whose outcome of the window is there with
// other numbers, because an outcome is never changed. When it returns nil the
// others are durable. Fates are in the order of the units.
//
// What was taken is in the audit log as the actor's doing, or nothing was.
//
// It returns experiment.CodeTooLarge for more than MaxImportBatch units.
func (db *DB) ImportUnits(ctx context.Context, now func() time.Time, actor string, exp *experiment.Experiment, units []ImportedUnit) ([]ImportFate, error) {
	if len(units) > MaxImportBatch {
		return nil, experiment.Errorf(experiment.CodeTooLarge, "", "at most %d units at once", MaxImportBatch)
	}
	if len(units) == 0 {
		return nil, nil
	}
	return db.importUnits(ctx, now, exp, units, importAct{actor, exp.Key, func(accepted int) map[string]any {
		return map[string]any{"with": units[0].Imported, "accepted": accepted}
	}})
}

// importAct is who imports and what the audit log says of it.
type importAct struct {
	actor, subject string
	detail         func(accepted int) map[string]any
}

// audit appends the entry of an import, within its transaction. The configuration is
// locked last: nothing that holds it waits for what imports lock.
func (a *importAct) audit(ctx context.Context, tx *sqlx.Tx, at time.Time, accepted int) error {
	if accepted == 0 {
		return nil
	}
	if err := lockConfig(ctx, tx); err != nil {
		return err
	}
	return appendAudit(ctx, tx, AuditEntry{
		At: at, Actor: a.actor, Action: "import", Subject: a.subject, Detail: json.RawMessage(mustJSON(a.detail(accepted))),
	})
}

func (db *DB) importUnits(ctx context.Context, now func() time.Time, exp *experiment.Experiment, units []ImportedUnit, act importAct) ([]ImportFate, error) {
	fates := make([]ImportFate, len(units))
	err := db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		// As for exposures: a look that has passed this moment has seen them.
		if _, err := tx.ExecContext(ctx, `select pg_advisory_xact_lock_shared($1)`, lockExposures); err != nil {
			return err
		}
		b := importBatch{tx: tx, exp: exp, units: units, fates: fates, at: stamp(now())}
		if err := b.record(ctx); err != nil {
			return err
		}
		return act.audit(ctx, tx, b.at, accepted(fates))
	})
	if err != nil {
		return nil, wrap("import units", err)
	}
	return fates, nil
}

// accepted counts the units that were taken and were not there.
func accepted(fates []ImportFate) int {
	n := 0
	for _, f := range fates {
		if !f.Repeated && f.Refused == "" {
			n++
		}
	}
	return n
}

// importBatch is one call of ImportUnits.
type importBatch struct {
	tx    *sqlx.Tx
	exp   *experiment.Experiment
	units []ImportedUnit
	fates []ImportFate
	at    time.Time
}

func (b *importBatch) record(ctx context.Context) error {
	rows := make([]ExposureRow, len(b.units))
	names := make([]string, len(b.units))
	for i := range b.units {
		rows[i], names[i] = b.units[i].ExposureRow, b.units[i].Unit
	}
	before, err := b.exposures(ctx, names)
	if err != nil {
		return err
	}
	if err := insertLinks(ctx, b.tx, rows, b.at); err != nil {
		return err
	}
	if err := insertExposures(ctx, b.tx, foldExposures(rows, b.at), b.at); err != nil {
		return err
	}
	after, err := b.exposures(ctx, names)
	if err != nil {
		return err
	}
	for i := range b.units {
		u := &b.units[i]
		is := after[u.Unit]
		switch {
		case is.imported == "":
			b.fates[i].Refused = "the unit was exposed here; what it did comes from telemetry"
		case is.imported != u.Imported:
			b.fates[i].Refused = "the unit was imported with " + string(is.imported)
		case is.crossed && !u.Crossed:
			b.fates[i].Refused = "the unit was seen in two arms; it is in no outcome"
		case before[u.Unit] == is:
			b.fates[i].Repeated = true // unless an outcome of it is new
		}
	}
	return b.appendOutcomes(ctx)
}

// importedState is what decides whether a unit may have an imported outcome.
type importedState struct {
	imported ImportKind
	arm      int
	crossed  bool
}

func (b *importBatch) exposures(ctx context.Context, names []string) (map[string]importedState, error) {
	out := make(map[string]importedState, len(names))
	err := eachRow(ctx, b.tx, func(rows *sql.Rows) error {
		var unit string
		var is importedState
		err := rows.Scan(&unit, &is.imported, &is.arm, &is.crossed)
		out[unit] = is
		return err
	}, `select unit_id, imported, arm, crossed_at is not null from exposures
		where experiment_id = $1 and version = $2 and unit_id = any ($3)`, b.exp.ID, b.exp.Version, pq.Array(names))
	return out, err
}

// outcomeOfUnit is one outcome of a batch and the unit it is of.
type outcomeOfUnit struct {
	unit   int // in the batch
	window metrics.Window
	*metrics.Measured
}

// storedOutcome is what is stored of an imported outcome, as texts.
type storedOutcome struct {
	quantities string
	custom     sql.NullString
	covariates sql.NullString
}

// is reports whether the same is stored.
func (o *outcomeOfUnit) is(stored storedOutcome) bool {
	var q metrics.Quantities
	n, err := parseQuantities([]byte(stored.quantities), &q)
	if err != nil || !slices.Equal(q[:n], o.Quantities[:n]) || stored.custom.String != customText(o.Custom) {
		return false
	}
	given := covariatesText(&o.Covariates)
	if given == "" || !stored.covariates.Valid {
		return given == stored.covariates.String
	}
	is, err := parseNumbers([]byte(stored.covariates.String))
	was, givenErr := parseNumbers([]byte(given))
	return err == nil && givenErr == nil && slices.Equal(is, was)
}

// appendOutcomes writes the outcomes of the units that were taken and counts the
// new ones.
func (b *importBatch) appendOutcomes(ctx context.Context) error {
	var all []outcomeOfUnit
	for i := range b.units {
		u := &b.units[i]
		if b.fates[i].Refused != "" || u.Crossed {
			continue
		}
		for _, w := range slices.Sorted(maps.Keys(u.Outcomes)) {
			all = append(all, outcomeOfUnit{i, w, u.Outcomes[w]})
		}
	}
	written, err := b.insertOutcomes(ctx, all)
	if err != nil {
		return err
	}
	known, err := b.knownOutcomes(ctx, all, written)
	if err != nil {
		return err
	}
	for i := range all {
		o := &all[i]
		_, isNew := written[importKey{o.window, b.units[o.unit].Unit}]
		switch {
		case b.fates[o.unit].Refused != "": // by another window
		case !o.is(known[i]):
			b.fates[o.unit] = ImportFate{Refused: fmt.Sprintf("an outcome of the window %s is there with other numbers; it is never changed", o.window)}
		case isNew:
			b.fates[o.unit].Repeated = false
		}
	}
	return nil
}

// importKey names an outcome within an experiment's version.
type importKey struct {
	window metrics.Window
	unit   string
}

// insertOutcomes writes those that are not there, and returns them.
func (b *importBatch) insertOutcomes(ctx context.Context, all []outcomeOfUnit) (map[importKey]storedOutcome, error) {
	n := len(all)
	windows, units, arms, ats := make([]string, n), make([]string, n), make([]int64, n), make([]string, n)
	numbers, dims, customs, pasts := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, o := range all {
		u := &b.units[o.unit]
		windows[i], units[i], arms[i] = string(o.window), u.Unit, int64(u.Arm)
		numbers[i] = string(appendQuantities(nil, &o.Quantities, keptQuantities(b.exp)))
		customs[i], pasts[i] = customText(o.Custom), covariatesText(&o.Covariates)
		ats[i], dims[i] = earlier(u.At, b.at).UTC().Format(timestampFormat), dimsText(u.Attributes)
	}
	written := map[importKey]storedOutcome{}
	counts := map[fixedKey]int64{}
	err := eachRow(ctx, b.tx, func(rows *sql.Rows) error {
		var k importKey
		var arm int
		var o storedOutcome
		if err := rows.Scan(&k.window, &k.unit, &arm, &o.quantities, &o.custom, &o.covariates); err != nil {
			return err
		}
		written[k] = o
		counts[fixedKey{k.window, arm}]++
		return nil
	}, `
		insert into imported_outcomes
			(experiment_id, version, win, unit_id, arm, exposed_at, imported_at, quantities, dims, custom, covariates)
		select $1, $2, n.win, n.unit_id, n.arm, n.at, $3, n.numbers, n.dims::text[],
		       nullif(n.custom, '')::json, nullif(n.past, '')::double precision[]
		from unnest($4::text[], $5::text[], $6::smallint[], $7::timestamptz[], $8::text[], $9::text[], $10::text[], $11::text[])
			as n (win, unit_id, arm, at, numbers, dims, custom, past)
		order by n.win, n.unit_id
		on conflict (experiment_id, version, win, unit_id) do nothing
		returning win, unit_id, arm, quantities, custom::text, covariates::text`,
		b.exp.ID, b.exp.Version, b.at, pq.Array(windows), pq.Array(units), pq.Array(arms), pq.Array(ats), pq.Array(numbers), pq.Array(dims),
		pq.Array(customs), pq.Array(pasts))
	if err != nil {
		return nil, err
	}
	for key, count := range counts {
		const add = `
			insert into imported_counts as c (experiment_id, version, win, arm, count) values ($1, $2, $3, $4, $5)
			on conflict (experiment_id, version, win, arm) do update set count = c.count + excluded.count`
		if _, err := b.tx.ExecContext(ctx, add, b.exp.ID, b.exp.Version, string(key.window), key.arm, count); err != nil {
			return nil, err
		}
	}
	return written, nil
}

// knownOutcomes returns the numbers of the outcomes that were there before, in the
// order of all; those just written are in written.
func (b *importBatch) knownOutcomes(ctx context.Context, all []outcomeOfUnit, written map[importKey]storedOutcome) ([]storedOutcome, error) {
	known := make([]storedOutcome, len(all))
	var windows, units []string
	for i, o := range all {
		k := importKey{o.window, b.units[o.unit].Unit}
		if o, ok := written[k]; ok {
			known[i] = o
			continue
		}
		windows, units = append(windows, string(k.window)), append(units, k.unit)
	}
	if len(units) == 0 {
		return known, nil
	}
	there := map[importKey]storedOutcome{}
	err := eachRow(ctx, b.tx, func(rows *sql.Rows) error {
		var k importKey
		var o storedOutcome
		err := rows.Scan(&k.window, &k.unit, &o.quantities, &o.custom, &o.covariates)
		there[k] = o
		return err
	}, `select o.win, o.unit_id, o.quantities, o.custom::text, o.covariates::text
		from unnest($3::text[], $4::text[]) as n (win, unit_id)
		join imported_outcomes o on o.experiment_id = $1 and o.version = $2 and o.win = n.win and o.unit_id = n.unit_id`,
		b.exp.ID, b.exp.Version, pq.Array(windows), pq.Array(units))
	for i, o := range all {
		if known[i].quantities == "" {
			known[i] = there[importKey{o.window, b.units[o.unit].Unit}]
		}
	}
	return known, err
}

// keptQuantities is how many quantities outcomes of the experiment hold.
func keptQuantities(exp *experiment.Experiment) int {
	if exp.Unit != experiment.UnitBroadcaster {
		return int(metrics.Streams) // what follows is unknown of them, as what an array lacks
	}
	return metrics.QuantityCount
}

// customText writes custom quantities; empty without any.
func customText(custom []metrics.CustomValue) string {
	if len(custom) == 0 {
		return ""
	}
	return mustJSON(custom)
}

// covariatesText writes covariates; empty where the past is not known.
func covariatesText(c *metrics.Covariates) string {
	if !c.Known {
		return ""
	}
	return string(appendCovariates(nil, c))
}

func dimsText(attributes map[string]string) string {
	var dims pq.StringArray
	for _, name := range metrics.Dimensions() {
		dims = append(dims, attributes[name])
	}
	text, err := dims.Value()
	if err != nil {
		return "{}" // it has no error to give
	}
	s, _ := text.(string)
	return s
}
