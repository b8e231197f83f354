package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/splitcast/splitcast/client"
	"github.com/splitcast/splitcast/internal/servertest"
)

// eventLog keeps what a Client tells.
type eventLog struct {
	mu     sync.Mutex
	events []client.Event
}

func (l *eventLog) add(e client.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// await waits for an event of the kind and forgets what came before.
func (l *eventLog) await(t *testing.T, kind client.EventKind) client.Event {
	t.Helper()
	var found client.Event
	eventually(t, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i, e := range l.events {
			if e.Kind == kind {
				found, l.events = e, l.events[i+1:]
				return nil
			}
		}
		return fmt.Errorf("no event %d among %+v", kind, l.events)
	})
	return found
}

// streams waits until n event streams were opened.
func streams(t *testing.T, c *client.Client, n uint64) {
	t.Helper()
	eventually(t, func() error {
		if st := c.Stats(); st.Streams < n || st.LastFailure != nil {
			return fmt.Errorf("%d streams, want %d: %+v", st.Streams, n, st)
		}
		return nil
	})
}

func TestTheStreamBringsChanges(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cfg := s.config()
	cfg.Poll = time.Hour
	c := readyClient(t, cfg)
	var log eventLog
	stop := c.Follow(log.add)
	streams(t, c, 1)
	gives(t, c, "Home")
	s.Apply(t, changedTitle)
	gives(t, c, "Start")
	if e := log.await(t, client.EventChanged); !slices.Equal(e.Keys, []string{"title"}) || e.Version != c.Stats().ConfigVersion {
		t.Errorf("event %+v, want title alone", e)
	}
	if st := c.Stats(); st.Notices == 0 || st.ConfigAge < 0 || st.Experiments != 7 || st.LastFailure != nil {
		t.Errorf("stats %+v", st)
	}
	stop()
	log.events = nil
	s.Apply(t, document)
	gives(t, c, "Home")
	if len(log.events) > 0 {
		t.Errorf("after stop came %+v", log.events)
	}
}

func TestPollingAloneBringsChanges(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cfg := s.config()
	cfg.NoStream, cfg.Poll = true, 20*time.Millisecond
	c := readyClient(t, cfg)
	s.Apply(t, changedTitle)
	gives(t, c, "Start")
	if st := c.Stats(); st.Streams != 0 || st.Notices != 0 {
		t.Errorf("stats %+v", st)
	}
}

// An unchanged configuration is not sent again.
func TestPollingCostsNoTransfer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var full, unchanged atomic.Int64
	url := front(t, s.URL, func(w http.ResponseWriter, r *http.Request, pass http.Handler) bool {
		if r.URL.Path != "/api/v1/config" {
			return false
		}
		rec := &statusRecorder{ResponseWriter: w}
		pass.ServeHTTP(rec, r)
		switch rec.status { // others are polls that Close cut short
		case http.StatusNotModified:
			unchanged.Add(1)
		case http.StatusOK:
			full.Add(1)
		}
		return true
	})
	cfg := s.config()
	cfg.URL, cfg.Poll = url, 10*time.Millisecond
	readyClient(t, cfg)
	eventually(t, func() error {
		if unchanged.Load() < 5 {
			return fmt.Errorf("%d answers 304", unchanged.Load())
		}
		return nil
	})
	if full.Load() != 1 {
		t.Errorf("the configuration was sent %d times", full.Load())
	}
}

