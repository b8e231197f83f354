package server

import (
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/splitcast/splitcast/assignment"
)

// Units that each check of a flag asks about.
const (
	// flagdUnitsNew are asked of a flag that differs from what was checked before,
	// as long as all such flags together stay within flagdUnitsBudget: some
	// seconds of one processor after a start with 5,000 experiments.
	flagdUnitsNew    = 4000
	flagdUnitsBudget = 500_000
	// flagdUnitsAll are shared by all other flags, others at each publish, so that
	// publishing once a second leaves the processor free.
	flagdUnitsAll = 20_000
	// flagdRest is how many times as long as a check took it rests before the
	// next: publishing all the time costs at most a quarter of a processor.
	flagdRest = 3
)

// flagdChecker writes each new flagd document and compares it with evaluation, in
// the background; until it has passed, the one before is served. A flag that
// differs is told, counted, and taken out of the document, with the reason in the
// document's metadata: without it a client falls back to its default, with the
// old one it would go on serving what nobody wants any more. Of a document that
// cannot even be read nothing is served.
type flagdChecker struct {
	flagd      *Flagd
	log        *slog.Logger
	mismatches prometheus.Counter
	wall       func() time.Time
	// write writes the document; tests write a faulty one.
	write func(snap *assignment.Snapshot, to io.Writer, excluded map[string]string) error

	passed map[string][sha256.Size]byte // the flags that passed in full, with what they refer to
	runs   uint64
}

// run checks every snapshot of which versions tell, the newest first, until
// done is closed.
func (c *flagdChecker) run(done <-chan struct{}, versions <-chan int64) {
	for {
		began := c.wall()
		if snap := c.flagd.Snapshot(); snap != nil {
			c.check(done, snap)
		}
		rest := time.NewTimer(flagdRest * c.wall().Sub(began))
		select {
		case <-rest.C:
		case <-done:
			rest.Stop()
			return
		}
		select {
		case <-versions:
		case <-done:
			return
		}
	}
}

// errServerEnds stops a check.
var errServerEnds = errors.New("the server ends")

// check checks the document of one snapshot, to its end unless done is closed:
// were it to give up for each newer one, it would never end while somebody
// publishes all the time. The document is served once the flags that are new in
// it have passed; the others, which passed before, are asked about afterwards.
func (c *flagdChecker) check(done <-chan struct{}, snap *assignment.Snapshot) {
	run := flagdRun{
		flagdChecker: c, done: done, snap: snap, check: snap.NewFlagdCheck(c.runs),
		passing: map[string][sha256.Size]byte{}, excluded: map[string]string{},
	}
	c.runs++
	err := run.all()
	switch {
	case errors.Is(err, errServerEnds):
		return
	case err != nil:
		why := err.Error()
		c.log.Error("the flagd document cannot be checked; the last one that passed stays", "version", snap.Version(), "error", err)
		c.mismatches.Inc()
		c.flagd.fault.Store(&why)
		return
	}
	c.passed = run.passing
	c.flagd.fault.Store(nil)
}

// flagdRun is the check of one document.
type flagdRun struct {
	*flagdChecker

	done     <-chan struct{}
	snap     *assignment.Snapshot
	check    *assignment.FlagdCheck
	document *flagdDocument
	flags    int // in the document
	fresh    int // of them those that did not pass before
	passing  map[string][sha256.Size]byte
	excluded map[string]string
}

func (r *flagdRun) all() error {
	var err error
	if r.document, err = r.make(nil); err != nil {
		return err
	}
	err = r.each(func(f *assignment.FlagdFlag) {
		r.flags++
		if r.passed[f.Key] != f.Digest {
			r.fresh++
		}
	})
	if err != nil {
		return err
	}
	if err := r.ask(true); err != nil {
		return err
	}
	if err := r.serve(); err != nil {
		return err
	}
	before := len(r.excluded)
	if err := r.ask(false); err != nil || len(r.excluded) == before {
		return err
	}
	return r.serve()
}

func (r *flagdRun) make(excluded map[string]string) (*flagdDocument, error) {
	return newFlagdDocument(r.snap, excluded, func(w io.Writer, without map[string]string) error { return r.write(r.snap, w, without) })
}

// each calls do for the flags of the document, which is read anew.
func (r *flagdRun) each(do func(*assignment.FlagdFlag)) error {
	text, err := r.document.plain()
	if err != nil {
		return err
	}
	return assignment.ReadFlagd(text, func(f *assignment.FlagdFlag) error {
		select {
		case <-r.done:
			return errServerEnds
		default:
		}
		do(f)
		return nil
	})
}

// ask asks about the flags that are new, or about the others.
func (r *flagdRun) ask(fresh bool) error {
	return r.each(func(f *assignment.FlagdFlag) {
		if fresh != (r.passed[f.Key] != f.Digest) {
			return
		}
		n := flagdUnitsAll/r.flags + 1
		if fresh {
			n = min(flagdUnitsNew, flagdUnitsBudget/r.fresh)
		}
		why := r.check.Check(f, n)
		if why == "" {
			r.passing[f.Key] = f.Digest
			return
		}
		r.log.Error("the flagd document differs from evaluation; the flag is taken out", "experiment", f.Key, "version", r.snap.Version(), "difference", why)
		r.mismatches.Inc()
		r.excluded[f.Key] = "the self-check of this document found that the flag differs from evaluation"
	})
}

// serve lets the document be served, without what was excluded.
func (r *flagdRun) serve() error {
	doc := r.document
	if len(r.excluded) > 0 {
		var err error
		if doc, err = r.make(maps.Clone(r.excluded)); err != nil {
			return err
		}
	}
	r.flagd.checked.Store(doc)
	return nil
}
