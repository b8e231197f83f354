package simulate

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/splitcast/splitcast/experiment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newDriver(t *testing.T, p *platform, w *World) *Driver {
	t.Helper()
	d := &Driver{BaseURL: p.url, Token: testToken, World: w}
	t.Cleanup(d.Close)
	return d
}

// checkSent compares what the driver counted with what the platform has, to the unit.
func checkSent(t *testing.T, p *platform, got Sent) {
	t.Helper()
	if len(p.faults) > 0 {
		t.Fatalf("the platform found %d faults, the first: %s", len(p.faults), p.faults[0])
	}
	want := Sent{
		Sessions:    int64(p.sessions()),
		Silent:      got.Silent,
		Evaluations: int64(p.bulks),
		Exposures:   int64(len(p.exposures)),
		Units:       p.perArm(),
		Heartbeats:  int64(p.beats),
		CMCD:        int64(p.lines),
		Duplicates:  got.Duplicates,
		Requests:    int64(p.requests),
		Retries:     int64(p.refused),
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("sent (-platform +driver)\n%s", diff)
	}
	distinct := 0
	for _, records := range p.heartbeats {
		distinct += len(records)
	}
	for _, records := range p.cmcd {
		distinct += len(records)
	}
	if all := int(got.Heartbeats + got.CMCD - got.Duplicates); distinct != all {
		t.Errorf("%d distinct records arrived, %d were sent once", distinct, all)
	}
}

func TestCatchUpSendsEverything(t *testing.T) {
	t.Parallel()
	p, w := newPlatform(t), smallWorld(1)
	d := newDriver(t, p, w)
	var clock []time.Time
	var jobs int
	d.SetNow = func(now time.Time) { clock = append(clock, now) }
	d.RunJob = func(context.Context) error {
		jobs++
		if at := clock[len(clock)-1]; !at.Equal(at.Truncate(DefaultJobEvery)) {
			t.Errorf("the job ran at %s", at)
		}
		return nil
	}
	var progress []Progress
	d.Progress = func(p Progress) { progress = append(progress, p) }
	to := epoch.AddDate(0, 0, 1)
	if err := d.CatchUp(t.Context(), epoch, to); err != nil {
		t.Fatal(err)
	}
	checkSent(t, p, d.Sent())
	if got := d.Sent(); got.Silent == 0 || got.Duplicates == 0 || got.CMCD == 0 {
		t.Errorf("no silent sessions, duplicates or CMCD: %+v", got)
	}
	if len(clock) != 144 || !clock[0].Equal(epoch.Add(DefaultTick)) || !clock[143].Equal(to) || jobs != 4 {
		t.Errorf("%d ticks from %s to %s, %d jobs", len(clock), clock[0], clock[len(clock)-1], jobs)
	}
	if last := progress[len(progress)-1]; len(progress) != 144 || !last.At.Equal(to) || !last.From.Equal(epoch) {
		t.Errorf("%d times progress, at last %+v", len(progress), last)
	}
	if got := d.Checkpoint(); !got.Equal(to) {
		t.Errorf("Checkpoint() = %s, want %s", got, to)
	}
}

