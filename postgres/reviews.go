package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// MaxReviews bounds the reviews of one experiment: more than anybody asks for.
const MaxReviews = 500

// AskedReview is what somebody asks a second person to approve.
type AskedReview struct {
	Experiment string
	experiment.Proposal
	Note     string
	Reviewer string
}

func (a *AskedReview) validate() error {
	var faults experiment.Errors
	faults = append(faults, experiment.Faults(a.Proposal.Validate())...)
	if !isText(a.Note, experiment.MaxNoteBytes) {
		faults = append(faults, experiment.Invalidf("note", "must be text of at most %d bytes", experiment.MaxNoteBytes))
	}
	if !isText(a.Reviewer, experiment.MaxNameBytes) {
		faults = append(faults, experiment.Invalidf("reviewer", "must be text of at most %d bytes", experiment.MaxNameBytes))
	}
	if a.Spec != nil && a.Spec.Key != a.Experiment {
		faults = append(faults, experiment.Invalidf("experiment.key", "must be %q", a.Experiment))
	}
	if len(faults) > 0 {
		return faults
	}
	return nil
}

// isText reports whether PostgreSQL keeps s, which has at most limit bytes.
func isText(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// AskReview tries a change without doing it, and keeps it for a second person to
// approve. An open review of the experiment is voided. It returns what the change
// itself would, CodeForbidden when no person stands behind who asks, and
// CodeConflict for a change that needs no approval.
func (db *DB) AskReview(ctx context.Context, ask AskedReview, opts ApplyOptions) (experiment.Review, error) {
	if err := ask.validate(); err != nil {
		return experiment.Review{}, err
	}
	if ask.Spec != nil {
		catalogue, err := db.Catalogue(ctx)
		if err != nil {
			return experiment.Review{}, err
		}
		spec := *ask.Spec
		spec.Normalize()
		if err := spec.Validate(func(m string) bool { return catalogue.Known(m) || opts.KnownMetric(m) }); err != nil {
			return experiment.Review{}, experiment.Within("experiment", err)
		}
		ask.Spec = &spec
	}
	if opts.Person == "" {
		return experiment.Review{}, experiment.Errorf(experiment.CodeForbidden, "", "a review needs a person who asks: sign in, or use an API key that a person made")
	}
	var out experiment.Review
	err := db.publish(ctx, opts, func(p *publication) (err error) {
		out, err = p.askReview(ctx, &ask)
		return err
	})
	return out, wrap("ask for a review", err)
}

func (p *publication) askReview(ctx context.Context, ask *AskedReview) (experiment.Review, error) {
	r := experiment.Review{
		Experiment: ask.Experiment, Proposal: ask.Proposal, State: experiment.ReviewWaiting,
		Note: ask.Note, Reviewer: ask.Reviewer, AskedAt: p.at, AskedBy: p.opts.Person,
	}
	stored, err := p.load(ctx, ask.Experiment)
	if err != nil {
		return r, err
	}
	what, err := p.tryProposal(ctx, ask.Experiment, &ask.Proposal)
	if err != nil {
		return r, err
	}
	r.Digest, r.Changes, r.Target = what.digest, what.changes, what.target
	if ask.Action == experiment.ReviewLaunch {
		if err := p.tx.GetContext(ctx, &r.Author, `select edited_by from experiments where id = $1`, stored.exp.ID); err != nil {
			return r, err
		}
	}
	open, err := openReview(ctx, p.tx, stored.exp.ID)
	if err != nil {
		return r, err
	}
	if open != nil {
		if err := p.voidReview(ctx, open, "another review was asked for"); err != nil {
			return r, err
		}
	}
	if err := p.insertReview(ctx, stored.exp.ID, &r); err != nil {
		return r, err
	}
	err = p.auditReview(ctx, "review.ask", &r, r.Note)
	return r, err
}

// tryProposal does what is proposed, learns what it is, and takes it back.
func (p *publication) tryProposal(ctx context.Context, key string, proposal *experiment.Proposal) (proposed, error) {
	var needing []proposed
	p.proposed = &needing
	if _, err := p.tx.ExecContext(ctx, `savepoint proposal`); err != nil {
		return proposed{}, err
	}
	if _, err := p.propose(ctx, key, proposal); err != nil {
		return proposed{}, err
	}
	if _, err := p.tx.ExecContext(ctx, `rollback to savepoint proposal`); err != nil {
		return proposed{}, err
	}
	p.proposed, p.bump = nil, false
	if len(needing) == 0 {
		return proposed{}, experiment.Errorf(experiment.CodeConflict, "action", "this needs nobody's approval: do it")
	}
	return needing[0], nil
}

// propose does what a proposal says.
func (p *publication) propose(ctx context.Context, key string, proposal *experiment.Proposal) (Applied, error) {
	switch proposal.Action {
	case experiment.ReviewShip:
		return p.act(ctx, key, actionShip, shipping(proposal.Arm))
	case experiment.ReviewRestart:
		return p.act(ctx, key, actionRestart, restarting)
	case experiment.ReviewChange:
		return p.applySpec(ctx, *proposal.Spec)
	}
	return p.setStatus(ctx, key, experiment.StatusRunning)
}

func (p *publication) insertReview(ctx context.Context, experimentID int64, r *experiment.Review) error {
	var n int
	if err := p.tx.GetContext(ctx, &n, `select count(*) from reviews where experiment_id = $1`, experimentID); err != nil {
		return err
	}
	if n >= MaxReviews {
		return experiment.Errorf(experiment.CodeTooLarge, "", "this experiment has had %d reviews, which is all it can have", n)
	}
	return p.tx.GetContext(ctx, &r.ID, `
		insert into reviews (experiment_id, proposal, digest, changes, target, state, note, reviewer, asked_at, asked_by, author)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) returning id`,
		experimentID, mustJSON(r.Proposal), r.Digest, mustJSON(r.Changes), mustJSON(r.Target), string(r.State), r.Note, r.Reviewer, r.AskedAt, r.AskedBy, r.Author)
}

func (p *publication) auditReview(ctx context.Context, action string, r *experiment.Review, said string) error {
	return p.audit(ctx, action, r.Experiment, struct {
		Review   int64                   `json:"review"`
		Action   experiment.ReviewAction `json:"action"`
		Digest   string                  `json:"digest"`
		Reviewer string                  `json:"reviewer,omitempty"`
		Person   string                  `json:"person"`
		Said     string                  `json:"said,omitempty"`
	}{r.ID, r.Action, r.Digest, r.Reviewer, p.opts.Person, said})
}

// DecidedReview is what a second person says.
type DecidedReview struct {
	Experiment string
	ID         int64
	Approve    bool
	Comment    string // needed to ask for changes
}

// DecideReview approves what a waiting review is about, or asks for changes. It
// returns CodeNotFound for a review that the experiment does not have, and what
// experiment.Review.Refusal says.
func (db *DB) DecideReview(ctx context.Context, d DecidedReview, opts ApplyOptions) (experiment.Review, error) {
	if !isText(d.Comment, experiment.MaxNoteBytes) || d.Comment == "" && !d.Approve {
		return experiment.Review{}, experiment.Invalidf("comment", "must say what to change, in at most %d bytes; an approval may be without", experiment.MaxNoteBytes)
	}
	var out experiment.Review
	err := db.publish(ctx, opts, func(p *publication) error {
		r, err := p.review(ctx, d.Experiment, d.ID)
		if err != nil {
			return err
		}
		if refusal := r.Refusal(p.opts.Person); refusal != nil {
			return refusal
		}
		r.DecidedAt, r.DecidedBy, r.Comment = &p.at, p.opts.Person, d.Comment
		action := "review.approve"
		r.State = experiment.ReviewApproved
		if !d.Approve {
			action, r.State, r.ClosedAt = "review.refuse", experiment.ReviewRefused, &p.at
		}
		if _, err := p.tx.ExecContext(ctx, `
			update reviews set state = $2, decided_at = $3, decided_by = $4, comment = $5, closed_at = $6 where id = $1`,
			r.ID, string(r.State), r.DecidedAt, r.DecidedBy, r.Comment, r.ClosedAt); err != nil {
			return err
		}
		out = r
		return p.auditReview(ctx, action, &r, d.Comment)
	})
	return out, wrap("decide a review", err)
}

// PublishReview does what an approved review is about. Its errors are those of the
// change itself, and CodeNotFound.
func (db *DB) PublishReview(ctx context.Context, key string, id int64, opts ApplyOptions) (Applied, error) {
	var out Applied
	err := db.publish(ctx, opts, func(p *publication) error {
		r, err := p.review(ctx, key, id)
		if err != nil {
			return err
		}
		if r.State != experiment.ReviewApproved {
			return experiment.Errorf(experiment.CodeConflict, "id", "only what is approved is published; this review is not open")
		}
		out, err = p.propose(ctx, key, &r.Proposal)
		return err
	})
	return out, wrap("publish what was reviewed", err)
}

// review returns a review of an experiment, or CodeNotFound.
func (p *publication) review(ctx context.Context, key string, id int64) (experiment.Review, error) {
	found, err := queryReviews(ctx, p.tx, `e.key = $1 and r.id = $2`, key, id)
	if err != nil {
		return experiment.Review{}, err
	}
	if len(found) == 0 {
		return experiment.Review{}, experiment.Errorf(experiment.CodeNotFound, "id", "%s has no review %d", key, id)
	}
	return found[0], nil
}

// openReview returns the review of an experiment that may still lead to something,
// or nil.
func openReview(ctx context.Context, tx *sqlx.Tx, experimentID int64) (*experiment.Review, error) {
	found, err := queryReviews(ctx, tx, `r.experiment_id = $1 and r.closed_at is null`, experimentID)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// Reviews returns the reviews of an experiment, newest first.
func (db *DB) Reviews(ctx context.Context, key string) ([]experiment.Review, error) {
	out, err := queryReviews(ctx, db.sql, `e.key = $1 order by r.id desc`, key)
	return out, wrap("list reviews", err)
}

// OpenReviews returns the open reviews by the key of their experiment.
func (db *DB) OpenReviews(ctx context.Context) (map[string]experiment.Review, error) {
	found, err := queryReviews(ctx, db.sql, `r.closed_at is null`)
	out := make(map[string]experiment.Review, len(found))
	for r := range slices.Values(found) {
		out[r.Experiment] = r
	}
	return out, wrap("list open reviews", err)
}

func queryReviews(ctx context.Context, q queryer, where string, args ...any) ([]experiment.Review, error) {
	out := []experiment.Review{}
	err := eachRow(ctx, q, func(rows *sql.Rows) error {
		var r experiment.Review
		var proposal, changes, target []byte
		err := rows.Scan(&r.ID, &r.Experiment, &proposal, &r.Digest, &changes, &target, &r.State, &r.Note, &r.Reviewer,
			&r.AskedAt, &r.AskedBy, &r.Author, &r.DecidedAt, &r.DecidedBy, &r.Comment, &r.ClosedAt)
		if err != nil {
			return err
		}
		if err := errors.Join(json.Unmarshal(proposal, &r.Proposal), json.Unmarshal(changes, &r.Changes), json.Unmarshal(target, &r.Target)); err != nil {
			return fmt.Errorf("read review %d: %w", r.ID, err)
		}
		r.AskedAt, r.DecidedAt, r.ClosedAt = r.AskedAt.UTC(), utc(r.DecidedAt), utc(r.ClosedAt)
		out = append(out, r)
		return nil
	}, `
		select r.id, e.key, r.proposal, r.digest, r.changes, r.target, r.state, r.note, r.reviewer,
		       r.asked_at, r.asked_by, r.author, r.decided_at, r.decided_by, r.comment, r.closed_at
		from reviews r join experiments e on e.id = r.experiment_id
		where `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read reviews: %w", err)
	}
	return out, nil
}
