package postgres

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
)

// Limits of comments.
const (
	// MaxCommentBytes bounds one comment: an argument, not a document.
	MaxCommentBytes = 2_000
	// MaxComments bounds those of an experiment: more than anybody reads.
	MaxComments = 500
)

// Comment is what somebody said about a report at a look.
type Comment struct {
	ID      int64     `db:"id" json:"id"`
	Version int       `db:"version" json:"version"`
	Look    int       `db:"look" json:"look"`
	Metric  string    `db:"metric" json:"metric,omitempty"` // empty: about the report as a whole
	Arm     string    `db:"arm" json:"arm,omitempty"`
	Author  string    `db:"author" json:"author"`
	At      time.Time `db:"at" json:"at"`
	Text    string    `db:"text" json:"text"`
}

// AddComment keeps a comment about the report of an experiment's version, and
// returns it with its id. It returns experiment.CodeInvalid for a text outside the
// limits and for a row or look that the report does not have, and CodeTooLarge when
// the experiment has MaxComments.
func (db *DB) AddComment(ctx context.Context, exp *experiment.Experiment, c Comment) (Comment, error) {
	c.Text, c.Version, c.At = strings.TrimSpace(c.Text), exp.Version, stamp(c.At)
	if err := db.checkComment(ctx, exp, &c); err != nil {
		return Comment{}, err
	}
	err := db.inTx(ctx, nil, func(tx *sqlx.Tx) error {
		// Comments of one experiment are counted one after another.
		if _, err := tx.ExecContext(ctx, `select 1 from experiments where id = $1 for update`, exp.ID); err != nil {
			return err
		}
		var n int
		if err := tx.GetContext(ctx, &n, `select count(*) from report_comments where experiment_id = $1`, exp.ID); err != nil {
			return err
		}
		if n >= MaxComments {
			return experiment.Errorf(experiment.CodeTooLarge, "", "this experiment has %d comments, which is all it can have", n)
		}
		return tx.GetContext(ctx, &c.ID, `
			insert into report_comments (experiment_id, version, look, metric, arm, author, at, text)
			values ($1, $2, $3, $4, $5, $6, $7, $8) returning id`,
			exp.ID, c.Version, c.Look, c.Metric, c.Arm, c.Author, c.At, c.Text)
	})
	return c, wrap("add comment", err)
}

func (db *DB) checkComment(ctx context.Context, exp *experiment.Experiment, c *Comment) error {
	switch {
	case c.Text == "" || len(c.Text) > MaxCommentBytes:
		return experiment.Invalidf("text", "must have 1 to %d bytes", MaxCommentBytes)
	case !utf8.ValidString(c.Text) || strings.ContainsRune(c.Text, 0):
		return experiment.Invalidf("text", "must be UTF-8 without zero bytes")
	case (c.Metric == "") != (c.Arm == ""):
		return experiment.Invalidf("arm", "a row is named by its metric and its arm")
	case c.Metric != "" && !slices.Contains(exp.Plan.Metrics(), c.Metric):
		return experiment.Invalidf("metric", "the plan has no metric %q", c.Metric)
	case c.Metric != "" && exp.ArmIndex(c.Arm) < 1:
		return experiment.Invalidf("arm", "there is no treatment %q", c.Arm)
	}
	mark, _, err := db.NewestLook(ctx, exp.ID, exp.Version)
	if err != nil {
		return err
	}
	if c.Look < 1 || c.Look > mark.Number {
		return experiment.Invalidf("look", "there is no look %d; the newest is %d", c.Look, mark.Number)
	}
	return nil
}

// Comments returns those of an experiment, oldest first.
func (db *DB) Comments(ctx context.Context, experimentID int64) ([]Comment, error) {
	out := []Comment{}
	err := db.sql.SelectContext(ctx, &out, `
		select id, version, look, metric, arm, author, at, text
		from report_comments where experiment_id = $1 order by id limit $2`, experimentID, MaxComments)
	for i := range out {
		out[i].At = out[i].At.UTC()
	}
	return out, wrap("read comments", err)
}
