package postgres

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// The platform of BenchmarkLookAgainstRaw: ten experiments that hold all units,
// exposed evenly over two weeks, with two viewings each.
const (
	rawExperiments = 10
	rawDays        = 14
	rawBeats       = 10 // heartbeats a viewing, as in the measurements of the raw shape
	// rawUnits is the default; SPLITCAST_BENCH_UNITS=1000000 is the size that
	// docs/benchmarks.md states, and takes half an hour.
	rawUnits = 50_000
)

// BenchmarkLookAgainstRaw takes the looks that a minute, an hour and the rest of
// a day add to ten experiments, and runs what a warehouse-native tool runs for the
// same figures at each refresh: one query an experiment that joins its exposed
// units with the whole table of facts and masks every metric by the time since the
// exposure. Both must agree on units and watch time; "raw/minute" is how many
// times as much as the minute's look the queries cost.
func BenchmarkLookAgainstRaw(b *testing.B) {
	units := rawUnits
	if text := os.Getenv("SPLITCAST_BENCH_UNITS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatalf("SPLITCAST_BENCH_UNITS: %v", err)
		}
		units = n
	}
	s := openBenchStore(b)
	patient, err := s.patient(1)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = patient.Close() })
	experiments := fillRaw(b, s, patient, units)
	job := metrics.Job{Store: s, Experiments: func(_ context.Context, after string) ([]experiment.Experiment, error) {
		if after != "" {
			return nil, nil
		}
		return experiments, nil
	}}
	at := jobStart.AddDate(0, 0, rawDays-1)
	if _, err := job.RunOnce(b.Context(), at); err != nil {
		b.Fatal(err)
	}
	mustExec(b, patient, `checkpoint`)

	look := func(b *testing.B, step time.Duration) float64 {
		b.Helper()
		at = at.Add(step)
		began := time.Now()
		sum, err := job.RunOnce(b.Context(), at)
		if err != nil || sum.Looks != rawExperiments {
			b.Fatalf("RunOnce = %+v, %v", sum, err)
		}
		return time.Since(began).Seconds()
	}
	raw := func(b *testing.B) float64 {
		b.Helper()
		began := time.Now()
		for i := range experiments {
			compareRaw(b, s, patient, &experiments[i], at)
		}
		return time.Since(began).Seconds()
	}
	for b.Loop() {
		took := map[string]float64{"minute": look(b, time.Minute), "hour": look(b, time.Hour), "day": look(b, 24*time.Hour-61*time.Minute)}
		queries := raw(b)
		b.ReportMetric(queries, "s/raw")
		for name, seconds := range took {
			b.ReportMetric(seconds, "s/"+name)
			b.ReportMetric(queries/seconds, "raw/"+name)
		}
	}
}

// fillRaw fills the platform: exposures, sessions, and the facts of the raw shape.
func fillRaw(b *testing.B, s jobStore, patient *DB, units int) []experiment.Experiment {
	b.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	experiments := make([]experiment.Experiment, rawExperiments)
	for i := range experiments {
		exp, err := s.Launch(b.Context(), benchSpec(fmt.Sprintf("raw-%d", i)))
		if err != nil {
			b.Fatalf("Launch: %v", err)
		}
		experiments[i] = exp
	}
	step := rawDays * 24 * time.Hour / time.Duration(units)
	var rows []ExposureRow
	var sessions []telemetry.Session
	flush := func() {
		recorded := rows[len(rows)-1].At
		if err := s.InsertExposures(b.Context(), func() time.Time { return recorded }, rows); err != nil {
			b.Fatalf("InsertExposures: %v", err)
		}
		slices.SortFunc(sessions, func(x, y telemetry.Session) int { return int(x.FirstRecvMs - y.FirstRecvMs) })
		if err := s.MergeSessions(b.Context(), sessions); err != nil {
			b.Fatalf("MergeSessions: %v", err)
		}
		rows, sessions = rows[:0], sessions[:0]
	}
	for i := range units {
		unit := fmt.Sprintf("viewer-%08x-%07d", r.Uint32(), i)
		at := jobStart.Add(time.Duration(i) * step).Truncate(time.Millisecond)
		rows = append(rows, ExposureRow{
			ExperimentID: experiments[0].ID, Version: 1, UnitType: experiment.UnitViewer, Unit: unit, Arm: r.IntN(2), At: at,
			Attributes: map[string]string{"country": fmt.Sprintf("country-%d", r.IntN(40)), "device_class": "tv", "player": "hls.js"},
		})
		for range 2 {
			sessions = append(sessions, benchSession(r, unit, at.Add(time.Duration(1+r.IntN(80_000))*time.Second)))
		}
		// Within FirstSpan of each other, so that every window closes at its own time.
		if at.Sub(rows[0].At) > metrics.FirstSpan-step || len(rows) == experiment.MaxExposureBatch || i == units-1 {
			flush()
		}
	}
	for _, exp := range experiments[1:] {
		mustExec(b, patient, `
			insert into exposures (experiment_id, version, unit_id, arm, at, recorded_at, override, attributes, first_closes_at)
			select $1, 1, unit_id, arm, at, recorded_at, override, attributes, first_closes_at
			from exposures where experiment_id = $2 order by first_closes_at`, exp.ID, experiments[0].ID)
	}
	mustExec(b, patient, `
		create unlogged table raw_facts as
		select session_id, viewer_id, n as seq, to_timestamp(first_recv_ms / 1000.0) as session_at,
			to_timestamp(first_recv_ms / 1000.0) + n * interval '1 minute' as at,
			country, device_class, os, player, player_version, net_class,
			play_ms / $1 + case when n = 0 then play_ms % $1 else 0 end as play_ms,
			stall_ms / $1 as stall_ms, stall_n, rung_ms / $1 as rung_ms, rung_kbps_ms / $1 as rung_kbps_ms,
			latency_ms_sum / $1 as latency_ms, first_frame_ms
		from sessions, generate_series(0, $1 - 1) n
		order by first_recv_ms / 60000 + n`, rawBeats)
	mustExec(b, patient, `vacuum analyze`)
	return experiments
}

