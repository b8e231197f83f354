package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
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

// flagdChecker compares each new flagd document with evaluation, in the
// background. A flag that differs is told, counted, and taken out of the
// document, with the reason in the document's metadata.
type flagdChecker struct {
	flagd      *Flagd
	log        *slog.Logger
	mismatches prometheus.Counter
	wall       func() time.Time
	// write makes the document; tests make a faulty one.
	write func(*assignment.Snapshot) []byte

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

// check checks the document of one snapshot, to its end unless done is closed:
// were it to give up for each newer one, it would never end while somebody
// publishes all the time.
func (c *flagdChecker) check(done <-chan struct{}, snap *assignment.Snapshot) {
	text := c.write(snap)
	check, err := snap.NewFlagdCheck(text, c.runs)
	if err != nil {
		c.log.Error("the flagd document cannot be checked", "error", err)
		c.mismatches.Inc()
		return
	}
	c.runs++
	flags, digests := check.Flags(), digestFlags(text)
	excluded := map[string]string{}
	passed := make(map[string][sha256.Size]byte, len(flags))
	fresh := 0
	for _, key := range flags {
		if c.passed[key] != digests[key] {
			fresh++
		}
	}
	for _, key := range flags {
		select {
		case <-done:
			return
		default:
		}
		n := flagdUnitsAll/len(flags) + 1
		if c.passed[key] != digests[key] {
			n = min(flagdUnitsNew, flagdUnitsBudget/fresh)
		}
		why := check.Check(key, n)
		if why == "" {
			passed[key] = digests[key]
			continue
		}
		c.log.Error("the flagd document differs from evaluation; the flag is taken out", "experiment", key, "version", snap.Version(), "difference", why)
		c.mismatches.Inc()
		excluded[key] = "the self-check of this document found that the flag differs from evaluation"
	}
	c.passed = passed
	if len(excluded) > 0 {
		c.flagd.replace(snap, snap.FlagdDocumentWithout(excluded), excluded)
	}
}

// digestFlags returns for each flag the hash of its text and of the evaluators
// that flags share.
func digestFlags(document []byte) map[string][sha256.Size]byte {
	var parts struct {
		Evaluators json.RawMessage            `json:"$evaluators"`
		Flags      map[string]json.RawMessage `json:"flags"`
	}
	out := map[string][sha256.Size]byte{}
	if json.Unmarshal(document, &parts) != nil {
		return out // the check itself says what is wrong
	}
	shared := sha256.Sum256(parts.Evaluators)
	for key, text := range parts.Flags {
		if !bytes.Contains(text, []byte(`"$ref"`)) {
			out[key] = sha256.Sum256(text)
			continue
		}
		out[key] = sha256.Sum256(append(shared[:], text...))
	}
	return out
}
