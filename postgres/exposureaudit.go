package postgres

import (
	"context"
	"database/sql"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// MaxExposurePage bounds the exposures of one call of ExposurePage.
const MaxExposurePage = 20_000

// StoredExposure is an exposure as it is recorded.
type StoredExposure struct {
	Version  int       `json:"version"`
	Unit     string    `json:"unit"`
	Arm      int       `json:"arm"`
	At       time.Time `json:"at"`
	Override bool      `json:"override"`
}

// ExposurePage returns up to limit exposures to an experiment, other than
// imported ones, of which somebody else drew the arm, that follow
// (version, unit), in this order. It returns experiment.CodeTooLarge when limit
// is above MaxExposurePage.
func (db *DB) ExposurePage(ctx context.Context, experimentID int64, version int, unit string, limit int) ([]StoredExposure, error) {
	if limit > MaxExposurePage {
		return nil, experiment.Errorf(experiment.CodeTooLarge, "limit", "at most %d exposures at once", MaxExposurePage)
	}
	const query = `
		select version, unit_id, arm, at, override from exposures
		where experiment_id = $1 and (version, unit_id) > ($2, $3) and imported = ''
		order by version, unit_id limit $4`
	out := []StoredExposure{}
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		var x StoredExposure
		if err := rows.Scan(&x.Version, &x.Unit, &x.Arm, &x.At, &x.Override); err != nil {
			return err
		}
		x.At = x.At.UTC()
		out = append(out, x)
		return nil
	}, query, experimentID, version, unit, limit)
	return out, wrap("read exposures", err)
}

// LayerSalts returns all layers by key.
func (db *DB) LayerSalts(ctx context.Context) (map[string]experiment.Layer, error) {
	var layers []experiment.Layer
	err := db.sql.SelectContext(ctx, &layers, `select key, unit, salt from layers`)
	out := make(map[string]experiment.Layer, len(layers))
	for _, l := range layers {
		out[l.Key] = l
	}
	return out, wrap("read layers", err)
}
