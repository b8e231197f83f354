package postgres

import (
	"context"
	"fmt"

	"github.com/splitcast/splitcast/experiment"
)

// proposed is a change of which somebody asks to have it reviewed.
type proposed struct {
	digest  string
	changes []experiment.Change
	target  experiment.Spec
}

// reviewed refuses a change that a second person must approve first, and nobody
// has. It runs within the transaction that publishes, which is the only writer of
// the control plane: what was approved is what is written, or nothing is.
func (p *publication) reviewed(ctx context.Context, c *change) error {
	if !experiment.NeedsReview(c.current(), &c.next) {
		return nil
	}
	if p.proposed != nil {
		*p.proposed = append(*p.proposed, proposed{experiment.ReviewDigest(c.current(), &c.next), c.changes, c.next.Spec})
		return nil
	}
	var set Settings
	if err := p.tx.GetContext(ctx, &set, readSettings); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if !set.ReviewLaunches || p.opts.AsApproved && p.opts.DryRun {
		return nil
	}
	if c.before == nil {
		return experiment.ApprovalRequired(nil, &c.next, nil)
	}
	open, err := openReview(ctx, p.tx, c.before.exp.ID)
	if err != nil {
		return err
	}
	if open == nil || open.State != experiment.ReviewApproved || open.Digest != experiment.ReviewDigest(c.current(), &c.next) {
		return experiment.ApprovalRequired(c.current(), &c.next, open)
	}
	c.review = open
	return nil
}

// reviewID is that of the review which the change makes use of; 0: of none.
func (c *change) reviewID() int64 {
	if c.review == nil {
		return 0
	}
	return c.review.ID
}

// settleReviews keeps who changed an experiment last, and closes its open review
// after a change: as done when the change is what was approved, and as voided when
// what was asked about is not what is stored any more.
func (p *publication) settleReviews(ctx context.Context, c *change) error {
	if c.before != nil && experiment.SameReviewed(&c.before.exp, &c.next) {
		return nil // a step of a ramp, or of a holdout
	}
	if p.opts.Actor != ScheduleActor {
		if _, err := p.tx.ExecContext(ctx, `update experiments set edited_by = $2 where id = $1`, c.next.ID, p.opts.Person); err != nil {
			return fmt.Errorf("keep the editor: %w", err)
		}
	}
	if c.before == nil {
		return nil
	}
	if c.review != nil {
		return p.closeReview(ctx, c.review, experiment.ReviewDone)
	}
	open, err := openReview(ctx, p.tx, c.next.ID)
	if err != nil || open == nil {
		return err
	}
	return p.voidReview(ctx, open, "the experiment was changed")
}

// voidReview closes a review that nobody can go on with.
func (p *publication) voidReview(ctx context.Context, r *experiment.Review, because string) error {
	was := r.State
	if err := p.closeReview(ctx, r, experiment.ReviewVoided); err != nil {
		return err
	}
	return p.audit(ctx, "review.void", r.Experiment, struct {
		Review  int64                  `json:"review"`
		Was     experiment.ReviewState `json:"was"`
		Because string                 `json:"because"`
	}{r.ID, was, because})
}

func (p *publication) closeReview(ctx context.Context, r *experiment.Review, as experiment.ReviewState) error {
	r.State, r.ClosedAt = as, &p.at
	_, err := p.tx.ExecContext(ctx, `update reviews set state = $2, closed_at = $3 where id = $1`, r.ID, string(as), p.at)
	return wrap("close review", err)
}
