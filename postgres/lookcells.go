package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/stats"
)

// The columns that cells and dimension_cells have in common, in the order of
// appendCell and scanCell.
const cellColumns = `metric, metric_version, uncapped, arm, n, mean_y, low_y, mean_x, low_x, m2_y, m2_x, c_xy, hist, joint`

const (
	copyCells          = `copy cells (experiment_id, version, look, ` + cellColumns + `) from stdin`
	copyDimensionCells = `copy dimension_cells (experiment_id, version, dimension, value, ` + cellColumns + `) from stdin`
)

// appendCells stores the totals of a look, and its dimension cells in place of
// those of the look before.
func (l *lookTx) appendCells(ctx context.Context, look *metrics.Look) error {
	var totals, parts []*metrics.Cell
	for i := range look.Cells {
		c := &look.Cells[i]
		if c.IsTotal() {
			totals = append(totals, c)
		} else {
			parts = append(parts, c)
		}
	}
	hists, err := encodeHists(look.Cells)
	if err != nil {
		return err
	}
	version := append(strconv.AppendInt(nil, l.exp.ID, 10), '\t')
	version = append(strconv.AppendInt(version, int64(l.exp.Version), 10), '\t')
	number := append(strconv.AppendInt(nil, int64(look.Number), 10), '\t')

	err = l.tx.copyIn(ctx, copyCells, len(totals), func(buf []byte, i int) []byte {
		return appendCell(append(append(buf, version...), number...), totals[i], hists)
	})
	if err != nil {
		return wrap("append cells", err)
	}
	const forget = `delete from dimension_cells where experiment_id = $1 and version = $2`
	if _, err := l.tx.ExecContext(ctx, forget, l.exp.ID, l.exp.Version); err != nil {
		return wrap("remove dimension cells", err)
	}
	err = l.tx.copyIn(ctx, copyDimensionCells, len(parts), func(buf []byte, i int) []byte {
		buf = append(appendText(append(buf, version...), parts[i].Dimension), '\t')
		buf = append(appendText(buf, parts[i].Value), '\t')
		return appendCell(buf, parts[i], hists)
	})
	return wrap("replace dimension cells", err)
}

// encodeHists returns the JSON of the cells' histograms.
func encodeHists(cells []metrics.Cell) (map[*stats.Histogram]string, error) {
	hists := map[*stats.Histogram]string{}
	for i := range cells {
		h := cells[i].Hist
		if h == nil {
			continue
		}
		text, err := json.Marshal(h)
		if err != nil {
			return nil, fmt.Errorf("write the histogram of %s: %w", cells[i].Metric, err)
		}
		hists[h] = string(text)
	}
	return hists, nil
}

func appendCell(buf []byte, c *metrics.Cell, hists map[*stats.Histogram]string) []byte {
	buf = append(appendText(buf, c.Metric), '\t')
	buf = append(strconv.AppendInt(buf, int64(c.MetricVersion), 10), '\t')
	buf = append(appendBool(buf, c.Uncapped), '\t')
	buf = append(strconv.AppendInt(buf, int64(c.Arm), 10), '\t')
	buf = append(strconv.AppendInt(buf, c.Pair.N, 10), '\t')
	p := &c.Pair
	for _, f := range [...]float64{p.MeanY, p.LowY, p.MeanX, p.LowX, p.M2Y, p.M2X, p.CXY} {
		buf = append(appendFloat(buf, f), '\t')
	}
	if c.Hist == nil {
		buf = appendNull(buf)
	} else {
		buf = appendText(buf, hists[c.Hist])
	}
	buf = append(buf, '\t')
	if c.Joint == nil {
		return appendNull(buf)
	}
	return appendJoint(buf, c.Joint)
}

// readCells calls take for each row of a query whose columns are those of both,
// followed by cellColumns.
func readCells(ctx context.Context, q sqlx.QueryerContext, take func(look int, c metrics.Cell), query string, args ...any) error {
	return eachRow(ctx, q, func(rows *sql.Rows) error {
		var look int
		var c metrics.Cell
		var hist, joint sql.RawBytes
		p := &c.Pair
		err := rows.Scan(&look, &c.Dimension, &c.Value, &c.Metric, &c.MetricVersion, &c.Uncapped, &c.Arm,
			&p.N, &p.MeanY, &p.LowY, &p.MeanX, &p.LowX, &p.M2Y, &p.M2X, &p.CXY, &hist, &joint)
		if err != nil {
			return err
		}
		if hist != nil {
			c.Hist = &stats.Histogram{}
			if err := json.Unmarshal(hist, c.Hist); err != nil {
				return fmt.Errorf("read the histogram of %s: %w", c.Metric, err)
			}
		}
		if joint != nil {
			if c.Joint, err = parseJoint(string(joint)); err != nil {
				return fmt.Errorf("read the joint moments of %s: %w", c.Metric, err)
			}
		}
		take(look, c)
		return nil
	}, query, args...)
}
