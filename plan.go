package main

import (
	"encoding/json"
	"errors"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/planning"
	"github.com/splitcast/splitcast/stats"
)

// planCmd is the command line of plan.
type planCmd struct {
	Mean        float64 `placeholder:"M" help:"Mean of the metric a unit, with --sd."`
	SD          float64 `name:"sd" placeholder:"S" help:"Standard deviation of the metric a unit."`
	Share       float64 `placeholder:"P" help:"Share of units with the outcome, such as 0.97, instead of --mean and --sd."`
	MDE         float64 `name:"mde" default:"0.02" help:"Smallest lift worth finding, as a fraction of control."`
	Alpha       float64 `default:"0.05" help:"False-positive budget of the primary metrics, two-sided."`
	Power       float64 `default:"0.8" help:"Chance to find the lift when it is there."`
	Weights     []int64 `default:"1,1" placeholder:"W" help:"Split over the arms, control first."`
	Primary     int     `default:"1" help:"Primary metrics that share alpha."`
	Method      string  `default:"sequential" enum:"sequential,group_sequential" help:"How the experiment will be decided: sequential or group_sequential, which quantiles are not."`
	Quantile    bool    `help:"The metric is a quantile: planned looks do not decide it. Then --sd is its standard error times the root of the units."`
	Looks       int     `default:"14" help:"Planned looks of the group-sequential rule, 1 to 28."`
	Spending    string  `default:"obrien_fleming" enum:"obrien_fleming,pocock,kim_demets" help:"How that rule spends alpha: obrien_fleming, pocock or kim_demets."`
	UnitsPerDay float64 `placeholder:"N" help:"Units of the audience that come for the first time in a day."`
	Traffic     float64 `default:"1" help:"Share of them that takes part."`
	WindowDays  float64 `default:"1" help:"Days from a unit's exposure to its outcome."`
	ClusterSize float64 `placeholder:"N" help:"Mean number of units that share a cluster, such as the viewers of a broadcaster, with --cluster-icc."`
	ClusterICC  float64 `name:"cluster-icc" placeholder:"R" help:"Correlation of two units of a cluster."`
	JSON        bool    `name:"json" help:"Print JSON instead of tables."`
}

// Run prints what the experiment will cost.
func (c *planCmd) Run(rt *runtime) error {
	result, err := planning.Plan(planning.Request{
		Baseline: planning.Baseline{Mean: c.Mean, SD: c.SD, Share: c.Share},
		MDE:      c.MDE, Alpha: c.Alpha, Power: c.Power, Weights: c.Weights, Primary: c.Primary,
		Method: stats.RuleKind(c.Method), Looks: c.Looks, Spending: c.Spending, Quantile: c.Quantile,
		UnitsPerDay: c.UnitsPerDay, Traffic: c.Traffic, WindowDays: c.WindowDays,
		ClusterSize: c.ClusterSize, ClusterICC: c.ClusterICC,
	})
	if bad, ok := errors.AsType[*planning.Error](err); ok {
		return experiment.Invalidf(bad.Field, "%s", bad.Message)
	}
	if err != nil {
		return err
	}
	if !c.JSON {
		return result.WriteText(rt.out)
	}
	encoder := json.NewEncoder(rt.out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}
