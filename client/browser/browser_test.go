package browser_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/internal/servertest"
	"github.com/splitcast/splitcast/internal/webtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const patience = 30 * time.Second

const document = `{"experiments":[
	{"key":"autoplay","unit":"viewer","status":"running","overrides":{"qa-1":"treatment"},
	 "arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}},
	{"key":"title","unit":"viewer","status":"running","audience":{"all":[{"attr":"country","op":"eq","value":"DE"}]},
	 "arms":[{"key":"control","weight":1,"value":"Home"},{"key":"treatment","weight":1,"value":"Live"}],"plan":{"primary":["stall_ratio"]}},
	{"key":"camera","unit":"broadcaster","status":"running",
	 "arms":[{"key":"control","weight":1,"value":"720p"},{"key":"treatment","weight":1,"value":"1080p"}],"plan":{"primary":["stall_ratio"]}},
	{"key":"abr","unit":"viewer","status":"running",
	 "arms":[{"key":"control","weight":1,"value":{"safety":0.8}},{"key":"treatment","weight":1,"value":{"safety":0.75}}],"plan":{"primary":["stall_ratio"]}}]}`

// context is what the page tells of its viewer.
const context = `{targetingKey: "v-1", broadcaster_id: "b-1", session_id: "s-1", country: "DE", build: 120, beta: true, list: [1], "splitcast.debug": "1"}`

// site is another origin than the server's: a page with the script, which ran
// setup.
func site(t *testing.T, s *servertest.Server, setup string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/favicon.ico" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if r.URL.Path != "/" {
			fmt.Fprint(w, "<!doctype html><title>elsewhere</title>")
			return
		}
		fmt.Fprintf(w, "<!doctype html><title>a page</title><script src=%q></script><script>\n%s\n</script>", html.EscapeString(s.URL+"/sdk/splitcast.js"), setup)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// splitcast is the setup of a page.
func splitcast(s *servertest.Server, key, more string) string {
	return fmt.Sprintf(`const errors = []; const sc = new Splitcast({url: %q, key: %q, context: %s, onError: (e) => errors.push(e.message)%s});`, s.URL, key, context, more)
}

func open(t *testing.T, s *servertest.Server, setup string) *webtest.Page {
	t.Helper()
	return webtest.Start(t).Open(t, site(t, s, setup), webtest.View{Width: 800, Height: 600})
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %s: %v", patience, err)
		case <-tick.C:
		}
	}
}

// exposed waits until units of experiments were exposed, and returns the rows.
func exposed(t *testing.T, s *servertest.Server, want ...string) []servertest.Exposure {
	t.Helper()
	var rows []servertest.Exposure
	eventually(t, func() error {
		rows = s.Exposures(t)
		var got []string
		for _, x := range rows {
			got = append(got, x.Experiment+" "+x.Unit)
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("exposures %v, want %v", got, want)
		}
		return nil
	})
	return rows
}

// valueOf is the value that the server's own snapshot gives the viewer.
func valueOf(t *testing.T, s *servertest.Server, key string) string {
	t.Helper()
	ctx := assignment.NewContext("v-1")
	ctx.SetString("broadcaster_id", "b-1")
	ctx.SetString("country", "DE")
	r, ok := s.Live.Snapshot().Evaluate(key, ctx)
	if !ok || !r.Assigned {
		t.Fatalf("the viewer is not in %s: %+v", key, r)
	}
	return string(r.Value)
}

// valuesOf are the values that the page gets, as JSON by key.
func valuesOf(t *testing.T, p *webtest.Page, keys ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, key := range keys {
		out[key] = webtest.Eval[string](t, p, fmt.Sprintf(`sc.ready.then(() => JSON.stringify(sc.get(%q, undefined)))`, key))
	}
	return out
}

func TestValuesAndExposures(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, document, time.Now)
	p := open(t, s, splitcast(s, servertest.PublicKey, ""))
	if got := webtest.Eval[string](t, p, `sc.ready.then(() => JSON.stringify([sc.flags.size, sc.stats().queued, sc.details("abr").reason]))`); got != `[4,0,"SPLIT"]` {
		t.Errorf("after the prefetch [experiments, exposures, reason] = %s", got)
	}
	want := map[string]string{}
	for _, key := range []string{"autoplay", "abr", "camera", "title"} {
		want[key] = valueOf(t, s, key)
	}
	if diff := cmp.Diff(want, valuesOf(t, p, "autoplay", "abr", "camera", "title")); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	valuesOf(t, p, "autoplay", "abr") // known
	for expr, want := range map[string]string{
		`sc.get("nothing", "mine")`: "mine", `sc.get("autoplay", "a string")`: "a string", `String(sc.get("title", 7))`: "7", `String(sc.get("nothing"))`: "undefined",
	} {
		if got := webtest.Eval[string](t, p, expr); got != want {
			t.Errorf("%s = %s, want %s", expr, got, want)
		}
	}
	for _, x := range exposed(t, s, "abr v-1", "autoplay v-1", "camera b-1", "title v-1") {
		if age := time.Since(x.At); age < -time.Second || age > patience {
			t.Errorf("%s was exposed %s ago", x.Experiment, age)
		}
		var attributes map[string]string
		if err := json.Unmarshal([]byte(x.Attributes), &attributes); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"broadcaster_id": "b-1", "country": "DE", "build": "120", "beta": "true"}, attributes); diff != "" {
			t.Errorf("attributes (-want +got):\n%s", diff)
		}
		if x.Override || x.Crossed {
			t.Errorf("exposure %+v", x)
		}
	}
	var links int
	if err := s.SQL.QueryRowContext(t.Context(), `select count(*) from session_links where session_id = 's-1'`).Scan(&links); err != nil || links != 1 {
		t.Errorf("%d links of the session, %v", links, err)
	}
	if problems := p.Problems(); len(problems) > 0 {
		t.Errorf("the browser says %q", problems)
	}
}

