package postgres

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/splitcast/splitcast/metrics"
)

const (
	// exposureCopyLeast is how many rows are worth a COPY, which has one round trip
	// more than the upsert.
	exposureCopyLeast = 256
	// exposureCopyPause is how many batches are upserted after one in which a unit
	// was known: right after a start, when what is stored has yet to be learnt, no
	// more than one batch in so many is written in vain.
	exposureCopyPause = 16
)

// exposureCopying decides which batches are tried as a COPY. The zero value tries.
type exposureCopying struct{ pause atomic.Int32 }

// tries reports whether a batch of so many rows is copied.
func (c *exposureCopying) tries(rows int) bool {
	if rows < exposureCopyLeast {
		return false
	}
	return c.pause.Load() <= 0 || c.pause.Add(-1) < 0
}

// met notes that a unit of a batch was known.
func (c *exposureCopying) met() { c.pause.Store(exposureCopyPause) }

const copyExposures = `copy exposures
	(experiment_id, version, unit_id, arm, at, recorded_at, override, crossed_at, attributes, first_closes_at, imported) from stdin`

// copyExposures writes folded rows of units that are all new, for two thirds of what
// upsertExposures costs: rows and index entries are not announced before they are
// made. It fails with isKnownUnit when one is there, and then the whole batch is
// to be upserted.
func (tx *connTx) copyExposures(ctx context.Context, rows []foldedExposure, recordedAt time.Time) error {
	recorded := recordedAt.AppendFormat(nil, timestampFormat)
	return tx.copyIn(ctx, copyExposures, len(rows), func(buf []byte, i int) []byte {
		r := &rows[i]
		attributes := "{}"
		if r.Attributes != nil {
			attributes = mustJSON(r.Attributes)
		}
		return appendExposure(buf, r, recorded, firstClosesAt(r.At, recordedAt), attributes)
	})
}

// firstClosesAt is when the shortest window of an exposure closes, as upsertExposures
// has it.
func firstClosesAt(at, recordedAt time.Time) time.Time {
	over := at.Add(metrics.WindowFirst.Span())
	if over.Before(recordedAt) {
		over = recordedAt
	}
	return over.Add(metrics.WindowFirst.Grace())
}

// appendExposure writes a row of copyExposures.
func appendExposure(buf []byte, r *foldedExposure, recorded []byte, closesAt time.Time, attributes string) []byte {
	buf = append(strconv.AppendInt(buf, r.ExperimentID, 10), '\t')
	buf = append(strconv.AppendInt(buf, int64(r.Version), 10), '\t')
	buf = append(appendText(buf, r.Unit), '\t')
	buf = append(strconv.AppendInt(buf, int64(r.Arm), 10), '\t')
	buf = append(r.At.AppendFormat(buf, timestampFormat), '\t')
	buf = append(append(buf, recorded...), '\t')
	buf = append(appendBool(buf, r.Override), '\t')
	if r.crossed {
		buf = append(buf, recorded...)
	} else {
		buf = appendNull(buf)
	}
	buf = append(appendText(append(buf, '\t'), attributes), '\t')
	buf = append(closesAt.AppendFormat(buf, timestampFormat), '\t')
	return append(buf, r.Imported...)
}

// isKnownUnit reports whether a COPY of exposures met a unit that is there.
func isKnownUnit(err error) bool {
	fault := pq.As(err, pqerror.UniqueViolation)
	return fault != nil && fault.Constraint == "exposures_pkey"
}
