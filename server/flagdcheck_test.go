package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// A document that differs is replaced by one without the flag, which says why;
// it is counted and told. One that is right stays as it is.
func TestFlagdSelfCheck(t *testing.T) {
	t.Parallel()
	snap := ofrepCompile(t, *ofrepConfig())
	log := &safeBuffer{}
	flagd := &Flagd{Snapshot: func() *assignment.Snapshot { return snap }}
	c := &flagdChecker{
		flagd: flagd, log: slog.New(slog.NewTextHandler(log, nil)), mismatches: newInstruments().flagdMismatches,
		write: (*assignment.Snapshot).FlagdDocument,
	}
	right := flagd.document(snap)
	c.check(nil, snap)
	if flagd.document(snap) != right || testutil.ToFloat64(c.mismatches) != 0 || log.String() != "" {
		t.Fatalf("a right document is replaced: %s", log)
	}
	if len(c.passed) == 0 {
		t.Fatal("no flag was checked")
	}
	key := ""
	c.write = func(s *assignment.Snapshot) []byte {
		doc := s.FlagdDocument()
		for i := range s.Len() { // another salt in the first flag that splits
			key = s.At(i).Key
			marker := []byte(`"salt-` + key + `:`)
			if bytes.Contains(doc, marker) {
				return bytes.ReplaceAll(doc, marker, []byte(`"other:`))
			}
		}
		t.Fatalf("no flag splits: %s", doc)
		return nil
	}
	c.check(nil, snap)
	w := getFlagd(t, flagd, "")
	if !strings.Contains(w.Body.String(), `"remote-only.`+key+`":"the self-check`) || strings.Contains(w.Body.String(), `"`+key+`":{"`) {
		t.Errorf("the document still has the flag %s: %s", key, w.Body)
	}
	if w.Header().Get("ETag") == right.etag {
		t.Error("the document without the flag has the tag of the one with it")
	}
	if testutil.ToFloat64(c.mismatches) != 1 || !strings.Contains(log.String(), "experiment="+key) {
		t.Errorf("%v mismatches were counted, the log says %q", testutil.ToFloat64(c.mismatches), log)
	}
	if why := flagd.remoteOnly(key); !strings.Contains(why, "self-check") {
		t.Errorf("remoteOnly = %q", why)
	}
}

// An unchanged flag is not checked in full again; one that refers to a layer
// whose slots changed is.
func TestFlagdDigestsFollowWhatAFlagReads(t *testing.T) {
	t.Parallel()
	const doc = `{"$evaluators":{"layer.l":%},"flags":{"a":{"t":{"$ref":"layer.l"}},"b":{"t":1}}}`
	one := digestFlags([]byte(strings.Replace(doc, "%", "1", 1)))
	two := digestFlags([]byte(strings.Replace(doc, "%", "2", 1)))
	if one["a"] == two["a"] || one["b"] != two["b"] || len(one) != 2 {
		t.Errorf("digests %x, then %x", one, two)
	}
}

// The answer about an experiment says why flagd cannot have it.
func TestExperimentSaysWhyItIsRemoteOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.apply(t, `{"experiments":[{"key":"after","unit":"viewer","status":"running","requires":[{"experiment":"abr","arms":["treatment"]}],
		"arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}}]}`)
	if err := b.live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.play(t, []scenario{
		{name: "left out", method: "GET", path: apiPath + "/experiments/after", as: experiment.ScopeRead, status: http.StatusOK, has: []string{`"remote_only":"the experiment requires`}},
		{name: "in the document", method: "GET", path: apiPath + "/experiments/abr", as: experiment.ScopeRead, status: http.StatusOK, lacks: []string{"remote_only"}},
		{name: "the document", method: "GET", path: FlagdPath, as: experiment.ScopeConfig, status: http.StatusOK, has: []string{`"remote-only.after"`, `"abr":{`}},
	})
	if got := b.send(t, scenario{method: "GET", path: "/metrics"}); !strings.Contains(got.body, "splitcast_flagd_mismatches_total 0") {
		t.Error("/metrics does not count mismatches")
	}
}
