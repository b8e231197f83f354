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
	"github.com/splitcast/splitcast/metrics"
)

// ApplyOptions say who applies, when, and against which catalogue.
type ApplyOptions struct {
	DryRun bool
	Actor  string
	// Person is who acts, or stands behind the key that acts; empty: not known.
	Person string
	// AsApproved judges a dry run as if a second person had approved it.
	AsApproved  bool
	Now         time.Time
	KnownMetric func(metric string) bool
	// Salt draws the salts of what is new. Nil draws them at random; a
	// simulation that must be repeatable draws them from its seed.
	Salt func() string
	// Reason is why, for the audit log; it may be empty.
	Reason string
	// BreakFreeze is why an administrator stops something although a freeze
	// window forbids changes; only Admin makes it count.
	BreakFreeze string
	Admin       bool
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
// for each spec in order, as ApplyDocument does.
func (db *DB) Apply(ctx context.Context, specs []experiment.Spec, opts ApplyOptions) ([]Applied, error) {
	out, err := db.ApplyDocument(ctx, experiment.Document{Experiments: specs}, opts)
	return out.Experiments, err
}

// Published is what ApplyDocument did with each part, in the document's order.
type Published struct {
	Experiments []Applied        `json:"applied"`
	Holdouts    []AppliedHoldout `json:"holdouts,omitempty"`
	Lists       []AppliedList    `json:"lists,omitempty"`
	Freezes     []AppliedFreeze  `json:"freezes,omitempty"`
	Metrics     []DefinedMetric  `json:"metrics,omitempty"`
}

// ApplyDocument creates or updates what the document holds, all or none. What
// assignment must learn of is announced by a new configuration version.
//
// It returns experiment.Errors of CodeInvalid for what breaks a rule, of
// CodeConflict for changes that are refused, and of CodeForbidden for what only
// an administrator may do.
func (db *DB) ApplyDocument(ctx context.Context, doc experiment.Document, opts ApplyOptions) (Published, error) {
	doc.Experiments, doc.Freezes = slices.Clone(doc.Experiments), slices.Clone(doc.Freezes)
	doc.Normalize()
	catalogue, err := db.Catalogue(ctx)
	if err != nil {
		return Published{}, err
	}
	definitions, faults := documentMetrics(&doc)
	known := func(metric string) bool {
		return definitions[metric] != nil || catalogue.Known(metric) || opts.KnownMetric(metric)
	}
	faults = append(faults, experiment.Faults(doc.Validate(known))...)
	if len(faults) > 0 {
		return Published{}, faults
	}
	if doc.BreakFreeze != "" {
		opts.BreakFreeze = doc.BreakFreeze
	}
	var out Published
	err = db.publish(ctx, opts, func(p *publication) (err error) {
		defined, err := p.metrics(ctx, definitions)
		if err != nil {
			return err
		}
		out, err = p.document(ctx, &doc)
		out.Metrics = defined
		return err
	})
	return out, wrap("apply experiments", err)
}

// publication is a transaction that changes the control plane.
type publication struct {
	tx     *sqlx.Tx
	opts   *ApplyOptions
	at     time.Time
	freeze *experiment.Freeze // in force; nil: none
	// bump: assignment or the pages of others must learn of it.
	bump bool
	// catalogue is read when it is first asked for.
	catalogue *metrics.Catalogue
	// proposed, when set, learns of what needs a review instead of its being refused:
	// somebody asks for one.
	proposed *[]proposed
}

// publish runs do as the only writer of the control plane, and announces a new
// configuration version if anything changed.
func (db *DB) publish(ctx context.Context, opts ApplyOptions, do func(*publication) error) error {
	err := db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		if err := lockConfig(ctx, tx); err != nil {
			return err
		}
		p := &publication{tx: tx, opts: &opts, at: stamp(opts.Now)}
		var err error
		if p.freeze, err = freezeInForce(ctx, tx, opts.Now); err != nil {
			return err
		}
		if err := do(p); err != nil {
			return err
		}
		if opts.DryRun {
			return errDryRun
		}
		if !p.bump {
			return nil
		}
		return bumpConfig(ctx, tx)
	})
	if errors.Is(err, errDryRun) {
		return nil
	}
	return err
}

// errDryRun rolls a transaction back that went well.
var errDryRun = errors.New("dry run")

// document does the work of ApplyDocument, but for metrics, which come first:
// experiments of the document may ask for them. Windows come last: a document
// may hold changes and the window that protects them.
func (p *publication) document(ctx context.Context, doc *experiment.Document) (out Published, err error) {
	var grown []experiment.UnitType
	if out.Holdouts, grown, err = p.holdouts(ctx, doc.Holdouts); err != nil {
		return out, err
	}
	if out.Lists, err = p.lists(ctx, doc.Lists); err != nil {
		return out, err
	}
	if out.Experiments, err = p.experiments(ctx, doc.Experiments); err != nil {
		return out, err
	}
	if err := p.newVersions(ctx, grown); err != nil {
		return out, err
	}
	out.Freezes, err = p.freezes(ctx, doc.Freezes)
	return out, err
}

