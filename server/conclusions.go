package server

import (
	"context"
	"strings"
	"time"

	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/report"
)

// Bounds of gathering conclusions: each needs the report of one look.
const (
	maxConcluded = 50
	// concludeTime keeps a page that gathers many from waiting for all of them;
	// the next visit goes on.
	concludeTime = 3 * time.Second
)

// conclude keeps the conclusions of experiments that were stopped since. It is
// called after changes and before conclusions are read, so that an experiment
// that was stopped by its schedule, or at another server, is found as well. The
// dimensions of a look are stored with the newest only: the sooner the better.
func (s *Server) conclude(ctx context.Context) error {
	stopped, err := s.db.Unconcluded(ctx, maxConcluded)
	if err != nil || len(stopped) == 0 {
		return err
	}
	deadline := s.wall().Add(concludeTime)
	for i := range stopped {
		if i > 0 && s.wall().After(deadline) {
			return nil
		}
		if err := s.concludeOne(ctx, &stopped[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) concludeOne(ctx context.Context, u *postgres.Unconcluded) error {
	exp, err := s.db.Get(ctx, u.Key)
	if err != nil {
		return err
	}
	if exp.Version != u.Version { // restarted meanwhile
		return nil
	}
	c := postgres.NewConclusion{ExperimentID: exp.ID, Version: u.Version, StoppedAt: u.StoppedAt, Verdict: string(report.VerdictCollecting)}
	if u.Look == 0 {
		c.Sentence = "It was stopped before the first look: nothing was learnt."
		return s.db.Conclude(ctx, c)
	}
	rep, _, err := s.reports.build(ctx, &exp, u.Look, u.StoppedAt)
	if err != nil {
		return err
	}
	c.Look, c.LookedAt, c.Verdict, c.Sentence = u.Look, rep.Head.At, string(rep.Verdict.State), rep.Verdict.Sentence
	for _, rows := range [][]report.Row{rep.Primary, rep.Guardrails, rep.Secondary} {
		for i := range rows {
			c.Findings = append(c.Findings, newFinding(&rows[i]))
		}
	}
	c.Learnt = learnt(rep.Verdict.State, c.Findings)
	return s.db.Conclude(ctx, c)
}

func newFinding(r *report.Row) postgres.Finding {
	f := postgres.Finding{
		Metric: r.Metric.Key, Name: r.Metric.Name, Role: string(r.Role), Direction: r.Metric.Direction,
		Arm: r.ArmKey, ArmName: r.ArmName, State: string(r.State), Units: r.Units,
	}
	if r.Margin != nil {
		f.Margin = *r.Margin
	}
	if e := r.Effect; e != nil {
		f.Known, f.Estimate, f.Lower, f.Upper, f.SE, f.Text, f.Range = true, e.Estimate, e.Lower, e.Upper, e.SE, e.Text, e.Range
	}
	return f
}

// learnt words what can be searched for. Of numbers that cannot be trusted
// nothing was learnt.
func learnt(verdict report.VerdictState, findings []postgres.Finding) string {
	if verdict == report.VerdictUntrustworthy {
		return "untrustworthy"
	}
	var b strings.Builder
	for _, f := range findings {
		switch report.State(f.State) {
		case report.StateUnknown, report.StateUnproven:
		default:
			b.WriteString(f.Metric + " " + f.Name + " " + f.State + ". ")
		}
	}
	return b.String()
}