// The time of an exposure is the server's, however wrong the browser's clock is.
func TestAClockThatIsWrong(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, document, time.Now)
	wrong := `{ const real = Date.now; Date.now = () => real() - 5 * 3600 * 1000; }` + "\n"
	p := open(t, s, wrong+splitcast(s, servertest.PublicKey, ""))
	valuesOf(t, p, "autoplay")
	if x := exposed(t, s, "autoplay v-1")[0]; time.Since(x.At).Abs() > time.Minute {
		t.Errorf("exposed at %s, which is %s ago", x.At, time.Since(x.At))
	}
}

func TestChangesArriveByTheStream(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, document, time.Now)
	p := open(t, s, splitcast(s, servertest.PublicKey, "")+`let changes = []; sc.onChange((keys) => changes.push(...keys));`)
	change := func(to string) {
		t.Helper()
		s.Apply(t, strings.NewReplacer(`"Home"`, `"Start `+to+`"`, `"Live"`, `"Start `+to+`"`).Replace(document))
		eventually(t, func() error {
			if got := webtest.Eval[string](t, p, `String(sc.get("title", ""))`); got != "Start "+to {
				return fmt.Errorf("title is %q", got)
			}
			return nil
		})
	}
	eventually(t, func() error {
		if !webtest.Eval[bool](t, p, `!!sc.source && sc.source.readyState === EventSource.OPEN`) {
			return fmt.Errorf("no stream is open")
		}
		return nil
	})
	change("1")
	if got := webtest.Eval[string](t, p, `changes.join()`); got != "title" {
		t.Errorf("changes %q, want title alone", got)
	}
	// A server that dies and comes back is found again, by stream or by poll.
	s.Kill(t)
	eventually(t, func() error {
		if webtest.Eval[bool](t, p, `!!sc.source && sc.source.readyState === EventSource.OPEN`) {
			return fmt.Errorf("the stream is still open")
		}
		return nil
	})
	s.Start(t)
	change("2")
}

// Answers may overtake each other; the one to the later question stands.
func TestALateAnswerIsDropped(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, document, time.Now)
	p := open(t, s, splitcast(s, servertest.PublicKey, ", stream: false"))
	webtest.Eval[bool](t, p, `sc.ready.then(() => true)`)
	got := webtest.Eval[string](t, p, `(async () => {
		const real = window.fetch;
		const answer = (title) => new Response(JSON.stringify({flags: [{key: "title", value: title, variant: "a", metadata: {}}]}), {status: 200});
		let releaseFirst;
		window.fetch = () => new Promise((resolve) => { releaseFirst = () => resolve(answer("old")); });
		const first = sc.refresh();
		window.fetch = async () => answer("new");
		await sc.refresh();
		releaseFirst();
		await first;
		window.fetch = real;
		return sc.details("title").value;
	})()`)
	if got != "new" {
		t.Errorf("title is %q, want that of the later question", got)
	}
}

// The next page has its values before the server answers, even without it.
func TestTheNextPageNeedsNoServer(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, document, time.Now)
	browser, url := webtest.Start(t), site(t, s, splitcast(s, servertest.PublicKey, "")+` const first = JSON.stringify(sc.get("abr"));`)
	p := browser.Open(t, url, webtest.View{Width: 800, Height: 600})
	if got := webtest.Eval[string](t, p, `String(first)`); got != "undefined" {
		t.Errorf("the first page had %s at once", got)
	}
	valuesOf(t, p, "abr")
	p.Go(t, url)
	if got, want := webtest.Eval[string](t, p, `String(first)`), valueOf(t, s, "abr"); got != want {
		t.Errorf("the second page had %s at once, want %s", got, want)
	}
	exposed(t, s, "abr v-1")
	s.Kill(t)
	p.Go(t, url)
	if got, want := webtest.Eval[string](t, p, `String(first)`), valueOf(t, s, "abr"); got != want {
		t.Errorf("without the server a page had %s, want %s", got, want)
	}
	other := webtest.Eval[string](t, p, `(sc.setContext({targetingKey: "v-2"}), String(sc.get("abr")))`)
	if other != "undefined" {
		t.Errorf("another viewer got %s of the first one", other)
	}
}

