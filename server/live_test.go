package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

// configSource hands out what the test puts into it.
type configSource struct {
	mu  sync.Mutex
	cfg experiment.Config
	err error
}

func (c *configSource) set(cfg experiment.Config, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg, c.err = cfg, err
}

func (c *configSource) load(_ context.Context, _ map[string]experiment.Mark, use func(experiment.ConfigStream) error) error {
	c.mu.Lock()
	cfg, err := c.cfg, c.err
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return use(cfg.Stream())
}

// configOf is ofrepConfig as of a version.
func configOf(version int64) experiment.Config {
	cfg := *ofrepConfig()
	cfg.Version = version
	return cfg
}

func liveOf(t *testing.T, source *configSource, path string) *Live {
	t.Helper()
	clock := &handClock{at: testNow}
	return NewLive(LiveConfig{Load: source.load, Path: path, Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
}

// versionOf returns the version in force; 0 when there is none.
func versionOf(l *Live) int64 {
	if snap := l.Snapshot(); snap != nil {
		return snap.Version()
	}
	return 0
}

func TestLiveServesTheLastGoodConfigurationWithoutADatabase(t *testing.T) {
	t.Parallel()
	source, path := &configSource{}, filepath.Join(t.TempDir(), "config.gz")
	first := liveOf(t, source, path)
	if first.Snapshot() != nil {
		t.Fatal("there is a configuration before the first")
	}
	if _, err := first.resolve("abr"); !isCode(err, experiment.CodeUnavailable) {
		t.Errorf("resolve before the first = %v, want unavailable", err)
	}
	source.set(configOf(7), nil)
	if err := first.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	source.set(experiment.Config{}, errors.New("the database is away"))
	second := liveOf(t, source, path)
	if got := versionOf(second); got != 7 {
		t.Errorf("a new start without a database serves version %d, want 7", got)
	}
	if err := second.Refresh(t.Context()); err == nil || versionOf(second) != 7 {
		t.Errorf("a failed refresh = %v and leaves version %d, want an error and 7", err, versionOf(second))
	}
	if _, err := second.resolve("abr"); err != nil {
		t.Errorf("resolve = %v", err)
	}
	if _, err := second.resolve("nothing"); !isCode(err, experiment.CodeNotFound) {
		t.Errorf("resolve of none = %v, want not found", err)
	}
}

func isCode(err error, want experiment.Code) bool {
	code, ok := experiment.CodeOf(err)
	return ok && code == want
}

// The copy holds the hashes of keys, and a crash must leave no half of it.
func TestLiveDiskCopyIsPrivateAndWhole(t *testing.T) {
	t.Parallel()
	source, dir := &configSource{}, t.TempDir()
	path := filepath.Join(dir, "config.gz")
	if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil { // of somebody else
		t.Fatal(err)
	}
	live := liveOf(t, source, path)
	for v := range int64(3) {
		source.set(configOf(v+1), nil)
		if err := live.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy has mode %v, %v; want 0600", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v; want the copy alone", files, err)
	}
	if again := liveOf(t, &configSource{}, path); versionOf(again) != 3 {
		t.Errorf("the copy is of version %d; want 3", versionOf(again))
	}
}

// The copy of a program before this form is read, and goes once there is a new one.
func TestLiveReadsTheOldCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, err := json.Marshal(configOf(6))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	source := &configSource{err: errors.New("the database is away")}
	live := liveOf(t, source, filepath.Join(dir, "config.gz"))
	if versionOf(live) != 6 || live.Snapshot().Len() != len(configOf(6).Experiments) {
		t.Fatalf("version %d is in force, want 6", versionOf(live))
	}
	source.set(configOf(7), nil)
	if err := live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || files[0].Name() != "config.gz" {
		t.Errorf("the folder holds %v, %v; want the new copy alone", files, err)
	}
}

