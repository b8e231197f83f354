package server

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

const configPath = apiPath + "/config"

func TestConfigOverHTTP(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got := b.send(t, scenario{method: "GET", path: configPath, as: "config"})
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "private, no-cache" {
		t.Fatalf("config = %d, %v", got.status, got.header)
	}
	var have experiment.Config
	if err := json.Unmarshal([]byte(got.body), &have); err != nil {
		t.Fatal(err)
	}
	want := readConfig(t, b.db)
	if diff := cmp.Diff(want, have, cmpopts.IgnoreFields(experiment.Config{}, "Keys", "RevokedKeys"), cmp.AllowUnexported(experiment.Date{})); diff != "" {
		t.Errorf("config (-stored +served):\n%s", diff)
	}
	if len(want.Keys) == 0 || have.Keys != nil || strings.Contains(got.body, `"keys"`) || strings.Contains(got.body, `"hash"`) {
		t.Errorf("of %d keys the answer shows %v", len(want.Keys), have.Keys)
	}
	for _, k := range want.Keys {
		if strings.Contains(got.body, k.Hash) {
			t.Errorf("the answer holds the hash of key %s", k.Name)
		}
	}

	etag := got.header.Get("ETag")
	if !strings.HasPrefix(etag, `"`) {
		t.Fatalf("ETag = %q, want a strong one", etag)
	}
	for _, tt := range []struct {
		name   string
		lines  []string
		status int
	}{
		{"the tag", []string{etag}, 304},
		{"a list", []string{`"a", ` + etag + `, "b"`}, 304},
		{"weak", []string{"W/" + etag}, 304},
		{"any", []string{"*"}, 304},
		{"two lines", []string{`"a"`, etag}, 304},
		{"another", []string{`"1-a"`}, 200},
		{"none", []string{""}, 200},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+configPath, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-API-Key", b.secrets["config"])
		req.Header["If-None-Match"] = tt.lines
		again := b.do(t, req)
		if again.status != tt.status || again.header.Get("ETag") != etag || (again.body == "") != (tt.status == 304) {
			t.Errorf("%s: %d with tag %s and %d bytes, want %d", tt.name, again.status, again.header.Get("ETag"), len(again.body), tt.status)
		}
	}

	b.apply(t, strings.Replace(benchSpecs, `"safety":0.75`, `"safety":0.7`, 1))
	if err := b.live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	changed := b.send(t, scenario{method: "GET", path: configPath, as: "config", header: map[string]string{"If-None-Match": etag}})
	if changed.status != http.StatusOK || changed.header.Get("ETag") == etag || !strings.Contains(changed.body, `"safety":0.7}`) {
		t.Errorf("after a change: %d, tag %s: %s", changed.status, changed.header.Get("ETag"), changed.body)
	}
}

// readConfig returns the configuration that is stored.
func readConfig(t *testing.T, db *postgres.DB) experiment.Config {
	t.Helper()
	var cfg experiment.Config
	err := db.ReadConfig(t.Context(), nil, func(s experiment.ConfigStream) error {
		cfg = s.Head
		for e, err := range s.Experiments {
			if err != nil {
				return err
			}
			cfg.Experiments = append(cfg.Experiments, *e.Experiment)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Callers that take gzip get it, and a tag of its own; either tag is answered 304.
func TestConfigEncodings(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	bodies, tags := map[string]string{}, map[string]bool{}
	for accept, want := range map[string]string{
		"gzip": "gzip", "br, GZIP;q=0.5": "gzip", "identity": "", "gzip;q=0": "", "gzip; q=0.0, br": "", "": "",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+configPath, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-API-Key", b.secrets["config"])
		req.Header.Set("Accept-Encoding", accept) // and so it is not unpacked on the way
		got := b.do(t, req)
		if got.status != 200 || got.header.Get("Content-Encoding") != want || got.header.Get("Vary") != "Accept-Encoding" {
			t.Fatalf("%q: %d, %v", accept, got.status, got.header)
		}
		tags[got.header.Get("ETag")] = true
		text := io.Reader(strings.NewReader(got.body))
		if want == "gzip" {
			if text, err = gzip.NewReader(text); err != nil {
				t.Fatal(err)
			}
		}
		body, err := io.ReadAll(text)
		if err != nil {
			t.Fatal(err)
		}
		bodies[string(body)] = accept
	}
	if len(bodies) != 1 || len(tags) != 2 {
		t.Errorf("%d bodies with tags %v, want one with two", len(bodies), tags)
	}
	for tag := range tags {
		got := b.send(t, scenario{method: "GET", path: configPath, as: "config", header: map[string]string{"If-None-Match": tag}})
		if got.status != http.StatusNotModified || got.body != "" {
			t.Errorf("%s: %d", tag, got.status)
		}
	}
}

// Two contents of one version number, as after a restored backup, differ in
// their tags.
func TestConfigTagIsOfTheContent(t *testing.T) {
	t.Parallel()
	tags := map[string]bool{}
	for _, salt := range []string{"one", "two"} {
		source := &configSource{cfg: configOf(7)}
		source.cfg.Experiments[0].Salt = salt
		live := liveOf(t, source, "")
		if err := live.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		tags[live.state.Load().document.tag] = true
	}
	if len(tags) != 2 {
		t.Errorf("tags %v, want two", tags)
	}
}

// A replica that is behind waits for the version that the caller heard of from
// another one, but not for ever.
func TestConfigWaitsForTheVersion(t *testing.T) {
	t.Parallel()
	source := &configSource{cfg: configOf(7)}
	live := liveOf(t, source, "")
	never := make(chan struct{})
	if st := live.await(t.Context(), 1, never); st != nil {
		t.Errorf("before the first: %v", st)
	}
	if err := live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := live.await(t.Context(), 7, never); st.snapshot.Version() != 7 {
		t.Errorf("await(7) = %d", st.snapshot.Version())
	}
	got := make(chan int64)
	go func() { got <- live.await(t.Context(), 8, never).snapshot.Version() }()
	eventually(t, func() error { return countSubscribers(live, 1) })
	source.set(configOf(8), nil)
	if err := live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := <-got; v != 8 {
		t.Errorf("await(8) = %d", v)
	}
	stopped := make(chan struct{})
	close(stopped)
	if st := live.await(t.Context(), 9, stopped); st.snapshot.Version() != 8 {
		t.Errorf("a server that ends answers %d", st.snapshot.Version())
	}
	start := time.Now()
	if st := live.await(t.Context(), 9, never); st.snapshot.Version() != 8 || time.Since(start) < maxVersionWait {
		t.Errorf("await(9) = %d after %s", st.snapshot.Version(), time.Since(start))
	}
}

func countSubscribers(l *Live, want int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have := len(l.subscribers); have != want {
		return experiment.Errorf(experiment.CodeNotFound, "", "%d subscribers", have)
	}
	return nil
}
