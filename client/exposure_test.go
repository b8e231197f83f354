package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/client"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/servertest"
)

// An exposure is stored as the server stores its own: the client's rows of
// viewers are compared with those of single evaluations over HTTP.
func TestExposuresEqualThoseOfTheServer(t *testing.T) {
	t.Parallel()
	const contexts = `{"targetingKey":%q,"country":"DE","build":120,"beta":true,"session_id":"s-1","splitcast.debug":"1","list":[1],"long":%q}`
	long := strings.Repeat("x", experiment.MaxAttributeBytes+1)
	units := []string{"v-1", "v-2", "v-3", "v-4", "v-5", "qa-1"}
	viaHTTP := newServer(t)
	for _, unit := range units {
		for _, key := range []string{"autoplay", "title", "buffer", "rate", "abr", "camera"} {
			body := `{"context":` + fmt.Sprintf(contexts, unit, long) + `}`
			post(t, viaHTTP.URL+"/ofrep/v1/evaluate/flags/"+key, servertest.PublicKey, body)
		}
	}
	s := newServer(t)
	c := readyClient(t, s.config())
	for range 3 { // repetitions are dropped
		for _, unit := range units {
			ctx := who(unit)
			ctx.SetBool("beta", true)
			ctx.SetString(assignment.AttrSessionID, "s-1")
			ctx.SetString("splitcast.debug", "1")
			ctx.SetOther("list")
			ctx.SetString("long", long)
			for _, key := range []string{"autoplay", "title", "buffer", "rate", "abr", "camera"} {
				c.JSON(key, ctx, nil)
			}
		}
		s.clock.advance(time.Minute)
	}
	closeClient(t, c)
	var want []servertest.Exposure
	eventually(t, func() error {
		if want = viaHTTP.Exposures(t); len(want) < len(units)*4 {
			return fmt.Errorf("%d exposures", len(want))
		}
		return nil
	})
	viaHTTP.Kill(t) // writes what is queued
	want = viaHTTP.Exposures(t)
	if diff := cmp.Diff(want, s.Exposures(t)); diff != "" {
		t.Errorf("exposures (-of the server +of the client):\n%s", diff)
	}
	if st := c.Stats(); st.ExposuresSent != uint64(len(want)) || st.ExposuresQueued+int(st.ExposuresDropped+st.ExposuresRejected) != 0 {
		t.Errorf("stats %+v, want %d sent", st, len(want))
	}
}

func post(t testing.TB, url, key, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b := readAll(t, resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s = %s: %s", url, resp.Status, b)
	}
}

func TestALookAheadIsNoExposure(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := readyClient(t, s.config())
	ahead := who("v-1")
	ahead.SetBool(client.AttrExpose, false)
	if _, d := c.Bool("autoplay", ahead, false); d.Err != nil || !d.Assigned {
		t.Errorf("details %+v", d)
	}
	closeClient(t, c)
	if got := s.Exposures(t); len(got) != 0 {
		t.Errorf("exposures %+v", got)
	}
}

// Answers that are lost on the way back make the client send again what is
// stored already. Nothing is counted twice, and the first time stands.
func TestSendingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	var posts, lost atomic.Int64
	url := front(t, s.URL, func(w http.ResponseWriter, r *http.Request, pass http.Handler) bool {
		if r.URL.Path != "/v1/exposures" {
			return false
		}
		if posts.Add(1) > 3 {
			return false
		}
		lost.Add(1)
		pass.ServeHTTP(httptest.NewRecorder(), r) // committed
		panic(http.ErrAbortHandler)               // and the answer lost
	})
	cfg := s.config()
	cfg.URL = url
	c := readyClient(t, cfg)
	for i := range 50 {
		c.Bool("autoplay", who(fmt.Sprint("v-", i)), false)
		s.clock.advance(time.Second)
	}
	eventually(t, func() error {
		if n := c.Stats().ExposuresSent; n != 50 {
			return fmt.Errorf("%d of 50 acknowledged after %d lost answers: %w", n, lost.Load(), c.Stats().LastExposureFailed)
		}
		return nil
	})
	rows := s.Exposures(t)
	if len(rows) != 50 || lost.Load() != 3 || c.Stats().ExposuresRetried != 3 {
		t.Errorf("%d rows after %d lost answers, want 50 after 3; %+v", len(rows), lost.Load(), c.Stats())
	}
	for _, x := range rows {
		var i int
		if _, err := fmt.Sscanf(x.Unit, "v-%d", &i); err != nil {
			t.Fatal(err)
		}
		if want := testNow.Add(time.Duration(i) * time.Second); !x.At.Equal(want) || x.Crossed {
			t.Errorf("exposure %+v, want the time %s", x, want)
		}
	}
}

