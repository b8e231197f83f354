// Package storetest holds the conformance suite of metrics.Store: what every
// event store must do, whatever it is made of. It is for tests only.
//
//	func TestStore(t *testing.T) {
//		storetest.Exercise(t, func(t *testing.T) storetest.Subject { return open(t) })
//	}
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// Subject is a store under test with what the suite needs to fill and read it.
type Subject interface {
	metrics.Store
	// Launch creates a running experiment.
	Launch(ctx context.Context, spec experiment.Spec) (experiment.Experiment, error)
	// Expose records exposures at the clock's time recordedAt, each of which
	// names its version.
	Expose(ctx context.Context, recordedAt time.Time, exposures []experiment.Exposure) error
	// Report stores sessions by the rules of telemetry.Merge.
	Report(ctx context.Context, sessions []telemetry.Session) error
	// ReportBroadcasts stores parts of broadcasts by the rules of
	// telemetry.MergeBroadcasts.
	ReportBroadcasts(ctx context.Context, parts []telemetry.Broadcast) error
	// ReportEvents stores events of units, each once.
	ReportEvents(ctx context.Context, events []Event) error
	// Import stores outcomes that come from elsewhere at the clock's time importedAt.
	Import(ctx context.Context, exp *experiment.Experiment, importedAt time.Time, w metrics.Window, outcomes []metrics.Outcome) error
	// Outcomes returns the outcomes of a window in the order (closes_at, unit).
	Outcomes(ctx context.Context, exp *experiment.Experiment, w metrics.Window) ([]metrics.Outcome, error)
}

// Event is an event of a unit and when the server had it.
type Event struct {
	RecvMs int64
	telemetry.UnitEvent
}

// Exercise runs the suite; newSubject returns an empty store for each test.
func Exercise(t *testing.T, newSubject func(t *testing.T) Subject) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, w *world)
	}{
		{"nothing exposed, no look", testEmpty},
		{"closed in (after, upTo] by time then unit", testClosedRange},
		{"closing counts from the recording when that is later", testLateRecording},
		{"the earliest exposure of a unit counts", testEarliest},
		{"crossed and forced units are marked and counted apart", testMarked},
		{"sessions are joined by viewer and by link", testJoin},
		{"broadcasts are joined by broadcaster, with all their parts", testBroadcasts},
		{"events are summed by unit, name and window", testEvents},
		{"custom quantities reach outcomes and cells", testCustom},
		{"steps of funnels are in the order of time", testFunnelOrder},
		{"ends of stalls and minutes of latency arrive", testStallEnds},
		{"return windows follow the day", testReturnWindows},
		{"the past comes when it is asked for", testHistory},
		{"records that came too late are counted by arm", testAftermath},
		{"what came late of the last units is counted, too", testLastAftermath},
		{"suspected units have cells of their own", testSuspected},
		{"a plan leaves suspected units out of all other cells", testSuspectsApart},
		{"a day is restated, and the past stays", testRestate},
		{"only what has an outcome is restated", testRestateNothing},
		{"imported outcomes stay when their day is restated", testRestateImported},
		{"attributes of the exposure arrive", testAttributes},
		{"imported outcomes are taken once, by the look after them", testImported},
		{"a look is kept whole", testLookRoundTrip},
		{"a failed look leaves nothing", testRollback},
		{"outcomes are written once", testOutcomeTwice},
		{"looks are numbered without gaps", testLookNumbers},
		{"outcomes can be written while closed ones are read", testWriteWhileReading},
		{"one look at a time", testLock},
		{"versions do not mix", testVersions},
		{"the job counts every unit once", testJob},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newWorld(t, newSubject(t)))
		})
	}
}

// start is when the suite's experiments begin.
var start = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// world is a store with one running experiment.
type world struct {
	t   *testing.T
	ctx context.Context
	s   Subject
	exp experiment.Experiment
}

func newWorld(t *testing.T, s Subject) *world {
	t.Helper()
	w := &world{t: t, ctx: t.Context(), s: s}
	w.exp = w.launch("abr")
	return w
}

func (w *world) launch(key string) experiment.Experiment {
	w.t.Helper()
	return w.launchOn(key, experiment.UnitViewer, experiment.Plan{
		Primary:    []string{"start_success"},
		Secondary:  []string{"stall_ratio", "watch_hours_per_viewer", "stalls_per_hour", "return_d1"},
		Guardrails: []experiment.Guardrail{{Metric: "startup_first_p95", Margin: 0.05}},
	})
}