// A page that goes away at once reports what it used.
func TestAPageThatLeaves(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, document, time.Now)
	url := site(t, s, splitcast(s, servertest.PublicKey, "")+` sc.ready.then(() => { sc.get("autoplay"); location.href = "/elsewhere"; });`)
	webtest.Start(t).Open(t, url, webtest.View{Width: 800, Height: 600})
	exposed(t, s, "autoplay v-1")
}

func TestExposuresWaitForTheServer(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, document, time.Now)
	p := open(t, s, splitcast(s, servertest.PublicKey, ""))
	webtest.Eval[bool](t, p, `sc.ready.then(() => true)`)
	s.Kill(t)
	valuesOf(t, p, "autoplay", "abr")
	eventually(t, func() error {
		if webtest.Eval[int](t, p, `sc.exposures.failures`) == 0 {
			return fmt.Errorf("no try has failed yet")
		}
		return nil
	})
	s.Start(t)
	exposed(t, s, "abr v-1", "autoplay v-1")
	eventually(t, func() error {
		if got := webtest.Eval[string](t, p, `JSON.stringify(sc.stats())`); !strings.Contains(got, `"queued":0,"sent":2,"dropped":0,"rejected":0`) {
			return fmt.Errorf("stats %s", got)
		}
		return nil
	})
}

func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, document, time.Now)
	p := open(t, s, splitcast(s, servertest.PublicKey, ""))
	got := webtest.Eval[string](t, p, `sc.ready.then(() => {
		for (let i = 0; i < 501; i++) { sc.context = {...sc.context, viewer_id: "v-" + i}; sc.get("autoplay"); }
		return JSON.stringify([sc.stats().queued, sc.stats().dropped]);
	})`)
	if got != "[500,1]" {
		t.Errorf("[queued, dropped] = %s, want [500,1]", got)
	}
}

// Whatever is wrong, a page gets its defaults, and nothing is thrown.
func TestDefaults(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, document, time.Now)
	for name, setup := range map[string]string{
		"a wrong key":        splitcast(s, "nobody", ""),
		"a bad id":           strings.Replace(splitcast(s, servertest.PublicKey, ""), `"v-1"`, `"zuschauer-ü"`, 1),
		"no targeting key":   strings.Replace(splitcast(s, servertest.PublicKey, ""), `targetingKey: "v-1",`, ``, 1),
		"a server not there": strings.Replace(splitcast(s, servertest.PublicKey, ""), s.URL, "http://127.0.0.1:1", 1),
	} {
		p := open(t, s, setup)
		eventually(t, func() error {
			if webtest.Eval[int](t, p, `errors.length`) == 0 {
				return fmt.Errorf("%s: nothing is told", name)
			}
			return nil
		})
		if got := webtest.Eval[string](t, p, `sc.get("title", "mine")`); got != "mine" {
			t.Errorf("%s: title = %s", name, got)
		}
		for _, problem := range p.Problems() {
			if strings.HasPrefix(problem, "exception") {
				t.Errorf("%s: %s", name, problem)
			}
		}
	}
	if rows := s.Exposures(t); len(rows) != 0 {
		t.Errorf("exposures %+v", rows)
	}
}

// The hook takes what the OpenFeature web SDK hands to hooks after an
// evaluation: its HookContext and EvaluationDetails.
func TestOpenFeatureHook(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, document, time.Now)
	p := open(t, s, splitcast(s, servertest.PublicKey, "")+fmt.Sprintf(`const hook = Splitcast.exposureHook({url: %q, key: %q});
		const evaluate = (flagKey, context) => {
			const flag = sc.details(flagKey);
			hook.after({flagKey, context}, {flagKey, value: flag.value, variant: flag.variant, reason: flag.reason, flagMetadata: flag.metadata});
		};`, s.URL, servertest.PublicKey))
	webtest.Eval[bool](t, p, `sc.ready.then(() => {
		for (let i = 0; i < 3; i++) { evaluate("autoplay", sc.context); evaluate("camera", sc.context); }
		evaluate("abr", {...sc.context, "splitcast.expose": false});
		hook.after({flagKey: "abr", context: undefined}, {flagKey: "abr", value: 1, flagMetadata: undefined});
		return true;
	})`)
	exposed(t, s, "autoplay v-1", "camera b-1")
	if got := webtest.Eval[string](t, p, `(hook.close(), JSON.stringify(sc.stats()))`); !strings.Contains(got, `"sent":0`) {
		t.Errorf("the page itself reported: %s", got)
	}
}