type statusRecorder struct {
	http.ResponseWriter

	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func TestAServerThatDiesAndComesBack(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cfg := s.config()
	cfg.StaleAfter = time.Minute
	c := newClient(t, cfg)
	var log eventLog
	c.Follow(log.add)
	log.await(t, client.EventReady)
	streams(t, c, 1)
	s.Kill(t)
	gives(t, c, "Home")
	s.clock.advance(59 * time.Second)
	eventually(t, func() error {
		if c.Stats().FetchErrors < 2 {
			return errors.New("no two polls have failed")
		}
		return nil
	})
	if slices.ContainsFunc(log.events, func(e client.Event) bool { return e.Kind == client.EventStale }) {
		t.Errorf("stale too early: %+v", log.events)
	}
	s.clock.advance(2 * time.Second)
	if e := log.await(t, client.EventStale); e.Err == nil || e.Version == 0 {
		t.Errorf("event %+v, want why", e)
	}
	gives(t, c, "Home")
	s.Apply(t, changedTitle)
	s.Start(t)
	log.await(t, client.EventReady)
	gives(t, c, "Start")
	streams(t, c, 2)
}

// A database that was restored has older versions, which are new nevertheless:
// the client takes them once it is clear that no replica is merely behind.
func TestARestoredDatabase(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := readyClient(t, s.config())
	before := c.Stats().ConfigVersion
	if _, err := s.SQL.ExecContext(t.Context(), `update config_version set version = 0`); err != nil {
		t.Fatal(err)
	}
	s.Apply(t, changedTitle)
	gives(t, c, "Start")
	if after := c.Stats().ConfigVersion; after >= before {
		t.Errorf("version %d after %d", after, before)
	}
}

// A network that drops everything without a word: requests end by their
// deadline, the stream by its heartbeat, and both come back with the network.
func TestANetworkThatFallsSilent(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	proxy := newSilentProxy(t, s.URL)
	cfg := s.config()
	cfg.URL, cfg.Timeout, cfg.StaleAfter = proxy.url, 200*time.Millisecond, time.Nanosecond
	cfg = client.WithStreamIdle(cfg, 300*time.Millisecond)
	c := newClient(t, cfg)
	var log eventLog
	c.Follow(log.add)
	log.await(t, client.EventReady)
	streams(t, c, 1)
	proxy.silence(true)
	s.Apply(t, changedTitle)
	s.clock.advance(time.Second)
	if e := log.await(t, client.EventStale); !errors.Is(e.Err, context.DeadlineExceeded) {
		t.Errorf("stale because of %v, want a deadline", e.Err)
	}
	if got := controlTitle(c); got != "Home" {
		t.Errorf("in the silence title is %q", got)
	}
	proxy.silence(false)
	gives(t, c, "Start")
	streams(t, c, 2)
}

func TestAKeyThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, key := range []string{servertest.PublicKey, "nobody"} {
		cfg := s.config()
		cfg.Token = key
		c := newClient(t, cfg)
		var log eventLog
		c.Follow(log.add)
		if e := log.await(t, client.EventFailed); e.Err == nil {
			t.Errorf("event %+v", e)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := c.Ready(ctx); err == nil || !strings.Contains(err.Error(), "40") {
			t.Errorf("Ready with %q = %v, want the server's answer", key, err)
		}
		cancel()
	}
}

// rewritten is the address of a server whose configuration passes through a
// function: a server of the future.
func rewritten(t *testing.T, s *testServer, change func(cfg map[string]any)) string {
	t.Helper()
	return front(t, s.URL, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.URL.Path != "/api/v1/config" {
			return false
		}
		req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.URL+r.URL.Path, http.NoBody)
		if err != nil {
			panic(err)
		}
		req.Header.Set("Authorization", r.Header.Get("Authorization"))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer resp.Body.Close()
		var cfg map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&cfg); err != nil {
			panic(http.ErrAbortHandler)
		}
		change(cfg)
		b, err := json.Marshal(cfg)
		if err != nil {
			panic(err)
		}
		etag := fmt.Sprintf("%q", fmt.Sprint(len(b), resp.Header.Get("ETag")))
		w.Header().Set("ETag", etag)
		if slices.Contains(r.Header["If-None-Match"], etag) {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
		_, _ = w.Write(b)
		return true
	})
}

// experimentOf returns an experiment of a configuration.
func experimentOf(cfg map[string]any, key string) map[string]any {
	for _, e := range cfg["experiments"].([]any) {
		if e := e.(map[string]any); e["key"] == key {
			return e
		}
	}
	return nil
}

// What a newer server says of one experiment, and this client does not know,
// takes that experiment out, what requires it, and no other.
func TestAnExperimentOfTheFutureIsLeftOut(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, change := range map[string]func(e map[string]any){
		"a condition":  func(e map[string]any) { e["only_at_full_moon"] = true },
		"an operator":  func(e map[string]any) { e["audience"] = map[string]any{"attr": "a", "op": "sounds_like", "value": "b"} },
		"an audience":  func(e map[string]any) { e["audience"] = map[string]any{"most": []any{}} },
		"a design":     func(e map[string]any) { e["design"] = "bandit" },
		"a status":     func(e map[string]any) { e["status"] = "fading" },
		"a unit":       func(e map[string]any) { e["unit"] = "household" },
		"a field type": func(e map[string]any) { e["overrides"] = []any{"qa-1"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := s.config()
			cfg.URL = rewritten(t, s, func(cfg map[string]any) { change(experimentOf(cfg, "autoplay")) })
			c := readyClient(t, cfg)
			if v, d := c.Bool("autoplay", who("v"), true); !v || codeOf(d) != client.CodeGeneral {
				t.Errorf("autoplay = %v, %+v; want the default and why", v, d)
			}
			if v, d := c.Float("rate", who("v"), 0); v == 0 || d.Err != nil {
				t.Errorf("rate = %v, %v", v, d.Err)
			}
			if v, d := c.Float("preroll", who("v"), -1); v != -1 || codeOf(d) != client.CodeGeneral {
				t.Errorf("preroll, which requires autoplay = %v, %+v", v, d)
			}
			if st := c.Stats(); len(st.LeftOut) != 2 || st.LeftOut["autoplay"] == "" || st.Experiments != 5 {
				t.Errorf("stats %+v", st)
			}
		})
	}
}