// compareRaw runs the raw query of an experiment and compares what it finds with
// the newest look.
func compareRaw(b *testing.B, s jobStore, patient *DB, exp *experiment.Experiment, at time.Time) {
	b.Helper()
	const query = `
		with units as (
			select unit_id, min(arm) as arm, min(at) as at from exposures
			where experiment_id = $1 and version = $2 and first_closes_at + $4::interval <= $3
			group by unit_id having min(arm) = max(arm)),
		facts as (
			select u.unit_id, u.arm,
				coalesce(sum(f.play_ms) filter (where f.session_at >= u.at and f.session_at < u.at + interval '1 day'), 0)::float8 as play,
				coalesce(sum(f.stall_ms) filter (where f.session_at >= u.at and f.session_at < u.at + interval '1 day'), 0)::float8 as stall,
				coalesce(sum(f.rung_ms) filter (where f.session_at >= u.at and f.session_at < u.at + interval '1 day'), 0)::float8 as rung,
				coalesce(sum(f.rung_kbps_ms) filter (where f.session_at >= u.at and f.session_at < u.at + interval '1 day'), 0)::float8 as kbps,
				coalesce(sum(f.latency_ms) filter (where f.session_at >= u.at and f.session_at < u.at + interval '1 day'), 0)::float8 as latency,
				coalesce(sum(f.play_ms) filter (where f.session_at < u.at and f.session_at >= u.at - interval '14 days'), 0)::float8 as before
			from units u left join raw_facts f on f.viewer_id = u.unit_id
			group by u.unit_id, u.arm)
		select arm, count(*) as n, sum(play) as play, sum(play * play) as play2,
			sum(stall) as stall, sum(stall * stall) as stall2, sum(stall * play) as stallplay,
			sum(rung) as rung, sum(rung * rung) as rung2, sum(kbps) as kbps, sum(kbps * kbps) as kbps2, sum(kbps * rung) as kbpsrung,
			sum(latency) as latency, sum(latency * latency) as latency2,
			sum(before) as before, sum(before * before) as before2, sum(before * play) as beforeplay
		from facts group by arm order by arm`
	rows, err := patient.sql.QueryxContext(b.Context(), query, exp.ID, exp.Version, stamp(at.Add(-metrics.WatermarkLag)),
		fmt.Sprintf("%d seconds", int(metrics.WindowDay.AfterFirst().Seconds())))
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	mark, _, err := s.NewestLook(b.Context(), exp.ID, exp.Version)
	if err != nil {
		b.Fatal(err)
	}
	looks, err := s.Looks(b.Context(), exp.ID, exp.Version, []int{mark.Number})
	if err != nil {
		b.Fatal(err)
	}
	newest := looks[0]
	for rows.Next() {
		row := map[string]any{}
		if err := rows.MapScan(row); err != nil {
			b.Fatal(err)
		}
		i := slices.IndexFunc(newest.Cells, func(c metrics.Cell) bool {
			return c.Metric == "watch_hours_per_viewer" && c.Uncapped && c.IsTotal() && int64(c.Arm) == row["arm"]
		})
		if i < 0 {
			b.Fatalf("no cell of watch time of arm %v", row["arm"])
		}
		pair, n, played := newest.Cells[i].Pair, row["n"].(int64), row["play"].(float64) //nolint:forcetypeassert // by the query
		if got := pair.MeanY * float64(pair.N); pair.N != n || math.Abs(got/played-1) > 1e-9 {
			b.Fatalf("arm %v: the look has %d units and %g ms, the query %d and %g", row["arm"], pair.N, got, n, played)
		}
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
}
