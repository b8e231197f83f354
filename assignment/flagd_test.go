package assignment_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/assignment/flagdtest"
	"github.com/splitcast/splitcast/experiment"
)

type fataler interface{ Fatal(args ...any) }

func exportFlagd(t fataler, s *assignment.Snapshot) flagdtest.Document {
	doc, err := flagdtest.Parse(s.FlagdDocument())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// The document gives the arms of the vectors, which another implementation
// made from the configuration.
func TestFlagdDocumentAgreesWithTheVectors(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	doc := exportFlagd(t, compile(t, v.Config))
	const inexpressible = 6 // requires and keeping arms
	if len(doc.Flags) != len(v.Config.Experiments)-inexpressible {
		t.Fatalf("%d flags of %d experiments; metadata %v", len(doc.Flags), len(v.Config.Experiments), doc.Metadata)
	}
	for i := range v.Evaluations {
		want := &v.Evaluations[i]
		if doc.Metadata["remote-only."+want.Experiment] != nil {
			continue
		}
		if got, _ := doc.Resolve(want.Experiment, want.Context); got != want.Variant {
			t.Errorf("flag %s for %v = %s, want %s", want.Experiment, want.Context, got, want.Variant)
		}
	}
}

// drawAudience draws any audience of the attributes a to c.
func drawAudience(t *rapid.T, depth int) experiment.Audience {
	kids := func() []experiment.Audience {
		out := make([]experiment.Audience, rapid.IntRange(0, 3).Draw(t, "kids"))
		for i := range out {
			out[i] = drawAudience(t, depth-1)
		}
		return out
	}
	form := 3
	if depth > 0 {
		form = rapid.IntRange(0, 4).Draw(t, "form")
	}
	switch form {
	case 0:
		return experiment.Audience{All: kids()}
	case 1:
		return experiment.Audience{Any: kids()}
	case 2:
		not := drawAudience(t, depth-1)
		return experiment.Audience{Not: &not}
	}
	a := experiment.Audience{
		Attr: rapid.SampledFrom([]string{"a", "b", "c", "targetingKey"}).Draw(t, "attr"),
		Op: rapid.SampledFrom([]experiment.Op{
			experiment.OpEq, experiment.OpNe, experiment.OpIn, experiment.OpNotIn, experiment.OpLt, experiment.OpLe, experiment.OpGt,
			experiment.OpGe, experiment.OpSemverEq, experiment.OpSemverLt, experiment.OpSemverLe, experiment.OpSemverGt, experiment.OpSemverGe,
			experiment.OpContains, experiment.OpStartsWith, experiment.OpEndsWith, experiment.OpPresent, experiment.OpAbsent,
		}).Draw(t, "op"),
	}
	switch a.Op {
	case experiment.OpIn, experiment.OpNotIn:
		for range rapid.IntRange(1, 12).Draw(t, "values") {
			a.Values = append(a.Values, experiment.Scalar{V: drawScalar(t)})
		}
	case experiment.OpPresent, experiment.OpAbsent:
	case experiment.OpLt, experiment.OpLe, experiment.OpGt, experiment.OpGe:
		a.Value.V = rapid.SampledFrom([]float64{0, 1, -1, 5, 1e21}).Draw(t, "number")
	case experiment.OpContains, experiment.OpStartsWith, experiment.OpEndsWith:
		a.Value.V = rapid.SampledFrom([]string{"1", "x", "5.2", "tr"}).Draw(t, "text")
	case experiment.OpEq, experiment.OpNe:
		a.Value.V = drawScalar(t)
	default:
		a.Value.V = rapid.SampledFrom([]string{"1.0.0", "5.2", "v2", "5.2.0-rc.1"}).Draw(t, "version")
	}
	return a
}

func drawScalar(t *rapid.T) any {
	return rapid.SampledFrom([]any{
		"", "x", "1", "0", "5.2.0", "5.2.0-rc.1", "true", "1e0", " 1", "1x", 0.0, 1.0, -1.0, 5.0, 1e21, 0.5, true, false,
	}).Draw(t, "scalar")
}

// Whatever the rules and the types of the scalar attributes are, the document
// gives the arm that Evaluate gives: JSONLogic's conversions must not show.
func TestFlagdDocumentAgreesOnAnyAudience(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := plainExperiment("x")
		audience := drawAudience(t, 3)
		e.Audience = &audience
		e.SlotRanges[0].To = rapid.SampledFrom([]int{5000, experiment.TotalSlots}).Draw(t, "slots")
		s := mustCompile(t, soloConfig(e))
		doc := exportFlagd(t, s)
		for i := range 20 {
			ctx := map[string]any{"targetingKey": fmt.Sprint("v-", i)}
			for _, name := range []string{"a", "b", "c"} {
				if rapid.Bool().Draw(t, "given") {
					ctx[name] = rapid.OneOf(rapid.Just[any](nil), rapid.Custom(drawScalar)).Draw(t, "value")
				}
			}
			r, _ := s.Evaluate("x", contextOf(ctx))
			if got, _ := doc.Resolve("x", ctx); got != r.Variant {
				text, _ := json.Marshal(doc.Flags["x"])
				t.Fatalf("for %v flagd serves %s, Evaluate %s (%s)\n%s", ctx, got, r.Variant, r.Cause, text)
			}
		}
	})
}

// Layers, ramps and all: the document of a whole layer agrees for each unit.
func TestFlagdDocumentAgreesOnLayers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := mustCompile(t, drawLayer(t))
		doc := exportFlagd(t, s)
		for u := range layerUnits {
			ctx := map[string]any{"targetingKey": fmt.Sprint("unit-", u)}
			for i := range s.Len() {
				r := s.EvaluateAt(i, contextOf(ctx))
				if got, _ := doc.Resolve(r.Experiment, ctx); got != r.Variant {
					t.Fatalf("%s for unit-%d: flagd serves %s, Evaluate %s (%s)", r.Experiment, u, got, r.Variant, r.Cause)
				}
			}
		}
	})
}

func TestFlagdDocumentLeavesOutWhatItCannotSay(t *testing.T) {
	t.Parallel()
	good, bad := plainExperiment("good"), plainExperiment("bad")
	bad.Audience = &experiment.Audience{Not: &experiment.Audience{Attr: "device.os", Op: experiment.OpPresent}}
	doc := exportFlagd(t, compile(t, soloConfig(good, bad)))
	if got := slices.Collect(maps.Keys(doc.Flags)); !cmp.Equal(got, []string{"good"}) {
		t.Errorf("flags %v, want good only", got)
	}
	if why, _ := doc.Metadata["remote-only.bad"].(string); !strings.Contains(why, `"device.os"`) {
		t.Errorf("metadata %v do not say why", doc.Metadata)
	}
	if doc.Metadata["version"] != "1" || doc.Schema != "https://flagd.dev/schema/v0/flags.json" {
		t.Errorf("document %+v", doc)
	}
}

// The document is the same bytes each time: its entity tag must not wander.
func TestFlagdDocumentIsStable(t *testing.T) {
	t.Parallel()
	cfg := readVectors(t).Config
	a, b := compile(t, cfg).FlagdDocument(), compile(t, cfg).FlagdDocument()
	if !bytes.Equal(a, b) {
		t.Errorf("two exports differ:\n%s\n%s", a, b)
	}
}
