package server

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/splitcast/splitcast/experiment"
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
