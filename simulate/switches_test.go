package simulate

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// everything is all switches at once.
func everything() Switches {
	return Switches{
		Bots:           Bots{Monitors: 3, Farms: 2, Idlers: 4},
		Loss:           [2]Loss{{AfterStart: 0.1}, {Exposures: 0.1, Sessions: 0.1, AfterStart: 0.1, AfterFrame: 0.1, First: 0.1, WorstSessions: 0.5}},
		Lies:           Lies{true, true, true, true, true},
		Social:         DefaultSocial(),
		Broadcasts:     DefaultBroadcasts(),
		Clicks:         Clicks{Share: 0.2, Effect: 0.1},
		LatencyMinutes: true,
	}
}

func switchedWorld(seed uint64, on Switches) *World {
	return NewWorld(Options{Seed: seed, Epoch: epoch, Viewers: 3_000, Switches: on})
}

// People do the same whether or not programs, broadcasts and lies surround them.
func TestSwitchesLeavePeopleAlone(t *testing.T) {
	t.Parallel()
	quiet, loud := switchedWorld(1, Switches{}), switchedWorld(1, everything())
	people := slices.DeleteFunc(loud.Schedule(0), func(s Session) bool { return loud.Bot(s.Viewer) != Person })
	if diff := cmp.Diff(quiet.Schedule(0), people, sessionFields); diff != "" {
		t.Errorf("sessions of people (-quiet +loud)\n%s", diff)
	}
	for _, s := range people[:50] {
		a, b := quiet.Visit(s), loud.Visit(s)
		a.course.link.trace, b.course.link.trace = nil, nil
		if a.course != b.course || a.ID != b.ID || a.Broadcast != b.Broadcast {
			t.Errorf("the visit of %s differs", a.Who.ID)
		}
	}
}

// What is sent is what the receivers of docs/telemetry.md take, but for what is
// known to be a lie.
func TestSwitchedReportsAreTaken(t *testing.T) {
	t.Parallel()
	on := everything()
	on.Lies = Lies{}
	w := switchedWorld(2, on)
	treated := DefaultSettings()
	treated.NewReporter, treated.Highlights = true, true
	bodies := map[Format][]byte{}
	for _, s := range w.Schedule(0) {
		v := w.Visit(s)
		for _, r := range w.View(&v, treated, SparseCadence).TakeAll() {
			bodies[r.Format] = append(append(bodies[r.Format], r.Body...), '\n')
		}
		if r, ok := w.clicks(&v, &experiment.Exposure{Experiment: ClicksKey(7), Unit: v.Who.ID, Arm: ArmTreatment}); ok {
			bodies[r.Format] = append(append(bodies[r.Format], r.Body...), '\n')
		}
	}
	for _, c := range w.Casts(0)[:200] {
		in := w.ingest(&c, true)
		for _, r := range c.reports(&in) {
			bodies[r.Format] = append(append(bodies[r.Format], r.Body...), '\n')
		}
	}
	now := epoch.AddDate(0, 0, 1).UnixMilli()
	for format, decode := range map[Format]func([]byte) (int, []telemetry.Rejection, error){
		Heartbeat: func(b []byte) (int, []telemetry.Rejection, error) {
			items, rejected, err := telemetry.DecodeHeartbeats(b, "application/x-ndjson")
			return len(items), rejected, err
		},
		UnitEvent: func(b []byte) (int, []telemetry.Rejection, error) {
			items, rejected, err := telemetry.DecodeUnitEvents(b, "application/x-ndjson", now)
			return len(items), rejected, err
		},
		BroadcastBeat: func(b []byte) (int, []telemetry.Rejection, error) {
			items, rejected, err := telemetry.DecodeBroadcasts(b, "application/x-ndjson")
			return len(items), rejected, err
		},
	} {
		body := bodies[format]
		n, rejected, err := decode(body[:min(len(body), bytes.LastIndexByte(body[:min(len(body), 1<<19)], '\n')+1)])
		if err != nil || n == 0 || len(rejected) > 0 {
			t.Errorf("format %d: %d taken, %v, rejected %.500v", format, n, err, rejected)
		}
	}
	for _, doc := range []experiment.Document{on.Document(), ManyAA(2, 5_000), ManyClicks(2, 5_000)} {
		for _, text := range doc.Metrics {
			if d, err := metrics.ParseDefinition(text); err != nil {
				t.Errorf("metric %s: %v", d.Key, err)
			}
		}
		for i := range doc.Experiments {
			known := func(m string) bool {
				return metrics.Known(m) || slices.ContainsFunc(doc.Metrics, func(text json.RawMessage) bool { return strings.Contains(string(text), `"`+m+`"`) })
			}
			if err := doc.Experiments[i].Validate(known); err != nil {
				t.Errorf("%s: %v", doc.Experiments[i].Key, err)
			}
		}
	}
}

