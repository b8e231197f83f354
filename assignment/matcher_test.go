package assignment_test

import (
	"slices"
	"testing"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

func TestMatcher(t *testing.T) {
	t.Parallel()
	is := func(attr string, op experiment.Op, v any) experiment.Audience {
		return experiment.Audience{Attr: attr, Op: op, Value: experiment.Scalar{V: v}}
	}
	german, hls := is("country", experiment.OpEq, "DE"), is("player", experiment.OpEq, "hls.js")
	newApp := is("app", experiment.OpSemverGe, "5.2.0")
	beta := experiment.Audience{Op: experiment.OpInList, List: "beta"}
	ids, err := experiment.ParseIDSet("v-1\nv-2\n")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		audience *experiment.Audience
		want     assignment.Match
	}{
		"everyone":                  {nil, assignment.MatchYes},
		"known and true":            {&german, assignment.MatchYes},
		"known and false":           {&hls, assignment.MatchNo},
		"not known":                 {&newApp, assignment.MatchUnknown},
		"not of not known":          {&experiment.Audience{Not: &newApp}, assignment.MatchUnknown},
		"not of false":              {&experiment.Audience{Not: &hls}, assignment.MatchYes},
		"all with one false":        {&experiment.Audience{All: []experiment.Audience{newApp, hls}}, assignment.MatchNo},
		"all with one not known":    {&experiment.Audience{All: []experiment.Audience{german, newApp}}, assignment.MatchUnknown},
		"any with one true":         {&experiment.Audience{Any: []experiment.Audience{newApp, german}}, assignment.MatchYes},
		"any with one not known":    {&experiment.Audience{Any: []experiment.Audience{hls, newApp}}, assignment.MatchUnknown},
		"absent is not known":       {&experiment.Audience{Attr: "app", Op: experiment.OpAbsent}, assignment.MatchUnknown},
		"present":                   {&experiment.Audience{Attr: "player", Op: experiment.OpPresent}, assignment.MatchYes},
		"a text against a number":   {new(is("country", experiment.OpGt, 3.0)), assignment.MatchUnknown},
		"in the list of unit ids":   {&beta, assignment.MatchYes},
		"out of the list":           {&experiment.Audience{Not: &beta}, assignment.MatchNo},
		"a false attribute in list": {&experiment.Audience{Attr: "player", Op: experiment.OpInList, List: "beta"}, assignment.MatchNo},
	} {
		m, err := assignment.NewMatcher(c.audience, experiment.UnitViewer, map[string]*experiment.IDSet{"beta": ids})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ctx := assignment.NewContext("v-1")
		ctx.SetString("country", "DE")
		ctx.SetString("player", "dash.js")
		if got := m.Match(ctx); got != c.want {
			t.Errorf("%s: Match = %d, want %d", name, got, c.want)
		}
	}
	both := experiment.Audience{All: []experiment.Audience{newApp, german, beta}}
	m, err := assignment.NewMatcher(&both, experiment.UnitViewer, map[string]*experiment.IDSet{"beta": ids})
	if err != nil || !slices.Equal(m.Attributes(), []string{"app", "country"}) {
		t.Errorf("Attributes = %v, %v", m.Attributes(), err)
	}
	if _, err := assignment.NewMatcher(&both, experiment.UnitViewer, nil); err == nil {
		t.Error("a list that is not there is taken")
	}
}
