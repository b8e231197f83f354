package assignment_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

func flagdCheck(t fataler, s *assignment.Snapshot, document []byte) *assignment.FlagdCheck {
	c, err := s.NewFlagdCheck(document, 1)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFlagdCheckPassesOurDocuments(t *testing.T) {
	t.Parallel()
	for _, cfg := range []experiment.Config{readVectors(t).Config, fullConfig(t, experiment.UnitBlock), workloadConfig(3)} {
		s := compile(t, cfg)
		c := flagdCheck(t, s, s.FlagdDocument())
		if len(c.Flags()) == 0 {
			t.Fatal("the document has no flags")
		}
		for _, key := range c.Flags() {
			if why := c.Check(key, 2000); why != "" {
				t.Errorf("%s: %s", key, why)
			}
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
		if why := flagdCheck(t, s, s.FlagdDocument()).Check("x", 50); why != "" {
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
	if why := flagdCheck(t, s, doc).Check("x", 4000); why != "" {
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
		if why := flagdCheck(t, s, []byte(bad)).Check("x", 4000); why == "" {
			t.Errorf("%s for %s is not found", edit[1], edit[0])
		}
	}
	if _, err := s.NewFlagdCheck([]byte(`{"flags":[]}`), 1); err == nil {
		t.Error("what is no document is accepted")
	}
}

func TestFlagdDocumentWithoutWhatIsExcluded(t *testing.T) {
	t.Parallel()
	a, b, c := plainExperiment("a"), plainExperiment("b"), plainExperiment("c")
	c.Requires = []experiment.Requirement{{Experiment: "a", Arms: []string{"treatment"}}}
	s := compile(t, soloConfig(a, b, c))
	doc := string(s.FlagdDocumentWithout(map[string]string{"b": "it differs", "c": "it differs"}))
	if strings.Contains(doc, `"b":{`) || !strings.Contains(doc, `"remote-only.b":"it differs"`) || strings.Contains(doc, `"remote-only.c":"it differs"`) {
		t.Errorf("the document is %s", doc)
	}
	if s.RemoteOnly("a") != "" || !strings.Contains(s.RemoteOnly("c"), "requires") || s.RemoteOnly("none") != "" {
		t.Errorf("RemoteOnly = %q, %q, %q", s.RemoteOnly("a"), s.RemoteOnly("c"), s.RemoteOnly("none"))
	}
}
