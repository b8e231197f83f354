package postgres

import (
	"context"

	"github.com/splitcast/splitcast/experiment"
)

// Ship stops an experiment and serves the arm to every unit of its type that
// is not held out. Its errors are those of experiment.Ship and CodeNotFound.
func (db *DB) Ship(ctx context.Context, key, arm string, opts ApplyOptions) (Applied, error) {
	return db.act(ctx, key, actionShip, opts, shipping(arm))
}

// The names of actions in the audit log that a review can be about.
const (
	actionShip    = "experiment.ship"
	actionRestart = "experiment.restart"
)

func shipping(arm string) revision {
	return func(_ *publication, cur experiment.Experiment) (experiment.Experiment, error) {
		return experiment.Ship(cur, arm)
	}
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
	return db.act(ctx, key, actionRestart, opts, restarting)
}

func restarting(p *publication, cur experiment.Experiment) (experiment.Experiment, error) {
	return experiment.Restart(cur, p.opts.salt(), p.at)
}

// SetStatus takes an experiment to another status, as applying its document with
// that status would. Its errors are those of ApplyDocument and CodeNotFound.
func (db *DB) SetStatus(ctx context.Context, key string, status experiment.Status, opts ApplyOptions) (Applied, error) {
	var out Applied
	err := db.publish(ctx, opts, func(p *publication) (err error) {
		out, err = p.setStatus(ctx, key, status)
		return err
	})
	return out, wrap("set status", err)
}

func (p *publication) setStatus(ctx context.Context, key string, status experiment.Status) (Applied, error) {
	stored, err := p.load(ctx, key)
	if err != nil {
		return Applied{}, err
	}
	spec := stored.exp.Spec
	spec.Status = status
	return p.applySpec(ctx, spec)
}

// applySpec applies a document of one experiment.
func (p *publication) applySpec(ctx context.Context, spec experiment.Spec) (Applied, error) {
	published, err := p.document(ctx, &experiment.Document{Experiments: []experiment.Spec{spec}})
	if err != nil {
		return Applied{}, err
	}
	return published.Experiments[0], nil
}

// load returns an experiment, or CodeNotFound.
func (p *publication) load(ctx context.Context, key string) (*storedExperiment, error) {
	stored, err := loadExperiment(ctx, p.tx, key)
	if err == nil && stored == nil {
		err = experiment.Errorf(experiment.CodeNotFound, "key", "there is no experiment %q", key)
	}
	return stored, err
}

// act does one thing to a stored experiment.
func (db *DB) act(ctx context.Context, key, action string, opts ApplyOptions, do revision) (Applied, error) {
	var out Applied
	err := db.publish(ctx, opts, func(p *publication) (err error) {
		out, err = p.act(ctx, key, action, do)
		return err
	})
	return out, wrap(action, err)
}

// revision makes the next experiment of the present one.
type revision func(*publication, experiment.Experiment) (experiment.Experiment, error)

func (p *publication) act(ctx context.Context, key, action string, do revision) (Applied, error) {
	stored, err := p.load(ctx, key)
	if err != nil {
		return Applied{}, err
	}
	c := &change{before: stored, action: action}
	if c.next, err = do(p, stored.exp); err != nil {
		return Applied{}, err
	}
	c.changes = actionChanges(&stored.exp, &c.next)
	if err := p.write(ctx, c); err != nil {
		return Applied{}, err
	}
	return Applied{Result: Updated, Experiment: c.next, Changes: c.changes}, nil
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
