package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// ExposureRow is an exposure with its experiment resolved.
type ExposureRow struct {
	ExperimentID int64
	Version      int
	UnitType     experiment.UnitType
	Unit         string
	Arm          int // index into the experiment's arms
	At           time.Time
	Session      string // empty: not known
	Attributes   map[string]string
	Override     bool
	// Imported marks a unit that somebody else exposed: what it did is imported, too,
	// and no window of it closes by the clock.
	Imported ImportKind
	// Crossed marks a unit of which it is known that it was seen in another arm, too.
	Crossed bool
}

// ImportKind says how what an imported unit did comes in.
type ImportKind string

// The kinds. The zero value is a unit that was exposed here.
const (
	ImportSessions ImportKind = "sessions" // outcomes are made of its sessions
	ImportOutcomes ImportKind = "outcomes" // they come as such
)

// ResolveExposure returns the row of an exposure to exp. It returns
// experiment.CodeInvalid when exp has no such arm and experiment.CodeConflict
// when the exposure is to a version of the future.
func ResolveExposure(exp *assignment.Info, x *experiment.Exposure) (ExposureRow, error) {
	arm := exp.ArmIndex(x.Arm)
	if arm < 0 {
		return ExposureRow{}, experiment.Invalidf("arm", "experiment %s has no arm %q", exp.Key, x.Arm)
	}
	version := cmp.Or(x.Version, exp.Version)
	if version < 0 || version > exp.Version {
		return ExposureRow{}, experiment.Errorf(experiment.CodeConflict, "version",
			"experiment %s is at version %d, not %d", exp.Key, exp.Version, version)
	}
	return ExposureRow{
		ExperimentID: exp.ID, Version: version, UnitType: exp.Unit, Unit: x.Unit, Arm: arm,
		At: x.At, Session: x.Session, Attributes: x.Attributes, Override: x.Override,
	}, nil
}

// InsertExposures records a batch, in any order, with repetitions. Of a unit's
// exposures to one version it keeps the earliest, as long as none of the unit's
// windows has closed; a unit seen in two arms is marked as crossed.
//
// The clock is read when the batch cannot be overtaken by the job any more. An
// exposure of the future, by the clock of who sent it, counts as of now.
//
// It returns experiment.CodeTooLarge for more than experiment.MaxExposureBatch
// rows. When it returns nil the batch is durable.
func (db *DB) InsertExposures(ctx context.Context, now func() time.Time, rows []ExposureRow) error {
	if len(rows) > experiment.MaxExposureBatch {
		return experiment.Errorf(experiment.CodeTooLarge, "", "at most %d exposures at once", experiment.MaxExposureBatch)
	}
	if len(rows) == 0 {
		return nil
	}
	if db.copying.tries(len(rows)) {
		err := db.recordExposures(ctx, now, rows, func(tx *connTx, rows []foldedExposure, recordedAt time.Time) error {
			return tx.copyExposures(ctx, rows, recordedAt)
		})
		if !isKnownUnit(err) {
			return wrap("record exposures", err)
		}
		db.copying.met()
	}
	err := db.recordExposures(ctx, now, rows, func(tx *connTx, rows []foldedExposure, recordedAt time.Time) error {
		return insertExposures(ctx, tx.Tx, rows, recordedAt)
	})
	return wrap("record exposures", err)
}

// recordExposures links and writes rows in a transaction of their own.
func (db *DB) recordExposures(
	ctx context.Context, now func() time.Time, rows []ExposureRow,
	write func(tx *connTx, rows []foldedExposure, recordedAt time.Time) error,
) error {
	return db.inConnTx(ctx, func(tx *connTx) error {
		if _, err := tx.ExecContext(ctx, `select pg_advisory_xact_lock_shared($1)`, lockExposures); err != nil {
			return err
		}
		recordedAt := stamp(now())
		if err := insertLinks(ctx, tx.Tx, rows, recordedAt); err != nil {
			return err
		}
		return write(tx, foldExposures(rows, recordedAt), recordedAt)
	})
}

// foldedExposure is what one batch says of one unit.
type foldedExposure struct {
	ExposureRow
	crossed bool
}

// foldExposures leaves one row for each unit, in the order of the primary key:
// writers that lock in one order cannot deadlock.
func foldExposures(rows []ExposureRow, recordedAt time.Time) []foldedExposure {
	sorted := slices.Clone(rows)
	for i := range sorted {
		sorted[i].At = earlier(sorted[i].At, recordedAt).UTC().Truncate(time.Millisecond)
	}
	slices.SortStableFunc(sorted, func(a, b ExposureRow) int {
		return cmp.Or(compareUnits(&a, &b), a.At.Compare(b.At), cmp.Compare(a.Arm, b.Arm))
	})
	folded := make([]foldedExposure, 0, len(sorted))
	for i := range sorted {
		last := len(folded) - 1
		if last < 0 || compareUnits(&folded[last].ExposureRow, &sorted[i]) != 0 {
			folded = append(folded, foldedExposure{ExposureRow: sorted[i], crossed: sorted[i].Crossed})
			continue
		}
		folded[last].crossed = folded[last].crossed || sorted[i].Crossed || sorted[i].Arm != folded[last].Arm
		folded[last].Override = folded[last].Override || sorted[i].Override
	}
	return folded
}