// What the copy and the answer hold is the configuration, lists and kept units
// too; and what did not change is not packed again.
func TestLiveDocumentIsTheConfiguration(t *testing.T) {
	t.Parallel()
	ids, err := experiment.NewIDSet([]string{"a", "b"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := configOf(7)
	cfg.Lists = []experiment.List{{Key: "l", Unit: experiment.UnitViewer, IDs: ids}, {Key: "m", IDs: ids}}
	cfg.Kept = []experiment.Kept{{Experiment: cfg.Experiments[0].Key, Version: 1, Units: experiment.NewUnitSet([]string{"x"})}}
	cfg.Holdouts = []experiment.Holdout{{HoldoutSpec: experiment.HoldoutSpec{Key: "h", Unit: experiment.UnitViewer, Slots: 10}, Salt: "s"}}
	source := &configSource{cfg: cfg}
	live := liveOf(t, source, "")
	var documents [2]*packed
	for i := range documents {
		cfg.Version++
		source.set(cfg, nil)
		if err := live.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		documents[i] = live.state.Load().document
		text, err := documents[i].plain()
		if err != nil {
			t.Fatal(err)
		}
		var got experiment.Config
		if err := json.NewDecoder(text).Decode(&got); err != nil {
			t.Fatal(err)
		}
		want, have := mustMarshal(t, cfg), mustMarshal(t, got)
		if want != have {
			t.Errorf("the document is\n%s\nwant\n%s", have, want)
		}
	}
	shared := 0
	for _, one := range documents[0].members {
		for _, other := range documents[1].members {
			if &one[0] == &other[0] {
				shared++
			}
		}
	}
	if want := 3 + len(live.state.Load().chunks); shared != want {
		t.Errorf("%d parts are shared, want %d: two lists, a set, and all experiments", shared, want)
	}
	first, second := strings.TrimPrefix(documents[0].tag, "8-"), strings.TrimPrefix(documents[1].tag, "9-")
	if first != second {
		t.Errorf("tags %s and %s, want them to differ by the version alone", documents[0].tag, documents[1].tag)
	}
}

func mustMarshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLiveIgnoresACopyThatIsNotUsable(t *testing.T) {
	t.Parallel()
	faulty := faultyConfig()
	experiments := faulty.Experiments
	faulty.Experiments = nil
	whole := `{"keys":[]}` + strings.Replace(mustMarshal(t, faulty), `"experiments":null,"keys":null`, `"holdouts":[],"experiments":`+mustMarshal(t, experiments), 1)
	for name, text := range map[string]string{
		"empty": "", "half": `{"keys":[]}{"version":7,"layers":[`, "other": `[1]`, "faulty": whole, "order": `{}{"experiments":[],"version":7}`,
		"field": `{}{"version":7,"other":[],"experiments":[]}`, "not closed": `{}{"version":7,"experiments":[]`, "cut": `{}{"version":7,"experiments":[]}`,
	} {
		cut := 0
		if name == "cut" {
			cut = 9
		}
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		if _, err := z.Write([]byte(text)); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "config.gz")
		if err := os.WriteFile(path, zipped.Bytes()[:zipped.Len()-cut], 0o600); err != nil {
			t.Fatal(err)
		}
		source := &configSource{cfg: configOf(8)}
		live := liveOf(t, source, path)
		if live.Snapshot() != nil {
			t.Errorf("%s: version %d came into force", name, versionOf(live))
		}
		if err := live.Refresh(t.Context()); err != nil || versionOf(live) != 8 {
			t.Errorf("%s: Refresh = %v, version %d", name, err, versionOf(live))
		}
	}
}

// faultyConfig has an experiment in a layer that does not exist.
func faultyConfig() experiment.Config {
	cfg := configOf(9)
	cfg.Layers = nil
	return cfg
}

func TestLiveRefusesAFaultyConfiguration(t *testing.T) {
	t.Parallel()
	source, path := &configSource{cfg: configOf(7)}, filepath.Join(t.TempDir(), "config.gz")
	live := liveOf(t, source, path)
	if err := live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	versions, stop := live.subscribe()
	defer stop()
	source.set(faultyConfig(), nil)
	if err := live.Refresh(t.Context()); err == nil || versionOf(live) != 7 {
		t.Errorf("Refresh = %v, version %d in force; want an error and 7", err, versionOf(live))
	}
	if len(versions) != 0 {
		t.Errorf("version %d was announced", <-versions)
	}
	if again := liveOf(t, source, path); versionOf(again) != 7 {
		t.Errorf("the copy holds version %d, want 7", versionOf(again))
	}
}

func TestLiveWithoutAPlaceToKeepTheCopyServes(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", filepath.Join(t.TempDir(), "missing", "config.gz")} {
		live := liveOf(t, &configSource{cfg: configOf(7)}, path)
		if err := live.Refresh(t.Context()); err != nil || versionOf(live) != 7 {
			t.Errorf("Refresh with the path %q = %v", path, err)
		}
		if _, err := os.Stat(path); path != "" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat = %v", err)
		}
	}
}

