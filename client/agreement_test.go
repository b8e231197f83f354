package client_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/assignment/flagdtest"
	"github.com/splitcast/splitcast/client"
	"github.com/splitcast/splitcast/internal/servertest"
)

// agreementDocument has what experiments can have: layers, audiences over each
// type, holdouts, lists, prerequisites, overrides, thirds, dropped arms, a
// paused and a shipped one.
const agreementDocument = `{
	"holdouts":[{"key":"winter","unit":"viewer","slots":500}],
	"lists":[{"key":"beta","ids":["u-1","u-2","u-3","u-50","u-51","00000000000000000000000000000007"]}],
	"experiments":[
	{"key":"autoplay","unit":"viewer","status":"running","overrides":{"u-1":"treatment","u-2":"control"},
	 "arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}},
	{"key":"thirds","unit":"viewer","status":"running","layer":"home","slots":5000,
	 "arms":[{"key":"control","weight":1,"value":"Home"},{"key":"a","weight":1,"value":"Live \"now\""},{"key":"b","weight":1,"value":"ü"}],"plan":{"primary":["stall_ratio"]}},
	{"key":"small","unit":"viewer","status":"running","layer":"home","slots":30,
	 "arms":[{"key":"control","weight":999,"value":4},{"key":"treatment","weight":1,"value":6}],"plan":{"primary":["stall_ratio"]}},
	{"key":"audience","unit":"viewer","status":"running","audience":{"any":[
	 	{"all":[{"attr":"country","op":"in","values":["DE","FR"]},{"attr":"build","op":"ge","value":100}]},
	 	{"all":[{"attr":"app_version","op":"semver_ge","value":"5.2.0"},{"not":{"attr":"beta","op":"eq","value":true}}]},
	 	{"attr":"device","op":"starts_with","value":"tv-"}]},
	 "arms":[{"key":"control","weight":1,"value":0.8},{"key":"treatment","weight":1,"value":0.75}],"plan":{"primary":["stall_ratio"]}},
	{"key":"listed","unit":"viewer","status":"running","audience":{"op":"not_in_list","list":"beta"},
	 "arms":[{"key":"control","weight":1,"value":{"a":1}},{"key":"treatment","weight":1,"value":{"a":2}}],"plan":{"primary":["stall_ratio"]}},
	{"key":"nested","unit":"viewer","status":"running","requires":[{"experiment":"thirds","arms":["a","b"]}],
	 "arms":[{"key":"control","weight":2,"value":5},{"key":"treatment","weight":1,"value":2.5}],"plan":{"primary":["stall_ratio"]}},
	{"key":"everyone","unit":"viewer","status":"running","ignore_holdouts":"it is a fix",
	 "arms":[{"key":"control","weight":1,"value":1},{"key":"treatment","weight":1,"value":2}],"plan":{"primary":["stall_ratio"]}},
	{"key":"camera","unit":"broadcaster","status":"running","layer":"studio","slots":2500,
	 "arms":[{"key":"control","weight":1,"value":"720p"},{"key":"treatment","weight":1,"value":"1080p"}],"plan":{"primary":["stall_ratio"]}}]}`

// agreementContext draws a context; kinds of ids alternate between counters and
// random ones.
func agreementContext(i int, r *rand.Rand) map[string]any {
	ctx := map[string]any{"targetingKey": fmt.Sprint("u-", i), client.AttrExpose: false}
	if i%2 == 1 {
		ctx["targetingKey"] = fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())
	}
	maybe := func(name string, values ...any) {
		if k := r.IntN(len(values) + 1); k < len(values) {
			ctx[name] = values[k]
		}
	}
	maybe("country", "DE", "FR", "US", 7.0)
	maybe("build", 99.0, 100.0, 120.5, "120")
	maybe("app_version", "5.2.0", "5.1.9", "6.0.0-rc.1", "new")
	maybe("beta", true, false, "true")
	maybe("device", "tv-lg", "phone", 1.0)
	maybe("broadcaster_id", "b-1", fmt.Sprint("b-", i))
	return ctx
}

func contextOf(m map[string]any) *assignment.Context {
	ctx := assignment.NewContext("")
	for name, v := range m {
		switch v := v.(type) {
		case string:
			ctx.SetString(name, v)
		case float64:
			ctx.SetNumber(name, v)
		case bool:
			ctx.SetBool(name, v)
		}
	}
	return ctx
}

// The client, the server over HTTP and the flagd document give the same arms; client
// and HTTP also the same values, reasons and causes. The race detector finds what it
// looks for in few units; TestManyAgree asks for many.
func TestClientHTTPAndFlagdAgree(t *testing.T) {
	t.Parallel()
	agree(t, 5_000)
}

