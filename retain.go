package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/splitcast/splitcast/postgres"
)

// retainEvery is how often the job drops what is too old: partitions are of days.
const retainEvery = 24 * time.Hour

// retainActor is who the audit log names for what the job drops.
const retainActor = "job"

type retainCmd struct {
	storage
	Days   int  `required:"" help:"Age in days, at least 45, from which CMCD records, business events and outcomes go."`
	DryRun bool `help:"Only print what would go."`
}

// Run drops old facts once and prints them.
func (c *retainCmd) Run(rt *runtime) error {
	db, err := c.open(rt.ctx, rt.log)
	if err != nil {
		return err
	}
	gone, err := db.Retain(rt.ctx, wallClock().Now(), postgres.RetainOptions{Days: c.Days, DryRun: c.DryRun, Actor: "operator"})
	for _, p := range gone {
		fmt.Fprintf(rt.out, "%s %s\n", p.Table, p.Day.Format(time.DateOnly))
	}
	if err == nil {
		verb := "dropped"
		if c.DryRun {
			verb = "would be dropped"
		}
		fmt.Fprintf(rt.out, "%d partitions %s\n", len(gone), verb)
	}
	return errors.Join(err, db.close(context.WithoutCancel(rt.ctx)))
}

// retention drops old facts beside the job.
type retention struct {
	db   *postgres.DB
	days int // 0: keep everything
	log  *slog.Logger
	next time.Time
}

// tend runs after each run of the job and acts once every retainEvery. A failure is
// logged, and tried again the next time.
func (r *retention) tend(ctx context.Context, now time.Time) {
	if r.days == 0 || now.Before(r.next) {
		return
	}
	gone, err := r.db.Retain(ctx, now, postgres.RetainOptions{Days: r.days, Actor: retainActor})
	if err != nil {
		r.log.Error("old facts were not dropped", "error", err)
		return
	}
	r.next = now.Add(retainEvery)
	if len(gone) > 0 {
		r.log.Info("dropped old facts", "partitions", len(gone), "first", gone[0].Day.Format(time.DateOnly))
	}
}
