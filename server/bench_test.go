package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/postgres/private"
)

// BenchmarkHeartbeatsHTTP is POST /v1/heartbeats of 1,000 sessions, from many
// connections at once, acknowledged after the commit.
func BenchmarkHeartbeatsHTTP(b *testing.B) {
	const batch = 1_000
	w := newBench(b)
	body := []byte("[" + repeat(batch, ",", func(i int) string { return beat(fmt.Sprintf("s-%d", i), 1) }) + "]")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, w.url+"/v1/heartbeats", bytes.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("X-API-Key", w.secrets[experiment.ScopeIngest])
			resp, err := w.client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				b.Errorf("heartbeats = %d", resp.StatusCode)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "beats/s")
}

// BenchmarkExposures stores exposures in batches of 10,000 from two callers, in
// the proportions of a service that logs every use: each unit comes five times.
func BenchmarkExposures(b *testing.B) {
	const units, uses, batch = 80_000, 5, 10_000
	server, err := private.Start(b.Context(), private.Config{Dir: b.TempDir()}) // as users run it: commits reach the disk
	if err != nil {
		b.Skipf("no private server: %v", err)
	}
	b.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	})
	migrate(b, server.DSN())
	w := newBenchAt(b, server.DSN())
	exp, err := w.srv.live.resolve("abr")
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for run := 0; b.Loop(); run++ {
		b.StopTimer()
		rows := make([]postgres.ExposureRow, units*uses)
		for i := range rows {
			rows[i] = postgres.ExposureRow{
				ExperimentID: exp.ID, Version: exp.Version, UnitType: exp.Unit, Unit: fmt.Sprintf("viewer-%d-%08d", run, i%units),
				Arm: i % units % 2, At: testNow, Attributes: map[string]string{"country": "DE", "player": "hls.js"},
			}
		}
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		b.StartTimer()
		g, ctx := errgroup.WithContext(b.Context())
		g.SetLimit(2)
		for part := range slices.Chunk(rows, batch) {
			g.Go(func() error { return w.srv.exposures.store(ctx, part) })
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*units*uses/b.Elapsed().Seconds(), "exposures/s")
}

func migrate(b *testing.B, dsn string) {
	b.Helper()
	db, err := postgres.Open(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(db.Migrate(b.Context()), db.Close()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkAuth is the check of the API key alone, as each request of OFREP
// and of ingest passes it. It hashes every time: what is remembered of a secret
// could outlive its revocation.
func BenchmarkAuth(b *testing.B) {
	w := newBench(b)
	h := w.srv.require(experiment.ScopeEvaluate)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/ofrep/v1/evaluate/flags/abr", http.NoBody)
	req.Header.Set("Authorization", "Bearer "+w.secrets[experiment.ScopeEvaluate])
	rec := httptest.NewRecorder()
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		h.ServeHTTP(rec, req)
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
	if rec.Code != http.StatusOK {
		b.Fatalf("the key was refused: %d", rec.Code)
	}
}

// cpuTime returns the processor time of this process in ns: unlike the time on
// the wall it does not count waiting for busy cores.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return use.Utime.Nano() + use.Stime.Nano()
}
