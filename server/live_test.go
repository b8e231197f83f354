package server

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
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

func (c *configSource) load(context.Context) (experiment.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg, c.err
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
	source, path := &configSource{}, filepath.Join(t.TempDir(), "config.json")
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
	path := filepath.Join(dir, "config.json")
	if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil { // of an older program
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
	b, err := os.ReadFile(path)
	var cfg experiment.Config
	if err := errors.Join(err, json.Unmarshal(b, &cfg)); err != nil || cfg.Version != 3 {
		t.Errorf("the copy is of version %d, %v; want 3", cfg.Version, err)
	}
}

func TestLiveIgnoresACopyThatIsNotUsable(t *testing.T) {
	t.Parallel()
	faulty, err := json.Marshal(faultyConfig())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"empty": "", "half": `{"version":7,"layers":[`, "other": `[1]`, "faulty": string(faulty)} {
		path := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
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
	source, path := &configSource{cfg: configOf(7)}, filepath.Join(t.TempDir(), "config.json")
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
	for _, path := range []string{"", filepath.Join(t.TempDir(), "missing", "config.json")} {
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
	load := func(context.Context) (experiment.Config, error) {
		calls.Lock()
		next++
		v := next
		calls.Unlock()
		if v == 1 {
			close(started)
			<-release
		}
		return configOf(v), nil
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