// within places the faults of spec i in the document.
func within(specs []experiment.Spec, i int, err error) error {
	if len(specs) == 1 {
		return err
	}
	return experiment.Within(fmt.Sprintf("experiments[%d]", i), err)
}

// change is one spec on its way into the database.
type change struct {
	index   int               // of the spec
	before  *storedExperiment // nil: new
	next    experiment.Experiment
	changes []experiment.Change
	action  string // for the audit log; empty: create or update
	layerID int
	// review is the approved one that the change makes use of; nil: it needs none.
	review *experiment.Review
}

// current returns the experiment as it is stored; nil: there is none yet.
func (c *change) current() *experiment.Experiment {
	if c.before == nil {
		return nil
	}
	return &c.before.exp
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
		return e.TargetSlots()
	}
	return 0
}

// experiments applies specs.
func (p *publication) experiments(ctx context.Context, specs []experiment.Spec) ([]Applied, error) {
	out := make([]Applied, len(specs))
	var pending []*change
	for i, spec := range specs {
		c, err := reviseStored(ctx, p.tx, spec)
		if err == nil {
			err = experiment.CheckRun(c.current(), &c.next, p.at)
		}
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
		if err := p.write(ctx, c); err != nil {
			return nil, within(specs, c.index, err)
		}
		out[c.index] = Applied{Result: Updated, Experiment: c.next, Changes: c.changes}
		if c.before == nil {
			out[c.index].Result = Created
		}
	}
	return out, p.checkReferences(ctx, pending)
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
	c.changes = experiment.Diff(&before.exp.Spec, c.next.Spec)
	return c, err
}

// write stores the experiment, its slots, its revision and what was done.
func (p *publication) write(ctx context.Context, c *change) error {
	cur := c.current()
	if err := p.thaw(experiment.ChangesAssignment(cur, &c.next), experiment.OnlyStops(cur, &c.next)); err != nil {
		return err
	}
	if err := p.readCatalogue(ctx); err != nil {
		return err
	}
	if faults := p.catalogue.PlanFaults(c.next.Unit, &c.next.Plan); len(faults) > 0 {
		return faults
	}
	if err := p.pinMetrics(c); err != nil {
		return err
	}
	if err := p.measures(ctx, c); err != nil {
		return err
	}
	if err := p.reviewed(ctx, c); err != nil {
		return err
	}
	p.bump = true
	layerID, err := ensureLayer(ctx, p.tx, &c.next.Spec, p.opts)
	if err != nil {
		return err
	}
	c.layerID = layerID
	if c.next.Status == experiment.StatusRunning && c.next.StartedAt == nil {
		c.next.StartedAt = &p.at
	}
	if c.next.Status == experiment.StatusStopped && c.next.StoppedAt == nil {
		c.next.StoppedAt = &p.at
	}
	action := cmp.Or(c.action, "experiment.update")
	if c.before == nil {
		action = "experiment.create"
		c.next.CreatedAt = p.at
		err = c.insert(ctx, p.tx)
	} else {
		err = c.update(ctx, p.tx)
	}
	if err != nil {
		return err
	}
	if err := c.allocate(ctx, p.tx); err != nil {
		return err
	}
	if err := c.keepUnits(ctx, p.tx); err != nil {
		return err
	}
	if err := c.appendRevision(ctx, p.tx, p.opts.Actor, p.at); err != nil {
		return err
	}
	err = p.audit(ctx, action, c.next.Key, struct {
		Version int                 `json:"version"`
		Changes []experiment.Change `json:"changes"`
		Review  int64               `json:"review,omitempty"` // that approved it
		audited
	}{c.next.Version, c.changes, c.reviewID(), p.why()})
	if err != nil {
		return err
	}
	return p.settleReviews(ctx, c)
}

// audited is what every entry of a publication may say besides.
type audited struct {
	Reason      string `json:"reason,omitempty"`
	BreakFreeze string `json:"break_freeze,omitempty"` // a window was broken, for this reason
}

func (p *publication) why() audited {
	a := audited{Reason: p.opts.Reason}
	if p.freeze != nil {
		a.BreakFreeze = p.opts.BreakFreeze
	}
	return a
}

// audit appends what was done to the log.
func (p *publication) audit(ctx context.Context, action, subject string, detail any) error {
	return appendAudit(ctx, p.tx, AuditEntry{
		At: p.at, Actor: p.opts.Actor, Action: action, Subject: subject, Detail: []byte(mustJSON(detail)),
	})
}