// launchOn begins an experiment on units of a type.
func (w *world) launchOn(key string, unit experiment.UnitType, plan experiment.Plan) experiment.Experiment {
	w.t.Helper()
	spec := experiment.Spec{
		Key: key, Unit: unit, Status: experiment.StatusRunning, Plan: plan,
		Arms: []experiment.Arm{
			{Key: "control", Weight: 1, Value: []byte("false")},
			{Key: "treatment", Weight: 1, Value: []byte("true")},
		},
	}
	spec.Normalize()
	exp, err := w.s.Launch(w.ctx, spec)
	if err != nil {
		w.t.Fatalf("Launch(%s): %v", key, err)
	}
	return exp
}

// exposure is of a unit in an arm, minutes after start.
func (w *world) exposure(unit, arm string, minutes float64) experiment.Exposure {
	return experiment.Exposure{
		Experiment: w.exp.Key, Version: w.exp.Version, Unit: unit, Arm: arm, At: at(minutes),
	}
}

// expose records exposures at the time of the latest.
func (w *world) expose(xs ...experiment.Exposure) {
	w.t.Helper()
	recorded := xs[0].At
	for _, x := range xs {
		if x.At.After(recorded) {
			recorded = x.At
		}
	}
	w.exposeAt(recorded, xs...)
}

func (w *world) exposeAt(recorded time.Time, xs ...experiment.Exposure) {
	w.t.Helper()
	if err := w.s.Expose(w.ctx, recorded, xs); err != nil {
		w.t.Fatalf("Expose: %v", err)
	}
}

// look runs do as a look that must not find the lock taken.
func (w *world) look(do func(tx metrics.LookTx) error) error {
	w.t.Helper()
	ran, err := w.s.Look(w.ctx, &w.exp, do)
	if err == nil && !ran {
		w.t.Fatal("Look: the lock is taken, nobody else holds it")
	}
	return err
}

func (w *world) mustLook(do func(tx metrics.LookTx) error) {
	w.t.Helper()
	if err := w.look(do); err != nil {
		w.t.Fatalf("Look: %v", err)
	}
}

// seen is what a test compares of a Closed.
type seen struct {
	Unit              string
	Arm               int
	Exposed           float64 // minutes after start
	Closes            float64
	Crossed, Override bool
	Sessions          []string
}

// closed returns what closed in (after, upTo], in the order of the store.
func (w *world) closed(window metrics.Window, after, upTo time.Time) []seen {
	w.t.Helper()
	var out []seen
	w.mustLook(func(tx metrics.LookTx) error {
		return tx.Closed(w.ctx, metrics.Reading{Window: window, After: after, UpTo: upTo}, func(c *metrics.Closed) error {
			s := seen{
				Unit: c.Unit, Arm: c.Arm, Crossed: c.Crossed, Override: c.Override,
				Exposed: c.ExposedAt.Sub(start).Minutes(), Closes: c.ClosesAt.Sub(start).Minutes(),
			}
			for i := range c.Sessions {
				s.Sessions = append(s.Sessions, c.Sessions[i].SessionID)
			}
			out = append(out, s)
			return nil
		})
	})
	return out
}

// firstCloses is the minute after its exposure at which WindowFirst closes.
const firstCloses = float64((metrics.FirstSpan + metrics.FirstGrace) / time.Minute)

// at returns the time some minutes after start.
func at(minutes float64) time.Time {
	return start.Add(time.Duration(minutes * float64(time.Minute)))
}

// session returns a session of a viewer that began minutes after start and
// started after half a second.
func session(id, viewer string, minutes float64) telemetry.Session {
	recv := at(minutes).UnixMilli()
	frame := int64(500)
	return telemetry.Session{
		SessionID: id, Identity: telemetry.Identity{ViewerID: viewer},
		Tier: telemetry.TierA, FirstRecvMs: recv,
		PlayRequested: true, Started: true, StartSeq: 1, FirstFrameMs: &frame,
		First: telemetry.Mark{Seq: 0, RecvMs: recv},
		Last:  telemetry.Mark{Seq: 6, RecvMs: recv + 60_000, MonoMs: 60_000},
		Counters: telemetry.Counters{
			PlayMs: 59_000, StallMs: 600, StallN: 1,
			Observed: telemetry.ObservedStart | telemetry.ObservedFailure | telemetry.ObservedPlay | telemetry.ObservedStalls,
		},
	}
}

func (w *world) report(sessions ...telemetry.Session) {
	w.t.Helper()
	if err := w.s.Report(w.ctx, sessions); err != nil {
		w.t.Fatalf("Report: %v", err)
	}
}