// Every session of the schedule is evaluated once, and the experiments that it
// met are reported with what they need to be joined.
func TestCatchUpExposures(t *testing.T) {
	t.Parallel()
	p, w := newPlatform(t), smallWorld(2)
	d := newDriver(t, p, w)
	to := epoch.Add(6 * time.Hour)
	if err := d.CatchUp(t.Context(), epoch, to); err != nil {
		t.Fatal(err)
	}
	sessions := w.Between(epoch, to)
	if p.bulks != len(sessions) {
		t.Errorf("%d evaluations of %d sessions", p.bulks, len(sessions))
	}
	first, joined := map[string]Visit{}, map[string]bool{}
	for _, s := range sessions {
		v := w.Visit(s)
		if _, seen := first[v.Who.ID]; !seen {
			first[v.Who.ID] = v
		}
	}
	told := map[[2]string]bool{}
	for _, x := range p.exposures {
		v := first[x.Unit]
		key := [2]string{x.Experiment, x.Unit}
		if !told[key] && (!x.At.Equal(v.Start) || x.Session != v.ID) {
			t.Fatalf("%s met %s at %s in %s, but came at %s in %s", x.Unit, x.Experiment, x.At, x.Session, v.Start, v.ID)
		}
		if told[key] && !v.Who.CMCD {
			t.Fatalf("%s was told of %s twice", x.Unit, x.Experiment)
		}
		told[key], joined[x.Session] = true, true
		for _, name := range []string{"country", "device_class", "os", "player", "player_version", "net_class", "isp"} {
			if x.Attributes[name] == "" {
				t.Fatalf("an exposure without %s: %+v", name, x)
			}
		}
		spec := p.doc.Experiments[slices.IndexFunc(p.doc.Experiments, func(e experiment.Spec) bool { return e.Key == x.Experiment })]
		if arm, in := p.arm(&spec, x.Unit); !in || spec.Arms[arm].Key != x.Arm || x.Override {
			t.Fatalf("%s: %s is not in arm %s", x.Experiment, x.Unit, x.Arm)
		}
		if x.Experiment == KeyTVAppRewrite && x.Attributes["device_class"] != "tv" {
			t.Fatalf("%s outside its audience", x.Experiment)
		}
	}
	for sid := range p.cmcd {
		if !joined[sid] {
			t.Errorf("CMCD session %s is in no exposure", sid)
		}
	}
}

// What arrives does not depend on where a run is interrupted: a second driver
// that begins at the checkpoint of the first sends the very same records, and
// repeats only exposures.
func TestResumeEqualsUninterrupted(t *testing.T) {
	t.Parallel()
	w := smallWorld(3)
	to := epoch.Add(9 * time.Hour)
	whole := newPlatform(t)
	if err := newDriver(t, whole, w).CatchUp(t.Context(), epoch, to); err != nil {
		t.Fatal(err)
	}
	cut := newPlatform(t)
	ctx, stop := context.WithCancel(t.Context())
	first := newDriver(t, cut, w)
	first.Progress = func(p Progress) {
		if !p.At.Before(epoch.Add(5 * time.Hour)) {
			stop()
		}
	}
	if err := first.CatchUp(ctx, epoch, to); !errors.Is(err, context.Canceled) {
		t.Fatalf("CatchUp of an ended context: %v", err)
	}
	at := first.Checkpoint()
	if at.Before(epoch.Add(5*time.Hour)) || !at.Before(to) {
		t.Fatalf("Checkpoint() = %s", at)
	}
	second := newDriver(t, cut, smallWorld(3))
	if err := second.CatchUp(t.Context(), at, to); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(whole.heartbeats, cut.heartbeats); diff != "" {
		t.Errorf("heartbeats (-whole +resumed)\n%.2000s", diff)
	}
	if diff := cmp.Diff(whole.cmcd, cut.cmcd); diff != "" {
		t.Errorf("CMCD (-whole +resumed)\n%.2000s", diff)
	}
	if diff := cmp.Diff(whole.units(), cut.units()); diff != "" {
		t.Errorf("exposed units (-whole +resumed)\n%.2000s", diff)
	}
	if a, b := first.Sent(), second.Sent(); a.Heartbeats+b.Heartbeats != int64(whole.beats) || a.Sessions+b.Sessions != int64(whole.sessions()) {
		t.Errorf("%d + %d heartbeats of %d + %d sessions, uninterrupted %d of %d",
			a.Heartbeats, b.Heartbeats, a.Sessions, b.Sessions, whole.beats, whole.sessions())
	}
}

