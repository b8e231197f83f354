package assignment_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/murmur3"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// vectors is testdata/vectors.json: the answers of another implementation
// (testdata/vectors.py). Evaluators in other languages can be held to it too.
type vectors struct {
	Hashes []struct {
		Text string `json:"text"`
		Hash uint32 `json:"hash"`
	} `json:"murmur3_x86_32"`
	Positions []struct {
		Salt     string `json:"salt"`
		Unit     string `json:"unit"`
		Total    int64  `json:"total"`
		Position int    `json:"position"`
	} `json:"positions"`
	Config      experiment.Config `json:"config"`
	Evaluations []struct {
		Experiment string         `json:"experiment"`
		Context    map[string]any `json:"context"`
		Variant    string         `json:"variant"`
		Cause      string         `json:"cause"`
		Assigned   bool           `json:"assigned"`
		Holdout    string         `json:"holdout"`
		Slot       int            `json:"slot"`
		Position   int            `json:"position"`
	} `json:"evaluations"`
}

func readVectors(tb testing.TB) *vectors {
	tb.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		tb.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		tb.Fatal(err)
	}
	return &v
}

// contextOf makes a Context of decoded JSON.
func contextOf(m map[string]any) *assignment.Context {
	c := assignment.NewContext("")
	for k, v := range m {
		switch v := v.(type) {
		case string:
			c.SetString(k, v)
		case float64:
			c.SetNumber(k, v)
		case bool:
			c.SetBool(k, v)
		case nil:
			c.Unset(k)
		default:
			c.SetOther(k)
		}
	}
	return c
}

func TestVectorsOfTheHash(t *testing.T) {
	t.Parallel()
	for _, h := range readVectors(t).Hashes {
		if got := murmur3.StringSum32(h.Text); got != h.Hash {
			t.Errorf("murmur3(%q) = %d, want %d", h.Text, got, h.Hash)
		}
	}
}

// Positions are asked of the whole evaluation: an experiment with that salt
// and two arms whose weights sum to the total.
func TestVectorsOfPositions(t *testing.T) {
	t.Parallel()
	for _, p := range readVectors(t).Positions {
		e := plainExperiment("x")
		e.Salt = p.Salt
		e.Arms[0].Weight, e.Arms[1].Weight = 1, p.Total-1
		r, _ := compile(t, soloConfig(e)).Evaluate("x", assignment.NewContext(p.Unit))
		if r.Position != p.Position {
			t.Errorf("position of %s:%s in %d = %d, want %d", p.Salt, p.Unit, p.Total, r.Position, p.Position)
		}
	}
}

func TestVectorsOfEvaluations(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	s := compile(t, v.Config)
	if len(v.Evaluations) < 1000 {
		t.Fatalf("%d evaluations, want at least 1000", len(v.Evaluations))
	}
	for i := range v.Evaluations {
		want := &v.Evaluations[i]
		r, ok := s.Evaluate(want.Experiment, contextOf(want.Context))
		if !ok {
			t.Fatalf("experiment %s is unknown", want.Experiment)
		}
		got := fmt.Sprint(r.Variant, " ", r.Cause, " ", r.Assigned, " ", r.Slot, " ", r.Position, " ", r.Holdout())
		if diff := cmp.Diff(fmt.Sprint(want.Variant, " ", want.Cause, " ", want.Assigned, " ", want.Slot, " ", want.Position, " ", want.Holdout), got); diff != "" {
			t.Errorf("Evaluate(%s, %v) (-want +got):\n%s", want.Experiment, want.Context, diff)
		}
	}
}
