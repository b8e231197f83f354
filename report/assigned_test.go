package report_test

import (
	"strings"
	"testing"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// The stages begin with the units assigned, as approximate as they are counted.
func TestAssignedInTheStages(t *testing.T) {
	t.Parallel()
	s := newSynthetic(2)
	s.at(1000)
	for arm := range s.looks[0].Arms {
		s.looks[0].Arms[arm].Health = metrics.Health{Closed: 1000, Attempted: 900, Started: 800, Reported: 800}
	}
	in := s.input()
	detail := func(in report.Input) string {
		for _, c := range report.Build(in).Trust {
			if c.Key == report.CheckStages {
				return c.Detail
			}
		}
		t.Fatal("there is no check of the stages")
		return ""
	}
	if d := detail(in); strings.Contains(d, "assigned") {
		t.Errorf("nothing was counted, and the stages say %q", d)
	}
	in.Assigned = []metrics.AssignedUnits{{Arm: 0, About: 1534, ErrorPct: 1.625}, {Arm: 1, About: 1490, ErrorPct: 1.625}}
	d := detail(in)
	for _, words := range []string{"about 1,534 assigned, 1,000 exposed", "about 1,490 assigned", "give or take 3.2 %", "in process are not counted. Of those exposed"} {
		if !strings.Contains(strings.ReplaceAll(d, "\u00a0", " "), words) {
			t.Errorf("the stages say %q, want %q", d, words)
		}
	}
	in.Assigned[1].About = 960
	if d := detail(in); !strings.Contains(d, "and some do: more were exposed") {
		t.Errorf("the stages say %q of more exposed than assigned", d)
	}
	past, ok := in.At(1)
	if d := detail(past); !ok || strings.Contains(d, "assigned") {
		t.Errorf("the past, of which nothing is known, says %q", d)
	}
	if got := report.Build(in).Head.Arms[1].Assigned; got == nil || got.About != 960 {
		t.Errorf("Assigned = %+v, want about 960", got)
	}
}
