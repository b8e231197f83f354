package postgres

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres/private"
	"github.com/splitcast/splitcast/telemetry"
)

// benchUnits is how many windows a benchmark closes at once: as many as a job
// that was down for minutes finds on a platform of a thousand exposures a second.
const benchUnits = 200_000

// benchEnd is when all windows of the benchmarks have closed.
var benchEnd = jobStart.Add(10 * 24 * time.Hour)

// openBenchStore is a store on a private server as users run it: fsync is on.
func openBenchStore(b *testing.B) jobStore {
	b.Helper()
	server, err := private.Start(b.Context(), private.Config{Dir: b.TempDir()})
	if err != nil {
		b.Skipf("no private server: %v", err)
	}
	b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			b.Errorf("Stop: %v", err)
		}
	})
	s := jobStore{openAt(b, server.DSN())}
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatalf("Migrate: %v", err)
	}
	return s
}

func benchSpec(key string) experiment.Spec {
	spec := experiment.Spec{
		Key: key, Unit: experiment.UnitViewer, Status: experiment.StatusRunning,
		Arms: []experiment.Arm{
			{Key: "control", Weight: 1, Value: []byte("false")},
			{Key: "treatment", Weight: 1, Value: []byte("true")},
		},
		Plan: experiment.Plan{
			Primary: []string{"stall_ratio"},
			Secondary: []string{
				"bitrate", "watch_hours_per_viewer", "live_latency_mean", "stalled_session_rate",
				"startup_first_p50", "startup_first_p95", "exit_before_start",
			},
			Guardrails: []experiment.Guardrail{{Metric: "start_success", Margin: 0.005}},
		},
	}
	spec.Normalize()
	return spec
}

// fillBench launches an experiment and fills it: a unit every few milliseconds,
// with a session soon after and up to two more that day.
func fillBench(b *testing.B, s jobStore) experiment.Experiment {
	b.Helper()
	exp, err := s.Launch(b.Context(), benchSpec("filled"))
	if err != nil {
		b.Fatalf("Launch: %v", err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(name string, values int) string { return fmt.Sprintf("%s-%d", name, r.IntN(values)) }
	rows := make([]ExposureRow, benchUnits)
	var sessions []telemetry.Session
	for i := range rows {
		unit := fmt.Sprintf("viewer-%08x-%06d", r.Uint32(), i)
		at := jobStart.Add(time.Duration(i) * 20 * time.Millisecond)
		rows[i] = ExposureRow{
			ExperimentID: exp.ID, Version: exp.Version, UnitType: exp.Unit, Unit: unit, Arm: r.IntN(2), At: at,
			Attributes: map[string]string{
				"country": pick("country", 40), "device_class": pick("device", 4), "os": pick("os", 6),
				"player": pick("player", 3), "player_version": pick("version", 12), "net_class": pick("net", 4),
				"isp": pick("isp", 60),
			},
		}
		for n := range 1 + r.IntN(3) {
			sessions = append(sessions, benchSession(r, unit, at.Add(time.Duration(n*r.IntN(40_000)+1)*time.Second)))
		}
	}
	for chunk := range slices.Chunk(rows, experiment.MaxExposureBatch) {
		recorded := chunk[len(chunk)-1].At
		if err := s.InsertExposures(b.Context(), func() time.Time { return recorded }, chunk); err != nil {
			b.Fatalf("InsertExposures: %v", err)
		}
	}
	slices.SortFunc(sessions, func(x, y telemetry.Session) int { return cmp.Compare(x.FirstRecvMs, y.FirstRecvMs) })
	for chunk := range slices.Chunk(sessions, 20_000) {
		if err := s.MergeSessions(b.Context(), chunk); err != nil {
			b.Fatalf("MergeSessions: %v", err)
		}
	}
	mustExec(b, s.DB, `vacuum analyze`)
	return exp
}

func benchSession(r *rand.Rand, unit string, at time.Time) telemetry.Session {
	frame := int64(200 + r.IntN(2_000))
	recv := at.UnixMilli()
	return telemetry.Session{
		SessionID: fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x",
			r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48)),
		Identity: telemetry.Identity{
			ViewerID: unit, ChannelID: "channel", StreamID: "stream", Dims: telemetry.Dims{
				Country: "DE", DeviceClass: "tv", OS: "tizen", Player: "hls.js", PlayerVersion: "1.6.2", NetClass: "wifi",
			},
		},
		Tier: telemetry.TierA, FirstRecvMs: recv, PlayRequested: true, Started: true, StartSeq: 1, FirstFrameMs: &frame,
		First: telemetry.Mark{RecvMs: recv}, Last: telemetry.Mark{Seq: 90, RecvMs: recv + 900_000, MonoMs: 900_000}, Ended: true,
		Counters: telemetry.Counters{
			PlayMs: int64(r.IntN(1_000_000)), StallMs: int64(r.IntN(10_000)), StallN: int64(r.IntN(5)),
			RungMs: 890_000, RungKbpsMs: 4_000_000_000, LatencySamples: 90, LatencySumMs: 300_000,
			Bytes: 600_000_000, Frames: 50_000, Observed: ^telemetry.Observed(0) & 0xff,
		},
	}
}