func TestLivePublishesTheNewestVersion(t *testing.T) {
	t.Parallel()
	source := &configSource{}
	live := liveOf(t, source, "")
	slow, stop := live.subscribe()
	gone, end := live.subscribe()
	end()
	for v := range int64(5) {
		source.set(configOf(v+1), nil)
		if err := live.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-slow; got != 5 || len(slow) != 0 {
		t.Errorf("a slow reader gets version %d and %d more, want 5 alone", got, len(slow))
	}
	if len(gone) != 0 {
		t.Error("a reader that went away was told")
	}
	stop()
	if len(live.subscribers) != 0 {
		t.Errorf("%d subscriptions are left", len(live.subscribers))
	}
}

// Two refreshes at once must not end with the older configuration in force: a
// revoked key would live until the next change.
func TestLiveRefreshesDoNotOvertake(t *testing.T) {
	t.Parallel()
	started, release := make(chan struct{}), make(chan struct{})
	var calls sync.Mutex
	next := int64(0)
	load := func(_ context.Context, _ map[string]experiment.Mark, use func(experiment.ConfigStream) error) error {
		calls.Lock()
		next++
		v := next
		calls.Unlock()
		if v == 1 {
			close(started)
			<-release
		}
		return use(configOf(v).Stream())
	}
	live := NewLive(LiveConfig{Load: load, Now: (&handClock{at: testNow}).Now, Log: slog.New(slog.DiscardHandler)})
	var group sync.WaitGroup
	refresh := func() {
		if err := live.Refresh(t.Context()); err != nil {
			t.Errorf("Refresh: %v", err)
		}
	}
	group.Go(refresh)
	<-started
	group.Go(refresh)
	close(release)
	group.Wait()
	if got := versionOf(live); got != 2 {
		t.Errorf("version %d is in force, want 2, the last one read", got)
	}
}

func TestLiveRunTriesAgainAndEnds(t *testing.T) {
	t.Parallel()
	source := &configSource{err: errors.New("the database is away")}
	live := liveOf(t, source, "")
	told, stop := live.subscribe()
	defer stop()
	versions, ended := make(chan int64), make(chan struct{})
	go func() {
		defer close(ended)
		live.Run(t.Context(), versions)
	}()
	versions <- 1
	source.set(configOf(1), nil)
	if got := <-told; got != 1 {
		t.Errorf("version %d came into force, want 1", got)
	}
	close(versions)
	<-ended
}

// A refresh waits for another no longer than its caller does.
func TestRefreshWaitsNoLongerThanItsCaller(t *testing.T) {
	t.Parallel()
	began, done := make(chan struct{}), make(chan struct{})
	live := NewLive(LiveConfig{
		Load: func(context.Context, map[string]experiment.Mark, func(experiment.ConfigStream) error) error {
			close(began)
			<-done
			return errors.New("slow")
		},
		Now: (&handClock{at: testNow}).Now, Log: slog.New(slog.DiscardHandler),
	})
	slow := make(chan error, 1)
	go func() { slow <- live.Refresh(t.Context()) }()
	<-began
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := live.Refresh(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who is gone gets %v, want that the context has ended", err)
	}
	close(done)
	if err := <-slow; err == nil {
		t.Error("the slow refresh hides its error")
	}
}
