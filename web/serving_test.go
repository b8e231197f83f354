package web

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/experiment"
)

func TestServingInWords(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		view ReportView
		past bool
		want *servingPart
	}{
		"a ramp":       {ReportView{Serving: &Serving{experiment.Outlook{Slots: 500, Goal: 2000, NextAt: &at, NextSlots: 1000}, ""}}, false, &servingPart{Slots: "500 of 2,000 slots now", Next: "next step, to 1,000, on"}},
		"a stop":       {ReportView{Serving: &Serving{experiment.Outlook{Slots: 500, Goal: 500, NextAt: &at}, ""}}, false, &servingPart{Slots: "500 slots now", Next: "next change by the schedule on"}},
		"not in flagd": {ReportView{Serving: &Serving{experiment.Outlook{Slots: 500, Goal: 500}, "it requires another"}}, false, &servingPart{RemoteOnly: "it requires another"}},
		"nothing":      {ReportView{Serving: &Serving{experiment.Outlook{Slots: 500, Goal: 500}, ""}}, false, nil},
		"the past":     {ReportView{Serving: &Serving{experiment.Outlook{}, "why"}}, true, nil},
		"frozen":       {ReportView{Serving: &Serving{experiment.Outlook{}, "why"}, Frozen: &Frozen{}}, false, nil},
	} {
		if diff := cmp.Diff(tc.want, newServing(&tc.view, tc.past), cmp.AllowUnexported(servingPart{}), cmpopts.IgnoreFields(servingPart{}, "At")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
