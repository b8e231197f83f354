package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// unitsWorld is a server over HTTP with two experiments: one on broadcasters, of
// whom each treatment starves half as long, and one on viewers, of whom twice as
// many follow. Whatever is sent is sent twice, in both orders.
type unitsWorld struct {
	t     *testing.T
	p     *platform
	c     remote
	clock *demoClock
	begin time.Time
}

const unitsPerArm = 200

func newUnitsWorld(t *testing.T) *unitsWorld {
	t.Helper()
	w := &unitsWorld{t: t, begin: time.Date(2026, time.March, 2, 8, 0, 0, 0, time.UTC)}
	w.clock = newDemoClock(w.begin)
	rt, _ := testRuntime(t, t.Context())
	const token = "sk_of_the_units_test"
	var err error
	w.p, err = startPlatform(t.Context(), platformConfig{
		storage: storage{Data: t.TempDir(), DatabaseURL: pgtest.New(t)}, Addr: "127.0.0.1:0",
		BootstrapToken: token, Now: w.clock.Now, Log: rt.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.p.close(); err != nil {
			t.Error(err)
		}
	})
	w.c = remote{Server: w.p.url(), Token: token}
	return w
}

func (w *unitsWorld) post(path, body string, out any) error {
	if out == nil {
		out = &json.RawMessage{}
	}
	return w.c.call(w.t.Context(), http.MethodPost, path, "application/json", []byte(body), out)
}

// send posts records twice, the second time in the reverse order, and expects that all are taken.
func (w *unitsWorld) send(path string, records ...string) {
	w.t.Helper()
	for range 2 {
		var answer struct {
			Accepted int               `json:"accepted"`
			Rejected []json.RawMessage `json:"rejected"`
		}
		if err := w.post(path, "["+strings.Join(records, ",")+"]", &answer); err != nil || answer.Accepted != len(records) {
			w.t.Fatalf("POST %s: %d of %d accepted, %v, rejected %s", path, answer.Accepted, len(records), err, answer.Rejected)
		}
		slices.Reverse(records)
	}
}

const unitsDocument = `{
	"metrics": [
		{"key":"followers","name":"Followers","description":"Share of viewers who follow.","kind":"proportion","numerator":"event:follow","denominator":"units","direction":1,"unit":"%","scale":100},
		{"key":"chat_messages","name":"Chat","description":"Messages a viewer.","kind":"mean","numerator":"measure:chat","denominator":"units","direction":1,"unit":"n"},
		{"key":"spent","name":"Spent","description":"Money a viewer.","kind":"mean","numerator":"value:tip","denominator":"units","direction":1,"unit":"EUR"},
		{"key":"path","name":"Path","description":"From watching to tipping.","kind":"funnel","order":"any","steps":["starts","measure:chat","event:follow","event:tip"],"direction":1,"unit":"%","scale":100}
	],
	"experiments": [
		{"key":"ingest","name":"Ingest","unit":"broadcaster","status":"running",
		 "arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],
		 "plan":{"primary":["ingest_starvation_ratio"],"secondary":["go_live_success","live_hours_per_broadcaster","starvation_free_streams","audience_hours_per_live_hour","ingest_disconnects_per_hour"],"units":5000}},
		{"key":"social","name":"Social","unit":"viewer","status":"running",
		 "arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],
		 "plan":{"primary":["followers"],"secondary":["chat_messages","spent","path","rebuffer_exit_rate"],"units":5000}}
	]}`

