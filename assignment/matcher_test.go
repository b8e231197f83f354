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
		"a text against a number":   {new(is("country", experiment.OpGt, 3.0)), assignment.MatchNo},
		"a text that reads as one":  {new(is("as", experiment.OpGt, 3.0)), assignment.MatchUnknown},
		"a number that is too low":  {new(is("as", experiment.OpGt, 4000.0)), assignment.MatchNo},
		"unequal to it":             {new(is("as", experiment.OpNe, 3320.0)), assignment.MatchUnknown},
		"unequal in any case":       {new(is("as", experiment.OpNe, 1.0)), assignment.MatchYes},
		"a text against its like":   {new(is("as", experiment.OpEq, "3320")), assignment.MatchYes},
		"a text that reads as true": {new(is("kids", experiment.OpEq, true)), assignment.MatchUnknown},
		"the other boolean":         {new(is("kids", experiment.OpEq, false)), assignment.MatchNo},
		"among numbers":             {&experiment.Audience{Attr: "as", Op: experiment.OpIn, Values: []experiment.Scalar{{V: "x"}, {V: 3320.0}}}, assignment.MatchUnknown},
		"among texts":               {&experiment.Audience{Attr: "as", Op: experiment.OpIn, Values: []experiment.Scalar{{V: "3320"}}}, assignment.MatchYes},
		"a list not known":          {&experiment.Audience{Op: experiment.OpNotInList, List: "former"}, assignment.MatchUnknown},
		"in the list of unit ids":   {&beta, assignment.MatchYes},
		"out of the list":           {&experiment.Audience{Not: &beta}, assignment.MatchNo},
		"a false attribute in list": {&experiment.Audience{Attr: "player", Op: experiment.OpInList, List: "beta"}, assignment.MatchNo},
	} {
		m, err := assignment.NewMatcher(c.audience, experiment.UnitViewer, map[string]*experiment.IDSet{"beta": ids, "former": nil})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ctx := assignment.NewContext("v-1")
		ctx.SetString("country", "DE")
		ctx.SetString("player", "dash.js")
		ctx.SetString("as", "3320")
		ctx.SetString("kids", "true")
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
