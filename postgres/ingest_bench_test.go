package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/splitcast/splitcast/postgres/private"
	"github.com/splitcast/splitcast/telemetry"
)

// benchOpenSessions is how many viewings are open while heartbeats come in.
const benchOpenSessions = 1_000_000

// benchBeat is a record of open session i.
func benchBeat(i int, seq int64) telemetry.Heartbeat {
	frame := int64(650)
	started := jobStart.UnixMilli() + int64(i)
	mono := seq * 10_000
	return telemetry.Heartbeat{
		SessionID: benchSessionID(i), Seq: seq, Kind: telemetry.KindBeat,
		Identity: telemetry.Identity{
			ViewerID: fmt.Sprintf("viewer-%08d", i), DeviceID: fmt.Sprintf("device-%08d", i),
			ChannelID: fmt.Sprintf("channel-%05d", i%20_000), BroadcasterID: fmt.Sprintf("caster-%05d", i%20_000),
			StreamID: fmt.Sprintf("stream-%05d", i%20_000),
			Dims: telemetry.Dims{
				Country: "DE", ASN: "3320", DeviceClass: "tv", OS: "tizen", Player: "hls.js", PlayerVersion: "1.6.2", NetClass: "wifi",
			},
		},
		ClientTsMs: started + mono, MonoMs: mono, PlayRequested: true, FirstFrameMs: &frame,
		PlayMs: mono * 9 / 10, StallMs: mono / 100, StallN: seq / 6, PausedMs: seq,
		RungMs:     telemetry.Dwell{{At: 1_400, Ms: mono / 10}, {At: 6_000, Ms: mono * 8 / 10}},
		HeightMs:   telemetry.Dwell{{At: 1080, Ms: mono * 9 / 10}},
		SwitchesUp: seq / 3, Frames: mono / 20, DroppedFrames: seq, Bytes: mono * 700,
		LatencySumMs: mono * 3, LatencySamples: seq * 10, LatencyMaxMs: 4_000,
		Observed: telemetry.ObservedStart | telemetry.ObservedPlay | telemetry.ObservedStalls | telemetry.ObservedBitrate,
	}
}

// benchSessionID spreads the ids of consecutive sessions over the index, as
// random UUIDs would.
func benchSessionID(i int) string {
	h := uint64(i) * 0x9e3779b97f4a7c15
	return fmt.Sprintf("%08x-%04x-4000-8000-%012x", h>>32, h>>16&0xffff, i)
}

// openSessionsBench returns a database in which viewings are open, on a private
// server with memory for them: they take 1 GB, and with the 256 MB of the
// default half of the time goes into moving pages. fsync is on. No checkpoint
// has passed since the viewings began, as is so for most heartbeats: the first
// write to each page after one costs more, because the log takes the whole page.
func openSessionsBench(b *testing.B) *DB {
	b.Helper()
	server, err := private.Start(b.Context(), private.Config{
		Dir: b.TempDir(), Settings: map[string]string{"shared_buffers": "2GB"},
	})
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
	db := openAt(b, server.DSN())
	if err := db.Migrate(b.Context()); err != nil {
		b.Fatalf("Migrate: %v", err)
	}
	const chunk = 50_000
	for from := 0; from < benchOpenSessions; from += chunk {
		beats := make([]telemetry.Heartbeat, chunk)
		for i := range beats {
			beats[i] = benchBeat(from+i, 0)
		}
		if err := db.MergeSessions(b.Context(), telemetry.FoldBatch(beats, jobStart.UnixMilli())); err != nil {
			b.Fatalf("MergeSessions: %v", err)
		}
	}
	mustExec(b, db, `vacuum analyze sessions`)
	return db
}

// BenchmarkIngestHeartbeats stores heartbeats of a million open sessions, each
// batch of other sessions. A record counts when its transaction is committed.
func BenchmarkIngestHeartbeats(b *testing.B) {
	db := openSessionsBench(b)
	order := rand.New(rand.NewPCG(1, 2)).Perm(benchOpenSessions)
	var clock atomic.Int64
	next := func(n int) []telemetry.Heartbeat {
		from := clock.Add(int64(n)) - int64(n)
		beats := make([]telemetry.Heartbeat, n)
		for i := range beats {
			at := from + int64(i)
			beats[i] = benchBeat(order[at%benchOpenSessions], 1+at/benchOpenSessions)
		}
		return beats
	}
	for _, batch := range []int{1_000, 5_000, 20_000} {
		b.Run(fmt.Sprintf("one writer/batch=%d", batch), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				beats := next(batch)
				b.StartTimer()
				if err := db.MergeSessions(b.Context(), telemetry.FoldBatch(beats, jobStart.UnixMilli()+60_000)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "heartbeats/s")
		})
	}
	b.Run("group commit/requests of 200", func(b *testing.B) {
		benchGroups(b, db.MergeSessions, func(n int) []telemetry.Session {
			return telemetry.FoldBatch(next(n), jobStart.UnixMilli()+60_000)
		}, "heartbeats/s")
	})
}