// A driver that goes on from where it was asks nobody twice.
func TestCatchUpInTwoCalls(t *testing.T) {
	t.Parallel()
	w := smallWorld(8)
	mid, to := epoch.Add(2*time.Hour+7*time.Minute), epoch.Add(5*time.Hour)
	p := newPlatform(t)
	d := newDriver(t, p, w)
	for _, span := range [][2]time.Time{{epoch, mid}, {mid, to}} {
		if err := d.CatchUp(t.Context(), span[0], span[1]); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(w.Between(epoch, to)); p.bulks != got {
		t.Errorf("%d evaluations of %d sessions", p.bulks, got)
	}
	checkSent(t, p, d.Sent())
}

// A busy server is asked again, and nothing is lost or counted twice.
func TestCatchUpRetries(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	p.busy = 40
	d := newDriver(t, p, smallWorld(4))
	if err := d.CatchUp(t.Context(), epoch, epoch.Add(3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if p.refused < 3 {
		t.Fatalf("only %d requests were refused", p.refused)
	}
	checkSent(t, p, d.Sent())
}

func TestCatchUpStopsOnErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("the job is broken")
	tests := []struct {
		name   string
		change func(*Driver)
		want   func(error) bool
	}{
		{"a wrong token", func(d *Driver) { d.Token = "wrong" }, func(err error) bool {
			var status *StatusError
			return errors.As(err, &status) && status.Status == http.StatusUnauthorized
		}},
		{"a failing job", func(d *Driver) { d.RunJob = func(context.Context) error { return broken } }, func(err error) bool {
			return errors.Is(err, broken)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform(t)
			d := newDriver(t, p, smallWorld(5))
			test.change(d)
			if err := d.CatchUp(t.Context(), epoch, epoch.Add(12*time.Hour)); !test.want(err) {
				t.Errorf("CatchUp = %v", err)
			}
			if got := d.Checkpoint(); !got.Before(epoch.Add(DefaultJobEvery)) {
				t.Errorf("Checkpoint() = %s after an error", got)
			}
		})
	}
}

func TestCatchUpRefusesAnAnswerThatIsNone(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	t.Cleanup(s.Close)
	d := &Driver{BaseURL: s.URL, World: smallWorld(6)}
	t.Cleanup(d.Close)
	if err := d.CatchUp(t.Context(), epoch, epoch.Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "bulk evaluation") {
		t.Errorf("CatchUp = %v, want an error of the evaluation", err)
	}
}

// A player obeys what it is served, also where it is not in the experiment: a
// shipped arm changes everybody and exposes nobody.
func TestApplyObeysValuesAndReportsAssignments(t *testing.T) {
	t.Parallel()
	w := smallWorld(7)
	v := w.Visit(w.Schedule(0)[0])
	flag := func(key, value string, assigned bool) assignment {
		a := assignment{Key: key, Variant: ArmTreatment, Value: []byte(value)}
		a.Metadata.Assigned = assigned
		return a
	}
	set, met := v.apply([]assignment{
		flag(KeyFastStart, "true", false), // shipped
		flag(KeyLowLatency, "2", true),
		flag(KeyTVAppRewrite, `"no boolean"`, true), // not understood: not met
		flag("another-team", "true", true),          // not asked for here
		{Key: KeyABRBuffer},                         // an evaluation that failed
	})
	if want := (Settings{PrefetchManifest: true, HoldBack: 2}); set != want {
		t.Errorf("settings %+v, want %+v", set, want)
	}
	if len(met) != 1 || met[0].Experiment != KeyLowLatency || met[0].Arm != ArmTreatment {
		t.Errorf("exposures %+v, want %s only", met, KeyLowLatency)
	}
	// The other experiment of the layer serves its control to who is not in it.
	set, _ = v.apply([]assignment{flag(KeyABRBuffer, `{"rule":"buffer","more_segments":1}`, true), flag(KeyLowLatency, "3", false)})
	if got := set.holdBack(); got != 4 {
		t.Errorf("held back by %d segments, want the 4 of the arm that the visit is in", got)
	}
}

func TestBodiesKeepLimits(t *testing.T) {
	t.Parallel()
	parcels := func(n, size int) []Parcel {
		out := make([]Parcel, n)
		for i := range out {
			out[i].Body = make([]byte, size)
		}
		return out
	}
	tests := []struct {
		name    string
		parcels []Parcel
		want    int // requests
	}{
		{"nothing", nil, 0},
		{"the limit of records", parcels(maxBatchRecords, 10), 1},
		{"one more", parcels(maxBatchRecords+1, 10), 2},
		{"the limit of bytes", parcels(8, maxBatchBytes/8-1), 1},
		{"one record more", parcels(9, maxBatchBytes/8-1), 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := bodies(test.parcels, Heartbeat)
			if len(got) != test.want {
				t.Errorf("%d requests, want %d", len(got), test.want)
			}
			for _, b := range got {
				if len(b) > maxBatchBytes {
					t.Errorf("a request of %d bytes", len(b))
				}
			}
			if bodies(test.parcels, CMCD) != nil {
				t.Error("heartbeats were packed as CMCD")
			}
		})
	}
}
