package postgres

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

func TestShareLimits(t *testing.T) {
	t.Parallel()
	db := open(t)
	exp := applySpecs(t, db, specOf("abr", "", 0))[0].Experiment
	share := func(edit func(*NewShare)) error {
		n := NewShare{Experiment: &exp, Look: 1, Report: []byte("kept"), Life: MaxShareLife, Actor: "ana", Now: testNow}
		edit(&n)
		_, err := db.CreateShare(t.Context(), n)
		return err
	}
	for name, c := range map[string]struct {
		edit func(*NewShare)
		want experiment.Code
	}{
		"a life beyond the longest": {func(n *NewShare) { n.Life = MaxShareLife + 1 }, experiment.CodeInvalid},
		"no life":                   {func(n *NewShare) { n.Life = 0 }, experiment.CodeInvalid},
		"no look":                   {func(n *NewShare) { n.Look = 0 }, experiment.CodeInvalid},
		"no report":                 {func(n *NewShare) { n.Report = nil }, experiment.CodeTooLarge},
		"a report too large":        {func(n *NewShare) { n.Report = bytes.Repeat([]byte("x"), MaxShareBytes+1) }, experiment.CodeTooLarge},
	} {
		if code, _ := experiment.CodeOf(share(c.edit)); code != c.want {
			t.Errorf("%s: %q, want %q", name, code, c.want)
		}
	}
	for i := range MaxShares {
		if err := share(func(*NewShare) {}); err != nil {
			t.Fatalf("link %d: %v", i+1, err)
		}
	}
	if code, _ := experiment.CodeOf(share(func(*NewShare) {})); code != experiment.CodeTooLarge {
		t.Errorf("a link beyond the limit: %q", code)
	}
	// What has expired does not count.
	if err := share(func(n *NewShare) { n.Now = testNow.Add(MaxShareLife) }); err != nil {
		t.Errorf("after the others expired: %v", err)
	}
}

func TestSharesAreOneKeyForAllServers(t *testing.T) {
	t.Parallel()
	db := open(t)
	first, err := db.ShareKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := db.ShareKey(t.Context())
	if err != nil || !bytes.Equal(first, second) || len(first) != shareKeyBytes {
		t.Errorf("keys %x and %x, %v", first, second, err)
	}
}

func TestSharedReportIsKeptAsItWas(t *testing.T) {
	t.Parallel()
	db := open(t)
	exp := applySpecs(t, db, specOf("abr", "", 0))[0].Experiment
	made, err := db.CreateShare(t.Context(), NewShare{Experiment: &exp, Look: 7, Report: []byte("kept"), Life: time.Hour, Actor: "ana", Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	got, kept, err := db.SharedReport(t.Context(), made.ID, testNow)
	if err != nil || string(kept) != "kept" || got != made {
		t.Errorf("SharedReport = %+v %q, %v, want %+v", got, kept, err, made)
	}
	if _, _, err := db.SharedReport(t.Context(), "nothing", testNow); err == nil {
		t.Error("a report that was never kept is read")
	}
	if err := db.RevokeShare(t.Context(), exp.Key, made.ID, "ben", testNow); err != nil {
		t.Fatal(err)
	}
	_, _, err = db.SharedReport(t.Context(), made.ID, testNow)
	if code, _ := experiment.CodeOf(err); code != experiment.CodeGone || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a revoked report: %v", err)
	}
	audit, err := db.Audit(t.Context(), 0, 2)
	if err != nil || audit[0].Action != "report.unshare" || audit[0].Actor != "ben" || audit[1].Action != "report.share" {
		t.Errorf("audit %+v, %v", audit, err)
	}
}