// Minutes add up whatever moments the player is looked at.
func TestLateMinutesDoNotDependOnTheSteps(t *testing.T) {
	t.Parallel()
	whole, parts := &lateMinutes{}, &lateMinutes{}
	late := 9.0
	const gain = 0.02
	whole.add(150, late, gain)
	d := newDice(7)
	for played := 0.0; played < 150; {
		step := min(d.Float64()*5, 150-played)
		parts.add(step, late, gain)
		late -= gain * step
		played += step
	}
	got, want := parts.read(true), whole.read(true)
	if got != want {
		t.Errorf("in parts %v, at once %v", got, want)
	}
	// 9 s at first and 0.02 s less every second: means of 8.4, 7.2 and, over the
	// last half minute, 6.3 s.
	for level, n := range map[int64]int64{8_500: 1, 7_500: 1, 6_500: 1} {
		if got[lateLevel(float64(level)/1000)] != n {
			t.Errorf("%d minutes at %d ms, want %d: %v", got[lateLevel(float64(level)/1000)], level, n, got)
		}
	}
	if running := parts.read(false); running[lateLevel(6.5)] != 0 {
		t.Errorf("the minute under way is told: %v", running)
	}
}

func TestLateLevels(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sec  float64
		want int64
	}{{0, 500}, {0.5, 500}, {0.51, 1_000}, {10, 10_000}, {10.01, 11_000}, {11, 11_000}, {22, 22_000}, {90, 22_000}} {
		if got := lateLevelMs(lateLevel(test.sec)); got != test.want {
			t.Errorf("level of %v s = %d ms, want %d", test.sec, got, test.want)
		}
	}
}

// The parts of a broadcast add up to the whole, and treatment changes starvation
// and disconnects alone.
func TestIngestAddsUp(t *testing.T) {
	t.Parallel()
	w := switchedWorld(3, Switches{Broadcasts: Broadcasts{Channels: 300, Effect: 0.5}})
	var starved, disconnects [2]float64
	moved := 0
	for day := range 7 {
		for _, c := range w.Casts(day) {
			far, near := w.ingest(&c, false), w.ingest(&c, true)
			first := far.part(0.5)
			rest := far.minus(&first)
			if first.liveMs+rest.liveMs != far.liveMs || first.starvedMs+rest.starvedMs != far.starvedMs || first.frames+rest.frames != far.frames {
				t.Fatalf("%s: %+v and %+v of %+v", c.StreamID, first, rest, far)
			}
			if far.liveMs != near.liveMs || near.starvedMs > far.starvedMs || near.disconnects > far.disconnects {
				t.Fatalf("%s: treatment made it worse: %+v after %+v", c.StreamID, near, far)
			}
			for arm, in := range []ingest{far, near} {
				starved[arm] += float64(in.starvedMs)
				disconnects[arm] += float64(in.disconnects)
			}
			if far.takeover {
				moved++
			}
		}
	}
	if got := starved[1] / starved[0]; math.Abs(got-0.5) > 0.02 {
		t.Errorf("treatment starves %v of control, want 0.5", got)
	}
	if got := disconnects[1] / disconnects[0]; math.Abs(got-0.5) > 0.1 {
		t.Errorf("treatment disconnects %v of control, want 0.5", got)
	}
	if moved == 0 {
		t.Error("no broadcast moved to another server")
	}
}