// benchGroups submits requests of 200 records from many clients, each of which
// waits for the commit before its next one.
func benchGroups[T any](b *testing.B, write func(context.Context, []T) error, next func(n int) []T, unit string) {
	const clients, perRequest, requests = 200, 200, 10
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		prepared := make([][][]T, clients)
		for c := range prepared {
			for range requests {
				prepared[c] = append(prepared[c], next(perRequest))
			}
		}
		group := NewGroupCommit(b.Context(), GroupCommitConfig[T]{Write: write, MaxGroup: 20_000, MaxQueued: 200_000, Writers: 2})
		b.StartTimer()
		var done sync.WaitGroup
		for _, batches := range prepared {
			done.Go(func() {
				for _, items := range batches {
					if err := group.Submit(b.Context(), items); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		done.Wait()
		group.Close()
	}
	b.ReportMetric(float64(b.N*clients*perRequest*requests)/b.Elapsed().Seconds(), unit)
}

// BenchmarkIngestCMCD stores event records of stock players, each batch of many
// sessions.
func BenchmarkIngestCMCD(b *testing.B) {
	db := openBenchStore(b).DB
	var clock atomic.Int64
	next := func(n int) []KeyedRecord {
		from := clock.Add(int64(n)) - int64(n)
		records := make([]KeyedRecord, n)
		for i := range records {
			at := from + int64(i)
			sid, sn, ts := benchSessionID(int(at%100_000)), at/100_000, jobStart.UnixMilli()+at/20
			raw := fmt.Sprintf(`br=(3200),bl=(11900),cid="channel-17",e=ps,ltc=2900,mtp=(18300),pr=1,sf=h,sid=%q,sn=%d,st=l,sta=p,ts=%d,v=2`, sid, sn, ts)
			r, _, ok := telemetry.DecodeRecord(raw, telemetry.ModeEvent)
			if !ok {
				b.Fatalf("DecodeRecord(%s) refused", raw)
			}
			r.RecvMs = ts
			records[i] = KeyedRecord{KeyID: 1, Record: r}
		}
		return records
	}
	for _, batch := range []int{1_000, 20_000} {
		b.Run(fmt.Sprintf("one writer/batch=%d", batch), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				records := next(batch)
				b.StartTimer()
				if err := db.InsertRecords(b.Context(), records); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "records/s")
		})
	}
	b.Run("group commit/requests of 200", func(b *testing.B) {
		benchGroups(b, db.InsertRecords, next, "records/s")
	})
	b.Run("fold", func(b *testing.B) {
		now := jobStart.AddDate(0, 0, 2)
		records := 0
		for b.Loop() {
			b.StopTimer()
			mustExec(b, db, `update cmcd_sessions set dirty = session_id in (select session_id from cmcd_sessions limit 10000)`)
			records += count(b, db, `select count(*) from cmcd_records join cmcd_sessions using (session_id) where dirty`)
			b.StartTimer()
			if n, err := db.FoldSessions(b.Context(), now); err != nil || n != 10_000 {
				b.Fatalf("FoldSessions = %d, %v; want 10000", n, err)
			}
		}
		b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
	})
}

// jobClock stands still.
func jobClock() time.Time { return jobStart }

// BenchmarkInsertExposures records first exposures of new units, and again.
func BenchmarkInsertExposures(b *testing.B) {
	s := openBenchStore(b)
	exp, err := s.Launch(b.Context(), benchSpec("exposed"))
	if err != nil {
		b.Fatal(err)
	}
	const batch = 10_000
	r := rand.New(rand.NewPCG(3, 4))
	var rows []ExposureRow
	fresh := func() {
		rows = rows[:0]
		for range batch {
			rows = append(rows, ExposureRow{
				ExperimentID: exp.ID, Version: 1, UnitType: exp.Unit, Unit: fmt.Sprintf("viewer-%016x", r.Uint64()),
				Arm: r.IntN(2), At: jobStart, Attributes: map[string]string{"country": "DE", "os": "tizen", "player": "hls.js"},
			})
		}
	}
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fresh()
			b.StartTimer()
			if err := s.InsertExposures(b.Context(), jobClock, rows); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "exposures/s")
	})
	b.Run("repeated", func(b *testing.B) {
		rows = slices.Clone(rows)
		for b.Loop() {
			if err := s.InsertExposures(b.Context(), jobClock, rows); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "exposures/s")
	})
}
