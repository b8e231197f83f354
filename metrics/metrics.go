// Package metrics turns exposures and sessions into the numbers that the
// statistics are made from: it defines metrics, fixes one immutable [Outcome]
// per unit and window, adds outcomes up in [Cell]s and runs the [Job] that does
// so once for every exposure.
//
// It never judges: tests, intervals and verdicts are made from its looks by
// packages stats and report. It knows no SQL, reads no clock and never changes
// an outcome that was written.
//
//	job := metrics.Job{Store: store, Experiments: list}
//	summary, err := job.RunOnce(ctx, clock.Now())
package metrics
