package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// ApplyOptions say who applies, when, and against which catalogue.
type ApplyOptions struct {
	DryRun      bool
	Actor       string
	Now         time.Time
	KnownMetric func(metric string) bool
	// Salt draws the salts of what is new. Nil draws them at random; a
	// simulation that must be repeatable draws them from its seed.
	Salt func() string
}

func (o *ApplyOptions) salt() string {
	if o.Salt == nil {
		return rand.Text()
	}
	return o.Salt()
}

// Result is what Apply did with one spec.
type Result string

// The results.
const (
	Created   Result = "created"
	Updated   Result = "updated"
	Unchanged Result = "unchanged"
)

// Applied is one spec's result: the experiment as it is now, or would be after
// a dry run, and how it differs from before.
type Applied struct {
	Result     Result                `json:"result"`
	Experiment experiment.Experiment `json:"experiment"`
	Changes    []experiment.Change   `json:"changes,omitempty"`
}

// Apply creates or updates experiments, all or none, and returns one Applied
// for each spec in order. Experiments whose version or slots assignment must
// learn of are announced by a new configuration version.
//
// It returns experiment.Errors of CodeInvalid for specs that break a rule and
// of CodeConflict for changes that are refused; where there are several specs,
// fields begin with experiments[i].
func (db *DB) Apply(ctx context.Context, specs []experiment.Spec, opts ApplyOptions) ([]Applied, error) {
	specs = slices.Clone(specs)
	if err := validateSpecs(specs, opts.KnownMetric); err != nil {
		return nil, err
	}
	var out []Applied
	err := db.inTx(ctx, nil, func(tx *sqlx.Tx) (err error) {
		out, err = apply(ctx, tx, specs, opts)
		if err == nil && opts.DryRun {
			err = errDryRun
		}
		return err
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}
	if err != nil {
		return nil, wrap("apply experiments", err)
	}
	return out, nil
}

// errDryRun rolls a transaction back that went well.
var errDryRun = errors.New("dry run")

// validateSpecs normalises the specs and gathers every fault of all of them.
func validateSpecs(specs []experiment.Spec, known func(string) bool) error {
	var faults experiment.Errors
	seen := map[string]bool{}
	for i := range specs {
		specs[i].Normalize()
		err := specs[i].Validate(known)
		if err == nil && seen[specs[i].Key] {
			err = experiment.Invalidf("key", "%q is in the document twice", specs[i].Key)
		}
		seen[specs[i].Key] = true
		faults = append(faults, experiment.Faults(within(specs, i, err))...)
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// within places the faults of spec i in the document.
func within(specs []experiment.Spec, i int, err error) error {
	if err == nil || len(specs) == 1 {
		return err
	}
	faults := experiment.Faults(err)
	if faults == nil {
		return err
	}
	placed := make(experiment.Errors, len(faults))
	for j, f := range faults {
		field := fmt.Sprintf("experiments[%d]", i)
		if f.Field != "" {
			field += "." + f.Field
		}
		placed[j] = &experiment.Error{Code: f.Code, Field: field, Message: f.Message}
	}
	return placed
}

// change is one spec on its way into the database.
type change struct {
	index   int               // of the spec
	before  *storedExperiment // nil: new
	next    experiment.Experiment
	changes []experiment.Change
	layerID int
}

// growth is by how many slots the experiment grows.
func (c *change) growth() int { return slotsWanted(&c.next) - c.slotsHeld() }

func (c *change) slotsHeld() int {
	if c.before == nil {
		return 0
	}
	return experiment.CountSlots(c.before.exp.SlotRanges)
}

// slotsWanted returns how many slots the experiment owns in its status: a draft
// does not hold traffic that others could use, and what has stopped needs none.
func slotsWanted(e *experiment.Experiment) int {
	if e.Status == experiment.StatusRunning || e.Status == experiment.StatusPaused {
		return e.Slots
	}
	return 0
}

// apply does the work of Apply within its transaction.
func apply(ctx context.Context, tx *sqlx.Tx, specs []experiment.Spec, opts ApplyOptions) ([]Applied, error) {
	if err := lockConfig(ctx, tx); err != nil {
		return nil, err
	}
	out := make([]Applied, len(specs))
	var pending []*change
	for i, spec := range specs {
		c, err := reviseStored(ctx, tx, spec)
		if err != nil {
			return nil, within(specs, i, err)
		}
		c.index = i
		if c.before != nil && len(c.changes) == 0 {
			out[i] = Applied{Result: Unchanged, Experiment: c.before.exp}
			continue
		}
		pending = append(pending, c)
	}
	// Who gives slots back comes first, so that one document can move them.
	slices.SortStableFunc(pending, func(a, b *change) int { return cmp.Compare(a.growth(), b.growth()) })
	for _, c := range pending {
		if err := c.write(ctx, tx, opts); err != nil {
			return nil, within(specs, c.index, err)
		}
		out[c.index] = Applied{Result: Updated, Experiment: c.next, Changes: c.changes}
		if c.before == nil {
			out[c.index].Result = Created
		}
	}
	if len(pending) == 0 {
		return out, nil
	}
	return out, bumpConfig(ctx, tx)
}

// reviseStored judges a spec against what is stored.
func reviseStored(ctx context.Context, tx *sqlx.Tx, spec experiment.Spec) (*change, error) {
	before, err := loadExperiment(ctx, tx, spec.Key)
	if err != nil {
		return nil, err
	}
	c := &change{before: before}
	if before == nil {
		c.next, err = experiment.Revise(nil, spec)
		c.changes = experiment.Diff(nil, spec)
		return c, err
	}
	c.next, err = experiment.Revise(&before.exp, spec)
	c.changes = experiment.Diff(&before.exp.Spec, spec)
	return c, err
}

// write stores the experiment, its slots, its revision and what was done.
func (c *change) write(ctx context.Context, tx *sqlx.Tx, opts ApplyOptions) error {
	at := stamp(opts.Now)
	layerID, err := ensureLayer(ctx, tx, &c.next.Spec, &opts)
	if err != nil {
		return err
	}
	c.layerID = layerID
	if c.next.Status == experiment.StatusRunning && c.next.StartedAt == nil {
		c.next.StartedAt = &at
	}
	if c.next.Status == experiment.StatusStopped && c.next.StoppedAt == nil {
		c.next.StoppedAt = &at
	}
	action := "experiment.update"
	if c.before == nil {
		action = "experiment.create"
		c.next.CreatedAt = at
		c.next.Salt = opts.salt()
		err = c.insert(ctx, tx)
	} else {
		err = c.update(ctx, tx)
	}
	if err != nil {
		return err
	}
	if err := c.allocate(ctx, tx); err != nil {
		return err
	}
	if err := c.appendRevision(ctx, tx, opts.Actor, at); err != nil {
		return err
	}
	return appendAudit(ctx, tx, AuditEntry{
		At: at, Actor: opts.Actor, Action: action, Subject: c.next.Key,
		Detail: []byte(mustJSON(struct {
			Version int                 `json:"version"`
			Changes []experiment.Change `json:"changes"`
		}{c.next.Version, c.changes})),
	})
}