// What does not decide about arms may be new.
func TestPlansOfTheFutureDoNotMatter(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cfg := s.config()
	cfg.URL = rewritten(t, s, func(cfg map[string]any) {
		experimentOf(cfg, "autoplay")["plan"] = map[string]any{"primary": map[string]any{"a": 1}, "oracle": true}
	})
	c := readyClient(t, cfg)
	if _, d := c.Bool("autoplay", who("v"), true); d.Err != nil {
		t.Error(d.Err)
	}
}

// A part of the configuration itself that is not known could concern every
// experiment: the last good one stays, and the client says so. It asks on, and
// is not sent the same again.
func TestAConfigurationThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for name, change := range map[string]func(cfg map[string]any){
		"of the future": func(cfg map[string]any) { cfg["quarantines"] = []any{} },
		"faulty": func(cfg map[string]any) {
			cfg["experiments"] = append(cfg["experiments"].([]any), experimentOf(cfg, "abr"))
		},
		"no experiment": func(cfg map[string]any) { cfg["experiments"] = []any{7} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var spoilt atomic.Bool
			cfg := s.config()
			cfg.Poll = 20 * time.Millisecond
			cfg.URL = rewritten(t, s, func(cfg map[string]any) {
				if spoilt.Load() {
					change(cfg)
				}
			})
			c := newClient(t, cfg)
			var log eventLog
			c.Follow(log.add)
			log.await(t, client.EventReady)
			spoilt.Store(true)
			if e := log.await(t, client.EventFailed); e.Err == nil || e.Version == 0 {
				t.Errorf("event %+v", e)
			}
			before := c.Stats().FetchErrors
			eventually(t, func() error {
				if c.Stats().FetchErrors < before+2 {
					return errors.New("no more tries")
				}
				return nil
			})
			gives(t, c, "Home")
			spoilt.Store(false)
			log.await(t, client.EventReady)
		})
	}
}

func TestTheCopyOnDisk(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cfg := s.config()
	cfg.Dir = t.TempDir()
	first := readyClient(t, cfg)
	files := func() []string {
		found, err := filepath.Glob(filepath.Join(cfg.Dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	eventually(t, func() error {
		if got := files(); len(got) != 1 || !strings.HasSuffix(got[0], ".config") {
			return fmt.Errorf("files %v", got)
		}
		return nil
	})
	ahead := who("v")
	ahead.SetBool(client.AttrExpose, false)
	want, _ := first.Float("rate", ahead, 0)
	closeClient(t, first)
	path := files()[0]
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy has mode %v, %v; want 0600", info.Mode(), err)
	}
	s.Kill(t)

	second := readyClient(t, cfg)
	var log eventLog
	second.Follow(log.add)
	if got, d := second.Float("rate", ahead, 0); got != want || d.Err != nil {
		t.Errorf("without the server rate = %v, %v; want %v", got, d.Err, want)
	}
	log.await(t, client.EventStale)
	if age := second.Stats().ConfigAge; age >= 0 {
		t.Errorf("the age of what the server never confirmed = %s", age)
	}
	closeClient(t, second)

	flipped := slices.Clone(good)
	flipped[bytes.Index(good, []byte(`"salt":"`))+10] ^= 1
	for name, content := range map[string][]byte{
		"empty": nil, "half": good[:len(good)/2], "another form": []byte("splitcast-config-9 a b\n{}"), "no head": []byte("{}"), "a flipped bit in a salt": flipped,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		c := newClient(t, cfg)
		if _, d := c.Bool("autoplay", who("v"), false); codeOf(d) != client.CodeNotReady {
			t.Errorf("%s: %+v, want not ready", name, d)
		}
		closeClient(t, c)
	}

	if err := os.WriteFile(path, flipped, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	closeClient(t, readyClient(t, cfg))
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, good) {
		t.Errorf("the copy was not mended: %v", err)
	}
}

// A folder that cannot be written costs the copy, nothing else.
func TestWithoutAPlaceForTheCopy(t *testing.T) {
	t.Parallel()
	cfg := newServer(t).config()
	cfg.Dir = filepath.Join(t.TempDir(), "missing")
	if _, d := readyClient(t, cfg).Float("rate", who("v"), 0); d.Err != nil {
		t.Error(d.Err)
	}
}

// Whoever starts with a copy asks for changes only.
func TestTheCopySavesATransfer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var full atomic.Int64
	url := front(t, s.URL, func(w http.ResponseWriter, r *http.Request, pass http.Handler) bool {
		if r.URL.Path != "/api/v1/config" {
			return false
		}
		rec := &statusRecorder{ResponseWriter: w}
		pass.ServeHTTP(rec, r)
		if rec.status == http.StatusOK { // others are polls that Close cut short
			full.Add(1)
		}
		return true
	})
	cfg := s.config()
	cfg.URL, cfg.Dir = url, t.TempDir()
	for range 3 {
		c := newClient(t, cfg)
		var log eventLog
		c.Follow(log.add)
		log.await(t, client.EventReady)
		closeClient(t, c)
	}
	if full.Load() != 1 {
		t.Errorf("the configuration was sent %d times", full.Load())
	}
}