// What a reporter loses is what its switch says.
func TestLossIsItsShares(t *testing.T) {
	t.Parallel()
	l := Loss{Exposures: 0.1, Sessions: 0.2, AfterStart: 0.05, AfterFrame: 0.15, First: 0.25, WorstSessions: 1}
	w := switchedWorld(4, Switches{Loss: [2]Loss{{}, l}, CMCD: CMCDNever})
	old, treated := DefaultSettings(), DefaultSettings()
	treated.NewReporter = true
	got := map[lost]float64{}
	sessions := w.Schedule(0)
	sessions = append(sessions, w.Schedule(1)...)
	for _, s := range sessions {
		v := w.Visit(s)
		if w.lost(&v, old) != nothingLost {
			t.Fatal("the old reporter lost something")
		}
		got[w.lost(&v, treated)] += 1 / float64(len(sessions))
	}
	for is, want := range map[lost]float64{exposuresLost: l.Exposures, sessionsLost: l.Sessions, afterFrameLost: l.AfterFrame, firstLost: l.First} {
		if math.Abs(got[is]-want) > 0.08 { // sessions of one viewer are alike
			t.Errorf("%v of sessions lose %d, want %v", got[is], is, want)
		}
	}
	if got[afterStartLost] <= l.AfterStart {
		t.Errorf("%v of sessions lose what comes after the start, want more than %v: the worst are among them", got[afterStartLost], l.AfterStart)
	}
}

// The ledger counts a record when it arrived, once, and knows no more than that.
func TestLedgerReadsWhatArrived(t *testing.T) {
	t.Parallel()
	at := epoch.Add(time.Hour)
	l := NewLedger()
	l.met([]experiment.Exposure{{Experiment: "e", Unit: "v", Arm: ArmControl, At: at}}, nil)
	l.met([]experiment.Exposure{{Experiment: "e", Unit: "v", Arm: ArmControl, At: at.Add(time.Hour)}}, []experiment.Exposure{{}})
	beat := func(session string, rest string) Parcel {
		return Parcel{Report: Report{Body: []byte(`{"session_id":"` + session + `","viewer_id":"v",` + rest + `}`)}}
	}
	for _, arrival := range []struct {
		after   time.Duration
		parcels []Parcel
	}{
		{time.Minute, []Parcel{beat("a", `"seq":0`)}},
		{20 * time.Minute, []Parcel{beat("a", `"seq":2,"first_frame_ms":5,"play_ms":60000,"measures":{"chat_messages":3}`)}},
		{21 * time.Minute, []Parcel{beat("a", `"seq":1,"first_frame_ms":5,"play_ms":1000`), beat("a", `"seq":2,"first_frame_ms":5,"play_ms":60000,"measures":{"chat_messages":3}`)}},
		{31 * time.Minute, []Parcel{beat("b", `"seq":0`)}},
		{30 * time.Hour, []Parcel{beat("b", `"seq":5,"first_frame_ms":5,"play_ms":1000000`)}},
	} {
		if err := l.arrived(arrival.parcels, at.Add(arrival.after)); err != nil {
			t.Fatal(err)
		}
	}
	units := l.Units("e", func(closes time.Time) time.Time { return closes })
	if len(units) != 1 {
		t.Fatalf("%d units", len(units))
	}
	u := units[0]
	if u.Exposed || !u.At.Equal(at) || u.Told != Reported || u.Day.Sessions != 2 || u.Day.Starts != 1 || u.Day.PlayMs != 60_000 || u.Day.Chat != 3 || !u.Day.ChatKnown {
		t.Errorf("%+v", u)
	}
	early := l.Units("e", func(time.Time) time.Time { return at.Add(10 * time.Minute) })
	if early[0].Told != Attempted || early[0].Day.PlayMs != 0 {
		t.Errorf("after ten minutes %+v", early[0])
	}
}
