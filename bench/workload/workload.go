// Package workload writes one comparable workload in the configuration format
// of each evaluator under comparison: N live experiments of two arms, three
// alternatives of up to two rules each, and viewers with seven attributes. It
// holds no code of the evaluators.
//
//	snap, err := assignment.Compile(workload.Splitcast(200))
package workload

import (
	"encoding/json"
	"fmt"
	"math/rand"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// Viewer is one who asks.
type Viewer struct {
	ID         string
	Country    string
	Platform   string
	AppBuild   int
	Subscriber bool
	DeviceTier string
	Player     string
	Followers  int
}

// Values that the rules mention, and those that viewers have.
var (
	RuleCountries = []string{"DE", "FR", "JP", "BR"}
	RulePlatforms = []string{"web", "android", "tv"}

	countries = []string{"US", "DE", "FR", "JP", "BR", "KR"}
	platforms = []string{"web", "android", "ios", "tv"}
	tiers     = []string{"low", "mid", "high"}
	players   = []string{"hls.js", "native", "shaka"}
)

// Rule 2: builds from RuleBuild on, of subscribers.
const RuleBuild = 5000

// Key returns the key of experiment i.
func Key(i int) string { return fmt.Sprintf("exp_%04d", i) }

// Viewers returns n reproducible viewers with UUIDs.
func Viewers(n int) []Viewer {
	r := rand.New(rand.NewSource(42))
	out := make([]Viewer, n)
	for i := range out {
		out[i] = Viewer{
			ID:         fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.Intn(1<<16), r.Intn(1<<12), r.Intn(1<<12), r.Int63n(1<<48)),
			Country:    countries[r.Intn(len(countries))],
			Platform:   platforms[r.Intn(len(platforms))],
			AppBuild:   4000 + r.Intn(2000),
			Subscriber: r.Intn(3) == 0,
			DeviceTier: tiers[r.Intn(len(tiers))],
			Player:     players[r.Intn(len(players))],
			Followers:  r.Intn(100_000),
		}
	}
	return out
}

// Map returns the attributes without the id.
func (v *Viewer) Map() map[string]any {
	return map[string]any{
		"country": v.Country, "platform": v.Platform, "appBuild": float64(v.AppBuild), "isSubscriber": v.Subscriber,
		"deviceTier": v.DeviceTier, "player": v.Player, "followers": float64(v.Followers),
	}
}

// Context returns the viewer as Splitcast takes it.
func (v *Viewer) Context() *assignment.Context {
	c := assignment.NewContext(v.ID)
	c.SetString("country", v.Country)
	c.SetString("platform", v.Platform)
	c.SetNumber("appBuild", float64(v.AppBuild))
	c.SetBool("isSubscriber", v.Subscriber)
	c.SetString("deviceTier", v.DeviceTier)
	c.SetString("player", v.Player)
	c.SetNumber("followers", float64(v.Followers))
	return c
}

// Body returns the OFREP request body of the viewer.
func (v *Viewer) Body() []byte {
	ctx := v.Map()
	ctx["targetingKey"] = v.ID
	return mustMarshal(map[string]any{"context": ctx})
}

// Splitcast returns the workload as Splitcast's configuration; every
// experiment has a layer of its own, so each evaluation hashes twice.
func Splitcast(n int) experiment.Config {
	cfg := experiment.Config{Version: 1}
	for i := range n {
		e := experiment.Experiment{
			Spec: experiment.Spec{
				Key: Key(i), Name: Key(i), Unit: experiment.UnitViewer, Design: experiment.DesignAB,
				Arms: []experiment.Arm{
					{Key: "control", Weight: 50, Value: json.RawMessage(`"control"`)},
					{Key: "treatment", Weight: 50, Value: json.RawMessage(`"treatment"`)},
				},
				Audience: audience(), Slots: experiment.TotalSlots, Status: experiment.StatusRunning,
			},
			ID: int64(i + 1), Version: 1, Salt: fmt.Sprintf("arm-salt-%04d", i),
			SlotRanges: []experiment.SlotRange{{From: 0, To: experiment.TotalSlots}},
		}
		cfg.Layers = append(cfg.Layers, experiment.Layer{Key: Key(i), Unit: e.Unit, Salt: fmt.Sprintf("layer-salt-%04d", i)})
		cfg.Experiments = append(cfg.Experiments, e)
	}
	return cfg
}

func audience() *experiment.Audience {
	scalar := func(v any) experiment.Scalar { return experiment.Scalar{V: v} }
	in := func(attr string, values []string) experiment.Audience {
		a := experiment.Audience{Attr: attr, Op: experiment.OpIn}
		for _, v := range values {
			a.Values = append(a.Values, scalar(v))
		}
		return a
	}
	return &experiment.Audience{Any: []experiment.Audience{
		{All: []experiment.Audience{in("country", RuleCountries), {Attr: "platform", Op: experiment.OpEq, Value: scalar("ios")}}},
		{All: []experiment.Audience{
			{Attr: "appBuild", Op: experiment.OpGe, Value: scalar(float64(RuleBuild))},
			{Attr: "isSubscriber", Op: experiment.OpEq, Value: scalar(true)},
		}},
		in("platform", RulePlatforms),
	}}
}

type object = map[string]any

// GrowthBook returns the workload as a GrowthBook features payload.
func GrowthBook(n int) []byte {
	features := object{}
	for i := range n {
		rule := func(j int, condition object) object {
			return object{
				"key": fmt.Sprintf("%s_r%d", Key(i), j), "seed": Key(i), "hashAttribute": "id", "hashVersion": 2,
				"condition": condition, "variations": []string{"control", "treatment"}, "weights": []float64{0.5, 0.5}, "coverage": 1,
			}
		}
		features[Key(i)] = object{"defaultValue": "control", "rules": []object{
			rule(1, object{"country": object{"$in": RuleCountries}, "platform": "ios"}),
			rule(2, object{"appBuild": object{"$gte": RuleBuild}, "isSubscriber": true}),
			rule(3, object{"platform": object{"$in": RulePlatforms}}),
		}}
	}
	return mustMarshal(features)
}

// LaunchDarkly returns the workload as one LaunchDarkly flag an experiment.
func LaunchDarkly(n int) [][]byte {
	clause := func(attr, op string, values any) object {
		return object{"contextKind": "user", "attribute": attr, "op": op, "values": values, "negate": false}
	}
	rollout := object{"contextKind": "user", "variations": []object{{"variation": 0, "weight": 50_000}, {"variation": 1, "weight": 50_000}}}
	out := make([][]byte, n)
	for i := range out {
		rule := func(id string, clauses ...object) object {
			return object{"id": id, "rollout": rollout, "clauses": clauses}
		}
		out[i] = mustMarshal(object{
			"key": Key(i), "on": true, "version": 1, "salt": Key(i), "offVariation": 0,
			"variations": []string{"control", "treatment"}, "fallthrough": object{"variation": 0},
			"rules": []object{
				rule("r1", clause("country", "in", RuleCountries), clause("platform", "in", []string{"ios"})),
				rule("r2", clause("appBuild", "greaterThanOrEqual", []int{RuleBuild}), clause("isSubscriber", "in", []bool{true})),
				rule("r3", clause("platform", "in", RulePlatforms)),
			},
		})
	}
	return out
}

func mustMarshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("plain values always marshal: " + err.Error())
	}
	return b
}
