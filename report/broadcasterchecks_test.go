package report_test

import (
	"slices"
	"testing"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
)

// An audience that differs between the arms is no lost telemetry of broadcasters:
// nothing that follows players is asked of them. All other checks are.
func TestBroadcastersAreNotFollowedThroughPlayers(t *testing.T) {
	t.Parallel()
	keys := func(unit experiment.UnitType) (out []string) {
		in := newSynthetic(2).at(1000, cell(primaryKey, 0, pair(1000, 10, 3)), cell(primaryKey, 1, pair(1000, 10, 3))).input()
		in.Experiment.Unit = unit
		for _, c := range report.Build(in).Trust {
			out = append(out, c.Key)
		}
		return out
	}
	viewers, broadcasters := keys(experiment.UnitViewer), keys(experiment.UnitBroadcaster)
	ofPlayers := []string{report.CheckBalanceReporting, report.CheckCoverage, report.CheckStages, report.CheckStartTimes}
	want := slices.DeleteFunc(slices.Clone(viewers), func(key string) bool { return slices.Contains(ofPlayers, key) })
	if !slices.Equal(broadcasters, want) || len(want) >= len(viewers) {
		t.Errorf("checks of broadcasters %v, of viewers %v", broadcasters, viewers)
	}
}
