package server

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// A brief is read from memory for a minute, unless its experiment changes or a look is
// taken.
func TestBriefsStandUntilSomethingHappens(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	exp, err := b.db.Get(t.Context(), "abr")
	if err != nil {
		t.Fatal(err)
	}
	look := func(n int) {
		t.Helper()
		at := testNow.Add(time.Duration(n) * time.Second)
		_, err := b.db.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
			return tx.AppendLook(t.Context(), metrics.Look{Number: n, At: at, Watermark: at, Arms: []metrics.ArmCounts{{Arm: 0}, {Arm: 1}}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	look(1)
	cache := newBriefCache(b.srv.reports)
	brief := func(e *experiment.Experiment, now time.Time) report.Report {
		t.Helper()
		out, err := cache.briefs(t.Context(), []*experiment.Experiment{e, e}, now)
		if err != nil || len(out) != 2 {
			t.Fatalf("%d briefs, %v", len(out), err)
		}
		if diff := gocmp.Diff(out[0], out[1]); diff != "" {
			t.Errorf("one experiment has two briefs: %s", diff)
		}
		return out[0]
	}
	now := testNow.Add(time.Hour)
	whole, _, err := b.srv.reports.build(t.Context(), &exp, 0, now)
	if err != nil {
		t.Fatal(err)
	}
	first := brief(&exp, now)
	want := report.Report{Head: whole.Head, Verdict: whole.Verdict, Trust: whole.Trust, Primary: whole.Primary}
	if diff := gocmp.Diff(want, first); diff != "" {
		t.Errorf("the brief is not of the report (-want +got):\n%s", diff)
	}
	// What is kept is told from what is built by a name that no report has.
	const kept = "kept"
	mark := func() {
		for id, of := range cache.kept {
			of.report.Head.Name = kept
			cache.kept[id] = of
		}
	}
	mark()
	if got := brief(&exp, now.Add(briefLasts-time.Second)); got.Head.Name != kept {
		t.Error("a report was built anew although nothing happened")
	}
	if got := brief(&exp, now.Add(briefLasts)); got.Head.Name == kept {
		t.Error("a brief of a minute ago stands")
	}
	mark()
	changed := exp
	changed.Owner = "somebody else"
	if got := brief(&changed, now); got.Head.Name == kept || got.Head.Owner != changed.Owner {
		t.Errorf("the brief of an experiment that changed stands: %+v", got.Head)
	}
	mark()
	look(2)
	if got := brief(&changed, now); got.Head.Name == kept || got.Head.Look != 2 {
		t.Errorf("the brief as of a look before stands: look %d", got.Head.Look)
	}
}

func TestBriefsAreBounded(t *testing.T) {
	t.Parallel()
	cache := newBriefCache(nil)
	for id := range int64(maxBriefs + 1) {
		cache.keep(keptBrief{of: experiment.Experiment{ID: id}})
	}
	if len(cache.kept) == 0 || len(cache.kept) > maxBriefs {
		t.Errorf("%d briefs are kept, want at most %d", len(cache.kept), maxBriefs)
	}
}
