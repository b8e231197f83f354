package assignment_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// checkDocument asks n units about each flag of a document, and returns how
// many flags there are and the differences, or why it cannot be read.
func checkDocument(s *assignment.Snapshot, document []byte, n int) (flags int, why string) {
	c := s.NewFlagdCheck(1)
	err := assignment.ReadFlagd(bytes.NewReader(document), func(f *assignment.FlagdFlag) error {
		flags++
		why += c.Check(f, n)
		return nil
	})
	if err != nil {
		why = err.Error()
	}
	return flags, why
}

func TestFlagdCheckPassesOurDocuments(t *testing.T) {
	t.Parallel()
	for _, cfg := range []experiment.Config{readVectors(t).Config, fullConfig(t, experiment.UnitBlock), workloadConfig(3)} {
		s := compile(t, cfg)
		if flags, why := checkDocument(s, s.FlagdDocument(), 2000); flags == 0 || why != "" {
			t.Errorf("of %d flags: %s", flags, why)
		}
	}
}

func TestFlagdCheckPassesAnyAudience(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		e := plainExperiment("x")
		audience := drawAudience(t, 3)
		e.Audience = &audience
		s := mustCompile(t, soloConfig(e))
		if _, why := checkDocument(s, s.FlagdDocument(), 50); why != "" {
			t.Fatal(why)
		}
	})
}

// Whatever is changed in a document is found: another share, another salt,
// another rule, an arm too many, another default, logic that we never write.
func TestFlagdCheckFindsFaults(t *testing.T) {
	t.Parallel()
	e := plainExperiment("x")
	e.Layer = "l"
	e.SlotRanges = []experiment.SlotRange{{From: 0, To: 8000}}
	e.Audience = &experiment.Audience{All: []experiment.Audience{
		is("country", "DE"),
		{Attr: "build", Op: experiment.OpGe, Value: experiment.Scalar{V: 7.0}},
		{Attr: "app", Op: experiment.OpSemverLt, Value: experiment.Scalar{V: "5.2.0"}},
	}}
	e.Overrides = map[string]string{"qa": "treatment"}
	cfg := experiment.Config{Version: 1, Experiments: []experiment.Experiment{e}, Layers: []experiment.Layer{{Key: "l", Unit: experiment.UnitViewer, Salt: "layer-l"}}}
	cfg.Holdouts = []experiment.Holdout{{HoldoutSpec: experiment.HoldoutSpec{Key: "h", Unit: experiment.UnitViewer, Slots: 3000}, Salt: "holdout-h"}}
	s := compile(t, cfg)
	doc := s.FlagdDocument()
	if _, why := checkDocument(s, doc, 4000); why != "" {
		t.Fatal(why)
	}
	for _, edit := range [][2]string{
		{`["x",8000],["-",2000]`, `["x",7900],["-",2100]`},
		{`["out",3000],["-",7000]`, `["out",2900],["-",7100]`},
		{`["control",1],["treatment",1]`, `["treatment",1],["control",1]`},
		{`salt-x:`, `salt-y:`},
		{`layer-l:`, `layer-m:`},
		{`holdout-h:`, `holdout-i:`},
		{`"DE"`, `"FR"`},
		{`{"\u003e=":`, `{"\u003e":`},
		{`"\u003c","5.2.0"`, `"\u003c=","5.2.0"`},
		{`["qa"]`, `["qb"]`},
		{`{"sem_ver":`, `{"sem_var":`},
		{`{"$ref":"layer.l"}`, `{"$ref":"layer.m"}`},
		{`"defaultVariant":"control"`, `"defaultVariant":"treatment"`},
	} {
		if !bytes.Contains(doc, []byte(edit[0])) {
			t.Fatalf("the document holds no %s: %s", edit[0], doc)
		}
		bad := strings.Replace(string(doc), edit[0], edit[1], 1)
		if _, why := checkDocument(s, []byte(bad), 4000); why == "" {
			t.Errorf("%s for %s is not found", edit[1], edit[0])
		}
	}
	for _, text := range []string{`{"flags":[]}`, `{}`, `[]`, ``, string(doc[:len(doc)/2]), `{"$evaluators":[],"flags":{}}`} {
		if err := assignment.ReadFlagd(strings.NewReader(text), func(*assignment.FlagdFlag) error { return nil }); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

// An unchanged flag has the digest that it had; one that refers to a layer whose
// slots changed has not.
func TestFlagdDigestsFollowWhatAFlagReads(t *testing.T) {
	t.Parallel()
	const doc = `{"$evaluators":{"layer.l":%},"flags":{"a":{"t":{"$ref":"layer.l"}},"b":{"t":1}}}`
	digests := func(evaluator string) map[string][32]byte {
		out := map[string][32]byte{}
		err := assignment.ReadFlagd(strings.NewReader(strings.Replace(doc, "%", evaluator, 1)), func(f *assignment.FlagdFlag) error {
			out[f.Key] = f.Digest
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	one, two := digests("1"), digests("2")
	if one["a"] == two["a"] || one["b"] != two["b"] || len(one) != 2 {
		t.Errorf("digests %x, then %x", one, two)
	}
}

func TestFlagdDocumentWithoutWhatIsExcluded(t *testing.T) {
	t.Parallel()
	a, b, c := plainExperiment("a"), plainExperiment("b"), plainExperiment("c")
	c.Requires = []experiment.Requirement{{Experiment: "a", Arms: []string{"treatment"}}}
	s := compile(t, soloConfig(a, b, c))
	var written strings.Builder
	if err := s.WriteFlagd(&written, map[string]string{"b": "it differs", "c": "it differs"}); err != nil {
		t.Fatal(err)
	}
	doc := written.String()
	if strings.Contains(doc, `"b":{`) || !strings.Contains(doc, `"remote-only.b":"it differs"`) || strings.Contains(doc, `"remote-only.c":"it differs"`) {
		t.Errorf("the document is %s", doc)
	}
	if s.RemoteOnly("a") != "" || !strings.Contains(s.RemoteOnly("c"), "requires") || s.RemoteOnly("none") != "" {
		t.Errorf("RemoteOnly = %q, %q, %q", s.RemoteOnly("a"), s.RemoteOnly("c"), s.RemoteOnly("none"))
	}
}
