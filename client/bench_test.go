package client_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/client"
	"github.com/splitcast/splitcast/internal/servertest"
)

// benchContexts are viewers with seven attributes.
func benchContexts(n int) []*assignment.Context {
	out := make([]*assignment.Context, n)
	for i := range out {
		ctx := who(fmt.Sprintf("8f14e45f-ceea-467f-a%03x-%012x", i, i*7919))
		ctx.SetString("platform", "web")
		ctx.SetString("player", "hls.js")
		ctx.SetBool("subscriber", i%3 == 0)
		ctx.SetNumber("followers", float64(i))
		ctx.SetString("device_tier", "mid")
		out[i] = ctx
	}
	return out
}

// BenchmarkGetters are getters of units whose exposure is known.
func BenchmarkGetters(b *testing.B) {
	c := readyClient(b, newServer(b).config())
	ctxs := benchContexts(1024)
	for name, get := range map[string]func(ctx *assignment.Context) client.Details{
		"bool":   func(ctx *assignment.Context) client.Details { _, d := c.Bool("autoplay", ctx, false); return d },
		"string": func(ctx *assignment.Context) client.Details { _, d := c.String("title", ctx, ""); return d },
		"float":  func(ctx *assignment.Context) client.Details { _, d := c.Float("rate", ctx, 0); return d },
		"int":    func(ctx *assignment.Context) client.Details { _, d := c.Int("buffer", ctx, 0); return d },
		"object": func(ctx *assignment.Context) client.Details { _, d := abrOf(c, ctx); return d },
	} {
		b.Run(name, func(b *testing.B) {
			for _, ctx := range ctxs {
				get(ctx)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if d := get(ctxs[i%len(ctxs)]); d.Err != nil {
					b.Fatal(d.Err)
				}
				i++
			}
		})
	}
	b.Run("bool/parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for i := 0; p.Next(); i++ {
				c.Bool("autoplay", ctxs[i%len(ctxs)], false)
			}
		})
	})
}

// BenchmarkFirstExposure is the getter of a unit that was never met, with the
// server taking what it can.
func BenchmarkFirstExposure(b *testing.B) {
	c := readyClient(b, newServer(b).config())
	ctx := benchContexts(1)[0]
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		ctx.SetTargetingKey(strconv.Itoa(i))
		c.Bool("autoplay", ctx, false)
		i++
	}
	st := c.Stats()
	b.ReportMetric(float64(st.ExposuresSent+uint64(st.ExposuresQueued))/float64(st.ExposuresSent+uint64(st.ExposuresQueued)+st.ExposuresDropped), "kept")
}

// BenchmarkAdopt is a new configuration of 5,000 experiments, from the answer
// over HTTP to the first getter.
func BenchmarkAdopt(b *testing.B) {
	s := newServer(b)
	var specs strings.Builder
	specs.WriteString(`{"experiments":[`)
	const experiments = 5000
	for i := range experiments {
		if i > 0 {
			specs.WriteByte(',')
		}
		fmt.Fprintf(&specs, `{"key":"e-%d","unit":"viewer","status":"running","audience":{"all":[{"attr":"country","op":"in","values":["DE","FR","US"]}]},
			"arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}}`, i)
		if i%1000 == 999 {
			specs.WriteString(`]}`)
			s.Store(b, specs.String())
			specs.Reset()
			specs.WriteString(`{"experiments":[`)
			if i < experiments-1 {
				fmt.Fprintf(&specs, `{"key":"f-%d","unit":"viewer","status":"draft","arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}}`, i)
			}
		}
	}
	if err := s.Live.Refresh(b.Context()); err != nil {
		b.Fatal(err)
	}
	get := func() int64 {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL+"/api/v1/config", http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+servertest.ServiceKey)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		return int64(len(readAll(b, resp.Body)))
	}
	b.SetBytes(get())
	before := liveHeap()
	kept := readyClient(b, s.config())
	heap := liveHeap() - before
	b.ReportAllocs()
	for b.Loop() {
		c := readyClient(b, s.config())
		b.StopTimer()
		closeClient(b, c)
		b.StartTimer()
	}
	b.ReportMetric(float64(heap)/(1<<20), "MB-heap")
	closeClient(b, kept)
}

// liveHeap returns the bytes that are in use.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what the first one found unused
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
