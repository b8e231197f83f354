package server

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// newFlagdChecker returns a checker whose snapshot is what snap points to.
func newFlagdChecker(snap **assignment.Snapshot, log *safeBuffer) *flagdChecker {
	return &flagdChecker{
		flagd: &Flagd{Snapshot: func() *assignment.Snapshot { return *snap }}, log: slog.New(slog.NewTextHandler(log, nil)),
		mismatches: newInstruments().flagdMismatches, write: (*assignment.Snapshot).WriteFlagd,
	}
}

// faultyFlagd writes documents that give units of one flag other arms than
// evaluation does.
func faultyFlagd(key string) func(*assignment.Snapshot, io.Writer, map[string]string) error {
	return func(s *assignment.Snapshot, to io.Writer, excluded map[string]string) error {
		var right bytes.Buffer
		if err := s.WriteFlagd(&right, excluded); err != nil {
			return err
		}
		_, err := to.Write(bytes.ReplaceAll(right.Bytes(), []byte(`"salt-`+key+`:`), []byte(`"other:`)))
		return err
	}
}

// splitting returns the key of a flag that splits by hash.
func splitting(t *testing.T, s *assignment.Snapshot) string {
	t.Helper()
	for i := range s.Len() {
		if key := s.At(i).Key; bytes.Contains(s.FlagdDocument(), []byte(`"salt-`+key+`:`)) {
			return key
		}
	}
	t.Fatalf("no flag splits: %s", s.FlagdDocument())
	return ""
}

// A flag that differs is taken out of the document, which says why; it is counted
// and told. What is right stays as it is, and the alarm ends with the fault.
func TestFlagdSelfCheck(t *testing.T) {
	t.Parallel()
	log, snap := &safeBuffer{}, ofrepCompile(t, *ofrepConfig())
	c := newFlagdChecker(&snap, log)
	c.check(nil, snap)
	right := c.flagd.checked.Load()
	if right == nil || len(right.excluded) > 0 || testutil.ToFloat64(c.mismatches) != 0 || log.String() != "" || c.flagd.warning() != "" {
		t.Fatalf("a right document does not pass: %s", log)
	}
	if len(c.passed) == 0 {
		t.Fatal("no flag was checked")
	}
	key := splitting(t, snap)
	c.write = faultyFlagd(key)
	c.check(nil, snap)
	w := getFlagd(t, c.flagd, "")
	if !strings.Contains(w.Body.String(), `"remote-only.`+key+`":"the self-check`) || strings.Contains(w.Body.String(), `"`+key+`":{"`) {
		t.Errorf("the document still has the flag %s: %s", key, w.Body)
	}
	if w.Header().Get("ETag") == right.etag(encodingIdentity) {
		t.Error("the document without the flag has the tag of the one with it")
	}
	if testutil.ToFloat64(c.mismatches) != 1 || !strings.Contains(log.String(), "experiment="+key) || c.flagd.warning() == "" {
		t.Errorf("%v mismatches were counted, the log says %q, the warning %q", testutil.ToFloat64(c.mismatches), log, c.flagd.warning())
	}
	if why := c.flagd.remoteOnly(key); !strings.Contains(why, "self-check") {
		t.Errorf("remoteOnly = %q", why)
	}
	c.write = (*assignment.Snapshot).WriteFlagd
	c.check(nil, snap)
	if again := getFlagd(t, c.flagd, right.etag(encodingIdentity)); again.Code != http.StatusNotModified || c.flagd.warning() != "" {
		t.Errorf("after the fault: %d, warning %q", again.Code, c.flagd.warning())
	}
}

