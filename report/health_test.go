package report_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// armHealth draws units through the stages with the shares of an arm.
type armHealth struct {
	tried, started, heard, late, conflicted, program float64
}

var soundArm = armHealth{tried: 0.95, started: 0.97, heard: 0.98, late: 0.02, conflicted: 0.01, program: 0.03}

func (a armHealth) add(r *rand.Rand, h *metrics.Health, units int) {
	for range units {
		h.Closed++
		if r.Float64() < a.tried {
			h.Attempted++
			if r.Float64() < a.started {
				h.Started++
				if r.Float64() < a.heard {
					h.Reported++
				}
			}
		}
		h.Days++
		if r.Float64() < a.program {
			h.Suspected++
		}
		h.Settled++
		if r.Float64() < a.late {
			h.Late++
		}
		if r.Float64() < a.conflicted {
			h.Conflicted++
		}
	}
}

// healthReport looks 40 times at two arms.
func healthReport(seed uint64, control, treatment armHealth) report.Report {
	const looks, batch = 40, 2_000
	r := rand.New(rand.NewPCG(seed, 3))
	s := newSynthetic(2)
	var health [2]metrics.Health
	for look := int64(1); look <= looks; look++ {
		control.add(r, &health[0], batch)
		treatment.add(r, &health[1], batch)
		s.at(look * batch)
		for arm := range health {
			s.looks[look-1].Arms[arm].Health = health[arm]
		}
	}
	return report.Build(s.input())
}

func checksOf(r *report.Report) map[string]report.Check {
	out := map[string]report.Check{}
	for _, c := range r.Trust {
		out[c.Key] = c
	}
	return out
}

func TestHealthChecks(t *testing.T) {
	t.Parallel()
	edit := func(change func(*armHealth)) armHealth {
		a := soundArm
		change(&a)
		return a
	}
	for _, test := range []struct {
		name      string
		treatment armHealth
		key       string // of the check that is not ok
		state     report.CheckState
		words     string
	}{
		{"sound", soundArm, "", "", ""},
		{"beats lost after the first frame", edit(func(a *armHealth) { a.heard = 0.94 }), report.CheckStages, report.CheckFail, "were heard of"},
		{"fewer pictures", edit(func(a *armHealth) { a.started = 0.93 }), report.CheckStages, report.CheckWarn, "saw a picture"},
		{"fewer tries, which the plan measures", edit(func(a *armHealth) { a.tried = 0.9 }), "", "", ""},
		{"late records", edit(func(a *armHealth) { a.late = 0.06 }), report.CheckLate, report.CheckFail, ""},
		{"contradictions", edit(func(a *armHealth) { a.conflicted = 0.04 }), report.CheckConflicts, report.CheckFail, ""},
		{"programs", edit(func(a *armHealth) { a.program = 0.07 }), report.CheckPrograms, report.CheckFail, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := healthReport(11, soundArm, test.treatment)
			for key, c := range checksOf(&r) {
				want := report.CheckOK
				if key == test.key {
					want = test.state
				}
				if c.State != want {
					t.Errorf("%s is %s, want %s: %+v", key, c.State, want, c)
				}
				if key == test.key && (!strings.Contains(c.Statistic, test.words) || c.Fix == "" || c.Detail == "") {
					t.Errorf("%s says %+v, want %q and what to do", key, c, test.words)
				}
			}
		})
	}
}

// TestHealthUnknown has looks that counted nothing, of before there were counts.
func TestHealthUnknown(t *testing.T) {
	t.Parallel()
	r := report.Build(newSynthetic(2).at(1_000).input())
	for _, key := range []string{report.CheckStages, report.CheckLate, report.CheckConflicts, report.CheckPrograms} {
		if c, ok := checksOf(&r)[key]; ok {
			t.Errorf("%s is shown though nothing was counted: %+v", key, c)
		}
	}
}

// TestWithoutPrograms has programs that watch a hundred times as much as people, and
// sit in one arm: without them nothing is there.
func TestWithoutPrograms(t *testing.T) {
	t.Parallel()
	const units, programs = 20_000, 400
	s := newSynthetic(2)
	people := pair(units, 10, 12)
	robots := pair(programs, 1_000, 100)
	all := people
	all.Merge(robots)
	suspected := segmentCell(primaryKey, 1, metrics.TrafficDimension, metrics.TrafficSuspected, robots)
	s.at(units, cell(primaryKey, 0, people), cell(primaryKey, 1, all), suspected)
	r := report.Build(s.input())
	if len(r.Robustness) == 0 || r.Primary[0].State != report.StateBetter {
		t.Fatalf("state %s, robustness %+v", r.Primary[0].State, r.Robustness)
	}
	for _, v := range r.Robustness[0].Variants {
		if v.Name == "without suspected programs" {
			if v.State != report.StateUnproven || v.Same || !strings.Contains(v.Text, "0.0 %") {
				t.Errorf("without programs: %+v, want nothing proven", v)
			}
			return
		}
	}
	t.Errorf("variants %+v, want one without programs", r.Robustness[0].Variants)
}

// TestWithPrograms has a plan that leaves them out: the row is of people alone, and
// the other way has the effect that the programs make.
func TestWithPrograms(t *testing.T) {
	t.Parallel()
	const units, programs = 20_000, 400
	s := newSynthetic(2)
	s.plan.Suspects = experiment.SuspectsExclude
	people := pair(units, 10, 12)
	suspected := segmentCell(primaryKey, 1, metrics.TrafficDimension, metrics.TrafficSuspected, pair(programs, 1_000, 100))
	s.at(units, cell(primaryKey, 0, people), cell(primaryKey, 1, people), suspected)
	r := report.Build(s.input())
	if len(r.Robustness) == 0 || r.Primary[0].State != report.StateUnproven {
		t.Fatalf("state %s, robustness %+v", r.Primary[0].State, r.Robustness)
	}
	for _, v := range r.Robustness[0].Variants {
		if v.Name == "with suspected programs" {
			if v.State != report.StateBetter || v.Same {
				t.Errorf("with programs: %+v, want better", v)
			}
			return
		}
	}
	t.Errorf("variants %+v, want one with programs", r.Robustness[0].Variants)
}