// A server that is away costs no exposure, as long as the queue holds them; the
// time of each stays that of its use.
func TestExposuresWaitForTheServer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := readyClient(t, s.config())
	s.Kill(t)
	for i := range 100 {
		c.Bool("autoplay", who(fmt.Sprint("v-", i)), false)
	}
	eventually(t, func() error {
		if c.Stats().LastExposureFailed == nil {
			return errors.New("no try has failed yet")
		}
		return nil
	})
	s.clock.advance(time.Hour)
	s.Start(t)
	eventually(t, func() error {
		if n := c.Stats().ExposuresSent; n != 100 {
			return fmt.Errorf("%d of 100 sent", n)
		}
		return nil
	})
	rows := s.Exposures(t)
	for _, x := range rows {
		if !x.At.Equal(testNow) {
			t.Errorf("exposure %+v, want the time %s", x, testNow)
		}
	}
	if len(rows) != 100 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestAFullQueueDropsAndCounts(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cfg := s.config()
	cfg.QueueLen = 10
	c := readyClient(t, cfg)
	s.Kill(t)
	// One batch is taken out of the queue and waits for the server.
	c.Bool("autoplay", who("first"), false)
	eventually(t, func() error {
		if c.Stats().LastExposureFailed == nil {
			return errors.New("no try has failed yet")
		}
		return nil
	})
	for i := range 20 {
		c.Bool("autoplay", who(fmt.Sprint("v-", i)), false)
	}
	if st := c.Stats(); st.ExposuresQueued != 11 || st.ExposuresDropped != 10 {
		t.Errorf("at its limit: %+v, want 11 waiting and 10 dropped", st)
	}
	s.Start(t)
	eventually(t, func() error {
		if n := c.Stats().ExposuresSent; n != 11 {
			return fmt.Errorf("%d of 11 sent", n)
		}
		return nil
	})
	for i := range 20 { // what was dropped was not met: it comes back
		c.Bool("autoplay", who(fmt.Sprint("v-", i)), false)
		eventually(t, func() error {
			if c.Stats().ExposuresQueued > 5 {
				return errors.New("the queue is half full")
			}
			return nil
		})
	}
	closeClient(t, c)
	if rows := s.Exposures(t); len(rows) != 21 {
		t.Errorf("%d rows, want 21", len(rows))
	}
}

func TestCloseWithoutTheServer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := readyClient(t, s.config())
	s.Kill(t)
	for i := range 7 {
		c.Bool("autoplay", who(fmt.Sprint("v-", i)), false)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := c.Close(ctx)
	if err == nil || !strings.Contains(err.Error(), "7 exposures") {
		t.Errorf("Close = %v, want that 7 exposures were not sent", err)
	}
	if again := c.Close(t.Context()); again == nil || again.Error() != err.Error() {
		t.Errorf("Close again = %v", again)
	}
	if v, d := c.Float("rate", who("v"), 0); v == 0 || d.Err != nil {
		t.Errorf("after Close: %v, %v", v, d.Err)
	}
	if n := c.Stats().ExposuresDropped; n != 8 {
		t.Errorf("%d dropped, want 7 and the one after Close", n)
	}
}

// A replica that does not know the experiment yet rejects its exposures, and
// takes them when it does.
func TestAReplicaThatIsBehind(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := readyClient(t, s.config())
	s.Store(t, strings.NewReplacer(`"autoplay"`, `"news"`).Replace(document)) // no refresh
	known := experiment.Exposure{Experiment: "autoplay", Unit: "v", Arm: "control"}
	later := experiment.Exposure{Experiment: "news", Unit: "v", Arm: "control"}
	never := experiment.Exposure{Experiment: "nothing", Unit: "v", Arm: "control"}
	for _, x := range []experiment.Exposure{known, later, never, later} {
		if err := c.Expose(x); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() error {
		if st := c.Stats(); st.ExposuresSent != 1 || st.ExposuresRetried == 0 {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})
	if err := s.Live.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if st := c.Stats(); st.ExposuresSent != 2 || st.ExposuresRejected != 1 || st.ExposuresQueued != 0 {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})
	if rows := s.Exposures(t); len(rows) != 2 || rows[1].Experiment != "news" {
		t.Errorf("rows %+v", rows)
	}
	if err := c.Expose(experiment.Exposure{Experiment: "autoplay", Unit: "ü", Arm: "control"}); err == nil {
		t.Error("an exposure of a unit that cannot be was taken")
	}
}

// A proxy allows less than the server: the batch is halved until it fits.
func TestABodyThatIsTooLargeIsHalved(t *testing.T) {
	t.Parallel()
	const limit = 4 << 10
	s := newServer(t)
	var refused atomic.Int64
	url := front(t, s.URL, func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if r.URL.Path != "/v1/exposures" {
			return false
		}
		b, err := io.ReadAll(r.Body)
		if err != nil || len(b) > limit {
			refused.Add(1)
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return true
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		return false
	})
	cfg := s.config()
	cfg.URL = url
	c := readyClient(t, cfg)
	for i := range 200 {
		c.Bool("autoplay", who(fmt.Sprint("v-", i)), false)
	}
	closeClient(t, c)
	if rows := s.Exposures(t); len(rows) != 200 || refused.Load() == 0 {
		t.Errorf("%d rows after %d refusals, want 200 after some", len(rows), refused.Load())
	}
}

func TestManyUseAtOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	c := readyClient(t, s.config())
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 500 {
				ctx := who(fmt.Sprint("v-", i))
				c.Bool("autoplay", ctx, false)
				c.String("title", ctx, "")
			}
		})
	}
	group.Go(func() {
		for range 5 {
			s.Apply(t, changedTitle)
			s.Apply(t, document)
		}
	})
	group.Wait()
	closeClient(t, c)
	autoplay := 0
	for _, x := range s.Exposures(t) {
		if x.Crossed {
			t.Errorf("crossed: %+v", x)
		}
		if x.Experiment == "autoplay" {
			autoplay++
		}
	}
	if autoplay != 500 {
		t.Errorf("%d exposures of autoplay, want 500", autoplay)
	}
}
