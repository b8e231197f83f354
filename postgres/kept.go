package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// keepUnits stores the units that keep their arms when the experiment pauses
// so, and forgets them when it does so no more. They are those with an exposure
// to the present version, overrides and imported units apart: these were exposed
// elsewhere, and nothing here decides their arm. It returns an experiment.Error of
// CodeTooLarge for more than experiment.MaxKeptUnits.
func (c *change) keepUnits(ctx context.Context, tx *sqlx.Tx) error {
	kept := c.before != nil && c.before.exp.KeepsArms()
	switch {
	case kept == c.next.KeepsArms():
		return nil
	case kept:
		_, err := tx.ExecContext(ctx, `delete from kept_units where experiment_id = $1`, c.next.ID)
		return wrap("forget kept units", err)
	}
	var ids []string
	err := tx.SelectContext(ctx, &ids, `
		select unit_id from exposures where experiment_id = $1 and version = $2 and not override and imported = '' limit $3`,
		c.next.ID, c.next.Version, experiment.MaxKeptUnits+1)
	if err != nil {
		return fmt.Errorf("read exposed units: %w", err)
	}
	if len(ids) > experiment.MaxKeptUnits {
		return experiment.Errorf(experiment.CodeTooLarge, "on_pause", "more than %d units were exposed, too many to let each keep its arm; "+
			"pause with on_pause: control, or end the intake by lowering slots", experiment.MaxKeptUnits)
	}
	hashes, err := experiment.NewUnitSet(ids).AppendBinary(nil)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(hashes)
	_, err = tx.ExecContext(ctx, `insert into kept_units (experiment_id, version, digest, hashes) values ($1, $2, $3, $4)`,
		c.next.ID, c.next.Version, hex.EncodeToString(digest[:]), hashes)
	return wrap("store kept units", err)
}
