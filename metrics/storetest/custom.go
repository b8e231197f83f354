package storetest

import (
	"context"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// event is of a viewer, minutes after start, and received at once.
func event(unit, name, id string, minutes float64, value ...float64) Event {
	ms := at(minutes).UnixMilli()
	e := Event{RecvMs: ms, UnitEvent: telemetry.UnitEvent{UnitType: experiment.UnitViewer, Unit: unit, Name: name, ID: id, AtMs: ms}}
	if len(value) > 0 {
		e.Value = &value[0]
	}
	return e
}

func (w *world) happen(events ...Event) {
	w.t.Helper()
	if err := w.s.ReportEvents(w.ctx, events); err != nil {
		w.t.Fatalf("ReportEvents: %v", err)
	}
}

// testEvents has events on both sides of every border, one sent twice, one known
// too late, and some of other names, units and types.
func testEvents(t *testing.T, w *world) {
	late := event("a", "tip", "late", 15, 100)
	late.RecvMs = at(31).UnixMilli() + 1
	device := event("a", "tip", "device", 15, 100)
	device.UnitType = experiment.UnitDevice
	w.happen(
		event("a", "tip", "before", 9.999, 100), event("a", "tip", "first", 10, 1), event("a", "tip", "last", 19.999, 2.5),
		event("a", "tip", "after", 20, 100), event("a", "tip", "no value", 12), late, device,
		event("a", "follow", "f", 12), event("a", "other", "o", 12, 100), event("b", "tip", "b", 1_000, -3),
	)
	w.happen(event("a", "tip", "first", 10, 100))
	w.mustLook(func(tx metrics.LookTx) error {
		got, err := tx.EventSums(w.ctx, []string{"follow", "tip"}, []metrics.UnitWindow{
			{Unit: "a", FromMs: at(10).UnixMilli(), ToMs: at(20).UnixMilli(), KnownMs: at(31).UnixMilli()},
			{Unit: "b", FromMs: at(0).UnixMilli(), ToMs: at(3_000).UnixMilli(), KnownMs: at(3_000).UnixMilli()},
			{Unit: "c", FromMs: at(0).UnixMilli(), ToMs: at(3_000).UnixMilli(), KnownMs: at(3_000).UnixMilli()},
		})
		want := []metrics.UnitSum{{Unit: "a", Name: "follow", N: 1}, {Unit: "a", Name: "tip", N: 3, Sum: 3.5}, {Unit: "b", Name: "tip", N: 1, Sum: -3}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("EventSums differ (-want +got):\n%s", diff)
		}
		return err
	})
}

// customMetrics are made of custom quantities, in all kinds.
var customMetrics = []string{
	`{"key":"chat_mean","name":"n","description":"d","kind":"mean","numerator":"measure:chat","denominator":"units","direction":1,"unit":"n"}`,
	`{"key":"chat_per_hour","name":"n","description":"d","kind":"ratio","numerator":"measure:chat","denominator":"watch_ms","direction":1,"unit":"1/h","scale":3600000}`,
	`{"key":"tips","name":"n","description":"d","kind":"count","numerator":"event:tip","denominator":"units","direction":1,"unit":"n"}`,
	`{"key":"tippers","name":"n","description":"d","kind":"proportion","numerator":"event:tip","denominator":"units","direction":1,"unit":"%","scale":100}`,
	`{"key":"spent","name":"n","description":"d","kind":"mean","numerator":"value:tip","denominator":"units","direction":1,"unit":"EUR","cap_at":4,"cap":"4 a viewer"}`,
	`{"key":"tip_price","name":"n","description":"d","kind":"ratio","numerator":"value:tip","denominator":"event:tip","direction":1,"unit":"EUR"}`,
	`{"key":"chat_p50","name":"n","description":"d","kind":"quantile","level":0.5,"numerator":"measure:chat","denominator":"units","direction":1,"unit":"n"}`,
	`{"key":"path","name":"n","description":"d","kind":"funnel","steps":["starts","measure:chat","event:follow","event:tip"],"direction":1,"unit":"%","scale":100}`,
	`{"key":"loose","name":"n","description":"d","kind":"funnel","steps":["starts","measure:chat","event:follow","event:tip"],"order":"any","direction":1,"unit":"%","scale":100}`,
	`{"key":"came_back","name":"n","description":"d","kind":"retention","numerator":"returned","denominator":"units","window":"return_2_3","direction":1,"unit":"%","scale":100}`,
	`{"key":"tipped_later","name":"n","description":"d","kind":"retention","numerator":"event:tip","denominator":"units","window":"return_1_14","direction":1,"unit":"%","scale":100}`,
}

// testCustom runs the job on four viewers:
//
//   - a chats 3 times in one session and twice in another, follows, and tips 1.5
//     and 5 after that; he comes back on the third day, and tips on the thirteenth.
//   - b chats, and tips 2 without ever following; her next session is on the fifth day.
//   - c watches with a player that does not tell of chat, follows and tips 1.
//   - d does nothing at all.
func testCustom(t *testing.T, w *world) {
	var definitions []metrics.Definition
	var keys []string
	for _, text := range customMetrics {
		d, err := metrics.ParseDefinition([]byte(text))
		if err != nil {
			t.Fatalf("ParseDefinition(%s): %v", text, err)
		}
		definitions, keys = append(definitions, d), append(keys, d.Key)
	}
	catalogue := metrics.Builtin().With(definitions)
	w.exp = w.launchOn("custom", experiment.UnitViewer, experiment.Plan{Primary: keys[:1], Secondary: keys[1:]})
	w.expose(w.exposure("a", "control", 0), w.exposure("b", "control", 0), w.exposure("c", "control", 0), w.exposure("d", "control", 0))
	const day = 24 * 60.0
	chatting := func(id, viewer string, minutes float64, measures telemetry.Measures) telemetry.Session {
		s := session(id, viewer, minutes)
		s.Measures = measures
		return s
	}
	w.report(
		chatting("a1", "a", 1, `{"chat":3}`), chatting("a2", "a", 60, `{"chat":2,"other":9}`), chatting("a3", "a", 3.5*day, ""),
		chatting("b1", "b", 1, `{"chat":1}`), chatting("b2", "b", 4.5*day, ""), session("c1", "c", 1),
	)
	w.happen(
		event("a", "follow", "1", 2), event("a", "tip", "1", 3, 1.5), event("a", "tip", "2", 4, 5), event("a", "tip", "3", 13.5*day, 9),
		event("b", "tip", "1", 3, 2), event("c", "follow", "1", 2), event("c", "tip", "1", 2, 1),
	)
	job := metrics.Job{
		Store: w.s,
		Experiments: func(_ context.Context, after string) ([]experiment.Experiment, error) {
			if after != "" {
				return nil, nil
			}
			return []experiment.Experiment{w.exp}, nil
		},
		Catalogue: func(context.Context) (*metrics.Catalogue, error) { return catalogue, nil },
	}
	for _, minute := range []float64{1_600, 3 * day, 16 * day} { // cells are carried on from look to look
		if _, err := job.RunOnce(w.ctx, at(minute)); err != nil {
			t.Fatalf("RunOnce: %v", err)
		}
	}
	w.wantSums(customTruth())
	w.happen(event("d", "follow", "late", 5))
	late := event("d", "tip", "late", 5, 2)
	late.RecvMs = at(10 * day).UnixMilli()
	w.happen(late)
	w.wantRestated(&job)
	stored := map[string][]metrics.CustomValue{}
	for _, o := range w.outcomes(metrics.WindowDay) {
		stored[o.Unit] = o.Custom
	}
	wantStored := map[string][]metrics.CustomValue{
		"a": {{Name: "measure:chat", Value: 5}, {Name: "event:tip", Value: 2}, {Name: "value:tip", Value: 6.5}, {Name: "event:follow", Value: 1}, {Name: "funnel:path", Value: 4}},
		"b": {{Name: "measure:chat", Value: 1}, {Name: "event:tip", Value: 1}, {Name: "value:tip", Value: 2}, {Name: "event:follow"}, {Name: "funnel:path", Value: 2}},
		"c": {{Name: "event:tip", Value: 1}, {Name: "value:tip", Value: 1}, {Name: "event:follow", Value: 1}, {Name: "funnel:path", Value: 1}, {Name: "funnel_open:path", Value: 1}},
		"d": {{Name: "measure:chat"}, {Name: "event:tip"}, {Name: "value:tip"}, {Name: "event:follow"}, {Name: "funnel:path"}},
	}
	if diff := cmp.Diff(wantStored, stored); diff != "" {
		t.Errorf("stored custom quantities differ (-want +got):\n%s", diff)
	}
}

// wantRestated computes the day on which the days of all units closed again, with
// an event that came late: d tipped 2. Everything else stays as it was.
func (w *world) wantRestated(job *metrics.Job) {
	w.t.Helper()
	r := metrics.Restatement{Day: at(24 * 60), Actor: "test", Reason: "a service was cut off"}
	if _, err := job.Restate(w.ctx, &w.exp, r, at(17*24*60)); err != nil {
		w.t.Fatalf("Restate: %v", err)
	}
	want := customTruth()
	want["tips"] = sums{4, 2 + 1 + 1 + 1, 4}
	want["tippers"] = sums{4, 4, 4}
	want["spent"] = sums{4, 4 + 2 + 1 + 2, 4}
	want["spent uncapped"] = sums{4, 6.5 + 2 + 1 + 2, 4}
	want["tip_price"] = sums{4, 6.5 + 2 + 1 + 2, 5}
	want["tip_price.per_unit"] = sums{4, 6.5/2 + 2 + 1 + 2, 4}
	w.wantSums(want)

	// The day on which a window of people's own closed: b was back in it after all.
	const day = 24 * 60.0
	w.report(session("b-late", "b", 2.5*day))
	r.Day = at(4*day + dayCloses - day)
	made, err := job.Restate(w.ctx, &w.exp, r, at(18*day))
	if err != nil {
		w.t.Fatalf("Restate: %v", err)
	}
	if got := made.Restated[1].Units; got != 4 {
		w.t.Errorf("%d outcomes were made again, want the 4 of return_2_3", got)
	}
	want["came_back"] = sums{4, 2, 4}
	w.wantSums(want)
	returned := map[string]float64{}
	w.mustLook(func(tx metrics.LookTx) error {
		return tx.Outcomes(w.ctx, "return_2_3", made.Number, func(o *metrics.Outcome) error {
			returned[o.Unit] = o.Quantities[metrics.Returned]
			return nil
		})
	})
	if diff := cmp.Diff(map[string]float64{"a": 1, "b": 1, "c": 0, "d": 0}, returned); diff != "" {
		w.t.Errorf("who returned differs (-want +got):\n%s", diff)
	}
}

// sums are what a metric of an arm adds up to.
type sums struct{ units, numerator, denominator float64 }

// customTruth is what the four viewers of testCustom add up to.
func customTruth() map[string]sums {
	const playMs = 59_000
	return map[string]sums{
		"chat_mean":              {3, 5 + 1 + 0, 3}, // of c it is not known
		"chat_per_hour":          {2, 5 + 1, 3 * playMs},
		"chat_per_hour.per_unit": {2, 5.0/(2*playMs) + 1.0/playMs, 2},
		"tips":                   {4, 2 + 1 + 1, 4},
		"tippers":                {4, 3, 4},
		"spent":                  {4, 4 + 2 + 1, 4},
		"spent uncapped":         {4, 6.5 + 2 + 1, 4},
		"tip_price":              {3, 6.5 + 2 + 1, 4},
		"tip_price.per_unit":     {3, 6.5/2 + 2 + 1, 3},
		"chat_p50":               {3, 6, 3},
		"path":                   {2, 1, 2}, // a and b; of c the second step is not known
		"path.step2":             {2, 2, 2},
		"path.step3":             {2, 1, 2},
		"path.step4":             {1, 1, 1},
		"loose":                  {2, 1, 2}, // in this order anyway
		"loose.step2":            {2, 2, 2},
		"loose.step3":            {2, 1, 2},
		"loose.step4":            {1, 1, 1},
		"came_back":              {4, 1, 4},
		"tipped_later":           {4, 1, 4},
		"telemetry_coverage":     {4, 3, 4},
		"start_time_known":       {3, 3, 3},
	}
}

// wantSums compares the total cells of control in the newest look.
func (w *world) wantSums(want map[string]sums) {
	w.t.Helper()
	got := map[string]sums{}
	w.mustLook(func(tx metrics.LookTx) error {
		last, _, err := tx.Last(w.ctx)
		for _, c := range last.Cells {
			if !c.IsTotal() || c.Arm != 0 {
				continue
			}
			key := c.Metric
			if c.Uncapped {
				key += " uncapped"
			}
			n := float64(c.Pair.N)
			got[key] = sums{n, n * (c.Pair.MeanY + c.Pair.LowY), n * (c.Pair.MeanX + c.Pair.LowX)}
		}
		return err
	})
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) })
	if diff := cmp.Diff(want, got, near, cmp.AllowUnexported(sums{})); diff != "" {
		w.t.Errorf("cells differ (-want +got):\n%s", diff)
	}
}