// agree asks for as many units as ids.
func agree(t *testing.T, ids int) {
	t.Helper()
	s := &testServer{servertest.New(t, agreementDocument, (&handClock{at: testNow}).now), &handClock{at: testNow}}
	c := readyClient(t, s.config())
	var text []byte
	eventually(t, func() (err error) {
		text, err = get(t, s.URL+"/flagd/flags.json", servertest.ServiceKey) // there is none before it has passed its self-check
		return err
	})
	doc, err := flagdtest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	told, causes := 0, map[string]int{}
	note := func(seen map[string]int, wrong []string) {
		mu.Lock()
		defer mu.Unlock()
		for cause, n := range seen {
			causes[cause] += n
		}
		for _, w := range wrong {
			if told++; told <= 10 {
				t.Error(w)
			}
		}
	}
	const workers = 8
	transport := &http.Transport{MaxIdleConnsPerHost: workers}
	defer transport.CloseIdleConnections()
	conns := &http.Client{Transport: transport}
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			a := agreement{s, c, &doc, conns, map[string]int{}, nil}
			for i := w; i < ids && len(a.wrong) < 10; i += workers {
				a.check(agreementContext(i, rand.New(rand.NewPCG(1, uint64(i)))))
			}
			note(a.causes, a.wrong)
		})
	}
	group.Wait()
	t.Logf("%d units, causes %v; remote only: %v", ids, causes, doc.Metadata)
	for _, cause := range []string{"split", "slots", "audience", "override", "holdout", "requires"} {
		if causes[cause] == 0 {
			t.Errorf("no evaluation ended with the cause %s", cause)
		}
	}
}

// agreement compares evaluations and gathers what differs.
type agreement struct {
	s      *testServer
	c      *client.Client
	doc    *flagdtest.Document
	http   *http.Client
	causes map[string]int
	wrong  []string
}

// flag is one answer of a bulk evaluation.
type flag struct {
	Key      string          `json:"key"`
	Variant  string          `json:"variant"`
	Reason   string          `json:"reason"`
	Value    json.RawMessage `json:"value"`
	Metadata metadata        `json:"metadata"`
}

type metadata struct {
	Cause    string `json:"cause"`
	Assigned bool   `json:"assigned"`
	Version  int    `json:"version"`
	Slot     int    `json:"slot"`
	Position int    `json:"position"`
}

func (a *agreement) check(ctx map[string]any) {
	flags, err := a.bulk(ctx)
	if err != nil {
		a.wrong = append(a.wrong, err.Error())
		return
	}
	who := contextOf(ctx)
	for i := range flags {
		f := &flags[i]
		a.causes[f.Metadata.Cause]++
		raw, d := a.c.JSON(f.Key, who, nil)
		got := metadata{d.Cause.String(), d.Assigned, d.Version, d.Slot, d.Position}
		if d.Err != nil || d.Variant != f.Variant || string(d.Reason) != f.Reason || !bytes.Equal(raw, f.Value) || got != f.Metadata {
			a.wrong = append(a.wrong, fmt.Sprintf("%s for %v: over HTTP %+v, the client %s, %+v", f.Key, ctx, *f, raw, d))
		}
		if f.Metadata.Cause == assignment.CauseNoUnit.String() {
			continue // the document leaves the default to the provider
		}
		variant, ok := a.doc.Resolve(f.Key, ctx)
		if _, remote := a.doc.Metadata["remote-only."+f.Key]; !remote && (!ok || variant != f.Variant) {
			a.wrong = append(a.wrong, fmt.Sprintf("%s for %v: over HTTP %s by %s, flagd %s", f.Key, ctx, f.Variant, f.Metadata.Cause, variant))
		}
	}
	if len(flags) != 8 {
		a.wrong = append(a.wrong, strconv.Itoa(len(flags))+" answers")
	}
}

// bulk evaluates over HTTP.
func (a *agreement) bulk(ctx map[string]any) ([]flag, error) {
	body, err := json.Marshal(map[string]any{"context": ctx})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, a.s.URL+"/ofrep/v1/evaluate/flags", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-API-Key", servertest.PublicKey)
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("bulk = %s %s, %w", resp.Status, b, err)
	}
	var answer struct {
		Flags []flag `json:"flags"`
	}
	err = json.Unmarshal(b, &answer)
	return answer.Flags, err
}

func get(t *testing.T, url, key string) ([]byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s = %s", url, resp.Status)
	}
	return readAll(t, resp.Body), nil
}
