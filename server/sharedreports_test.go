//go:build !race

package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/report"
	"github.com/splitcast/splitcast/report/reporttest"
)

// TestSharedReportsKeepEverything packs and unpacks the report of every fixture.
func TestSharedReportsKeepEverything(t *testing.T) {
	t.Parallel()
	for name, in := range reporttest.Fixtures() {
		want := report.Build(in)
		packed, err := packReport(&want)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := unpackReport(packed)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s changes when it is kept (-want +got):\n%.2000s", name, diff)
		}
	}
	if _, err := unpackReport([]byte("not packed")); err == nil {
		t.Error("what was not packed is unpacked")
	}
}