// TestUnitsOverHTTP sends what broadcasters and viewers of two experiments do, and
// compares their reports with what was worked out by hand: see the comments of
// broadcasters and viewers.
func TestUnitsOverHTTP(t *testing.T) {
	t.Parallel()
	w := newUnitsWorld(t)
	w.refuses()
	if err := w.post("/api/v1/experiments", unitsDocument, nil); err != nil {
		t.Fatal(err)
	}
	var exposures []string
	for i := range 2 * unitsPerArm {
		arm := []string{"control", "treatment"}[i%2]
		exposures = append(exposures,
			fmt.Sprintf(`{"experiment":"ingest","unit":"b%03d","arm":%q}`, i, arm), fmt.Sprintf(`{"experiment":"social","unit":"v%03d","arm":%q}`, i, arm))
	}
	w.send("/v1/exposures", exposures...)
	w.clock.Set(w.begin.Add(time.Minute))
	w.broadcasters()
	w.viewers()
	for _, hours := range []int{1, 26} {
		w.clock.Set(w.begin.Add(time.Duration(hours) * time.Hour))
		if _, err := w.p.job.RunOnce(t.Context(), w.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	ingest, social := w.report("ingest"), w.report("social")
	const hourMs = 3_600_000
	w.wantRow(&ingest, "go_live_success", [2]float64{180, 190}, [2]float64{200, 200})
	w.wantRow(&ingest, "live_hours_per_broadcaster", [2]float64{180 * 2 * hourMs, 190 * 2 * hourMs}, [2]float64{200, 200})
	// 72 s and 36 s of two hours, and 0 to 4 s in turn by five.
	w.wantRow(&ingest, "ingest_starvation_ratio", [2]float64{180*72_000 + w.turns(0), 190*36_000 + w.turns(1)}, [2]float64{180 * 2 * hourMs, 190 * 2 * hourMs})
	w.wantRow(&ingest, "starvation_free_streams", [2]float64{0, 0}, [2]float64{180, 190})
	w.wantRow(&ingest, "audience_hours_per_live_hour", [2]float64{180 * hourMs, 190 * hourMs}, [2]float64{180 * 2 * hourMs, 190 * 2 * hourMs})
	w.wantRow(&ingest, "ingest_disconnects_per_hour", [2]float64{180, 190}, [2]float64{180 * 2 * hourMs, 190 * 2 * hourMs})
	w.wantRow(&social, "followers", [2]float64{40, 80}, [2]float64{200, 200})
	w.wantRow(&social, "chat_messages", [2]float64{600 + 199, 800 + 199}, [2]float64{200, 200}) // 0, 1 and 2 more in turn
	w.wantRow(&social, "spent", [2]float64{100, 100}, [2]float64{200, 200})
	w.wantRow(&social, "path", [2]float64{20, 20}, [2]float64{200, 200})
	w.wantSteps(&social, "path", [][2]float64{{200, 200}, {40, 80}, {20, 20}})
	w.wantRow(&social, "rebuffer_exit_rate", [2]float64{200, 0}, [2]float64{200, 200})
	for r, metric := range map[*report.Report]string{&ingest: "ingest_starvation_ratio", &social: "followers"} {
		row := rowOf(t, r.Primary, metric)
		truth := row.Treatment.Numerator/row.Treatment.Denominator/(row.Control.Numerator/row.Control.Denominator) - 1
		if e := row.Effect; e == nil || math.Abs(e.Estimate-truth) > 1e-6*math.Abs(truth) || e.Lower > truth || e.Upper < truth {
			t.Errorf("effect on %s = %+v (%+v), want %v within its interval", metric, e, row.Refusal, truth)
		}
	}
	w.previews()
}

// turns is by how much the starvation of an arm's live broadcasts exceeds its base.
func (w *unitsWorld) turns(arm int) (ms float64) {
	for i := arm; i < 2*unitsPerArm; i += 2 {
		if goesLive(i) {
			ms += float64(i % 5 * 1_000)
		}
	}
	return ms
}

// goesLive tells whose broadcast never does: 20 of 200 in control, 10 in treatment.
func goesLive(i int) bool { return i%20 != 0 && i%40 != 1 }

// broadcasters sends one broadcast of each broadcaster, in two parts of an hour, and
// one viewer of it who watches for an hour.
func (w *unitsWorld) broadcasters() {
	var records, audience []string
	for i := range 2 * unitsPerArm {
		record := func(part, seq int, rest string) {
			records = append(records, fmt.Sprintf(`{"stream_id":"s%03d","part":%d,"seq":%d,"broadcaster_id":"b%03d","mono_ms":7300000%s}`, i, part, seq, i, rest))
		}
		record(0, 0, "")
		if !goesLive(i) {
			record(0, 1, `,"kind":"end","end_reason":"gave up"`)
			continue
		}
		starved := []int{36_000, 18_000}[i%2]
		record(0, 9, fmt.Sprintf(`,"stream_start_ms":4000,"live_ms":3600000,"starvation_ms":%d,"starvation_max_ms":3000,"disconnects":1`, starved))
		record(0, 5, `,"stream_start_ms":4000,"live_ms":1800000,"starvation_ms":1,"starvation_max_ms":1,"disconnects":0`)
		record(1, 3, fmt.Sprintf(`,"stream_start_ms":100,"live_ms":3600000,"starvation_ms":%d,"starvation_max_ms":2000,"disconnects":0`, starved+i%5*1_000))
		audience = append(audience, fmt.Sprintf(`{"session_id":"a%03d","seq":1,"viewer_id":"w%03d","broadcaster_id":"b%03d","mono_ms":3700000,"play_requested":true,"first_frame_ms":500,"play_ms":3600000,"stall_ms":0}`, i, i, i))
	}
	w.send("/v1/broadcasts", records...)
	w.send("/v1/heartbeats", audience...)
}

// viewers sends a session of each viewer, who chats 3 times or more in control and 4
// or more in treatment, and leaves 10 s after a stall in control, a minute after one
// in treatment; 40 of 200 and 80 of 200 follow, 20 of each arm tip 5 after that.
func (w *unitsWorld) viewers() {
	var beats, events []string
	at := w.begin.Add(30 * time.Second).Format(time.RFC3339)
	for i := range 2 * unitsPerArm {
		arm, j := i%2, i/2
		beats = append(beats, fmt.Sprintf(`{"session_id":"t%03d","seq":4,"kind":"end","end_reason":"user","viewer_id":"v%03d","mono_ms":700000,"play_requested":true,
			"first_frame_ms":500,"play_ms":600000,"stall_ms":2000,"stall_n":1,"since_stall_ms":%d,"latency_minutes":{"2900":9,"7000":1},"measures":{"chat":%d}}`,
			i, i, []int{10_000, 60_000}[arm], 3+arm+j%3))
		event := func(name, value string) {
			events = append(events, fmt.Sprintf(`{"unit_type":"viewer","unit":"v%03d","name":%q,"id":"%s-%d","at":%q%s}`, i, name, name, i, at, value))
		}
		if j%5 < 1+arm {
			event("follow", "")
		}
		if j%10 == 0 {
			event("tip", `,"value":5`)
		}
	}
	w.send("/v1/heartbeats", beats...)
	w.send("/v1/events", events...)
}

func (w *unitsWorld) report(key string) (r report.Report) {
	w.t.Helper()
	if err := w.c.call(w.t.Context(), http.MethodGet, "/api/v1/experiments/"+key+"/report", "", nil, &r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// wantRow compares the sums of both arms.
func (w *unitsWorld) wantRow(r *report.Report, metric string, numerators, denominators [2]float64) {
	w.t.Helper()
	row := rowOf(w.t, append(slices.Clone(r.Primary), r.Secondary...), metric)
	for arm, got := range [2]report.Value{row.Control, row.Treatment} {
		if math.Abs(got.Numerator-numerators[arm]) > 1e-6*numerators[arm] || math.Abs(got.Denominator-denominators[arm]) > 1e-6*denominators[arm] {
			w.t.Errorf("%s of arm %d = %v / %v, want %v / %v", metric, arm, got.Numerator, got.Denominator, numerators[arm], denominators[arm])
		}
	}
}

// wantSteps compares how many of both arms went on at each step of a funnel.
func (w *unitsWorld) wantSteps(r *report.Report, metric string, want [][2]float64) {
	w.t.Helper()
	var got [][2]float64
	for _, s := range rowOf(w.t, r.Secondary, metric).Steps {
		got = append(got, [2]float64{math.Round(s.Control.Numerator), math.Round(s.Treatment.Numerator)})
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("steps of %s = %v, want %v", metric, got, want)
	}
}

// refuses posts what must be refused, with the field named.
func (w *unitsWorld) refuses() {
	for _, test := range []struct{ path, body, field string }{
		{"/api/v1/metrics", `{"key":"m","name":"M","description":"d","kind":"count","numerator":"events:follow","denominator":"units","unit":"n"}`, "numerator"},
		{"/api/v1/metrics", `{"key":"m","name":"M","description":"d","kind":"retention","numerator":"returned","denominator":"units","window":"return_2_99","unit":"%"}`, "window"},
		{"/api/v1/experiments", strings.Replace(unitsDocument, `"unit":"broadcaster"`, `"unit":"viewer"`, 1), "plan.primary[0]"},
	} {
		if err := w.post(test.path, test.body, nil); err == nil || !strings.Contains(err.Error(), test.field) {
			w.t.Errorf("POST %s %s: %v, want a fault of %s", test.path, test.body, err, test.field)
		}
	}
}

// previews asks for metrics that no experiment has, over the control arms.
func (w *unitsWorld) previews() {
	for _, test := range []struct {
		body  string
		units int64
		value float64
	}{
		{`{"key":"p","name":"P","description":"d","kind":"mean","numerator":"value:tip","denominator":"event:tip","unit":"EUR"}`, 0, 0}, // refused below
		{`{"key":"p","name":"P","description":"d","kind":"ratio","numerator":"value:tip","denominator":"event:tip","unit":"EUR"}`, 20, 5},
		{`{"key":"p","name":"P","description":"d","kind":"ratio","numerator":"measure:chat","denominator":"watch_ms","unit":"1/h","scale":3600000}`, 200, 799.0 / 200 * 6},
		{`{"key":"p","name":"P","description":"d","kind":"ratio","numerator":"measure:nobody_sends_this","denominator":"units","unit":"n"}`, 0, 0},
	} {
		var answer struct {
			Preview metrics.Preview `json:"preview"`
		}
		err := w.post("/api/v1/metrics/preview", test.body, &answer)
		if strings.Contains(test.body, `"mean"`) {
			if err == nil || !strings.Contains(err.Error(), "denominator") {
				w.t.Errorf("a mean over events: %v, want a fault of denominator", err)
			}
			continue
		}
		got := answer.Preview
		if err != nil || got.Units != test.units || test.units > 0 && (got.Shape.Value == nil || math.Abs(*got.Shape.Value-test.value) > 1e-9*test.value) {
			w.t.Errorf("preview of %s = %+v, %v; want %v of %d units", test.body, got, err, test.value, test.units)
		}
	}
}
