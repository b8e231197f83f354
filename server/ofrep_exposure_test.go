package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

// exposures empties the list of exposures made so far. They are made before
// the answer is written, so none is still to come.
func (b *ofrepBench) exposures() []experiment.Exposure {
	var out []experiment.Exposure
	for len(b.exposed) > 0 {
		out = append(out, <-b.exposed)
	}
	return out
}

func TestOFREPSingleLogsAnExposure(t *testing.T) {
	t.Parallel()
	b := newOFREPBench(t, ofrepConfig())
	context := func(members string) string { return `{"context":{"targetingKey":"v-1"` + members + `}}` }
	abr := experiment.Exposure{Experiment: "abr", Version: 2, Unit: "v-1", Arm: "control", At: ofrepTime}
	with := func(change func(x *experiment.Exposure)) []experiment.Exposure {
		x := abr
		change(&x)
		return []experiment.Exposure{x}
	}
	tests := []struct {
		name, path, body string
		want             []experiment.Exposure
	}{
		{"plain", "/abr", context(``), []experiment.Exposure{abr}},
		{"attributes and session", "/abr", context(`,"country":"DE","build":12,"beta":true,"list":[1],"nothing":null,"session_id":"s-1"`), with(func(x *experiment.Exposure) {
			x.Session, x.Attributes = "s-1", map[string]string{"country": "DE", "build": "12", "beta": "true"}
		})},
		{"override is marked", "/autoplay", `{"context":{"targetingKey":"qa-1"}}`, []experiment.Exposure{
			{Experiment: "autoplay", Version: 2, Unit: "qa-1", Arm: "treatment", At: ofrepTime, Override: true},
		}},
		{"expose true", "/abr", context(`,"splitcast.expose":true`), []experiment.Exposure{abr}},
		{"expose false", "/abr", context(`,"splitcast.expose":false`), nil},
		{"outside the audience", "/player", context(``), nil},
		{"paused", "/buffer", context(``), nil},
		{"unknown", "/nothing", context(``), nil},
		{"refused", "/abr", context(`,"viewer_id":7`), nil},
		{"bulk", "", context(``), nil},
		{"what cannot be kept", "/abr", context(fmt.Sprintf(`,"nul":"a\u0000b",%q:"x","long":%q,"splitcast.debug":"1","fits":%q`,
			strings.Repeat("n", 257), strings.Repeat("v", 257), strings.Repeat("v", 256))), with(func(x *experiment.Exposure) {
			x.Attributes = map[string]string{"fits": strings.Repeat("v", 256)}
		})},
		{"a body so large that strings are copied", "/abr", context(`,"pad":"` + strings.Repeat("p", maxPinnedBytes) + `","os":"tv"`), with(func(x *experiment.Exposure) {
			x.Attributes = map[string]string{"os": "tv"}
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b.post(tt.path, tt.body)
			got := b.exposures()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("exposures (-want +got):\n%s", diff)
			}
			for i := range got {
				if err := got[i].Validate(); err != nil {
					t.Errorf("Validate: %v", err)
				}
			}
		})
	}
}

// The first attributes are kept up to the limit of an exposure; the evaluation
// itself sees all of them.
func TestOFREPExposureKeepsAtMostTheLimit(t *testing.T) {
	t.Parallel()
	b := newOFREPBench(t, ofrepConfig())
	for _, n := range []int{experiment.MaxExposureAttributes, experiment.MaxExposureAttributes + 1} {
		var members strings.Builder
		for i := range n {
			fmt.Fprintf(&members, `,"a%d":"x"`, i)
		}
		b.want(b.post("/abr", `{"context":{"targetingKey":"v"`+members.String()+`}}`), 200, "")
		got := b.exposures()
		if len(got) != 1 || len(got[0].Attributes) != experiment.MaxExposureAttributes {
			t.Errorf("with %d attributes the exposures are %+v", n, got)
		}
	}
}