// A new document is served once it has passed, not before; one that cannot be
// checked is never served, the one before stays, and the alarm is raised.
func TestFlagdServesWhatPassed(t *testing.T) {
	t.Parallel()
	log, snap := &safeBuffer{}, ofrepCompile(t, configOf(1))
	c := newFlagdChecker(&snap, log)
	if w := getFlagd(t, c.flagd, ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("before the first check: %d, %v", w.Code, w.Header())
	}
	c.check(nil, snap)
	first := getFlagd(t, c.flagd, "").Body.String()

	snap = ofrepCompile(t, configOf(2))
	c.write = func(s *assignment.Snapshot, to io.Writer, excluded map[string]string) error {
		if during := getFlagd(t, c.flagd, ""); during.Body.String() != first {
			t.Error("a document is served while it is checked")
		}
		return s.WriteFlagd(to, excluded)
	}
	c.check(nil, snap)
	second := getFlagd(t, c.flagd, "").Body.String()
	if !strings.Contains(first, `"version":"1"`) || !strings.Contains(second, `"version":"2"`) || c.flagd.version() != 2 {
		t.Errorf("served %.200s, then %.200s", first, second)
	}

	snap = ofrepCompile(t, configOf(3))
	for name, write := range map[string]func(*assignment.Snapshot, io.Writer, map[string]string) error{
		"half of it": func(_ *assignment.Snapshot, to io.Writer, _ map[string]string) error {
			_, err := io.WriteString(to, second[:len(second)/2])
			return err
		},
		"none": func(*assignment.Snapshot, io.Writer, map[string]string) error { return io.ErrClosedPipe },
	} {
		c.write = write
		before := testutil.ToFloat64(c.mismatches)
		c.check(nil, snap)
		if got := getFlagd(t, c.flagd, "").Body.String(); got != second {
			t.Errorf("%s: served %.200s", name, got)
		}
		if warning := c.flagd.warning(); !strings.Contains(warning, "of configuration 2 is still served") || testutil.ToFloat64(c.mismatches) != before+1 {
			t.Errorf("%s: warning %q, %v mismatches", name, warning, testutil.ToFloat64(c.mismatches))
		}
	}
	ended := make(chan struct{})
	close(ended)
	c.write = (*assignment.Snapshot).WriteFlagd
	c.check(ended, snap)
	if c.flagd.version() != 2 {
		t.Error("a server that ends serves what it did not check")
	}
	c.check(nil, snap)
	if c.flagd.version() != 3 || c.flagd.warning() != "" {
		t.Errorf("version %d is served, warning %q", c.flagd.version(), c.flagd.warning())
	}
}

// awaitFlagd waits until the document of the configuration in force is served.
func awaitFlagd(t *testing.T, b *bench) {
	t.Helper()
	want := b.live.Snapshot().Version()
	eventually(t, func() error {
		if have := b.srv.flagd.version(); have != want {
			return experiment.Errorf(experiment.CodeUnavailable, "", "the flagd document is of version %d, not %d", have, want)
		}
		return nil
	})
}

// Operators see the alarm where they look: /readyz and /metrics.
func TestFlagdAlarm(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	awaitFlagd(t, b)
	look := func(ready, gauge string) {
		t.Helper()
		if got := b.send(t, scenario{method: "GET", path: "/readyz"}); got.status != http.StatusOK || !strings.Contains(got.body, ready) {
			t.Errorf("/readyz = %d %s, want %s", got.status, got.body, ready)
		}
		if got := b.send(t, scenario{method: "GET", path: "/metrics"}); !strings.Contains(got.body, gauge) {
			t.Errorf("/metrics lacks %s", gauge)
		}
	}
	look(`{"status":"ready"}`, "splitcast_flagd_faulty 0")
	fault := "it is not written"
	b.srv.flagd.fault.Store(&fault)
	look(`"warnings":["the flagd document of configuration`, "splitcast_flagd_faulty 1")
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
	awaitFlagd(t, b)
	b.play(t, []scenario{
		{name: "left out", method: "GET", path: apiPath + "/experiments/after", as: experiment.ScopeRead, status: http.StatusOK, has: []string{`"remote_only":"the experiment requires`}},
		{name: "in the document", method: "GET", path: apiPath + "/experiments/abr", as: experiment.ScopeRead, status: http.StatusOK, lacks: []string{"remote_only"}},
		{name: "on the page", method: "GET", path: "/experiments/after", header: map[string]string{"Cookie": b.signIn(t)}, status: http.StatusOK, has: []string{"flagd clients do not get this experiment, OFREP and our own do: the experiment requires"}},
		{name: "of its page", method: "GET", path: "/experiments/abr", header: map[string]string{"Cookie": b.signIn(t)}, status: http.StatusOK, lacks: []string{"flagd clients"}},
		{name: "the document", method: "GET", path: FlagdPath, as: experiment.ScopeConfig, status: http.StatusOK, has: []string{`"remote-only.after"`, `"abr":{`}},
	})
	if got := b.send(t, scenario{method: "GET", path: "/metrics"}); !strings.Contains(got.body, "splitcast_flagd_mismatches_total 0") {
		t.Error("/metrics does not count mismatches")
	}
}