// compareUnits orders rows as the primary key does.
func compareUnits(a, b *ExposureRow) int {
	return cmp.Or(
		cmp.Compare(a.ExperimentID, b.ExperimentID), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Unit, b.Unit),
	)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// upsertExposures writes folded rows. A row that is there changes while all its
// windows are open, so that its outcomes will agree; that it crossed is
// recorded at any time, but changes no outcome that is fixed.
const upsertExposures = `
	insert into exposures as x
		(experiment_id, version, unit_id, arm, at, recorded_at, override, crossed_at, attributes,
		 first_closes_at, imported)
	select n.experiment_id, n.version, n.unit_id, n.arm, n.at, $8, n.override,
	       case when n.crossed then $8::timestamptz end, n.attributes,
	       greatest(n.at + $9::interval, $8) + $10::interval, n.imported
	from unnest($1::bigint[], $2::int[], $3::text[], $4::smallint[], $5::timestamptz[], $6::bool[], $7::bool[], $11::json[], $12::text[])
		as n (experiment_id, version, unit_id, arm, at, override, crossed, attributes, imported)
	on conflict (experiment_id, version, unit_id) do update set
		at              = case when ` + exposureIsEarlier + ` then excluded.at else x.at end,
		recorded_at     = case when ` + exposureIsEarlier + ` then excluded.recorded_at else x.recorded_at end,
		attributes      = case when ` + exposureIsEarlier + ` then excluded.attributes else x.attributes end,
		first_closes_at = case when ` + exposureIsEarlier + ` then excluded.first_closes_at else x.first_closes_at end,
		override        = x.override or (` + exposureIsForced + `),
		crossed_at      = coalesce(x.crossed_at, case when ` + exposureCrosses + ` then excluded.recorded_at end)
	where ` + exposureIsEarlier + ` or ` + exposureIsForced + ` or x.crossed_at is null and (` + exposureCrosses + `)`

// The conditions under which an exposure changes the one that is there.
const (
	exposureIsEarlier = `(excluded.arm = x.arm and excluded.imported = x.imported and excluded.at < x.at and x.first_closes_at > excluded.recorded_at)`
	exposureIsForced  = `(excluded.override and not x.override and x.first_closes_at > excluded.recorded_at)`
	exposureCrosses   = `(excluded.arm <> x.arm or excluded.crossed_at is not null)`
)

func insertExposures(ctx context.Context, tx *sqlx.Tx, rows []foldedExposure, recordedAt time.Time) error {
	n := len(rows)
	ids, versions, units, arms := make([]int64, n), make([]int64, n), make([]string, n), make([]int64, n)
	ats, overrides, crossed, attributes := make([]string, n), make([]bool, n), make([]bool, n), make([]string, n)
	imported := make([]string, n)
	for i := range rows {
		r := &rows[i]
		ids[i], versions[i], units[i], arms[i] = r.ExperimentID, int64(r.Version), r.Unit, int64(r.Arm)
		ats[i] = r.At.Format(timestampFormat)
		overrides[i], crossed[i], imported[i] = r.Override, r.crossed, string(r.Imported)
		text, err := json.Marshal(r.Attributes)
		if err != nil {
			return err
		}
		attributes[i] = string(text)
		if r.Attributes == nil {
			attributes[i] = "{}"
		}
	}
	_, err := tx.ExecContext(ctx, upsertExposures,
		pq.Array(ids), pq.Array(versions), pq.Array(units), pq.Array(arms), pq.Array(ats),
		pq.Array(overrides), pq.Array(crossed), recordedAt,
		interval(metrics.WindowFirst.Span()), interval(metrics.WindowFirst.Grace()),
		pq.Array(attributes), pq.Array(imported))
	return err
}

// insertLinks joins the sessions that exposures name to their units.
func insertLinks(ctx context.Context, tx *sqlx.Tx, rows []ExposureRow, at time.Time) error {
	type link struct{ session, unitType, unit string }
	var links []link
	for i := range rows {
		if r := &rows[i]; r.Session != "" {
			links = append(links, link{r.Session, string(r.UnitType), r.Unit})
		}
	}
	if len(links) == 0 {
		return nil
	}
	slices.SortStableFunc(links, func(a, b link) int { return cmp.Compare(a.session, b.session) })
	links = slices.CompactFunc(links, func(a, b link) bool { return a.session == b.session })
	sessions, types, units := make([]string, len(links)), make([]string, len(links)), make([]string, len(links))
	for i, l := range links {
		sessions[i], types[i], units[i] = l.session, l.unitType, l.unit
	}
	_, err := tx.ExecContext(ctx, `
		insert into session_links (session_id, unit_type, unit_id, linked_at)
		select n.session_id, n.unit_type, n.unit_id, $4
		from unnest($1::text[], $2::text[], $3::text[]) as n (session_id, unit_type, unit_id)
		on conflict (session_id) do nothing`,
		pq.Array(sessions), pq.Array(types), pq.Array(units), at)
	return err
}

// timestampFormat is how timestamps are written into arrays.
const timestampFormat = "2006-01-02 15:04:05.000000Z07:00"

// interval writes a duration for PostgreSQL.
func interval(d time.Duration) string {
	return strconv.FormatInt(d.Milliseconds(), 10) + " milliseconds"
}
