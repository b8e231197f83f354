package postgres

import (
	"context"

	"github.com/splitcast/splitcast/experiment"
)

// Ship stops an experiment and serves the arm to every unit of its type that
// is not held out. Its errors are those of experiment.Ship and CodeNotFound.
func (db *DB) Ship(ctx context.Context, key, arm string, opts ApplyOptions) (Applied, error) {
	return db.act(ctx, key, "experiment.ship", opts, func(_ *publication, cur experiment.Experiment) (experiment.Experiment, error) {
		return experiment.Ship(cur, arm)
	})
}

// Unship removes the shipped arm. Its errors are those of experiment.Unship
// and CodeNotFound.
func (db *DB) Unship(ctx context.Context, key string, opts ApplyOptions) (Applied, error) {
	return db.act(ctx, key, "experiment.remove", opts, func(_ *publication, cur experiment.Experiment) (experiment.Experiment, error) {
		return experiment.Unship(cur)
	})
}

// Restart runs an experiment anew with another salt and a new version. Its
// errors are those of experiment.Restart, CodeNotFound, and CodeConflict when
// its layer has too few free slots.
func (db *DB) Restart(ctx context.Context, key string, opts ApplyOptions) (Applied, error) {
	return db.act(ctx, key, "experiment.restart", opts, func(p *publication, cur experiment.Experiment) (experiment.Experiment, error) {
		return experiment.Restart(cur, p.opts.salt(), p.at)
	})
}

// SetStatus takes an experiment to another status, as applying its document with
// that status would. Its errors are those of ApplyDocument and CodeNotFound.
func (db *DB) SetStatus(ctx context.Context, key string, status experiment.Status, opts ApplyOptions) (Applied, error) {
	var out Applied
	err := db.publish(ctx, opts, func(p *publication) error {
		stored, err := loadExperiment(ctx, p.tx, key)
		if err != nil {
			return err
		}
		if stored == nil {
			return experiment.Errorf(experiment.CodeNotFound, "key", "there is no experiment %q", key)
		}
		spec := stored.exp.Spec
		spec.Status = status
		published, err := p.document(ctx, &experiment.Document{Experiments: []experiment.Spec{spec}})
		if err == nil {
			out = published.Experiments[0]
		}
		return err
	})
	return out, wrap("set status", err)
}

// act does one thing to a stored experiment.
func (db *DB) act(ctx context.Context, key, action string, opts ApplyOptions, do func(*publication, experiment.Experiment) (experiment.Experiment, error)) (Applied, error) {
	var out Applied
	err := db.publish(ctx, opts, func(p *publication) error {
		stored, err := loadExperiment(ctx, p.tx, key)
		if err != nil {
			return err
		}
		if stored == nil {
			return experiment.Errorf(experiment.CodeNotFound, "key", "there is no experiment %q", key)
		}
		c := &change{before: stored, action: action}
		if c.next, err = do(p, stored.exp); err != nil {
			return err
		}
		c.changes = actionChanges(&stored.exp, &c.next)
		if err := p.write(ctx, c); err != nil {
			return err
		}
		out = Applied{Result: Updated, Experiment: c.next, Changes: c.changes}
		return nil
	})
	return out, wrap(action, err)
}

// actionChanges are the differences that an action may make outside of the
// spec and in its status.
func actionChanges(cur, next *experiment.Experiment) []experiment.Change {
	var out []experiment.Change
	add := func(path, from, to string) {
		if from != to {
			out = append(out, experiment.Change{Path: path, From: []byte(from), To: []byte(to)})
		}
	}
	add("salt", mustJSON(cur.Salt), mustJSON(next.Salt))
	add("shipped_arm", mustJSON(cur.ShippedArm), mustJSON(next.ShippedArm))
	add("slots", mustJSON(cur.TargetSlots()), mustJSON(next.TargetSlots()))
	add("status", mustJSON(cur.Status), mustJSON(next.Status))
	add("version", mustJSON(cur.Version), mustJSON(next.Version))
	return out
}