// BenchmarkClosedWindows reads windows that closed, with their sessions, into
// cells; "job" also writes the outcomes and commits; "linked" is the day when
// the exposures of a tenth of the sessions name them.
func BenchmarkClosedWindows(b *testing.B) {
	s := openBenchStore(b)
	exp := fillBench(b, s)
	for _, w := range metrics.Windows() {
		b.Run("read/"+string(w), func(b *testing.B) { benchRead(b, s, &exp, w) })
	}
	b.Run("job", func(b *testing.B) { benchJob(b, s, &exp) })
	mustExec(b, s.DB, `
		insert into session_links (session_id, unit_type, unit_id, linked_at)
		select session_id, 'viewer', viewer_id, $1 from sessions where session_id < '1a'
		on conflict do nothing`, jobStart)
	mustExec(b, s.DB, `vacuum analyze session_links`)
	b.Run("linked", func(b *testing.B) { benchRead(b, s, &exp, metrics.WindowDay) })
}

// benchRead reads all windows of the filled experiment.
func benchRead(b *testing.B, s jobStore, exp *experiment.Experiment, w metrics.Window) {
	b.ReportAllocs()
	windows := 0
	for b.Loop() {
		cells, err := metrics.NewAccumulator(metrics.CellSpec{
			Definitions: metrics.PlanDefinitions(&exp.Plan, metrics.Builtin()), Arms: 2, Segmented: metrics.SegmentedMetrics(&exp.Plan),
		})
		if err != nil {
			b.Fatal(err)
		}
		_, err = s.Look(b.Context(), exp, func(tx metrics.LookTx) error {
			return tx.Closed(b.Context(), metrics.Reading{Window: w, UpTo: benchEnd}, func(c *metrics.Closed) error {
				o := metrics.Observe(c, w)
				cells.Add(w, &o)
				windows++
				return nil
			})
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if windows != b.N*benchUnits {
		b.Errorf("%d windows in %d reads", windows, b.N)
	}
	b.ReportMetric(float64(windows)/b.Elapsed().Seconds(), "windows/s")
}

// benchJob takes whole looks, outcomes and commit included, each at a copy of
// the filled experiment.
func benchJob(b *testing.B, s jobStore, filled *experiment.Experiment) {
	b.ReportAllocs()
	windows := 0
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		exp := copyBench(b, s, filled)
		job := metrics.Job{Store: s, Experiments: func(_ context.Context, after string) ([]experiment.Experiment, error) {
			if after != "" {
				return nil, nil
			}
			return []experiment.Experiment{exp}, nil
		}}
		b.StartTimer()
		sum, err := job.RunOnce(b.Context(), benchEnd)
		if err != nil {
			b.Fatal(err)
		}
		windows += sum.First + sum.Day
	}
	if windows != 2*b.N*benchUnits {
		b.Errorf("%d outcomes in %d looks", windows, b.N)
	}
	b.ReportMetric(float64(windows)/b.Elapsed().Seconds(), "windows/s")
}

// copyBench launches an experiment with the exposures of another.
func copyBench(b *testing.B, s jobStore, from *experiment.Experiment) experiment.Experiment {
	b.Helper()
	copies := count(b, s.DB, `select count(*) from experiments`)
	exp, err := s.Launch(b.Context(), benchSpec(fmt.Sprintf("copy-%d", copies)))
	if err != nil {
		b.Fatalf("Launch: %v", err)
	}
	mustExec(b, s.DB, `
		insert into exposures (experiment_id, version, unit_id, arm, at, recorded_at, override, attributes, first_closes_at)
		select $1, $2, unit_id, arm, at, recorded_at, override, attributes, first_closes_at
		from exposures where experiment_id = $3 order by at`, exp.ID, exp.Version, from.ID)
	mustExec(b, s.DB, `vacuum analyze exposures`)
	return exp
}
